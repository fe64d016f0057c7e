import Foundation

/// A public key that a bundle must have been signed with. `PublicKey` is CryptoKit's.
public protocol SignatureKey {
  /// Whether `signature`, ECDSA in DER, is of `message`: over SHA-256, SHA-384 or SHA-512, as long as
  /// the key's curve.
  func isValid(_ signature: Data, of message: Data) -> Bool
}

extension Contents {
  private struct Signed: Decodable {
    let dsseEnvelope: Envelope

    struct Envelope: Decodable {
      let payload: Data  // base64 in the file
      let payloadType: String
      let signatures: [Signature]
    }

    struct Signature: Decodable {
      let sig: Data
    }
  }

  private struct Statement: Decodable {
    let predicateType: String
    let predicate: Predicate

    struct Predicate: Decodable {
      let resources: [Resource]
    }

    struct Resource: Decodable {
      let name: String
      let digest: String
      let algorithm: String
    }
  }

  /// Refuses a bundle that was not signed with the private half of a key: a Sigstore bundle with a
  /// DSSE envelope around the digest of every file, as the OpenSSF Model Signing specification has it.
  ///
  /// The list of files is what is checked; `read` and `verify` compare the files with it.
  public func checkSignature(key: SignatureKey) throws {
    func refused(_ why: String) -> BundleError {
      .refused("the signature is not by this key, or the bundle was changed: \(why)")
    }
    let place = folder.appendingPathComponent(Contents.signature)
    let file = try Contents.bytes(of: place, most: Contents.mostSignature)
    guard let signed: Signed = try? decoded(file, Contents.signature),
      case let envelope = signed.dsseEnvelope,
      envelope.payloadType == "application/vnd.in-toto+json",
      let statement: Statement = try? decoded(envelope.payload, Contents.signature),
      statement.predicateType == "https://model_signing/signature/v1.0"
    else { throw refused("bundle.sig has another form") }
    let type = envelope.payloadType
    let head = "DSSEv1 \(type.utf8.count) \(type) \(envelope.payload.count) "
    guard let signature = envelope.signatures.first?.sig,
      key.isValid(signature, of: Data(head.utf8) + envelope.payload)
    else { throw refused("it does not fit") }
    var listed: [String: String] = [:]
    for one in statement.predicate.resources {
      guard one.algorithm == "sha256", listed.updateValue(one.digest, forKey: one.name) == nil else {
        throw refused("\(one.name.prefix(200)) is listed otherwise")
      }
    }
    var own = files.mapValues(\.sha256)
    own[Contents.name] = sha256(listing)
    guard listed.count == own.count else { throw refused("it is of other files") }
    if let other = own.first(where: { listed[$0.key] != $0.value }) {
      throw refused("\(other.key) differs")
    }
  }
}
