// Steps of a C++ bundle one by one, for tests: steps CONTRACT LABEL KIND [WORDPIECE] < items > results.
// An item is a 32-bit size and its bytes; a result too.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include "answers.hpp"
#include "pictures.hpp"
#include "ppm.hpp"
#include "samples.hpp"
#include "wav.hpp"

using namespace known_glyphs;

namespace {

void give(const void* bytes, std::size_t size) {
  const auto count = static_cast<std::uint32_t>(size);
  std::fwrite(&count, sizeof count, 1, stdout);
  if (size > 0) std::fwrite(bytes, 1, size, stdout);
}

std::vector<float> floats(const std::string& item) {
  std::vector<float> values(item.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), item.data(), item.size());
  return values;
}

// The outputs one after the other, as float32; each object's number, score and box, as doubles.
void answer(const std::string& item, const detail::Contract& contract) {
  Tensors outputs;
  std::size_t at = 0;
  for (const detail::Port& port : contract.given) {
    Tensor tensor{port.dtype, {port.shape.begin() + 1, port.shape.end()}, {}};
    tensor.bytes.resize(detail::count_of(tensor.shape) * sizeof(float));
    if (!tensor.bytes.empty()) std::memcpy(tensor.bytes.data(), item.data() + at, tensor.bytes.size());
    at += tensor.bytes.size();
    outputs.emplace(port.name, std::move(tensor));
  }
  std::vector<double> told;
  for (const Found& one : detail::answered(contract.answer, contract.given, outputs, {})) {
    told.push_back(one.number);
    told.push_back(one.score);
    if (one.box)
      told.insert(told.end(), {one.box->left, one.box->top, one.box->right, one.box->bottom});
  }
  give(told.data(), told.size() * sizeof(double));
}

// As float16, and that as double.
void half(const std::vector<float>& values) {
  const std::vector<double> wide(values.begin(), values.end());
  const Tensor made =
      detail::narrowed(wide, "float16", {static_cast<std::int64_t>(wide.size())});
  const std::vector<double> back = detail::values_of(made);
  std::string both(reinterpret_cast<const char*>(made.bytes.data()), made.bytes.size());
  both.append(reinterpret_cast<const char*>(back.data()), back.size() * sizeof(double));
  give(both.data(), both.size());
}

// Nothing where the file is refused.
void wav(const std::string& item, const detail::Input& input) try {
  const auto most = static_cast<std::size_t>(input.length);
  const std::vector<float> sound = detail::wav_of(item, input.rate_hz, most, "item");
  const Tensor made = detail::wave_of(sound.data(), sound.size(), input);
  give(made.bytes.data(), made.bytes.size());
} catch (const Error&) {
  give(nullptr, 0);
}

}  // namespace

int main(int, char** words) {
  std::ifstream file(words[1]);
  const std::string json(std::istreambuf_iterator<char>(file), {});
  const detail::Contract contract(json, words[2]);
  const std::string kind = words[3];
  const detail::Input& input = contract.inputs.front();
  std::optional<detail::WordPiece> wordpiece;
  if (words[4] != nullptr) {
    std::ifstream table(words[4]);
    wordpiece.emplace(std::string(std::istreambuf_iterator<char>(table), {}), input.tokenizer);
  }
  for (std::uint32_t size = 0; std::fread(&size, sizeof size, 1, stdin) == 1;) {
    std::string item(size, '\0');
    if (std::fread(item.data(), 1, size, stdin) != size) return 3;
    if (kind == "answer") {
      answer(item, contract);
      continue;
    }
    if (kind == "wav") {
      wav(item, input);
      continue;
    }
    if (kind == "half") {
      half(floats(item));
      continue;
    }
    Tensor made;
    if (kind == "picture") made = detail::prepared(detail::Ppm(item, "item").picture(), input);
    if (kind == "text") made = detail::tokens_of(item, input, wordpiece ? &*wordpiece : nullptr);
    if (kind == "sound") {
      const std::vector<float> wave = floats(item);
      made = detail::wave_of(wave.data(), wave.size(), input);
    }
    give(made.bytes.data(), made.bytes.size());
  }
  return 0;
}
