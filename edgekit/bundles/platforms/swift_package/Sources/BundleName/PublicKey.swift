#if canImport(CryptoKit)
  import BundleNameCore
  import CryptoKit
  import Foundation

  /// An elliptic-curve key of whoever signs the bundle: P-256, P-384 or P-521.
  public struct PublicKey: SignatureKey {
    private let check: (Data, Data) -> Bool

    public init(pem: String) throws {
      if let key = try? P256.Signing.PublicKey(pemRepresentation: pem) {
        check = { signature, message in
          guard let read = try? P256.Signing.ECDSASignature(derRepresentation: signature) else {
            return false
          }
          return key.isValidSignature(read, for: message)
        }
      } else if let key = try? P384.Signing.PublicKey(pemRepresentation: pem) {
        check = { signature, message in
          guard let read = try? P384.Signing.ECDSASignature(derRepresentation: signature) else {
            return false
          }
          return key.isValidSignature(read, for: message)
        }
      } else if let key = try? P521.Signing.PublicKey(pemRepresentation: pem) {
        check = { signature, message in
          guard let read = try? P521.Signing.ECDSASignature(derRepresentation: signature) else {
            return false
          }
          return key.isValidSignature(read, for: message)
        }
      } else {
        throw BundleError("no public key (PEM) of P-256, P-384 or P-521")
      }
    }

    public func isValid(_ signature: Data, of message: Data) -> Bool { check(signature, message) }
  }
#endif
