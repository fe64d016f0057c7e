import Foundation

/// A JSON document as a value. JSONDecoder ends the app where a key is no text, and JSONSerialization
/// refuses it: what comes from outside is read by both.
func decoded<T: Decodable>(_ json: Data, _ name: String) throws -> T {
  do {
    _ = try JSONSerialization.jsonObject(with: json)
    return try JSONDecoder().decode(T.self, from: json)
  } catch {
    throw BundleError.refused("\(name): \(reason(error))")
  }
}

/// A decoder's complaint in one line.
private func reason(_ error: Error) -> String {
  let text: String
  switch error as? DecodingError {
  case .keyNotFound(let key, _): text = "no \(key.stringValue)"
  case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
    let place = context.codingPath.map(\.stringValue).joined(separator: ".")
    text = place.isEmpty ? "not valid JSON" : "\(place): \(context.debugDescription)"
  default: text = "not valid JSON"
  }
  return String(text.replacingOccurrences(of: "\n", with: " ").prefix(300))
}
