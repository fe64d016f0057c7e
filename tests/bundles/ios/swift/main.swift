// Steps of a Swift package one by one, for tests: steps KIND … < items > results.
// An item is a 32-bit size and its bytes; a result too. Built into the package's own module.
import COpenSSL
@testable import KnownGlyphsCore
import CoreVideo
import Foundation

extension Foundation.Bundle {
  static let module = Bundle.main
}

/// A public key by OpenSSL, where there is no CryptoKit.
struct OpenSSLKey: SignatureKey {
  let key: UnsafeMutableRawPointer

  init?(pem: Data) {
    let bytes = [UInt8](pem)
    guard let bio = BIO_new_mem_buf(bytes, Int32(bytes.count)),
      let key = PEM_read_bio_PUBKEY(bio, nil, nil, nil)
    else { return nil }
    self.key = key
  }

  func isValid(_ signature: Data, of message: Data) -> Bool {
    let (context, signature, message) = (EVP_MD_CTX_new(), [UInt8](signature), [UInt8](message))
    guard EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1 else { return false }
    return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}

func read(_ count: Int) -> Data? {
  var data = Data()
  while data.count < count {
    guard let more = try? FileHandle.standardInput.read(upToCount: count - data.count),
      !more.isEmpty
    else { return nil }
    data += more
  }
  return data
}

func item() -> Data? {
  guard let size = read(4) else { return nil }
  return read(Int(size.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }))
}

func give(_ bytes: some Sequence<UInt8>) {
  let data = Data(bytes)
  let size = withUnsafeBytes(of: UInt32(data.count)) { Data($0) }
  FileHandle.standardOutput.write(size + data)
}

/// Width, height, and pixels of so many channels.
func picture(_ data: Data, channels: Int) throws -> Picture {
  let (width, height) = data.withUnsafeBytes {
    (Int($0.loadUnaligned(as: UInt32.self)),
      Int($0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
  }
  let bytes = [UInt8](data.dropFirst(8))
  switch channels {
  case 3: return try Picture(rgb: bytes, width: width, height: height)
  case 4: return try Picture(rgba: bytes, width: width, height: height)
  default:  // a frame of the camera's
    var made: CVPixelBuffer?
    CVPixelBufferCreate(nil, width, height, kCVPixelFormatType_32BGRA, nil, &made)
    let (frame, stride) = (made!, CVPixelBufferGetBytesPerRow(made!))
    let base = CVPixelBufferGetBaseAddress(frame)!.assumingMemoryBound(to: UInt8.self)
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<3 { base[y * stride + 4 * x + c] = bytes[(y * width + x) * 3 + 2 - c] }
      }
    }
    return try Picture(frame)
  }
}

func told(_ found: [Found]) -> [UInt8] {
  found.flatMap { one -> [Double] in
    let box = one.box.map { [$0.left, $0.top, $0.right, $0.bottom] } ?? []
    return [Double(one.number), one.score] + box
  }.withUnsafeBytes(Array.init)
}

/// What is said when a bit of a file is another: "path byte bit".
func flipped(_ item: Data, in folder: URL, key: SignatureKey) throws -> String {
  let words = String(decoding: item, as: UTF8.self).split(separator: " ").map(String.init)
  let place = folder.appendingPathComponent(words[0])
  let whole = try Data(contentsOf: place)
  defer { try? whole.write(to: place) }
  var changed = whole
  changed[Int(words[1])!] ^= 1 << UInt8(words[2])!
  try changed.write(to: place)
  do {
    let contents = try Contents(folder: folder)
    try contents.checkSignature(key: key)
    if contents.files[words[0]] != nil { _ = try contents.read(words[0]) }
    return "accepted"
  } catch let error as BundleError {
    return error.isRefusal ? "refused" : "said \(error)"
  }
}

func main(_ words: [String]) throws {
  let folder = URL(fileURLWithPath: words[1])
  switch words[0] {
  case "verify":
    print(try Contents(folder: folder, digest: words.count > 2 ? words[2] : nil).verify())
  case "signed":
    let key = try OpenSSLKey(pem: Data(contentsOf: URL(fileURLWithPath: words[2])))!
    try Contents(folder: folder).checkSignature(key: key)
    print("signed")
  case "flips":
    let key = try OpenSSLKey(pem: Data(contentsOf: URL(fileURLWithPath: words[2])))!
    while let data = item() { give(Array(try flipped(data, in: folder, key: key).utf8)) }
  case "check":
    var options = Options()
    options.artifact = words[2]
    let checked = try Model(bundle: folder, runtimes: .known, options: options).check()
    print("\(checked.cases) cases, \(checked.values) numbers, worst \(checked.worst)")
  case "load":
    var options = Options()
    options.device = words[2]
    let model = try Model(bundle: folder, runtimes: .known, options: options)
    print(([model.held.label] + model.skipped.map { "\($0.label): \($0.reason)" }).joined(separator: "\n"))
  case "see":
    let model = try Model(bundle: folder, runtimes: .known)
    while let data = item() { give(told(try model.predict(picture(data, channels: 3)))) }
  default:
    try steps(words)
  }
}

func steps(_ words: [String]) throws {
  let json = try Data(contentsOf: URL(fileURLWithPath: words[1]))
  let contract = try Contract(json: json)
  let (input, ports) = (contract.inputs[0], contract.artifacts["a"]!)
  let table = words.count > 2 ? try Data(contentsOf: URL(fileURLWithPath: words[2])) : nil
  let wordPiece = try table.map { try WordPiece(json: $0) }
  while let data = item() {
    switch words[0] {
    case "rgb": give(try input.prepare(picture(data, channels: 3)).sample.bytes)
    case "rgba": give(try input.prepare(picture(data, channels: 4)).sample.bytes)
    case "frame": give(try input.prepare(picture(data, channels: 0)).sample.bytes)
    case "text":
      let text = String(decoding: data, as: UTF8.self)
      give(try input.tokens(text, wordPiece: wordPiece).bytes)
    case "wave":
      let samples = [UInt8](data).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
      give(try input.wave(samples).bytes)
    case "wav":
      do {
        give(try input.wave(Wav(data, most: input.length ?? 0)).bytes)
      } catch {
        give(Array("refused".utf8))
      }
    case "taken":
      let port = ports.inputs[0]
      let sample = try Tensor(dtype: .float32, shape: [data.count / 4], bytes: [UInt8](data))
      let taken = try port.taken(sample)
      give(taken.bytes)
      give(try port.real(taken).bytes)
    case "answer":
      var outputs: [String: Tensor] = [:]
      var rest = [UInt8](data)
      for port in ports.outputs {
        let size = port.shape.reduce(port.dtype.size, *)
        outputs[port.name] = try Tensor(
          dtype: port.dtype, shape: Array(port.shape.dropFirst()), bytes: Array(rest.prefix(size)))
        rest.removeFirst(size)
      }
      give(told(try contract.answer.found(outputs, ports: ports.outputs, labels: [])))
    default: throw BundleError("no step \(words[0])")
    }
  }
}

do {
  try main(Array(CommandLine.arguments.dropFirst()))
} catch {
  FileHandle.standardError.write(Data("error: \(error)\n".utf8))
  exit(1)
}
