/// From a sample's own units to what a file takes, and back: as `edgekit/tensor.py` does it.
extension Contract.Port {
  /// A sample as the file takes it, with batch axis.
  func taken(_ sample: Tensor) throws -> Tensor {
    let batch = [1] + sample.shape
    let isOnGrid = scale == 1 && zeroPoint == 0
    if sample.dtype == dtype, scale == nil || isOnGrid { return try sample.reshaped(batch) }
    guard let scale, let zeroPoint else {
      return try Tensor(sample.values, dtype: dtype, shape: batch)
    }
    // In Float, as the runtimes divide: Double would land on other sides of the halves.
    let quantized = try sample.values.map { value -> Double in
      let steps = Float(value) / Float(scale)
      if steps.isNaN { throw BundleError("\(name): NaN cannot be quantized") }
      return Double(steps).rounded(.toNearestOrEven) + Double(zeroPoint)
    }
    return try Tensor(quantized, dtype: dtype, shape: batch)
  }

  /// What the file gives as real values, without batch axis.
  func real(_ found: Tensor) throws -> Tensor {
    guard found.shape.first == 1 else {
      throw BundleError("\(name): the model gives no batch of 1")
    }
    let output = try found.reshaped(Array(found.shape.dropFirst()))
    guard let scale, output.dtype.isWhole else { return output }
    let zero = Double(zeroPoint ?? 0)
    let values = output.values.map { Float($0 - zero) * Float(scale) }
    return try Tensor(
      dtype: .float32, shape: output.shape, bytes: Tensor.bytes(values) { $0 })
  }
}
