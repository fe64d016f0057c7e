// bundle-name-check [--verify] FOLDER: golden cases of a bundle, or every file of it.
import BundleName
import Foundation

let usage = "usage: bundle-name-check [--verify] FOLDER\n"

func check(_ folder: URL, verifies: Bool) throws {
  if verifies {
    print("\(folder.path): \(try Contents(folder: folder).verify()) files are what it says")
    return
  }
  let contents = try Contents(folder: folder)
  let golden = try Golden(contents, Contract(json: contents.read("contract.json")))
  for held in contents.artifacts {
    guard Runtimes.known[held.target] != nil else {
      _ = try contents.read(held.file)  // it is whole, if nothing else
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

var words = Array(CommandLine.arguments.dropFirst())
let verifies = words.first == "--verify"
if verifies { words.removeFirst() }
guard words.count == 1, !words[0].hasPrefix("-") else {
  FileHandle.standardError.write(Data(usage.utf8))
  exit(2)
}
do {
  try check(URL(fileURLWithPath: words[0]), verifies: verifies)
} catch {
  FileHandle.standardError.write(Data("error: \(error)\n".utf8))
  exit(1)
}
