// contract.json: what happens before and after the model, as data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bundle_name::detail {

// What a picture, text or sound becomes.
struct Input {
  std::string name;
  std::string kind;   // "picture", "text", "sound", "tensor"
  std::string dtype;
  std::vector<std::int64_t> shape;  // without batch axis
  // Pictures.
  int height = 0;
  int width = 0;
  int channels = 0;
  bool channels_first = false;
  bool letterbox = false;
  std::uint8_t grey = 0;
  std::vector<std::pair<double, double>> ranges;  // what levels 0 and 255 of each channel become
  // Text and sound.
  std::int64_t length = 0;
  int rate_hz = 0;
  std::string tokenizer;
};

// What a file takes or gives, with batch axis.
struct Port {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::optional<float> scale;
  std::optional<std::int64_t> zero_point;
};

struct Answer {
  std::string kind;  // "classes", "objects", "tensors"
  std::size_t output = 0;
  std::string activation;  // "softmax", "sigmoid", ""
  std::size_t top = 0;
  double threshold = 0.0;
  double overlap = 0.0;
  std::size_t most = 0;
  std::size_t candidates = 0;
};

struct Contract {
  // Of contract.json, and for one artifact of it.
  Contract(std::string_view json, const std::string& label);
  Contract() = default;

  std::vector<Input> inputs;
  Answer answer;
  std::vector<Port> taken;
  std::vector<Port> given;
};

std::size_t size_of(const std::string& dtype);  // in bytes; throws Error for other dtypes
std::size_t count_of(const std::vector<std::int64_t>& shape);

}  // namespace bundle_name::detail
