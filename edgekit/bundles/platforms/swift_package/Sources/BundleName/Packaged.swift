@_exported import BundleNameCore
import Foundation

extension Model {
  /// The model of this package, by the runtimes that are here.
  public convenience init(_ options: Options = Options()) throws {
    guard let bundle = Bundle.module.resourceURL else {
      throw BundleError("this package has no resources")
    }
    try self.init(bundle: bundle, runtimes: .known, options: options)
  }
}

extension Runtimes {
  /// Of the files that this platform can run.
  public static var known: Runtimes {
    var known = Runtimes()
    #if canImport(LiteRT)
      known["tflite"] = LiteRTRuntime.init
    #endif
    #if canImport(CoreML)
      known["coreml"] = CoreMLRuntime.init
    #endif
    return known
  }
}
