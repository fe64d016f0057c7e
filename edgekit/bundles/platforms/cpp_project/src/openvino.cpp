// OpenVINO: .xml, and .onnx and .tflite by its frontends.
#include <cstring>
#include <openvino/openvino.hpp>

#include "runtime.hpp"

namespace bundle_name::detail {
namespace {

std::string dtype_of(const ov::element::Type& type) {
  if (type == ov::element::u8) return "uint8";
  if (type == ov::element::i8) return "int8";
  if (type == ov::element::i32) return "int32";
  if (type == ov::element::i64) return "int64";
  if (type == ov::element::f16) return "float16";
  if (type == ov::element::f32) return "float32";
  return type.get_type_name();
}

// The port of a name. Where the file has none, its place tells.
std::size_t place_of(const std::vector<ov::Output<const ov::Node>>& ports, const std::string& name,
                     std::size_t place) {
  for (std::size_t i = 0; i < ports.size(); ++i)
    if (ports[i].get_names().count(name) > 0) return i;
  return place;
}

class OpenVino : public Runtime {
 public:
  OpenVino(const std::filesystem::path& file, int threads, const Contract& contract) {
    // In float32 where the file is not quantized.
    compiled_ = core_.compile_model(
        file.string(), "CPU", ov::hint::inference_precision(ov::element::f32),
        ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
        ov::inference_num_threads(threads));
    request_ = compiled_.create_infer_request();
    const auto& taken = compiled_.inputs();
    const auto& given = compiled_.outputs();
    if (taken.size() != contract.taken.size() || given.size() != contract.given.size())
      throw Error(file.string() + ": other inputs or outputs than contract.json says");
    for (std::size_t i = 0; i < taken.size(); ++i) {
      taken_.push_back(place_of(taken, contract.taken[i].name, i));
      if (dtype_of(taken[taken_[i]].get_element_type()) != contract.taken[i].dtype)
        throw Error(file.string() + ": takes another dtype than contract.json says");
    }
    for (std::size_t i = 0; i < given.size(); ++i)
      given_.push_back(place_of(given, contract.given[i].name, i));
    name = std::string("OpenVINO ") + ov::get_openvino_version().buildNumber;
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      ov::Shape shape(inputs[i].shape.begin(), inputs[i].shape.end());
      ov::Tensor tensor(compiled_.input(taken_[i]).get_element_type(), shape);
      if (tensor.get_byte_size() != inputs[i].bytes.size())
        throw Error("a sample has another size than the model takes");
      std::memcpy(tensor.data(), inputs[i].bytes.data(), inputs[i].bytes.size());
      request_.set_input_tensor(taken_[i], tensor);
    }
    request_.infer();
    std::vector<Tensor> outputs;
    for (const std::size_t place : given_) {
      const ov::Tensor found = request_.get_output_tensor(place);
      Tensor output{dtype_of(found.get_element_type()), {}, {}};
      for (const std::size_t size : found.get_shape())
        output.shape.push_back(static_cast<std::int64_t>(size));
      output.bytes.resize(found.get_byte_size());
      std::memcpy(output.bytes.data(), found.data(), output.bytes.size());
      outputs.push_back(std::move(output));
    }
    return outputs;
  }

 private:
  ov::Core core_;
  ov::CompiledModel compiled_;
  ov::InferRequest request_;
  std::vector<std::size_t> taken_;
  std::vector<std::size_t> given_;
};

}  // namespace

std::unique_ptr<Runtime> load_openvino(const std::filesystem::path& file, int threads,
                                       const Contract& contract) try {
  return std::make_unique<OpenVino>(file, threads, contract);
} catch (const ov::Exception& error) {
  throw Error(file.string() + ": OpenVINO cannot load it: " + error.what());
}

}  // namespace bundle_name::detail
