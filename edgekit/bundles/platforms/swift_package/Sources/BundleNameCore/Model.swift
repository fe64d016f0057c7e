import Foundation

/// What computes a model's file: LiteRT, Core ML, or a runtime that an app brings along.
public protocol Runtime: AnyObject {
  /// With its version, for people.
  var name: String { get }

  /// Outputs of one sample, in the order of the artifact's ports; all with batch axis.
  func run(_ inputs: [Tensor]) throws -> [Tensor]
}

/// An artifact that is to be loaded. `contents` gives its files, verified.
public struct Artifact {
  public let contents: Contents
  public let held: Contents.Held
  public let ports: Contract.Ports
  public let threads: Int
}

/// Target of an artifact → how its runtime is made.
public typealias Runtimes = [String: (Artifact) throws -> Runtime]

public struct Options {
  /// Class of device, to choose an artifact by what was measured for it.
  public var device: String?
  /// Label of an artifact, to take that one and no other: "tflite-int8".
  public var artifact: String?
  /// Threads that a runtime may compute with.
  public var threads = 1
  /// sha256 of `bundle.json` that the app expects; nil for any.
  public var digest: String?
  /// Who must have signed the bundle; nil asks nobody.
  public var key: SignatureKey?

  public init() {}
}

/// The model, loaded: pictures, text, sound or tensors in, an answer out. One thread at a time may
/// use it.
public final class Model {
  public let contents: Contents
  public let contract: Contract
  public let labels: [String]
  /// The artifact that is loaded.
  public let held: Contents.Held
  public let runtime: Runtime
  /// Label → why an artifact that came before this one was not loaded.
  public let skipped: [(label: String, reason: String)]
  let ports: Contract.Ports
  private let wordPiece: WordPiece?

  /// Loads the bundle of a folder. Every file is verified before it is used; one that was changed
  /// is refused. An artifact that does not load is followed by the next.
  public init(bundle: URL, runtimes: Runtimes, options: Options = Options()) throws {
    contents = try Contents(folder: bundle, digest: options.digest)
    if let key = options.key { try contents.checkSignature(key: key) }
    contract = try Contract(json: contents.read("contract.json"))
    labels = try contents.lines("labels.txt")
    wordPiece = try contract.wordPiece(contents)
    var skipped: [(String, String)] = []
    for label in try contents.candidates(options) {
      do {
        (held, ports, runtime) = try Model.loaded(label, contents, contract, runtimes, options)
        self.skipped = skipped
        return
      } catch let error where (error as? BundleError)?.isRefusal != true {
        skipped.append((label, String(describing: error)))
      }
    }
    let told = skipped.map { "\($0.0): \($0.1)" }.joined(separator: "; ")
    throw BundleError("no artifact was loaded: \(told)")
  }

  private static func loaded(
    _ label: String, _ contents: Contents, _ contract: Contract, _ runtimes: Runtimes,
    _ options: Options
  ) throws -> (Contents.Held, Contract.Ports, Runtime) {
    guard let held = contents.artifacts.first(where: { $0.label == label }),
      let ports = contract.artifacts[label]
    else { throw BundleError.refused("no artifact \(label) in this bundle") }
    guard let load = runtimes[held.target] else {
      throw BundleError("no runtime for \(held.target) files here")
    }
    let artifact = Artifact(
      contents: contents, held: held, ports: ports, threads: max(1, options.threads))
    return (held, ports, try load(artifact))
  }

  /// What the model sees in a picture, best first; boxes in pixels of it.
  public func predict(_ picture: Picture) throws -> [Found] {
    let input = try only(.picture)
    let (sample, fit) = try input.prepare(picture)
    return try predict([input.name: sample]).map { one in
      guard let box = one.box.map(fit.toPicture) else { return one }
      let (width, height) = (Double(picture.width), Double(picture.height))
      let pixels = Box(
        left: box.left * width, top: box.top * height, right: box.right * width,
        bottom: box.bottom * height)
      return Found(label: one.label, score: one.score, number: one.number, box: pixels)
    }
  }

  /// What the model makes of a text, best first.
  public func predict(_ text: String) throws -> [Found] { try predict(prepare(text)) }

  /// What the model hears in a sound, one channel in -1…1 at `rateHz`, best first.
  public func predict(_ samples: [Float]) throws -> [Found] { try predict(prepare(samples)) }

  /// What the model hears in a WAV file of its rate, best first.
  public func predict(wav: Data) throws -> [Found] { try predict(prepare(wav: wav)) }

  /// What the model makes of a sample in its own units, best first.
  public func predict(_ sample: [String: Tensor]) throws -> [Found] { try answer(run(sample)) }

  /// Instants a second of the sound that the model takes; nil of other models.
  public var rateHz: Int? { contract.inputs.first?.rateHz }

  // The steps of `predict`, one by one.

  public func prepare(_ picture: Picture) throws -> [String: Tensor] {
    let input = try only(.picture)
    return [input.name: try input.prepare(picture).sample]
  }

  public func prepare(_ text: String) throws -> [String: Tensor] {
    let input = try only(.text)
    return [input.name: try input.tokens(text, wordPiece: wordPiece)]
  }

  public func prepare(_ samples: [Float]) throws -> [String: Tensor] {
    let input = try only(.sound)
    return [input.name: try input.wave(samples)]
  }

  public func prepare(wav: Data) throws -> [String: Tensor] {
    let input = try only(.sound)
    return [input.name: try input.wave(Wav(wav, most: input.length ?? 0))]
  }

  /// Real values without batch axis, by the name of the output.
  public func run(_ sample: [String: Tensor]) throws -> [String: Tensor] {
    let inputs = try ports.inputs.map { port -> Tensor in
      guard let tensor = sample[port.name] else { throw BundleError("no input \(port.name)") }
      return try port.taken(tensor)
    }
    let given: [Tensor]
    do {
      given = try runtime.run(inputs)
    } catch let error where !(error is BundleError) {
      throw BundleError("\(runtime.name): \(error)")
    }
    guard given.count == ports.outputs.count else {
      throw BundleError("\(runtime.name): \(given.count) outputs, not \(ports.outputs.count)")
    }
    return try Dictionary(
      uniqueKeysWithValues: zip(ports.outputs, given).map { ($0.name, try $0.real($1)) })
  }

  /// Classes or objects, best first; boxes in 0 to 1 of the input.
  public func answer(_ outputs: [String: Tensor]) throws -> [Found] {
    try contract.answer.found(outputs, ports: ports.outputs, labels: labels)
  }

  private func only(_ kind: Contract.Kind) throws -> Contract.Input {
    guard contract.inputs.count == 1, contract.inputs[0].kind == kind else {
      throw BundleError("the model takes no \(kind); give tensors by name")
    }
    return contract.inputs[0]
  }
}

extension Contents {
  /// Lines of a text file of the bundle; none where there is no such file.
  func lines(_ path: String) throws -> [String] {
    guard files[path] != nil else { return [] }
    var lines = String(decoding: try read(path), as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    return lines
  }

  /// Labels in the order in which they are tried.
  fileprivate func candidates(_ options: Options) throws -> [String] {
    if let label = options.artifact { return [label] }
    var labels = artifacts.map(\.label)
    if let first = options.device.flatMap({ choice[$0] }) {
      labels.removeAll { $0 == first }
      labels.insert(first, at: 0)
    }
    return labels
  }
}

extension Contract {
  func wordPiece(_ contents: Contents) throws -> WordPiece? {
    guard inputs.contains(where: { $0.tokenizer?.hasPrefix("wordpiece:") == true }) else {
      return nil
    }
    return try WordPiece(json: contents.read("wordpiece.json"))
  }
}
