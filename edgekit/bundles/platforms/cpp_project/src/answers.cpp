#include "answers.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "half.hpp"

namespace bundle_name::detail {
namespace {

template <typename T>
void widen(const Tensor& tensor, std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, tensor.bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
}

const Tensor& output_of(const Tensors& outputs, const std::string& name) {
  const auto found = outputs.find(name);
  if (found == outputs.end()) throw Error("no output " + name);
  return found->second;
}

double sigmoid(double value) { return 1.0 / (1.0 + std::exp(-value)); }

std::vector<double> activated(std::vector<double> values, const std::string& activation) {
  if (activation == "sigmoid") {
    std::transform(values.begin(), values.end(), values.begin(), sigmoid);
  } else if (activation == "softmax" && !values.empty()) {
    const double highest = *std::max_element(values.begin(), values.end());
    for (double& value : values) value = std::exp(value - highest);
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    for (double& value : values) value /= sum;
  }
  return values;
}

// Higher first; a NaN last, so that there is an order at all.
bool before(double one, double other) {
  return one > other || (std::isnan(other) && !std::isnan(one));
}

std::string label_of(int number, const std::vector<std::string>& labels) {
  const auto at = static_cast<std::size_t>(number);
  return at < labels.size() ? labels[at] : std::to_string(number);
}

std::vector<Found> classes(const Answer& answer, const Tensor& output,
                           const std::vector<std::string>& labels) {
  const std::vector<double> scores = activated(values_of(output), answer.activation);
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  // Stable: equal scores keep the order of the classes.
  std::stable_sort(order.begin(), order.end(), [&](int one, int other) {
    return before(scores[static_cast<std::size_t>(one)], scores[static_cast<std::size_t>(other)]);
  });
  order.resize(std::min(order.size(), answer.top));
  std::vector<Found> found;
  for (const int number : order)
    found.push_back({label_of(number, labels), scores[static_cast<std::size_t>(number)], number, {}});
  return found;
}

struct Candidate {
  double score;
  int number;
  Box box;
};

double overlap_of(const Box& one, const Box& other) {
  const double width = std::min(one.right, other.right) - std::max(one.left, other.left);
  const double height = std::min(one.bottom, other.bottom) - std::max(one.top, other.top);
  const double common = std::max(width, 0.0) * std::max(height, 0.0);
  const double sum = (one.right - one.left) * (one.bottom - one.top) +
                     (other.right - other.left) * (other.bottom - other.top) - common;
  return sum > 0.0 ? common / sum : 0.0;
}

// As edgekit/detection.py writes it down, step by step, in double.
std::vector<Found> objects(const Answer& answer, const Tensor& boxes, const Tensor& scores,
                           const std::vector<std::string>& labels) {
  const std::vector<double> logits = values_of(scores);
  const std::vector<double> corners = values_of(boxes);
  const std::size_t places = corners.size() / 4;
  if (places == 0 || logits.size() % places != 0 || corners.size() % 4 != 0) return {};
  const std::size_t count = logits.size() / places;
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double score = sigmoid(logits[i]);
    if (!(score >= answer.threshold)) continue;
    const double* box = corners.data() + 4 * (i / count);
    candidates.push_back({score, static_cast<int>(i % count), {box[0], box[1], box[2], box[3]}});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& one, const Candidate& other) { return one.score > other.score; });
  if (candidates.size() > answer.candidates)
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(answer.candidates),
                     candidates.end());
  std::vector<const Candidate*> kept;
  for (Candidate& one : candidates) {
    for (double* value : {&one.box.left, &one.box.top, &one.box.right, &one.box.bottom})
      *value = std::clamp(*value, 0.0, 1.0);
    if (!(one.box.right > one.box.left && one.box.bottom > one.box.top)) continue;
    const bool clashes = std::any_of(kept.begin(), kept.end(), [&](const Candidate* other) {
      return other->number == one.number && overlap_of(other->box, one.box) > answer.overlap;
    });
    if (clashes) continue;
    if (kept.size() == answer.most) break;
    kept.push_back(&one);
  }
  std::vector<Found> found;
  for (const Candidate* one : kept)
    // float32, as the model gives boxes.
    found.push_back({label_of(one->number, labels), static_cast<float>(one->score), one->number,
                     Box{static_cast<float>(one->box.left), static_cast<float>(one->box.top),
                         static_cast<float>(one->box.right), static_cast<float>(one->box.bottom)}});
  return found;
}

}  // namespace

std::vector<double> values_of(const Tensor& tensor) {
  std::vector<double> values(count_of(tensor.shape));
  if (tensor.bytes.size() != values.size() * size_of(tensor.dtype))
    throw Error("a tensor: its shape and its bytes don't fit");
  if (tensor.dtype == "uint8") widen<std::uint8_t>(tensor, values);
  else if (tensor.dtype == "int8") widen<std::int8_t>(tensor, values);
  else if (tensor.dtype == "int32") widen<std::int32_t>(tensor, values);
  else if (tensor.dtype == "int64") widen<std::int64_t>(tensor, values);
  else if (tensor.dtype == "float16") {
    std::vector<std::uint16_t> bits(values.size());
    if (!bits.empty()) std::memcpy(bits.data(), tensor.bytes.data(), tensor.bytes.size());
    std::transform(bits.begin(), bits.end(), values.begin(), from_half);
  } else {
    widen<float>(tensor, values);
  }
  return values;
}

std::vector<Found> answered(const Answer& answer, const std::vector<Port>& ports,
                            const Tensors& outputs, const std::vector<std::string>& labels) {
  if (answer.kind == "classes")
    return classes(answer, output_of(outputs, ports[answer.output].name), labels);
  if (answer.kind == "objects")
    return objects(answer, output_of(outputs, "boxes"), output_of(outputs, "scores"), labels);
  return {};
}

}  // namespace bundle_name::detail
