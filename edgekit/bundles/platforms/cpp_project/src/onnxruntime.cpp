// ONNX Runtime, by its C API: .onnx files on the processor.
#include <cstring>
#include <functional>
#include <onnxruntime_c_api.h>

#include "runtime.hpp"

namespace bundle_name::detail {
namespace {

const OrtApi& api() {
  static const OrtApi* found = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (found == nullptr)
    throw Error(std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString() +
                " is older than the headers that this was built with");
  return *found;
}

void check(OrtStatus* status) {
  if (status == nullptr) return;
  const std::string message = api().GetErrorMessage(status);
  api().ReleaseStatus(status);
  throw Error("ONNX Runtime: " + message);
}

// What is made by one function of the C API and given back by another.
template <typename T>
using Owned = std::unique_ptr<T, std::function<void(T*)>>;

template <typename T, typename Make>
Owned<T> made(Make make, void (*release)(T*)) {
  T* found = nullptr;
  check(make(&found));
  return Owned<T>(found, release);
}

ONNXTensorElementDataType type_of(const std::string& dtype) {
  if (dtype == "uint8") return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
  if (dtype == "int8") return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
  if (dtype == "int32") return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
  if (dtype == "int64") return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
  if (dtype == "float16") return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

class OnnxRuntime : public Runtime {
 public:
  OnnxRuntime(const std::filesystem::path& file, int threads, const Contract& contract)
      : contract_(contract) {
    env_ = made<OrtEnv>(
        [](OrtEnv** out) {
          return api().CreateEnv(ORT_LOGGING_LEVEL_ERROR, "bundle_name", out);
        },
        api().ReleaseEnv);
    const auto options = made<OrtSessionOptions>(
        [](OrtSessionOptions** out) { return api().CreateSessionOptions(out); },
        api().ReleaseSessionOptions);
    check(api().SetIntraOpNumThreads(options.get(), threads));
    session_ = made<OrtSession>(
        [&](OrtSession** out) {
          return api().CreateSession(env_.get(), file.c_str(), options.get(), out);
        },
        api().ReleaseSession);
    memory_ = made<OrtMemoryInfo>(
        [](OrtMemoryInfo** out) {
          return api().CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, out);
        },
        api().ReleaseMemoryInfo);
    name = std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString();
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    std::vector<Owned<OrtValue>> values;
    std::vector<const OrtValue*> fed;
    std::vector<const char*> taken;
    std::vector<const char*> given;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Tensor& input = inputs[i];
      values.push_back(made<OrtValue>(
          [&](OrtValue** out) {
            // It is read, not written.
            return api().CreateTensorWithDataAsOrtValue(
                memory_.get(), const_cast<std::byte*>(input.bytes.data()), input.bytes.size(),
                input.shape.data(), input.shape.size(), type_of(input.dtype), out);
          },
          api().ReleaseValue));
      fed.push_back(values.back().get());
      taken.push_back(contract_.taken[i].name.c_str());
    }
    for (const Port& port : contract_.given) given.push_back(port.name.c_str());
    std::vector<OrtValue*> found(given.size(), nullptr);
    OrtStatus* status = api().Run(session_.get(), nullptr, taken.data(), fed.data(), fed.size(),
                                  given.data(), given.size(), found.data());
    for (OrtValue* value : found) values.emplace_back(value, api().ReleaseValue);
    check(status);
    std::vector<Tensor> outputs;
    for (std::size_t i = 0; i < found.size(); ++i)
      outputs.push_back(copied(found[i], contract_.given[i]));
    return outputs;
  }

 private:
  static Tensor copied(OrtValue* value, const Port& port) {
    const auto info = made<OrtTensorTypeAndShapeInfo>(
        [&](OrtTensorTypeAndShapeInfo** out) { return api().GetTensorTypeAndShape(value, out); },
        api().ReleaseTensorTypeAndShapeInfo);
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    check(api().GetTensorElementType(info.get(), &type));
    if (type != type_of(port.dtype))
      throw Error(port.name + ": the model gives another dtype than contract.json says");
    std::size_t axes = 0;
    check(api().GetDimensionsCount(info.get(), &axes));
    Tensor output{port.dtype, std::vector<std::int64_t>(axes), {}};
    check(api().GetDimensions(info.get(), output.shape.data(), axes));
    output.bytes.resize(count_of(output.shape) * size_of(output.dtype));
    void* data = nullptr;
    check(api().GetTensorMutableData(value, &data));
    std::memcpy(output.bytes.data(), data, output.bytes.size());
    return output;
  }

  Contract contract_;
  Owned<OrtEnv> env_;
  Owned<OrtSession> session_;
  Owned<OrtMemoryInfo> memory_;
};

}  // namespace

std::unique_ptr<Runtime> load_onnxruntime(const std::filesystem::path& file, int threads,
                                          const Contract& contract) try {
  return std::make_unique<OnnxRuntime>(file, threads, contract);
} catch (const Error& error) {
  throw Error(file.string() + ": " + error.what());
}

}  // namespace bundle_name::detail
