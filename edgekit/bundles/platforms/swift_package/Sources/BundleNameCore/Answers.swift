import Foundation

/// A class or an object that the model sees.
public struct Found: Equatable, Sendable {
  /// Its name; the number as text where there are no labels.
  public let label: String
  /// 0 to 1 after softmax or sigmoid; else as the model gives it.
  public let score: Double
  /// Of the class.
  public let number: Int
  /// Of an object: in pixels of the picture from `predict`, in 0 to 1 of the input from `answer`.
  public let box: Box?
}

extension Contract.Answer {
  /// What one sample's outputs mean, best first. As `edgekit/bundles/answers.py`, in Double.
  ///
  /// - Parameters:
  ///   - outputs: Real values without batch axis, by name.
  ///   - ports: Of the artifact, in the order of the contract.
  func found(
    _ outputs: [String: Tensor], ports: [Contract.Port], labels: [String]
  ) throws -> [Found] {
    func values(_ name: String) throws -> [Double] {
      guard let tensor = outputs[name] else { throw BundleError("no output \(name)") }
      return tensor.values
    }
    func label(_ number: Int) -> String {
      labels.indices.contains(number) ? labels[number] : String(number)
    }
    switch kind {
    case .classes:
      let scores = activated(try values(ports[output ?? 0].name), activation ?? "")
      return order(scores).prefix(top ?? 0).map {
        Found(label: label($0), score: scores[$0], number: $0, box: nil)
      }
    case .objects:
      return objects(try values("boxes"), try values("scores")).map {
        // Float, as the model gives boxes.
        Found(
          label: label($0.number), score: Double(Float($0.score)), number: $0.number,
          box: Box(
            left: Double(Float($0.box.left)), top: Double(Float($0.box.top)),
            right: Double(Float($0.box.right)), bottom: Double(Float($0.box.bottom))))
      }
    case .tensors:
      return []
    }
  }

  private struct Candidate {
    let score: Double
    let number: Int
    let box: Box
  }

  /// Step by step as `edgekit/detection.py` writes it down: boxes [A, 4], logits [A, C].
  private func objects(_ boxes: [Double], _ logits: [Double]) -> [Candidate] {
    let places = boxes.count / 4
    guard places > 0, boxes.count % 4 == 0, logits.count % places == 0, !logits.isEmpty,
      let threshold, let overlap, let most, let candidates
    else { return [] }
    let classes = logits.count / places
    let scores = logits.map(sigmoid)
    let likely = scores.indices.filter { scores[$0] >= threshold }
    // Equal scores keep the order of place and class.
    let best = likely.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(candidates)
    var kept: [Candidate] = []
    for at in best {
      let place = boxes[4 * (at / classes)..<4 * (at / classes) + 4]
      if place.contains(where: \.isNaN) { continue }
      let corners = place.map { min(1, max(0, $0)) }
      let box = Box(left: corners[0], top: corners[1], right: corners[2], bottom: corners[3])
      guard box.right > box.left, box.bottom > box.top else { continue }
      let number = at % classes
      if kept.contains(where: { $0.number == number && iou($0.box, box) > overlap }) { continue }
      if kept.count == most { break }
      kept.append(Candidate(score: scores[at], number: number, box: box))
    }
    return kept
  }
}

private func sigmoid(_ value: Double) -> Double { 1 / (1 + exp(-value)) }

private func activated(_ values: [Double], _ activation: String) -> [Double] {
  switch activation {
  case "sigmoid": return values.map(sigmoid)
  case "softmax":
    let highest = values.max() ?? 0
    let powers = values.map { exp($0 - highest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  default: return values
  }
}

/// Places of values, highest first; equal ones keep their order, NaN is last.
private func order(_ values: [Double]) -> [Int] {
  values.indices.sorted { one, other in
    let (a, b) = (values[one], values[other])
    if a > b || (b.isNaN && !a.isNaN) { return true }
    if b > a || (a.isNaN && !b.isNaN) { return false }
    return one < other
  }
}

private func iou(_ one: Box, _ other: Box) -> Double {
  let wide = max(min(one.right, other.right) - max(one.left, other.left), 0)
  let high = max(min(one.bottom, other.bottom) - max(one.top, other.top), 0)
  func area(_ box: Box) -> Double { (box.right - box.left) * (box.bottom - box.top) }
  let union = area(one) + area(other) - wide * high
  return union > 0 ? wide * high / union : 0
}
