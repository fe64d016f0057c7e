import Foundation

/// What golden cases proved.
public struct Checked: Sendable {
  /// Cases that hold.
  public var cases = 0
  /// Numbers that pictures, texts and sounds became, each the same to the bit.
  public var values = 0
  /// Part of its spread by which an output was apart at most.
  public var worst = 0.0
}

/// The cases of `golden/cases.json`: pictures to the bit, answers, outputs within a part of their
/// spread over all cases, since kernels round otherwise elsewhere.
public struct Golden {
  static let tolerance = 0.05  // as edgekit/bundles/packaged/golden.py
  static let rounding = 1e-6  // of exp, which languages round differently

  private let contents: Contents
  private let contract: Contract
  private let document: Document

  private struct Document: Decodable {
    let cases: [Case]
    let pictures: [Drawn]
    let texts: [Written]
    let sounds: [Heard]
  }

  private struct Case: Decodable {
    let inputs: [String: Entry]
    let outputs: [String: [String: Entry]]
    let answers: [String: Wanted]
  }

  private struct Drawn: Decodable {
    let picture: String
    let input: Entry
  }

  private struct Written: Decodable {
    let text: String
    let input: Entry
  }

  private struct Heard: Decodable {
    let sound: String
    let input: Entry
  }

  private struct Entry: Decodable {
    let file: String
    let dtype: DType
    let shape: [Int]
  }

  private struct Wanted: Decodable {
    let classes: [Int]?
    let scores: [Double]?
    let boxes: [[Double]]?
  }

  public init(_ contents: Contents, _ contract: Contract) throws {
    self.contents = contents
    self.contract = contract
    document = try decoded(contents.read("golden/cases.json"), "golden/cases.json")
  }

  /// Runs what needs no runtime: pictures, texts and sounds, and answers from an artifact's golden outputs.
  public func checkSteps(_ label: String) throws -> Checked {
    var checked = Checked()
    for (name, sample, wanted) in try originals() {
      guard sample == wanted else {
        throw BundleError("\(name): preprocessing gives other numbers")
      }
      checked.values += try Tensor.count(of: sample.shape)
      checked.cases += 1
    }
    for (number, one) in document.cases.enumerated() {
      let outputs = try golden(one, label)
      let found = try contract.answer.found(outputs, ports: ports(label), labels: [])
      guard let wanted = one.answers[label], same(found, wanted) else {
        throw BundleError("golden case \(number): another answer from the same outputs")
      }
      checked.cases += 1
    }
    return checked
  }

  /// Pictures, texts and sounds as samples, and the samples that they must become.
  private func originals() throws -> [(name: String, sample: Tensor, wanted: Tensor)] {
    let input = contract.inputs[0]
    let pictures = try document.pictures.map { one -> (String, Tensor, Tensor) in
      let name = String(one.picture.dropLast(3)) + "ppm"
      let picture = try Picture(ppm: contents.read(name))
      return (name, try input.prepare(picture).sample, try tensor(one.input))
    }
    let wordPiece = try contract.wordPiece(contents)
    let texts = try document.texts.enumerated().map { number, one in
      ("text \(number)", try input.tokens(one.text, wordPiece: wordPiece), try tensor(one.input))
    }
    let sounds = try document.sounds.map { one -> (String, Tensor, Tensor) in
      let wav = try Wav(contents.read(one.sound), most: input.length ?? 0)
      return (one.sound, try input.wave(wav), try tensor(one.input))
    }
    return pictures + texts + sounds
  }

  /// Runs all steps of a loaded model.
  func check(_ model: Model) throws -> Checked {
    let label = model.held.label
    var checked = try checkSteps(label)
    let all = try document.cases.map { try golden($0, label).mapValues(\.values) }
    var spreads: [String: Double] = [:]
    for port in try ports(label) {
      let values = all.flatMap { $0[port.name] ?? [] }
      spreads[port.name] = max((values.max() ?? 0) - (values.min() ?? 0), Golden.rounding)
    }
    for (number, one) in document.cases.enumerated() {
      let found = try model.run(one.inputs.mapValues(tensor))
      for (name, wanted) in all[number] {
        let apart = furthest(found[name]?.values ?? [], wanted) / (spreads[name] ?? 1)
        guard apart <= Golden.tolerance else {
          throw BundleError(
            "golden case \(number): \(name) is \(100 * apart) % of its spread apart; limit 5 %")
        }
        checked.worst = max(checked.worst, apart)
      }
    }
    return checked
  }

  private func ports(_ label: String) throws -> [Contract.Port] {
    guard let ports = contract.artifacts[label] else {
      throw BundleError("no artifact \(label) in this bundle")
    }
    return ports.outputs
  }

  private func golden(_ one: Case, _ label: String) throws -> [String: Tensor] {
    guard let outputs = one.outputs[label] else {
      throw BundleError("no golden outputs of \(label)")
    }
    return try outputs.mapValues(tensor)
  }

  private func tensor(_ entry: Entry) throws -> Tensor {
    try Tensor(dtype: entry.dtype, shape: entry.shape, bytes: [UInt8](contents.read(entry.file)))
  }

  private func same(_ found: [Found], _ wanted: Wanted) -> Bool {
    guard found.map(\.number) == wanted.classes ?? [] else { return false }
    let scores = wanted.scores ?? []
    let near = zip(found, scores).allSatisfy { abs($0.score - $1) <= Golden.rounding }
    let boxes = found.compactMap(\.box).map { [$0.left, $0.top, $0.right, $0.bottom] }
    return scores.count == found.count && near && boxes == wanted.boxes ?? []
  }
}

extension Model {
  /// Proves this build, runtime and processor with the golden cases; throws where one does not hold.
  public func check() throws -> Checked { try Golden(contents, contract).check(self) }
}

/// The largest difference; infinite where sizes differ or a value is none.
private func furthest(_ found: [Double], _ wanted: [Double]) -> Double {
  guard found.count == wanted.count else { return .infinity }
  return zip(found, wanted).reduce(0) { most, pair in
    let apart = abs(pair.0 - pair.1)
    return apart.isNaN ? .infinity : max(most, apart)
  }
}

extension Picture {
  /// A picture as the golden cases hold it besides PNG: binary PPM of 8 bits.
  public init(ppm: Data) throws {
    let bytes = [UInt8](ppm)
    var at = 0
    func word() -> String {
      while at < bytes.count, bytes[at] <= 0x20 { at += 1 }
      let start = at
      while at < bytes.count, bytes[at] > 0x20 { at += 1 }
      return String(decoding: bytes[start..<at], as: UTF8.self)
    }
    guard word() == "P6", let width = Int(word()), let height = Int(word()), word() == "255",
      at < bytes.count
    else { throw BundleError("not a PPM of 8 bits") }
    try self.init(rgb: Array(bytes[(at + 1)...]), width: width, height: height)
  }
}
