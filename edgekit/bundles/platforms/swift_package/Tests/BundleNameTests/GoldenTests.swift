import BundleName
import XCTest

final class GoldenTests: XCTestCase {
  private let bundle = Bundle.module.resourceURL!

  func testPicturesAndAnswersAreThoseOfTheGoldenCases() throws {
    let contents = try Contents(folder: bundle)
    let golden = try Golden(contents, Contract(json: contents.read("contract.json")))
    for held in contents.artifacts {
      XCTAssertGreaterThan(try golden.checkSteps(held.label).cases, 0)
    }
  }

  func testEveryArtifactGivesItsGoldenOutputs() throws {
    let contents = try Contents(folder: bundle)
    for held in contents.artifacts {
      try XCTSkipIf(Runtimes.known[held.target] == nil, "no runtime for \(held.target) files here")
      var options = Options()
      options.artifact = held.label
      let checked = try Model(bundle: bundle, runtimes: .known, options: options).check()
      XCTAssertGreaterThan(checked.cases, 0)
    }
  }
}
