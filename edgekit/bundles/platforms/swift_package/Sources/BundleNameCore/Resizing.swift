/// Pillow's antialiased bilinear filter: all rows, then all columns, 8 bits between them; weights in
/// Double, of sum 1, then in 22-bit fixed point.
private let bits: Int32 = 32 - 8 - 2

private struct Weights {
  let first: Int
  let numbers: [Int32]

  /// Of each pixel of a row that had `size` pixels and gets `wanted`.
  static func of(_ size: Int, _ wanted: Int) -> [Weights] {
    let scale = Double(size) / Double(wanted)
    let stretch = max(scale, 1)
    let inverse = 1 / stretch
    return (0..<wanted).map { at in
      let center = (Double(at) + 0.5) * scale
      let first = max(Int(center - stretch + 0.5), 0)
      let last = min(Int(center + stretch + 0.5), size)
      let real = (first..<last).map { i -> Double in
        let away = abs((Double(i) - center + 0.5) * inverse)
        return away < 1 ? 1 - away : 0
      }
      let sum = real.reduce(0, +)
      let numbers = real.map { weight -> Int32 in
        Int32(0.5 + (sum == 0 ? weight : weight / sum) * Double(1 << bits))
      }
      return Weights(first: first, numbers: numbers)
    }
  }
}

private func cut(_ sum: Int32) -> UInt8 { UInt8(clamping: sum >> bits) }

/// RGB [height, width, 3] in another size.
func resized(_ rgb: [UInt8], width: Int, height: Int, to size: (width: Int, height: Int)) -> [UInt8]
{
  let wide = size.width == width ? rgb : horizontal(rgb, width, height, size.width)
  return size.height == height ? wide : vertical(wide, size.width, height, size.height)
}

private func horizontal(_ rgb: [UInt8], _ width: Int, _ height: Int, _ wanted: Int) -> [UInt8] {
  let all = Weights.of(width, wanted)
  return rgb.withUnsafeBufferPointer { rgb in
    [UInt8](unsafeUninitializedCapacity: wanted * height * 3) { made, count in
      for y in 0..<height {
        for (x, weights) in all.enumerated() {
          var (r, g, b) = (Int32(1) << (bits - 1), Int32(1) << (bits - 1), Int32(1) << (bits - 1))
          var from = (y * width + weights.first) * 3
          for weight in weights.numbers {
            r &+= Int32(rgb[from]) &* weight
            g &+= Int32(rgb[from + 1]) &* weight
            b &+= Int32(rgb[from + 2]) &* weight
            from += 3
          }
          let to = (y * wanted + x) * 3
          (made[to], made[to + 1], made[to + 2]) = (cut(r), cut(g), cut(b))
        }
      }
      count = wanted * height * 3
    }
  }
}

private func vertical(_ rgb: [UInt8], _ width: Int, _ height: Int, _ wanted: Int) -> [UInt8] {
  let stride = width * 3
  var sums = [Int32](repeating: 0, count: stride)
  return rgb.withUnsafeBufferPointer { rgb in
    [UInt8](unsafeUninitializedCapacity: stride * wanted) { made, count in
      for (y, weights) in Weights.of(height, wanted).enumerated() {
        for at in 0..<stride { sums[at] = 1 << (bits - 1) }
        for (i, weight) in weights.numbers.enumerated() {
          let from = (weights.first + i) * stride
          for at in 0..<stride { sums[at] &+= Int32(rgb[from + at]) &* weight }
        }
        for at in 0..<stride { made[y * stride + at] = cut(sums[at]) }
      }
      count = stride * wanted
    }
  }
}
