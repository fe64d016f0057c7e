import Foundation

/// Pieces of words, by the table that the bundle brings along.
struct WordPiece: Sendable {
  init(json: Data) throws {
    throw BundleError("no WordPiece here")
  }

  func tokens(_ text: String, most: Int) -> [Int] { [] }
}
