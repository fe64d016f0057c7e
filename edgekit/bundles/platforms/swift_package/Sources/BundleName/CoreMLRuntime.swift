#if canImport(CoreML)
  import BundleNameCore
  import CoreML
  import CoreVideo
  import Foundation

  /// Runs `.mlpackage` files. A picture of plain levels goes in as one.
  final class CoreMLRuntime: Runtime {
    let name = "Core ML"
    private let model: MLModel
    private let compiled: URL
    private let ports: Contract.Ports

    init(_ artifact: Artifact) throws {
      let manifest = artifact.held.file
      let package = try artifact.contents.place((manifest as NSString).deletingLastPathComponent)
      compiled = try MLModel.compileModel(at: package)
      model = try MLModel(contentsOf: compiled, configuration: MLModelConfiguration())
      ports = artifact.ports
    }

    deinit { try? FileManager.default.removeItem(at: compiled) }

    func run(_ inputs: [Tensor]) throws -> [Tensor] {
      var features: [String: MLFeatureValue] = [:]
      for (port, tensor) in zip(ports.inputs, inputs) {
        let kind = model.modelDescription.inputDescriptionsByName[port.name]?.type
        features[port.name] =
          kind == .image
          ? MLFeatureValue(pixelBuffer: try pixels(tensor))
          : MLFeatureValue(multiArray: try array(tensor))
      }
      let found = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: features))
      return try ports.outputs.map { port in
        guard let array = found.featureValue(for: port.name)?.multiArrayValue else {
          throw BundleError("Core ML gives no array \(port.name)")
        }
        let values = (0..<array.count).map { array[$0].doubleValue }
        return try Tensor(values, dtype: port.dtype, shape: port.shape)
      }
    }
  }

  private func array(_ tensor: Tensor) throws -> MLMultiArray {
    let kind: MLMultiArrayDataType = tensor.dtype == .float32 ? .float32 : .int32
    let made = try MLMultiArray(shape: tensor.shape.map { NSNumber(value: $0) }, dataType: kind)
    for (at, value) in tensor.values.enumerated() { made[at] = NSNumber(value: value) }
    return made
  }

  /// RGB levels [1, height, width, 3] as Core ML takes a picture: BGRA.
  private func pixels(_ tensor: Tensor) throws -> CVPixelBuffer {
    guard tensor.dtype == .uint8, tensor.shape.count == 4, tensor.shape[3] == 3 else {
      throw BundleError("Core ML takes a picture, not \(tensor.dtype) \(tensor.shape)")
    }
    let (height, width) = (tensor.shape[1], tensor.shape[2])
    var made: CVPixelBuffer?
    CVPixelBufferCreate(nil, width, height, kCVPixelFormatType_32BGRA, nil, &made)
    guard let buffer = made else { throw BundleError("no memory for a picture") }
    CVPixelBufferLockBaseAddress(buffer, [])
    defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
    guard let base = CVPixelBufferGetBaseAddress(buffer) else {
      throw BundleError("no memory for a picture")
    }
    let stride = CVPixelBufferGetBytesPerRow(buffer)
    for y in 0..<height {
      let row = base.advanced(by: y * stride).assumingMemoryBound(to: UInt8.self)
      for x in 0..<width {
        let from = (y * width + x) * 3
        row[4 * x] = tensor.bytes[from + 2]
        row[4 * x + 1] = tensor.bytes[from + 1]
        row[4 * x + 2] = tensor.bytes[from]
        row[4 * x + 3] = 255
      }
    }
    return buffer
  }
#endif
