import Foundation

/// A bundle's files, each compared with the size and sha256 that `bundle.json` gives before it is
/// used. What `bundle.json` says is only worth what its place or its signature is.
public struct Contents: Sendable {
  public let folder: URL
  /// In the order in which a loader tries them.
  public let artifacts: [Held]
  /// Class of device → label of the artifact for it.
  public let choice: [String: String]
  public let files: [String: Entry]
  /// `bundle.json` as it lies there.
  let listing: Data

  public struct Held: Decodable, Sendable {
    public let label: String
    public let target: String
    public let file: String
  }

  public struct Entry: Decodable, Sendable {
    public let sha256: String
    public let bytes: Int
  }

  static let name = "bundle.json"
  static let signature = "bundle.sig"
  private static let mostListing = 4 << 20
  static let mostSignature = 4 << 20
  private static let mostFiles = 4096
  private static let mostBytes = 4 << 30
  private static let mostDepth = 32

  private struct Document: Decodable {
    let format: Int
    let artifacts: [Held]
    let choice: [String: String]
    let files: [String: Entry]
  }

  /// Opens a bundle's folder; no other file is looked at.
  ///
  /// - Parameter digest: sha256 of `bundle.json` that the app expects; nil for any.
  public init(folder: URL, digest: String? = nil) throws {
    let place = folder.appendingPathComponent(Contents.name)
    listing = try Contents.bytes(of: place, most: Contents.mostListing)
    if let digest, sha256(listing) != digest {
      throw BundleError.refused("bundle.json: sha256 differs from the one that is expected")
    }
    let told: Document = try decoded(listing, Contents.name)
    self.folder = folder
    (artifacts, choice, files) = (told.artifacts, told.choice, told.files)
    guard told.format == 1 else {
      throw BundleError.refused("bundle.json: format \(told.format); this package reads 1")
    }
    try check()
  }

  private func check() throws {
    guard files.count <= Contents.mostFiles else {
      throw BundleError.refused("bundle.json: more than \(Contents.mostFiles) files")
    }
    for (path, entry) in files {
      guard Contents.isPath(path), path != Contents.name, path != Contents.signature,
        Contents.isDigest(entry.sha256), (0...Contents.mostBytes).contains(entry.bytes)
      else {
        throw BundleError.refused("bundle.json: no path, size and digest: \(path.prefix(200))")
      }
    }
    guard Set(files.keys.map { $0.lowercased() }).count == files.count else {
      throw BundleError.refused("bundle.json: two paths differ in the case of letters only")
    }
    guard !artifacts.isEmpty else { throw BundleError.refused("bundle.json: no artifact") }
    for held in artifacts where files[held.file] == nil {
      throw BundleError.refused("bundle.json: \(held.file) is not among the files")
    }
  }

  /// A file that is what the bundle says.
  public func read(_ path: String) throws -> Data {
    guard let entry = files[path] else {
      throw BundleError.refused("\(path) is not in bundle.json")
    }
    let place = folder.appendingPathComponent(path)
    // By size first: a file of another one is not read, however large.
    let size = try Contents.size(of: place, path)
    guard size == entry.bytes else {
      throw BundleError.refused("\(path) has \(size) bytes; bundle.json says \(entry.bytes)")
    }
    let data = try Contents.bytes(of: place, most: entry.bytes)
    guard sha256(data) == entry.sha256 else {
      throw BundleError.refused("\(path): sha256 differs from the one in bundle.json")
    }
    return data
  }

  /// Where a file lies that is what the bundle says; all below it where it is a folder.
  public func place(_ path: String) throws -> URL {
    let within = files.keys.filter { $0 == path || $0.hasPrefix(path + "/") }
    guard !within.isEmpty else { throw BundleError.refused("\(path) is not in bundle.json") }
    for file in within { _ = try read(file) }
    return folder.appendingPathComponent(path)
  }

  /// Looks at every file of the folder, and refuses what was changed, added or is missing, and
  /// links. Not for an app's resources, which leave out the sources.
  ///
  /// - Returns: How many files there are.
  @discardableResult
  public func verify() throws -> Int {
    let found = try Contents.paths(in: folder, below: "", depth: 0)
    for path in found where path != Contents.name && path != Contents.signature {
      guard files[path] != nil else {
        throw BundleError.refused("\(path.prefix(200)) is not in bundle.json: it was added")
      }
      _ = try read(path)
    }
    if let missing = Set(files.keys).subtracting(found).min() {
      throw BundleError.refused("\(missing) is missing")
    }
    return files.count
  }

  private static func paths(in folder: URL, below: String, depth: Int) throws -> [String] {
    guard depth <= mostDepth else { throw BundleError.refused("\(below): folders too deep") }
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    } catch {
      throw BundleError.refused("\(folder.path) cannot be read")
    }
    if names.isEmpty, depth > 0 {
      throw BundleError.refused("\(below) is an empty folder: it was added")
    }
    var found: [String] = []
    for name in names {
      let (place, path) = (folder.appendingPathComponent(name), below + name)
      // Of the entry itself: links are not followed.
      let kind = try? FileManager.default.attributesOfItem(atPath: place.path)[.type]
      switch kind as? FileAttributeType {
      case .typeRegular: found.append(path)
      case .typeDirectory: found += try paths(in: place, below: path + "/", depth: depth + 1)
      default: throw BundleError.refused("\(path.prefix(200)) is a link or no plain file")
      }
      guard found.count <= mostFiles + 2 else {
        throw BundleError.refused("more than \(mostFiles) files")
      }
    }
    return found
  }

  static func bytes(of place: URL, most: Int) throws -> Data {
    let name = place.lastPathComponent
    let size = try size(of: place, name)
    guard size <= most else {
      throw BundleError.refused("\(name) has \(size) bytes; at most \(most)")
    }
    do {
      return try Data(contentsOf: place)
    } catch {
      throw BundleError.refused("\(name) cannot be read")
    }
  }

  private static func size(of place: URL, _ name: String) throws -> Int {
    guard let state = try? FileManager.default.attributesOfItem(atPath: place.path) else {
      throw BundleError.refused("\(name) is missing")
    }
    guard state[.type] as? FileAttributeType == .typeRegular,
      let size = (state[.size] as? NSNumber)?.intValue
    else { throw BundleError.refused("\(name) is a link or no plain file") }
    return size
  }

  /// Whether a path stays inside a folder, on every platform.
  static func isPath(_ path: String) -> Bool {
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return path.utf8.count <= 200 && parts.count <= 16
      && parts.allSatisfy { part in
        guard let first = part.first, isLetter(first) else { return false }
        return part.allSatisfy { isLetter($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
      }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    switch Character(UnicodeScalar(byte)) {
    case "A"..."Z", "a"..."z", "0"..."9", "_", "@", "+": return byte < 0x80
    default: return false
    }
  }

  private static func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}
