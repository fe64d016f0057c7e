#include "bundle_name/model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "answers.hpp"
#include "parts.hpp"
#include "pictures.hpp"
#include "samples.hpp"

namespace bundle_name {
namespace {

using detail::Contents;
using detail::Held;
using detail::Input;
using detail::Port;

// In the order in which they are tried: the one of a name; or that of a class of device, then all.
std::vector<Held> chosen(const Contents& contents, const Options& options) {
  std::vector<Held> wanted;
  const auto told = contents.choice.find(options.device);
  const std::string& first = !options.artifact.empty()             ? options.artifact
                             : told != contents.choice.end() ? told->second
                                                             : contents.artifacts.front().label;
  for (const Held& one : contents.artifacts)
    if (one.label == first) wanted.push_back(one);
  if (!options.artifact.empty()) return wanted;
  for (const Held& one : contents.artifacts)
    if (one.label != first) wanted.push_back(one);
  return wanted;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

std::string without_suffix(const std::string& path) {
  const std::size_t dot = path.find_last_of("./");
  return dot == std::string::npos || path[dot] == '/' ? path : path.substr(0, dot);
}

// A sample in the model's units as the file takes it, with batch axis.
Tensor taken(const Tensor& sample, const Port& port) {
  std::vector<std::int64_t> shape = sample.shape;
  shape.insert(shape.begin(), 1);
  const bool unit = port.scale == 1.0F && port.zero_point == std::int64_t{0};
  if (sample.dtype == port.dtype && (!port.scale || unit)) return {sample.dtype, shape, sample.bytes};
  std::vector<double> values = detail::values_of(sample);
  if (port.scale && port.zero_point) {
    for (double& value : values) {
      // In float32, as the runtimes divide: double would land on other sides of the halves.
      const float steps = static_cast<float>(value) / *port.scale;
      if (std::isnan(steps)) throw Error(port.name + ": NaN cannot be quantized");
      value = detail::rounded(steps) + static_cast<double>(*port.zero_point);
    }
  }
  return detail::narrowed(values, port.dtype, shape);
}

// What the file gives as real values, without batch axis.
Tensor real(const Tensor& found, const Port& port) {
  Tensor output{found.dtype, {}, found.bytes};
  if (found.shape.empty() || found.shape.front() != 1)
    throw Error(port.name + ": the model gives no batch of 1");
  output.shape.assign(found.shape.begin() + 1, found.shape.end());
  if (!port.scale || found.dtype == "float32") return output;
  std::vector<double> values = detail::values_of(output);
  const std::int64_t zero = port.zero_point.value_or(0);
  for (double& value : values)
    value = static_cast<float>(static_cast<std::int64_t>(value) - zero) * *port.scale;
  return detail::narrowed(values, "float32", output.shape);
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.substr(0, 1000);
}

}  // namespace

Model::Parts::Parts(const std::filesystem::path& bundle, const Options& options)
    : contents(bundle, options.digest, options.key) {
  if (contents.has("labels.txt")) labels = lines_of(contents.read("labels.txt"));
  load(options);
  const std::string& tokenizer = contract.inputs.front().tokenizer;
  if (!tokenizer.empty() && tokenizer != "bytes")
    wordpiece.emplace(contents.read("wordpiece.json"), tokenizer);
}

void Model::Parts::load(const Options& options) {
  if (options.threads < 1) throw Error("threads: at least 1");
  const std::string told = contents.read("contract.json");
  for (const Held& one : chosen(contents, options)) {
    held = one;
    contract = detail::Contract(told, held.label);
    // A model may lie in several files of one name: each is verified. What was changed is refused,
    // and no reason to take another.
    for (const auto& [path, entry] : contents.files)
      if (without_suffix(path) == without_suffix(held.file)) contents.verified(path);
    try {
      runtime = detail::load(held.target, contents.folder / held.file, options.threads, contract);
      return;
    } catch (const std::exception& error) {
      passed_over.push_back(held.label + ": " + one_line(error.what()));
    }
  }
  std::string reasons;
  for (const std::string& one : passed_over) reasons += (reasons.empty() ? "" : "; ") + one;
  if (!reasons.empty()) throw Error("no artifact could be loaded: " + reasons);
  for (const Held& one : contents.artifacts) reasons += " " + one.label;
  throw Error("no artifact " + options.artifact + "; there are:" + reasons);
}

const Input& Model::Parts::only_input(const char* kind) const {
  if (contract.inputs.size() != 1 || contract.inputs.front().kind != kind)
    throw Error(std::string("the model takes no ") + kind + "; give tensors by name");
  return contract.inputs.front();
}

Model::Model(const std::filesystem::path& bundle, const Options& options) try
    : parts_(std::make_unique<Parts>(bundle, options)) {
} catch (const Error&) {
  throw;
} catch (const std::exception& error) {
  throw Error(bundle.string() + ": " + one_line(error.what()));
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

std::vector<Found> Model::predict(const Picture& picture) {
  std::vector<Found> found = predict(prepare(picture));
  for (Found& one : found)
    if (one.box)
      one.box = detail::in_pixels(*one.box, picture.width, picture.height,
                                  parts_->contract.inputs.front());
  return found;
}

std::vector<Found> Model::predict(std::string_view text) { return predict(prepare(text)); }

std::vector<Found> Model::predict(const float* samples, std::size_t count) {
  return predict(prepare(samples, count));
}

std::vector<Found> Model::predict(const Tensors& sample) { return answer(run(sample)); }

Tensors Model::prepare(const Picture& picture) const {
  const Input& input = parts_->only_input("picture");
  return {{input.name, detail::prepared(picture, input)}};
}

Tensors Model::prepare(std::string_view text) const {
  const Input& input = parts_->only_input("text");
  return {{input.name, detail::tokens_of(text, input, parts_->wordpiece ? &*parts_->wordpiece : nullptr)}};
}

Tensors Model::prepare(const float* samples, std::size_t count) const {
  const Input& input = parts_->only_input("sound");
  return {{input.name, detail::wave_of(samples, count, input)}};
}

Tensors Model::run(const Tensors& sample) try {
  const detail::Contract& contract = parts_->contract;
  std::vector<Tensor> inputs;
  for (const Port& port : contract.taken) {
    const auto found = sample.find(port.name);
    if (found == sample.end()) throw Error("no input " + port.name + " in the sample");
    inputs.push_back(taken(found->second, port));
  }
  const std::vector<Tensor> given = parts_->runtime->run(inputs);
  Tensors outputs;
  for (std::size_t i = 0; i < given.size(); ++i)
    outputs.emplace(contract.given[i].name, real(given[i], contract.given[i]));
  return outputs;
} catch (const Error&) {
  throw;
} catch (const std::exception& error) {
  throw Error(parts_->runtime->name + ": " + one_line(error.what()));
}

std::vector<Found> Model::answer(const Tensors& outputs) const {
  return detail::answered(parts_->contract.answer, parts_->contract.given, outputs,
                          parts_->labels);
}

const std::string& Model::artifact() const { return parts_->held.label; }
const std::vector<std::string>& Model::passed_over() const { return parts_->passed_over; }
const std::string& Model::runtime() const { return parts_->runtime->name; }
int Model::rate_hz() const { return parts_->contract.inputs.front().rate_hz; }
std::size_t Model::length() const {
  return static_cast<std::size_t>(parts_->contract.inputs.front().length);
}

}  // namespace bundle_name
