/// A decoded picture, upright: 8 bits a channel, row by row.
public struct Picture: Sendable {
  public let width: Int
  public let height: Int
  /// 3 bytes a pixel.
  public let rgb: [UInt8]

  public static let mostPixels = 89_478_485  // as Pillow's limit

  public init(rgb: [UInt8], width: Int, height: Int) throws {
    try Picture.check(width, height, bytes: rgb.count, channels: 3)
    self.width = width
    self.height = height
    self.rgb = rgb
  }

  /// Pixels with opacity, not premultiplied, laid on white as Pillow's `alpha_composite` does.
  public init(rgba: [UInt8], width: Int, height: Int) throws {
    try Picture.check(width, height, bytes: rgba.count, channels: 4)
    var rgb = [UInt8](repeating: 0, count: width * height * 3)
    for pixel in 0..<width * height {
      let alpha = Int(rgba[4 * pixel + 3])
      for c in 0..<3 {
        let level = rgba[4 * pixel + c]
        let sum = (Int(level) * alpha + 255 * (255 - alpha) + 0x80) * 128
        rgb[3 * pixel + c] = alpha == 255 ? level : UInt8((((sum >> 8) + sum) >> 8) >> 7)
      }
    }
    self.width = width
    self.height = height
    self.rgb = rgb
  }

  private static func check(_ width: Int, _ height: Int, bytes: Int, channels: Int) throws {
    guard width > 0, height > 0, width <= mostPixels / height,
      bytes == width * height * channels
    else { throw BundleError("a picture: no pixels, too many, or another number of bytes") }
  }
}

/// A rectangle of a picture: in 0 to 1 of it, or in pixels.
public struct Box: Equatable, Sendable {
  public var left, top, right, bottom: Double

  public init(left: Double, top: Double, right: Double, bottom: Double) {
    self.left = left
    self.top = top
    self.right = right
    self.bottom = bottom
  }
}

/// Where a picture lies in an input: everywhere, or with grey sides.
public struct Fit: Equatable, Sendable {
  public let left, top, width, height: Int
  public let inputWidth, inputHeight: Int

  init(width: Int, height: Int, in input: Contract.Input) {
    inputWidth = input.width ?? 0
    inputHeight = input.height ?? 0
    guard input.resize == .letterbox else {
      (left, top, self.width, self.height) = (0, 0, inputWidth, inputHeight)
      return
    }
    let scale = min(Double(inputWidth) / Double(width), Double(inputHeight) / Double(height))
    func fitted(_ size: Int, _ most: Int) -> Int {
      min(most, max(1, Int((Double(size) * scale).rounded(.toNearestOrEven))))
    }
    self.width = fitted(width, inputWidth)
    self.height = fitted(height, inputHeight)
    left = (inputWidth - self.width) / 2
    top = (inputHeight - self.height) / 2
  }

  /// From 0–1 of the input to 0–1 of the picture, cut to it.
  public func toPicture(_ box: Box) -> Box {
    func moved(_ value: Double, _ offset: Int, _ size: Int, _ whole: Int) -> Double {
      let place = value - Double(offset) / Double(whole)
      return min(1, max(0, place / (Double(size) / Double(whole))))
    }
    return Box(
      left: moved(box.left, left, width, inputWidth),
      top: moved(box.top, top, height, inputHeight),
      right: moved(box.right, left, width, inputWidth),
      bottom: moved(box.bottom, top, height, inputHeight))
  }
}

extension Contract.Input {
  /// A picture as the model takes it, to the bit as edgekit makes it.
  func prepare(_ picture: Picture) throws -> (sample: Tensor, fit: Fit) {
    let fit = Fit(width: picture.width, height: picture.height, in: self)
    let rgb = resized(
      picture.rgb, width: picture.width, height: picture.height, to: (fit.width, fit.height))
    return (try levels(pasted(rgb, fit)), fit)
  }

  private func pasted(_ rgb: [UInt8], _ fit: Fit) -> [UInt8] {
    if fit.width == fit.inputWidth, fit.height == fit.inputHeight { return rgb }
    var made = [UInt8](repeating: grey ?? 0, count: fit.inputWidth * fit.inputHeight * 3)
    for y in 0..<fit.height {
      let to = ((fit.top + y) * fit.inputWidth + fit.left) * 3
      let from = y * fit.width * 3
      made.replaceSubrange(to..<to + fit.width * 3, with: rgb[from..<from + fit.width * 3])
    }
    return made
  }

  private func levels(_ rgb: [UInt8]) throws -> Tensor {
    switch dtype {
    case .uint8: return try levels(rgb) { UInt8(clamping: Int($0)) }
    case .int8: return try levels(rgb) { Int8(clamping: Int($0)) }
    case .int32: return try levels(rgb) { Int32(clamping: Int($0)) }
    case .int64: return try levels(rgb) { Int64($0) }
    case .float32: return try levels(rgb) { Float($0) }
    }
  }

  /// What 0 to 255 of each channel become, and their order.
  private func levels<T>(_ rgb: [UInt8], _ number: (Double) -> T) throws -> Tensor {
    let tables = (ranges ?? []).map { range -> [T] in
      let step = (range[1] - range[0]) / 255
      return (0..<256).map { level in
        let value = range[0] + Double(level) * step
        return number(dtype.isWhole ? value.rounded(.toNearestOrEven) : value)
      }
    }
    let pixels = rgb.count / 3
    func level(_ pixel: Int, _ channel: Int) -> T {
      tables[channel][Int(tables.count == 1 ? luma(rgb, 3 * pixel) : rgb[3 * pixel + channel])]
    }
    var made: [T] = []
    made.reserveCapacity(pixels * tables.count)
    if layout == .chw {
      for c in tables.indices { for pixel in 0..<pixels { made.append(level(pixel, c)) } }
    } else {
      for pixel in 0..<pixels { for c in tables.indices { made.append(level(pixel, c)) } }
    }
    return try Tensor(dtype: dtype, shape: shape, bytes: made.withUnsafeBytes(Array.init))
  }
}

/// ITU-R 601, in integers: no sum of floats rounds otherwise elsewhere.
private func luma(_ rgb: [UInt8], _ at: Int) -> UInt8 {
  let sum = 299 * Int(rgb[at]) + 587 * Int(rgb[at + 1]) + 114 * Int(rgb[at + 2])
  return UInt8((Double(sum) / 1000).rounded(.toNearestOrEven))
}
