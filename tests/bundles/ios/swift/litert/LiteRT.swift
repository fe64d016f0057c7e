// Stands in for the module LiteRT of LiteRT's Swift package: what Sources/ uses of it, with its
// names, over the real library. Nothing is released: a test ends.
import CLiteRT
import Foundation

public enum LiteRtError: Error { case status(Int32) }

private func check(_ status: Int32) throws {
  if status != 0 { throw LiteRtError.status(status) }
}

private func made<T>(_ make: (UnsafeMutablePointer<T?>) -> Int32) throws -> T {
  var found: T?
  try check(make(&found))
  guard let found else { throw LiteRtError.status(-1) }
  return found
}

public enum Accelerator: Int32 { case none = 0, cpu = 1, gpu = 2, npu = 4 }

public final class Environment {
  public enum Option {}
  let c: UnsafeMutableRawPointer
  public init(options: [Option] = []) throws { c = try made { LiteRtCreateEnvironment(0, nil, $0) } }
}

public protocol ConcreteOptions {}

public final class CpuOptions: ConcreteOptions {
  public init() throws {}
  public func setNumThreads(_ count: Int) throws {}
}

public final class Options {
  let c: UnsafeMutableRawPointer
  public init() throws { c = try made(LiteRtCreateOptions) }
  public func setHardwareAccelerators(_ accelerators: Set<Accelerator>) throws {
    try check(LiteRtSetOptionsHardwareAccelerators(c, accelerators.reduce(0) { $0 | $1.rawValue }))
  }
  public func addConcreteOptions(_ options: ConcreteOptions) throws {}
}

public final class TensorBuffer {
  let c: UnsafeMutableRawPointer
  init(_ c: UnsafeMutableRawPointer) { self.c = c }

  var size: Int {
    var size = 0
    return LiteRtGetTensorBufferPackedSize(c, &size) == 0 ? size : 0
  }

  public func write<T>(_ data: [T]) throws {
    try data.withUnsafeBytes { bytes in
      guard bytes.count == size else { throw LiteRtError.status(1) }
      let to: UnsafeMutableRawPointer = try made { LiteRtLockTensorBuffer(c, $0, 1) }
      if let from = bytes.baseAddress { to.copyMemory(from: from, byteCount: bytes.count) }
      try check(LiteRtUnlockTensorBuffer(c))
    }
  }

  public func read() throws -> Data {
    let from: UnsafeMutableRawPointer = try made { LiteRtLockTensorBuffer(c, $0, 0) }
    defer { _ = LiteRtUnlockTensorBuffer(c) }
    return Data(bytes: from, count: size)
  }
}

public final class CompiledModel {
  private let c, signature: UnsafeMutableRawPointer
  private let environment: Environment

  public init(filePath: String, environment: Environment, options: Options? = nil) throws {
    let model: UnsafeMutableRawPointer = try made {
      LiteRtCreateModelFromFile(environment.c, filePath, $0)
    }
    c = try made { LiteRtCreateCompiledModel(environment.c, model, options?.c, $0) }
    signature = try made { LiteRtGetModelSignature(model, 0, $0) }
    self.environment = environment
  }

  public func inputCount(signatureIndex: Int = 0) throws -> Int {
    var count = 0
    try check(LiteRtGetNumSignatureInputs(signature, &count))
    return count
  }

  public func outputCount(signatureIndex: Int = 0) throws -> Int {
    var count = 0
    try check(LiteRtGetNumSignatureOutputs(signature, &count))
    return count
  }

  public func inputName(inputIndex: Int, signatureIndex: Int = 0) throws -> String {
    String(cString: try made { LiteRtGetSignatureInputName(signature, inputIndex, $0) })
  }

  public func outputName(outputIndex: Int, signatureIndex: Int = 0) throws -> String {
    String(cString: try made { LiteRtGetSignatureOutputName(signature, outputIndex, $0) })
  }

  public func createInputBuffers(signatureIndex: Int = 0) throws -> [TensorBuffer] {
    try (0..<inputCount()).map { index in
      try buffer(
        tensor: made { LiteRtGetSignatureInputTensorByIndex(signature, index, $0) },
        requirements: made { LiteRtGetCompiledModelInputBufferRequirements(c, 0, index, $0) })
    }
  }

  public func createOutputBuffers(signatureIndex: Int = 0) throws -> [TensorBuffer] {
    try (0..<outputCount()).map { index in
      try buffer(
        tensor: made { LiteRtGetSignatureOutputTensorByIndex(signature, index, $0) },
        requirements: made { LiteRtGetCompiledModelOutputBufferRequirements(c, 0, index, $0) })
    }
  }

  private func buffer(
    tensor: UnsafeMutableRawPointer, requirements: UnsafeMutableRawPointer
  ) throws -> TensorBuffer {
    var type = LiteRtRankedTensorType()
    try check(LiteRtGetRankedTensorType(tensor, &type))
    var size = 0
    try check(LiteRtGetTensorBufferRequirementsBufferSize(requirements, &size))
    let host: Int32 = 1
    return TensorBuffer(
      try made { LiteRtCreateManagedTensorBuffer(environment.c, host, &type, size, $0) })
  }

  public func run(
    inputs: [TensorBuffer], options: Options? = nil, signatureIndex: Int = 0
  ) throws -> [TensorBuffer] {
    let outputs = try createOutputBuffers()
    var taken = inputs.map { $0.c as UnsafeMutableRawPointer? }
    var given = outputs.map { $0.c as UnsafeMutableRawPointer? }
    try check(LiteRtRunCompiledModel(c, 0, taken.count, &taken, given.count, &given))
    return outputs
  }
}
