// swift-tools-version: 5.9
import Foundation
import PackageDescription

// LiteRT comes for Apple's platforms; elsewhere the steps before and after the model are built.
#if os(Linux)
  let packages: [Package.Dependency] = []
  let runtimes: [Target.Dependency] = []
#else
  let packages: [Package.Dependency] = [
    .package(url: "https://github.com/google-ai-edge/LiteRT", branch: "release/2.3.0")
  ]
  let runtimes: [Target.Dependency] = [.product(name: "LiteRT", package: "LiteRT")]
#endif

let signature =
  FileManager.default.fileExists(atPath: Context.packageDirectory + "/bundle.sig")
  ? ["bundle.sig"] : []
let model = signature + [BUNDLE_RESOURCES]
let proofs = [BUNDLE_PROOFS]
let others = [BUNDLE_OTHERS]

let package = Package(
  name: "bundle-name",
  platforms: [.iOS(.v15), .macOS(.v12)],
  products: [
    .library(name: "BundleName", targets: ["BundleName"]),
    .executable(name: "bundle-name-check", targets: ["bundle-name-check"]),
  ],
  dependencies: packages,
  targets: [
    .target(name: "BundleNameCore"),
    .target(
      name: "BundleName",
      dependencies: ["BundleNameCore"] + runtimes,
      path: ".",
      exclude: others + proofs + ["Sources/BundleNameCore", "Sources/bundle-name-check", "Tests"],
      sources: ["Sources/BundleName"],
      resources: model.map { .copy($0) }
    ),
    .executableTarget(name: "bundle-name-check", dependencies: ["BundleName"]),
    .testTarget(
      name: "BundleNameTests",
      dependencies: ["BundleName"],
      path: ".",
      exclude: others + ["Sources"],
      sources: ["Tests/BundleNameTests"],
      resources: (model + proofs).map { .copy($0) }
    ),
  ]
)
