#include "pictures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace bundle_name::detail {
namespace {

// Pillow's antialiased bilinear filter for 8 bits: rows, then columns, with 8 bits between; weights
// in double, of sum 1, then in fixed point.
constexpr int kPrecision = 32 - 8 - 2;
constexpr int kMostPixels = 89478485;  // of one picture; Pillow's limit

struct Weights {
  int first = 0;
  std::vector<std::int32_t> of;
};

std::vector<Weights> weights_of(int size, int wanted) {
  const double scale = static_cast<double>(size) / wanted;
  const double stretch = std::max(scale, 1.0);
  const double inverse = 1.0 / stretch;
  std::vector<Weights> all(static_cast<std::size_t>(wanted));
  std::vector<double> real;
  for (int at = 0; at < wanted; ++at) {
    const double centre = (at + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - stretch + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + stretch + 0.5), size);
    real.clear();
    double sum = 0.0;
    for (int i = 0; i < last - first; ++i) {
      const double away = std::abs((i + first - centre + 0.5) * inverse);
      real.push_back(away < 1.0 ? 1.0 - away : 0.0);
      sum += real.back();
    }
    Weights& weights = all[static_cast<std::size_t>(at)];
    weights.first = first;
    for (double weight : real) {
      if (sum != 0.0) weight /= sum;
      weights.of.push_back(static_cast<std::int32_t>(0.5 + weight * (1 << kPrecision)));
    }
  }
  return all;
}

std::uint8_t level(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecision, 0, 255));
}

struct Pixels {
  int width;
  int height;
  std::vector<std::uint8_t> rgb;

  Pixels(int w, int h) : width(w), height(h), rgb(std::size_t{3} * w * h) {}
  std::uint8_t* row(int y) { return rgb.data() + std::size_t{3} * width * y; }
  const std::uint8_t* row(int y) const { return rgb.data() + std::size_t{3} * width * y; }
};

Pixels copied(const Picture& picture) {
  if (picture.rgb == nullptr || picture.width < 1 || picture.height < 1 ||
      picture.width > kMostPixels / picture.height)
    throw Error("a picture: no pixels, or more than 89 million");
  const std::size_t row = std::size_t{3} * picture.width;
  const std::size_t stride = picture.stride == 0 ? row : picture.stride;
  if (stride < row) throw Error("a picture: its stride is smaller than a row");
  Pixels pixels(picture.width, picture.height);
  for (int y = 0; y < picture.height; ++y)
    std::memcpy(pixels.row(y), picture.rgb + stride * y, row);
  return pixels;
}

Pixels widened(const Pixels& from, int width) {
  if (from.width == width) return from;
  Pixels to(width, from.height);
  const std::vector<Weights> all = weights_of(from.width, width);
  for (int y = 0; y < to.height; ++y) {
    std::uint8_t* out = to.row(y);
    for (const Weights& weights : all) {
      const std::uint8_t* in = from.row(y) + std::size_t{3} * weights.first;
      std::array<std::int32_t, 3> sums;
      sums.fill(1 << (kPrecision - 1));
      for (const std::int32_t weight : weights.of)
        for (std::int32_t& sum : sums) sum += *in++ * weight;
      for (const std::int32_t sum : sums) *out++ = level(sum);
    }
  }
  return to;
}

Pixels heightened(const Pixels& from, int height) {
  if (from.height == height) return from;
  Pixels to(from.width, height);
  const std::vector<Weights> all = weights_of(from.height, height);
  std::vector<std::int32_t> sums(std::size_t{3} * from.width);
  for (int y = 0; y < height; ++y) {
    const Weights& weights = all[static_cast<std::size_t>(y)];
    std::fill(sums.begin(), sums.end(), 1 << (kPrecision - 1));
    for (std::size_t i = 0; i < weights.of.size(); ++i) {
      const std::uint8_t* in = from.row(weights.first + static_cast<int>(i));
      for (std::int32_t& sum : sums) sum += *in++ * weights.of[i];
    }
    std::transform(sums.begin(), sums.end(), to.row(y), level);
  }
  return to;
}

// One channel is ITU-R 601 luma.
std::uint8_t luma(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>(rounded((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]) / 1000.0));
}

// What each of the 256 levels becomes; computed in double.
template <typename T>
std::array<T, 256> table_of(const std::pair<double, double>& range) {
  std::array<T, 256> table{};
  const double step = (range.second - range.first) / 255.0;
  for (int i = 0; i < 256; ++i) {
    const double value = range.first + i * step;
    table[static_cast<std::size_t>(i)] =
        static_cast<T>(std::is_integral_v<T> ? rounded(value) : value);
  }
  return table;
}

template <typename T>
void fill(Tensor& sample, const Pixels& pixels, const Input& input) {
  std::vector<std::array<T, 256>> tables;
  for (const auto& range : input.ranges) tables.push_back(table_of<T>(range));
  const std::size_t channels = tables.size();
  const std::size_t places = std::size_t(pixels.width) * pixels.height;
  sample.bytes.resize(places * channels * sizeof(T));
  for (std::size_t place = 0; place < places; ++place) {
    const std::uint8_t* rgb = pixels.rgb.data() + 3 * place;
    for (std::size_t c = 0; c < channels; ++c) {
      const T value = tables[c][channels == 1 ? luma(rgb) : rgb[c]];
      const std::size_t at = input.channels_first ? c * places + place : place * channels + c;
      std::memcpy(sample.bytes.data() + at * sizeof(T), &value, sizeof(T));
    }
  }
}

}  // namespace

double rounded(double value) {
  const double below = std::floor(value);
  const double rest = value - below;
  if (rest != 0.5) return rest < 0.5 ? below : below + 1.0;
  return std::fmod(below, 2.0) == 0.0 ? below : below + 1.0;
}

Fit fit_of(int width, int height, const Input& input) {
  if (!input.letterbox) return {0, 0, input.width, input.height};
  const double scale = std::min(static_cast<double>(input.width) / width,
                                static_cast<double>(input.height) / height);
  const auto fitted = [scale](int size, int most) {
    return std::min(most, std::max(1, static_cast<int>(rounded(size * scale))));
  };
  Fit fit;
  fit.width = fitted(width, input.width);
  fit.height = fitted(height, input.height);
  fit.left = (input.width - fit.width) / 2;
  fit.top = (input.height - fit.height) / 2;
  return fit;
}

Tensor prepared(const Picture& picture, const Input& input) {
  const Pixels whole = copied(picture);
  const Fit fit = fit_of(whole.width, whole.height, input);
  Pixels pixels = heightened(widened(whole, fit.width), fit.height);
  if (fit.width != input.width || fit.height != input.height) {
    Pixels boxed(input.width, input.height);
    std::fill(boxed.rgb.begin(), boxed.rgb.end(), input.grey);
    for (int y = 0; y < fit.height; ++y)
      std::memcpy(boxed.row(fit.top + y) + std::size_t{3} * fit.left, pixels.row(y),
                  std::size_t{3} * fit.width);
    pixels = std::move(boxed);
  }
  Tensor sample{input.dtype, input.shape, {}};
  if (input.dtype == "uint8") fill<std::uint8_t>(sample, pixels, input);
  else if (input.dtype == "int8") fill<std::int8_t>(sample, pixels, input);
  else if (input.dtype == "int32") fill<std::int32_t>(sample, pixels, input);
  else if (input.dtype == "int64") fill<std::int64_t>(sample, pixels, input);
  else fill<float>(sample, pixels, input);
  return sample;
}

Box in_pixels(const Box& box, int width, int height, const Input& input) {
  const Fit fit = fit_of(width, height, input);
  const auto mapped = [](double value, int offset, int size, int whole, int pixels) {
    const double moved =
        (value - static_cast<double>(offset) / whole) / (static_cast<double>(size) / whole);
    return std::clamp(moved, 0.0, 1.0) * pixels;
  };
  return {mapped(box.left, fit.left, fit.width, input.width, width),
          mapped(box.top, fit.top, fit.height, input.height, height),
          mapped(box.right, fit.left, fit.width, input.width, width),
          mapped(box.bottom, fit.top, fit.height, input.height, height)};
}

}  // namespace bundle_name::detail
