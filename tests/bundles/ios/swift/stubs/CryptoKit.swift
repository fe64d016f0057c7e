// What Sources/ uses of CryptoKit: declarations alone.
import Foundation

public struct SHA256Digest: Sequence {
  public func makeIterator() -> Array<UInt8>.Iterator { fatalError("a stub") }
}

public struct SHA256 {
  public static func hash<D: DataProtocol>(data: D) -> SHA256Digest { fatalError("a stub") }
}

public enum P256 {
  public enum Signing {
    public struct ECDSASignature {
      public init<D: DataProtocol>(derRepresentation: D) throws { fatalError("a stub") }
    }
    public struct PublicKey {
      public init(pemRepresentation: String) throws { fatalError("a stub") }
      public func isValidSignature<D: DataProtocol>(
        _ signature: ECDSASignature, for data: D
      ) -> Bool { fatalError("a stub") }
    }
  }
}

public enum P384 {
  public enum Signing {
    public struct ECDSASignature {
      public init<D: DataProtocol>(derRepresentation: D) throws { fatalError("a stub") }
    }
    public struct PublicKey {
      public init(pemRepresentation: String) throws { fatalError("a stub") }
      public func isValidSignature<D: DataProtocol>(
        _ signature: ECDSASignature, for data: D
      ) -> Bool { fatalError("a stub") }
    }
  }
}

public enum P521 {
  public enum Signing {
    public struct ECDSASignature {
      public init<D: DataProtocol>(derRepresentation: D) throws { fatalError("a stub") }
    }
    public struct PublicKey {
      public init(pemRepresentation: String) throws { fatalError("a stub") }
      public func isValidSignature<D: DataProtocol>(
        _ signature: ECDSASignature, for data: D
      ) -> Bool { fatalError("a stub") }
    }
  }
}
