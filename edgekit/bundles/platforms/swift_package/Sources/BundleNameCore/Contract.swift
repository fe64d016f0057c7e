import Foundation

/// What an app does before and after the model: `contract.json`.
public struct Contract: Decodable, Sendable {
  public let version: Int
  public let inputs: [Input]
  public let answer: Answer
  /// Label of an artifact → what its file takes and gives.
  public let artifacts: [String: Ports]

  public enum Kind: String, Decodable, Sendable {
    case picture, text, sound, tensor
  }

  /// From a picture, text or sound to a sample in the model's own units.
  public struct Input: Decodable, Sendable {
    public let name: String
    public let kind: Kind
    public let shape: [Int]
    public let dtype: DType
    // Of pictures.
    public let height: Int?
    public let width: Int?
    public let channels: Int?
    public let layout: Layout?
    public let resize: Resize?
    public let grey: UInt8?
    public let ranges: [[Double]]?
    // Of texts and sound.
    public let length: Int?
    public let tokenizer: String?
    public let rateHz: Int?
    public let range: [Double]?

    public enum Layout: String, Decodable, Sendable {
      case hwc = "HWC"
      case chw = "CHW"
    }

    public enum Resize: String, Decodable, Sendable {
      case bilinear, letterbox
    }

    enum CodingKeys: String, CodingKey {
      case name, kind, shape, dtype, height, width, channels, layout, resize, grey, ranges, length
      case tokenizer, range
      case rateHz = "rate_hz"
    }
  }

  /// A tensor of a model file; real = (number - zeroPoint) * scale where it has a scale.
  public struct Port: Decodable, Sendable {
    public let name: String
    public let dtype: DType
    public let shape: [Int]
    public let scale: Double?
    public let zeroPoint: Int?

    enum CodingKeys: String, CodingKey {
      case name, dtype, shape, scale
      case zeroPoint = "zero_point"
    }
  }

  public struct Ports: Decodable, Sendable {
    public let inputs: [Port]
    public let outputs: [Port]
  }

  /// From outputs to classes or objects.
  public struct Answer: Decodable, Sendable {
    public let kind: Kind
    public let output: Int?
    public let activation: String?
    public let top: Int?
    public let threshold: Double?
    public let overlap: Double?
    public let most: Int?
    public let candidates: Int?

    public enum Kind: String, Decodable, Sendable {
      case classes, objects, tensors
    }
  }

  public init(json: Data) throws {
    self = try decoded(json, "contract.json")
    try check()
  }

  private func check() throws {
    guard version == 1 else {
      throw BundleError.refused("contract.json: version \(version); this package reads 1")
    }
    guard !inputs.isEmpty else { throw BundleError.refused("contract.json: no input") }
    for input in inputs { try input.check() }
    for (label, ports) in artifacts {
      for port in ports.inputs + ports.outputs {
        _ = try Tensor.count(of: port.shape)
        guard port.scale?.isFinite ?? true else {
          throw BundleError.refused("contract.json: \(label): \(port.name) has no scale")
        }
      }
      try answer.check(outputs: ports.outputs)
    }
  }
}

extension Contract.Input {
  fileprivate func check() throws {
    let values = try Tensor.count(of: shape)
    let holds: Bool
    switch kind {
    case .picture:
      guard let height, let width, let channels, layout != nil, resize != nil, grey != nil,
        let ranges
      else { throw BundleError.refused("contract.json: \(name) takes no pictures") }
      holds =
        height > 0 && width > 0 && (channels == 1 || channels == 3)
        && ranges.count == channels && ranges.allSatisfy { $0.count == 2 }
        && values == height * width * channels
    case .text:
      holds = tokenizer != nil && (length ?? 0) > 0 && values == length
    case .sound:
      holds = rateHz != nil && range?.count == 2 && (length ?? 0) > 0 && values == length
    case .tensor:
      holds = true
    }
    guard holds else { throw BundleError.refused("contract.json: \(name) takes no \(kind)") }
  }
}

extension Contract.Answer {
  fileprivate func check(outputs: [Contract.Port]) throws {
    let holds: Bool
    switch kind {
    case .classes:
      holds = outputs.indices.contains(output ?? -1) && (top ?? -1) >= 0 && activation != nil
    case .objects:
      holds =
        threshold != nil && overlap != nil && (most ?? -1) >= 0 && (candidates ?? -1) >= 0
        && Set(outputs.map(\.name)).isSuperset(of: ["boxes", "scores"])
    case .tensors:
      holds = true
    }
    guard holds else { throw BundleError.refused("contract.json: no answer of kind \(kind)") }
  }
}
