// What runs a model file: OpenVINO or ONNX Runtime, as the build found them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bundle_name/model.hpp"
#include "contract.hpp"

namespace bundle_name::detail {

class Runtime {
 public:
  virtual ~Runtime() = default;
  // Outputs in the contract's order, with batch axis, of inputs as the file takes them.
  virtual std::vector<Tensor> run(const std::vector<Tensor>& inputs) = 0;

  std::string name;  // with its version
};

// Whether this build has a runtime for files of a target.
bool runs(const std::string& target);

std::unique_ptr<Runtime> load(const std::string& target, const std::filesystem::path& file,
                              int threads, const Contract& contract);

#ifdef BUNDLE_NAME_OPENVINO
std::unique_ptr<Runtime> load_openvino(const std::filesystem::path& file, int threads,
                                       const Contract& contract);
#endif
#ifdef BUNDLE_NAME_ONNXRUNTIME
std::unique_ptr<Runtime> load_onnxruntime(const std::filesystem::path& file, int threads,
                                          const Contract& contract);
#endif

}  // namespace bundle_name::detail
