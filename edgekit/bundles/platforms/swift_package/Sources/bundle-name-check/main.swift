// bundle-name-check [--verify] [FOLDER]: golden cases of this package, or of a bundle's folder.
import BundleName
import Foundation

func check(_ words: [String]) throws {
  let folder = words.first { !$0.hasPrefix("--") }.map { URL(fileURLWithPath: $0) }
  if words.contains("--verify") {
    guard let folder else { throw BundleError("--verify FOLDER: which bundle?") }
    print("\(folder.path): \(try Contents(folder: folder).verify()) files are what it says")
    return
  }
  guard let folder else { throw BundleError("bundle-name-check [--verify] FOLDER") }
  let contents = try Contents(folder: folder)
  let golden = try Golden(contents, Contract(json: contents.read("contract.json")))
  for held in contents.artifacts {
    guard Runtimes.known[held.target] != nil else {
      let checked = try golden.checkSteps(held.label)
      print("\(held.label): \(checked.cases) golden cases hold; no runtime for it here")
      print("samples: 0 of \(checked.values) numbers differ")
      continue
    }
    var options = Options()
    options.artifact = held.label
    let model = try Model(bundle: folder, runtimes: .known, options: options)
    let checked = try model.check()
    print("\(held.label) on \(model.runtime.name): \(checked.cases) golden cases hold")
    print("samples: 0 of \(checked.values) numbers differ")
    print("outputs: at most \(100 * checked.worst) % of their spread apart")
  }
}

do {
  try check(Array(CommandLine.arguments.dropFirst()))
} catch {
  FileHandle.standardError.write(Data("error: \(error)\n".utf8))
  exit(1)
}
