import Foundation

extension Contract.Input {
  /// The beginning of a sound, one channel in -1…1 at the model's rate; silence behind its end.
  func wave(_ samples: [Float]) throws -> Tensor {
    let length = length ?? 0
    var wave = [Float](repeating: 0, count: length)
    wave.replaceSubrange(0..<min(length, samples.count), with: samples.prefix(length))
    if let range, range != [-1, 1] {
      // In Float, as numpy computes it.
      let (low, half) = (Float(range[0]), Float((range[1] - range[0]) / 2))
      wave = wave.map { low + ($0 + 1) * half }
    }
    return try Tensor(wave.map(Double.init), dtype: dtype, shape: shape)
  }
}

extension Contract.Input {
  /// The beginning of a WAV file, at the model's rate.
  func wave(_ wav: Wav) throws -> Tensor {
    guard rateHz == 0 || wav.rateHz == rateHz else {
      throw BundleError("a WAV file of \(wav.rateHz) Hz; the model takes \(rateHz ?? 0) Hz")
    }
    return try wave(wav.samples)
  }
}

/// A WAV file: PCM of 8 to 32 bits. No more of it is read than is wanted; nothing is resampled.
public struct Wav {
  public let rateHz: Int
  /// One channel, the mean of all, in -1…1.
  public let samples: [Float]

  /// - Parameter most: Instants wanted at most.
  public init(_ data: Data, most: Int) throws {
    var reader = Reader(bytes: [UInt8](data))
    guard reader.take(4) == Array("RIFF".utf8), reader.number(4) != nil,
      reader.take(4) == Array("WAVE".utf8)
    else { throw BundleError("not a WAV file") }
    var format: (channels: Int, rate: Int, width: Int)?
    while let name = reader.take(4), let size = reader.number(4) {
      let end = reader.at + size
      if name == Array("fmt ".utf8) {
        guard reader.number(2) == 1, let channels = reader.number(2), let rate = reader.number(4),
          reader.take(6) != nil, let depth = reader.number(2), size >= 16
        else { throw BundleError("a WAV file: no plain PCM") }
        format = (channels, rate, (depth + 7) / 8)
      } else if name == Array("data".utf8) {
        guard let format, (1...64).contains(format.channels), format.rate > 0,
          (1...4).contains(format.width)
        else { throw BundleError("a WAV file: no format, or one that is none") }
        let frame = format.channels * format.width
        let wanted = min(most, size / frame)
        guard let pcm = reader.take(wanted * frame) else {
          throw BundleError("a WAV file: cut short")
        }
        rateHz = format.rate
        samples = Wav.mono(pcm, channels: format.channels, width: format.width)
        return
      }
      reader.at = end + size % 2
    }
    throw BundleError("a WAV file: no sound in it")
  }

  private static func mono(_ pcm: [UInt8], channels: Int, width: Int) -> [Float] {
    let full = Double(1 << (8 * width - 1))
    func level(_ at: Int) -> Double {
      if width == 1 { return (Double(pcm[at]) - 128) / full }  // unsigned
      var bits: UInt32 = 0
      for i in 0..<width { bits |= UInt32(pcm[at + i]) << UInt32(8 * (4 - width + i)) }
      return Double(Int32(bitPattern: bits) >> Int32(8 * (4 - width))) / full
    }
    let frame = channels * width
    return stride(from: 0, to: pcm.count, by: frame).map { start in
      var sum = 0.0  // exact: 32 bits and at most 64 of them
      for channel in 0..<channels { sum += level(start + channel * width) }
      return Float(sum / Double(channels))
    }
  }

  private struct Reader {
    let bytes: [UInt8]
    var at = 0

    mutating func take(_ count: Int) -> [UInt8]? {
      guard count >= 0, at <= bytes.count, count <= bytes.count - at else { return nil }
      defer { at += count }
      return Array(bytes[at..<at + count])
    }

    mutating func number(_ size: Int) -> Int? {
      take(size)?.reversed().reduce(0) { $0 << 8 | Int($1) }
    }
  }
}
