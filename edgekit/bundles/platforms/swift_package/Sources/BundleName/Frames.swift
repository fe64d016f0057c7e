#if canImport(CoreVideo)
  import BundleNameCore
  import CoreVideo

  extension Picture {
    /// A camera's frame, upright: BGRA of 8 bits, as `AVCaptureVideoDataOutput` gives when asked to.
    public init(_ frame: CVPixelBuffer) throws {
      guard CVPixelBufferGetPixelFormatType(frame) == kCVPixelFormatType_32BGRA else {
        throw BundleError("a frame: ask the camera for kCVPixelFormatType_32BGRA")
      }
      CVPixelBufferLockBaseAddress(frame, .readOnly)
      defer { CVPixelBufferUnlockBaseAddress(frame, .readOnly) }
      guard let base = CVPixelBufferGetBaseAddress(frame) else {
        throw BundleError("a frame without pixels")
      }
      let (width, height) = (CVPixelBufferGetWidth(frame), CVPixelBufferGetHeight(frame))
      let stride = CVPixelBufferGetBytesPerRow(frame)
      let bytes = UnsafeRawBufferPointer(start: base, count: stride * height)
      try self.init(bgra: bytes, width: width, height: height, stride: stride)
    }
  }
#endif

#if canImport(CoreGraphics)
  import BundleNameCore
  import CoreGraphics
  import Foundation

  extension Picture {
    /// A decoded picture, drawn upright in sRGB: `UIImage.cgImage`, or ImageIO's.
    public init(_ image: CGImage) throws {
      let (width, height) = (image.width, image.height)
      guard width > 0, height > 0, width <= Picture.mostPixels / height,
        let space = CGColorSpace(name: CGColorSpace.sRGB)
      else { throw BundleError("a picture: no pixels, or too many") }
      var bgra = [UInt8](repeating: 255, count: width * height * 4)
      let drawn = bgra.withUnsafeMutableBytes { bytes -> Bool in
        let format =
          CGImageAlphaInfo.noneSkipFirst.rawValue | CGBitmapInfo.byteOrder32Little.rawValue
        guard
          let context = CGContext(
            data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8,
            bytesPerRow: width * 4, space: space, bitmapInfo: format)
        else { return false }
        let whole = CGRect(x: 0, y: 0, width: width, height: height)
        context.setFillColor(red: 1, green: 1, blue: 1, alpha: 1)
        context.fill(whole)  // transparent pictures lie on white
        context.draw(image, in: whole)
        return true
      }
      guard drawn else { throw BundleError("a picture that cannot be drawn") }
      self = try bgra.withUnsafeBytes {
        try Picture(bgra: $0, width: width, height: height, stride: width * 4)
      }
    }
  }
#endif
