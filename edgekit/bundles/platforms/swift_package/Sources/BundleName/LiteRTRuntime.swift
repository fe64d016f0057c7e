#if canImport(LiteRT)
  import BundleNameCore
  import Foundation
  import LiteRT

  /// Runs `.tflite` files on the processor.
  final class LiteRTRuntime: Runtime {
    let name = "LiteRT"
    private let compiled: CompiledModel
    private let ports: Contract.Ports
    /// Place of each port's tensor in the file.
    private let taken: [Int]
    private let given: [Int]

    init(_ artifact: Artifact) throws {
      let options = try LiteRT.Options()
      try options.setHardwareAccelerators([.cpu])
      let cpu = try CpuOptions()
      try cpu.setNumThreads(artifact.threads)
      try options.addConcreteOptions(cpu)
      let place = try artifact.contents.place(artifact.held.file)
      compiled = try CompiledModel(
        filePath: place.path, environment: Environment(), options: options)
      ports = artifact.ports
      let model = compiled
      taken = try places(
        ports.inputs, names: (0..<model.inputCount()).map { try model.inputName(inputIndex: $0) })
      given = try places(
        ports.outputs,
        names: (0..<model.outputCount()).map { try model.outputName(outputIndex: $0) })
    }

    func run(_ inputs: [Tensor]) throws -> [Tensor] {
      let buffers = try compiled.createInputBuffers()
      for (place, tensor) in zip(taken, inputs) { try buffers[place].write(tensor.bytes) }
      let outputs = try compiled.run(inputs: buffers)
      return try zip(given, ports.outputs).map { place, port in
        try Tensor(dtype: port.dtype, shape: port.shape, bytes: [UInt8](outputs[place].read()))
      }
    }
  }

  /// By name where names are the same, else in the order of the file.
  private func places(_ ports: [Contract.Port], names: [String]) throws -> [Int] {
    guard names.count == ports.count else {
      throw BundleError("the file has \(names.count) tensors, not \(ports.count)")
    }
    let found = ports.compactMap { names.firstIndex(of: $0.name) }
    return found.count == ports.count ? found : Array(names.indices)
  }
#endif
