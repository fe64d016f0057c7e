// What Sources/ uses of CoreGraphics: declarations alone.
import Foundation

public enum CGImageAlphaInfo: UInt32 { case none, noneSkipLast = 5, noneSkipFirst = 6 }

public struct CGBitmapInfo: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let byteOrder32Little = CGBitmapInfo(rawValue: 2 << 12)
}

public final class CGImage {
  public var width: Int { fatalError("a stub") }
  public var height: Int { fatalError("a stub") }
}

public final class CGColorSpace {
  public static let sRGB: NSString = "kCGColorSpaceSRGB"
  public init?(name: NSString) { fatalError("a stub") }
}

public final class CGContext {
  public init?(
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int,
    bytesPerRow: Int, space: CGColorSpace, bitmapInfo: UInt32
  ) { fatalError("a stub") }
  public func setFillColor(red: CGFloat, green: CGFloat, blue: CGFloat, alpha: CGFloat) {}
  public func fill(_ rect: CGRect) {}
  public func draw(_ image: CGImage, in rect: CGRect) {}
}
