import Foundation

/// A WordPiece tokenizer by `wordpiece.json`, step by step as `edgekit/bundles/wordpiece.py`: what
/// becomes of a character is written there, whatever Unicode this platform knows.
struct WordPiece: Sendable {
  /// Code points: two strings are equal to Swift where only their normal forms are.
  typealias Points = [UInt32]

  private let numbers: [Points: Int]
  private let unknown: Int
  private let continued: Points
  private let longest: Int
  private let cut: Int
  private let before: [Int]
  private let after: [Int]
  /// The longer ones first.
  private let special: [(text: Points, number: Int)]
  private let becomes: Ranges<Rule>
  private let order: Ranges<Int>
  private let breaks, spaces, alone, runs: Ranges<Void>

  private enum Rule: Sendable {
    case to(Points)
    case shift(Int)
    case apart
    case hangul
  }

  init(json: Data) throws {
    let told: Document = try decoded(json, "wordpiece.json")
    guard told.version == 1, (1...1000).contains(told.longest), (1...1000).contains(told.cut) else {
      throw BundleError.refused("wordpiece.json: another version than 1, or limits that are none")
    }
    let pieces = told.pieces.enumerated().map { (points($0.element), $0.offset) }
    numbers = Dictionary(pieces) { first, _ in first }
    unknown = told.unknown
    continued = points(told.continued)
    (longest, cut, before, after) = (told.longest, told.cut, told.before, told.after)
    special = told.special.map { (points($0.text), $0.number) }
      .filter { !$0.0.isEmpty }.sorted { $0.0.count > $1.0.count }
    becomes = try Ranges(told.becomes.map { ($0.first, $0.last, try $0.rule()) })
    order = try Ranges(told.order.map { ($0.first, $0.last, $0.number ?? 0) })
    breaks = try Ranges(told.breaks.map { ($0.first, $0.last, ()) })
    spaces = try Ranges(told.spaces.map { ($0.first, $0.last, ()) })
    alone = try Ranges(told.alone.map { ($0.first, $0.last, ()) })
    runs = try Ranges(told.runs.map { ($0.first, $0.last, ()) })
  }

  /// Tokens of a text, at most so many.
  func tokens(_ text: String, most: Int) -> [Int] {
    var made = before
    for part in parts(Array(text.unicodeScalars.prefix(most * cut).map(\.value))) {
      switch part {
      case .special(let number): made.append(number)
      case .text(let text): for word in words(normal(text)) { made += pieces(word) }
      }
    }
    return Array((made + after).prefix(most))
  }

  private enum Part {
    case text(Points)
    case special(Int)
  }

  /// The text between special ones, and their numbers; of two at one place the longer.
  private func parts(_ text: Points) -> [Part] {
    if special.isEmpty { return [.text(text)] }
    var made: [Part] = []
    var (begin, at) = (0, 0)
    while at < text.count {
      guard let found = special.first(where: { text[at...].starts(with: $0.text) }) else {
        at += 1
        continue
      }
      made += [.text(Array(text[begin..<at])), .special(found.number)]
      at += found.text.count
      begin = at
    }
    return made + [.text(Array(text[begin...]))]
  }

  private func normal(_ text: Points) -> Points {
    var made: [(rank: Int, point: UInt32)] = []
    var run = 0  // where the run of combining characters begins
    for point in text {
      if breaks.at(point) != nil { run = made.count }
      for one in became(point) {
        let rank = order.at(one) ?? 0
        var at = made.count
        while rank > 0, at > run, made[at - 1].rank > rank { at -= 1 }
        made.insert((rank, one), at: at)
        if rank == 0 { run = made.count }
      }
    }
    return made.map(\.point)
  }

  private func became(_ point: UInt32) -> Points {
    switch becomes.at(point) {
    case nil: return [point]
    case .to(let text): return text
    case .shift(let by): return [UInt32(truncatingIfNeeded: Int(point) + by)]
    case .apart: return [0x20, point, 0x20]
    case .hangul:  // The Unicode Standard 3.12
      let index = Int(point) - 0xAC00
      let letters = [0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + index % 28]
      return letters.prefix(index % 28 == 0 ? 2 : 3).map { UInt32(truncatingIfNeeded: $0) }
    }
  }

  private enum Kind { case space, alone, run, letter }

  private func kind(_ point: UInt32) -> Kind {
    if spaces.at(point) != nil { return .space }
    if alone.at(point) != nil { return .alone }
    return runs.at(point) != nil ? .run : .letter
  }

  private func words(_ text: Points) -> [Points] {
    var made: [Points] = []
    var word = Points()
    var last = Kind.space
    for point in text {
      let here = kind(point)
      if !word.isEmpty, here != last || here == .alone {
        made.append(word)
        word = []
      }
      last = here
      if here != .space { word.append(point) }
    }
    return word.isEmpty ? made : made + [word]
  }

  /// The longest piece that is in the vocabulary, again and again; arXiv 1810.04805.
  private func pieces(_ word: Points) -> [Int] {
    guard word.count <= longest else { return [unknown] }
    var made: [Int] = []
    var at = 0
    while at < word.count {
      let prefix = at > 0 ? continued : []
      var found: (end: Int, number: Int)?
      for end in stride(from: word.count, to: at, by: -1) {
        guard let number = numbers[prefix + word[at..<end]] else { continue }
        found = (end, number)
        break
      }
      guard let found else { return [unknown] }
      made.append(found.number)
      at = found.end
    }
    return made
  }
}

private func points(_ text: String) -> WordPiece.Points { text.unicodeScalars.map(\.value) }

/// What ascending ranges of code points say of one.
private struct Ranges<Value: Sendable>: Sendable {
  private let ranges: [(first: UInt32, last: UInt32, value: Value)]

  init(_ told: [(UInt32, UInt32, Value)]) throws {
    for (at, one) in told.enumerated() where one.0 > one.1 || (at > 0 && told[at - 1].1 >= one.0) {
      throw BundleError.refused("wordpiece.json: ranges that don't ascend")
    }
    ranges = told.map { (first: $0.0, last: $0.1, value: $0.2) }
  }

  func at(_ point: UInt32) -> Value? {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].first <= point { low = middle + 1 } else { high = middle }
    }
    guard low > 0, point <= ranges[low - 1].last else { return nil }
    return ranges[low - 1].value
  }
}

extension WordPiece {
  private struct Document: Decodable {
    let version: Int
    let pieces: [String]
    let unknown: Int
    let continued: String
    let longest: Int
    let cut: Int
    let before: [Int]
    let after: [Int]
    let special: [Special]
    let becomes, order, breaks, spaces, alone, runs: [Entry]
  }

  private struct Special: Decodable {
    let text: String
    let number: Int

    init(from decoder: Decoder) throws {
      var row = try decoder.unkeyedContainer()
      text = try row.decode(String.self)
      number = try row.decode(Int.self)
    }
  }

  /// [first, last], and where there is more: a number, or a word and what belongs to it.
  private struct Entry: Decodable {
    let first, last: UInt32
    let number: Int?
    let word: String?
    let text: String?
    let by: Int?

    init(from decoder: Decoder) throws {
      var row = try decoder.unkeyedContainer()
      first = try row.decode(UInt32.self)
      last = try row.decode(UInt32.self)
      number = row.isAtEnd ? nil : try? row.decode(Int.self)
      word = row.isAtEnd || number != nil ? nil : try row.decode(String.self)
      text = word == "to" ? try row.decode(String.self) : nil
      by = word == "shift" ? try row.decode(Int.self) : nil
    }

    func rule() throws -> Rule {
      switch (word, text, by) {
      case ("to", let text?, _): return .to(points(text))
      case ("shift", _, let by?): return .shift(by)
      case ("apart", _, _): return .apart
      case ("hangul", _, _) where (0xAC00...0xD7A3).contains(first) && last <= 0xD7A3:
        return .hangul
      default: throw BundleError.refused("wordpiece.json: a rule that is not known here")
      }
    }
  }
}
