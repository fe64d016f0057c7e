// A model with what belongs to it: pictures, text, sound or tensors in, an answer out.
//
//     bundle_name::Model model("share/bundle_name");
//     for (const bundle_name::Found& found : model.predict({pixels, width, height}))
//       std::cout << found.label << ' ' << found.score << '\n';
//
// Made by edgekit. What happens before and after the model is read from the bundle's contract.json
// and proven by its golden cases: Model::check().
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bundle_name {
namespace detail {
class Json;
}

// What went wrong, in one line. Everything here throws this and nothing else on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A decoded picture, upright: RGB, 8 bits a channel, row by row. It is read, not kept.
struct Picture {
  const std::uint8_t* rgb = nullptr;
  int width = 0;
  int height = 0;
  std::size_t stride = 0;  // bytes from row to row; 0 where rows follow each other: 3 * width
};

// In pixels of the picture.
struct Box {
  double left, top, right, bottom;
};

// A class or an object that the model sees.
struct Found {
  std::string label;  // the number as text where there are no labels
  double score;       // 0 to 1 after softmax or sigmoid; else as the model gives it
  int number;         // of the class
  std::optional<Box> box;
};

// An array, row by row, without batch axis.
struct Tensor {
  std::string dtype;  // "uint8", "int8", "int32", "int64", "float16", "float32"
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};
using Tensors = std::map<std::string, Tensor>;  // by the name of the input or output

struct Options {
  std::string device;    // class of device, to choose an artifact by what was measured for it
  std::string artifact;  // label of an artifact, to choose it by name: "onnx-int8"
  int threads = 1;       // that the runtime may compute with
  std::string digest;    // sha256 of bundle.json that the app expects; empty for any
  std::optional<std::string> key;  // public, PEM: a bundle that it did not sign is refused
};

// What Model::check() found.
struct Checked {
  int cases = 0;                // that hold
  int originals = 0;            // texts and sounds among them, each the same to the bit
  std::size_t values = 0;       // of pictures that were prepared, each the same to the bit
  double worst = 0.0;           // part of an output's spread by which one is apart
};

// The model, loaded. One thread at a time may use it; several models may be loaded.
class Model {
 public:
  // Loads the bundle that lies in a folder. Every file is compared with its digest first.
  explicit Model(const std::filesystem::path& bundle, const Options& options = {});
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  // What the model sees, best first.
  std::vector<Found> predict(const Picture& picture);
  std::vector<Found> predict(std::string_view text);                  // UTF-8
  std::vector<Found> predict(const float* samples, std::size_t count);  // -1 to 1, at rate_hz
  std::vector<Found> predict(const Tensors& sample);                  // in the model's own units

  // The steps of that, one by one. prepare: to a sample in the model's own units.
  Tensors prepare(const Picture& picture) const;
  Tensors prepare(std::string_view text) const;
  Tensors prepare(const float* samples, std::size_t count) const;
  // run: to outputs in real values. answer: to classes or objects; boxes in 0 to 1 of the input.
  Tensors run(const Tensors& sample);
  std::vector<Found> answer(const Tensors& outputs) const;

  // Proves this build, runtime and processor with the golden cases; throws where one does not hold.
  Checked check();

  const std::string& artifact() const;  // label of the artifact that is loaded
  // Those that were to be taken before it and could not be loaded, each with why.
  const std::vector<std::string>& passed_over() const;
  const std::string& runtime() const;   // what runs it, with its version
  int rate_hz() const;                  // of sound; 0 of anything else
  std::size_t length() const;           // of sound and text: what is longer is cut; 0 of others

 private:
  struct Parts;
  void check_originals(const detail::Json& told, Checked& checked) const;
  std::unique_ptr<Parts> parts_;
};

// The beginning of a WAV file, PCM of 8 to 32 bits, channels averaged: -1 to 1, at most `most` of
// them. Nothing is resampled: another rate than rate_hz is refused; 0 takes any.
std::vector<float> read_wav(const std::filesystem::path& file, int rate_hz,
                            std::size_t most = SIZE_MAX);

// Looks at every file of a bundle's folder, and throws where one was changed, added or is missing.
// Who made the bundle is asked where there is a key: public, PEM; or give the digest of bundle.json
// that you know. Keys need a build with -DWITH_SIGNATURES=ON. Returns how many files there are.
int verify(const std::filesystem::path& bundle, const std::string& digest = {},
           const std::optional<std::string>& key = {});

}  // namespace bundle_name
