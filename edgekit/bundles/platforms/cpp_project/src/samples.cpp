#include "samples.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "half.hpp"
#include "texts.hpp"

namespace bundle_name::detail {
namespace {

template <typename T>
void narrow(const std::vector<double>& values, Tensor& tensor) {
  tensor.bytes.resize(values.size() * sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    if constexpr (std::is_integral_v<T>) {
      // The highest int64 is no double: what is not below it is cut to it. NaN has no integer.
      constexpr T low = std::numeric_limits<T>::min();
      constexpr T high = std::numeric_limits<T>::max();
      if (std::isnan(values[i])) throw Error("NaN in a sample of whole numbers");
      value = values[i] >= static_cast<double>(high)  ? high
              : values[i] <= static_cast<double>(low) ? low
                                                      : static_cast<T>(values[i]);
    } else {
      value = static_cast<T>(values[i]);
    }
    std::memcpy(tensor.bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
}

}  // namespace

Tensor narrowed(const std::vector<double>& values, const std::string& dtype,
                std::vector<std::int64_t> shape) {
  Tensor tensor{dtype, std::move(shape), {}};
  if (dtype == "uint8") narrow<std::uint8_t>(values, tensor);
  else if (dtype == "int8") narrow<std::int8_t>(values, tensor);
  else if (dtype == "int32") narrow<std::int32_t>(values, tensor);
  else if (dtype == "int64") narrow<std::int64_t>(values, tensor);
  else if (dtype == "float16") {
    std::vector<std::uint16_t> bits(values.size());
    std::transform(values.begin(), values.end(), bits.begin(), to_half);
    tensor.bytes.resize(2 * bits.size());
    if (!bits.empty()) std::memcpy(tensor.bytes.data(), bits.data(), tensor.bytes.size());
  } else {
    narrow<float>(values, tensor);
  }
  return tensor;
}

Tensor tokens_of(std::string_view text, const Input& input, const WordPiece* wordpiece) {
  const auto length = static_cast<std::size_t>(input.length);
  std::vector<double> tokens;
  if (wordpiece != nullptr) {
    tokens = wordpiece->tokens(text, length);
  } else {
    // A byte is its number plus one.
    std::string bytes;
    for (const char32_t point : points_of(text, length)) append(bytes, point);
    for (const char byte : bytes) tokens.push_back(1.0 + static_cast<unsigned char>(byte));
  }
  tokens.resize(length, 0.0);
  return narrowed(tokens, input.dtype, input.shape);
}

Tensor wave_of(const float* samples, std::size_t count, const Input& input) {
  std::vector<double> wave(static_cast<std::size_t>(input.length), 0.0);
  std::copy_n(samples, std::min(count, wave.size()), wave.begin());
  const auto [low, high] = input.ranges.front();
  if (low != -1.0 || high != 1.0) {
    // In float32, as numpy computes it.
    const auto half = static_cast<float>((high - low) / 2);
    for (double& value : wave)
      value = static_cast<float>(low) + (static_cast<float>(value) + 1.0F) * half;
  }
  return narrowed(wave, input.dtype, input.shape);
}

}  // namespace bundle_name::detail
