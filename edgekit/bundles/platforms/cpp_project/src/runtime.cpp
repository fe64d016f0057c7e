#include "runtime.hpp"

namespace bundle_name::detail {

bool runs(const std::string& target) {
#ifdef BUNDLE_NAME_OPENVINO
  if (target == "openvino" || target == "onnx" || target == "tflite") return true;
#endif
#ifdef BUNDLE_NAME_ONNXRUNTIME
  if (target == "onnx") return true;
#endif
  return false;
}

std::unique_ptr<Runtime> load(const std::string& target, const std::filesystem::path& file,
                              int threads, const Contract& contract) {
  if (!runs(target)) throw Error(file.string() + ": this build has no runtime for " + target);
#ifdef BUNDLE_NAME_ONNXRUNTIME
  if (target == "onnx") return load_onnxruntime(file, threads, contract);
#endif
#ifdef BUNDLE_NAME_OPENVINO
  return load_openvino(file, threads, contract);
#else
  return nullptr;
#endif
}

}  // namespace bundle_name::detail
