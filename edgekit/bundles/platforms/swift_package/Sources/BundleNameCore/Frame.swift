extension Picture {
  /// Opaque pixels as cameras give them: blue, green, red and a byte that is not looked at.
  public init(bgra: UnsafeRawBufferPointer, width: Int, height: Int, stride: Int) throws {
    guard width > 0, height > 0, width <= Picture.mostPixels / height, stride >= 4 * width,
      bgra.count >= stride * (height - 1) + 4 * width
    else { throw BundleError("a frame: no pixels, too many, or another number of bytes") }
    var rgb = [UInt8](repeating: 0, count: width * height * 3)
    var to = 0
    for y in 0..<height {
      for from in Swift.stride(from: y * stride, to: y * stride + 4 * width, by: 4) {
        rgb[to] = bgra[from + 2]
        rgb[to + 1] = bgra[from + 1]
        rgb[to + 2] = bgra[from]
        to += 3
      }
    }
    try self.init(rgb: rgb, width: width, height: height)
  }
}
