extension Contract.Input {
  /// Tokens of a text, cut at the input's length and filled up with 0.
  func tokens(_ text: String, wordPiece: WordPiece?) throws -> Tensor {
    let length = length ?? 0
    let found: [Int]
    if tokenizer == "bytes" {
      // A byte is its number plus one; a character has at least one.
      found = text.utf8.prefix(length).map { Int($0) + 1 }
    } else if let wordPiece {
      found = wordPiece.tokens(text, most: length)
    } else {
      throw BundleError("\(name): no tokenizer \(tokenizer ?? "") in this bundle")
    }
    let values = found.map(Double.init) + [Double](repeating: 0, count: length - found.count)
    return try Tensor(values, dtype: dtype, shape: shape)
  }
}
