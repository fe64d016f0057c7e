import Foundation

/// What went wrong, in one line.
public struct BundleError: Error, Equatable, LocalizedError, CustomStringConvertible {
  public let description: String
  /// The bundle is not what it should be: there is nothing to fall back to.
  public let isRefusal: Bool

  public init(_ description: String, isRefusal: Bool = false) {
    self.description = description
    self.isRefusal = isRefusal
  }

  public static func refused(_ description: String) -> BundleError {
    BundleError(description, isRefusal: true)
  }

  public var errorDescription: String? { description }
}

/// Numbers that tensors hold.
public enum DType: String, Codable, Sendable {
  case uint8, int8, int32, int64, float32

  public var size: Int {
    switch self {
    case .uint8, .int8: return 1
    case .int32, .float32: return 4
    case .int64: return 8
    }
  }

  public var isWhole: Bool { self != .float32 }
}

/// An array, row by row; its numbers are little-endian, as on every platform of Apple.
public struct Tensor: Equatable, Sendable {
  public let dtype: DType
  public let shape: [Int]
  public let bytes: [UInt8]

  /// Throws where bytes and shape don't fit.
  public init(dtype: DType, shape: [Int], bytes: [UInt8]) throws {
    guard try bytes.count == Tensor.count(of: shape) * dtype.size else {
      throw BundleError("a tensor: \(bytes.count) bytes for \(dtype.rawValue) \(shape)")
    }
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  /// Numbers as another kind: cut to its limits; a fraction is dropped.
  public init(_ values: [Double], dtype: DType, shape: [Int]) throws {
    if dtype.isWhole, values.contains(where: \.isNaN) {
      throw BundleError("NaN in a sample of whole numbers")
    }
    let bytes: [UInt8]
    switch dtype {
    case .uint8: bytes = Tensor.bytes(values) { UInt8(clamping: Int64(cutting: $0)) }
    case .int8: bytes = Tensor.bytes(values) { Int8(clamping: Int64(cutting: $0)) }
    case .int32: bytes = Tensor.bytes(values) { Int32(clamping: Int64(cutting: $0)) }
    case .int64: bytes = Tensor.bytes(values) { Int64(cutting: $0) }
    case .float32: bytes = Tensor.bytes(values) { Float($0) }
    }
    try self.init(dtype: dtype, shape: shape, bytes: bytes)
  }

  public var values: [Double] {
    switch dtype {
    case .uint8: return bytes.map(Double.init)
    case .int8: return bytes.map { Double(Int8(bitPattern: $0)) }
    case .int32: return numbers(Int32.self).map(Double.init)
    case .int64: return numbers(Int64.self).map(Double.init)
    case .float32: return numbers(Float.self).map(Double.init)
    }
  }

  /// The same numbers in another shape.
  public func reshaped(_ shape: [Int]) throws -> Tensor {
    try Tensor(dtype: dtype, shape: shape, bytes: bytes)
  }

  func numbers<T>(_: T.Type) -> [T] {
    bytes.withUnsafeBytes { raw in
      (0..<raw.count / MemoryLayout<T>.size).map {
        raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)
      }
    }
  }

  static func bytes<S: Sequence, T>(_ values: S, _ number: (S.Element) -> T) -> [UInt8] {
    values.map(number).withUnsafeBytes(Array.init)
  }

  private static let mostValues = 1 << 31

  static func count(of shape: [Int]) throws -> Int {
    var count = 1
    for size in shape {
      guard size >= 0, size == 0 || count <= mostValues / size else {
        throw BundleError("a shape of the bundle: below 0, or more than 2^31 values")
      }
      count *= size
    }
    return count
  }
}

extension Int64 {
  /// The highest Int64 is no Double: what is not below it is cut to it.
  fileprivate init(cutting value: Double) {
    if value >= 0x1p63 {
      self = .max
    } else if value <= -0x1p63 {
      self = .min
    } else {
      self.init(value)
    }
  }
}
