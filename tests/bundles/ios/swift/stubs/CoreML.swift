// What Sources/ uses of Core ML: declarations alone.
import CoreVideo
import Foundation

public enum MLFeatureType: Int { case invalid, int64, double, string, image, multiArray }

public enum MLMultiArrayDataType: Int { case double, float32, float16, int32 }

open class MLMultiArray: NSObject {
  public init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws { fatalError("a stub") }
  public var count: Int { fatalError("a stub") }
  public subscript(_ at: Int) -> NSNumber {
    get { fatalError("a stub") }
    set { fatalError("a stub") }
  }
}

open class MLFeatureDescription: NSObject {
  public var type: MLFeatureType { fatalError("a stub") }
}

open class MLFeatureValue: NSObject {
  public convenience init(pixelBuffer value: CVPixelBuffer) { fatalError("a stub") }
  public convenience init(multiArray value: MLMultiArray) { fatalError("a stub") }
  public var multiArrayValue: MLMultiArray? { fatalError("a stub") }
}

public protocol MLFeatureProvider: AnyObject {
  func featureValue(for featureName: String) -> MLFeatureValue?
}

open class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
  public init(dictionary: [String: Any]) throws { fatalError("a stub") }
  public func featureValue(for featureName: String) -> MLFeatureValue? { fatalError("a stub") }
}

open class MLModelConfiguration: NSObject {}

open class MLModelDescription: NSObject {
  public var inputDescriptionsByName: [String: MLFeatureDescription] { fatalError("a stub") }
}

open class MLModel: NSObject {
  public convenience init(contentsOf url: URL, configuration: MLModelConfiguration) throws {
    fatalError("a stub")
  }
  public class func compileModel(at modelURL: URL) throws -> URL { fatalError("a stub") }
  public var modelDescription: MLModelDescription { fatalError("a stub") }
  public func prediction(from input: MLFeatureProvider) throws -> MLFeatureProvider {
    fatalError("a stub")
  }
}
