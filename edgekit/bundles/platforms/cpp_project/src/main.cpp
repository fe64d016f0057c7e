// BUNDLE_TITLE on the command line: what it sees, and whether this build computes as it should.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "bundle_name/model.hpp"
#include "ppm.hpp"

namespace {

constexpr const char* kUsage =
    "usage: bundle_name_cli [--bundle DIR] [--artifact LABEL] [--device CLASS] [--threads N]\n"
    "                       [--digest SHA256] [--key KEY.pub]\n"
    "                       (--check | --verify | --text TEXT... | PICTURE.ppm... | SOUND.wav...)\n";

std::string bytes_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream || !std::filesystem::is_regular_file(file))
    throw bundle_name::Error(file + ": cannot be read");
  return {std::istreambuf_iterator<char>(stream), {}};
}

void print(const std::string& sample, const std::vector<bundle_name::Found>& found) {
  for (const bundle_name::Found& one : found) {
    std::printf("%s  %s  %.3f", sample.c_str(), one.label.c_str(), one.score);
    if (one.box)
      std::printf("  %.0f %.0f %.0f %.0f", one.box->left, one.box->top, one.box->right,
                  one.box->bottom);
    std::printf("\n");
  }
}

struct Asked {
  std::string bundle = BUNDLE_NAME_FOLDER;
  bundle_name::Options options;
  bool check = false;
  bool verify = false;
  bool text = false;
  std::vector<std::string> samples;
};

// Whether the words could be understood.
bool parsed(const std::vector<std::string>& words, Asked& asked) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--check") asked.check = true;
    else if (word == "--verify") asked.verify = true;
    else if (word == "--text") asked.text = true;
    else if (word.rfind("--", 0) != 0) asked.samples.push_back(word);
    else if (i + 1 == words.size()) return false;
    else if (word == "--bundle") asked.bundle = words[++i];
    else if (word == "--artifact") asked.options.artifact = words[++i];
    else if (word == "--device") asked.options.device = words[++i];
    else if (word == "--digest") asked.options.digest = words[++i];
    else if (word == "--key") asked.options.key = bytes_of(words[++i]);
    else if (word == "--threads") asked.options.threads = std::atoi(words[++i].c_str());
    else return false;
  }
  return asked.check || asked.verify || !asked.samples.empty();
}

void act(const Asked& asked) {
  if (asked.verify)
    std::printf("%s: %d files are what bundle.json says%s\n", asked.bundle.c_str(),
                bundle_name::verify(asked.bundle, asked.options.digest, asked.options.key),
                asked.options.key ? ", and the key signed it" : "");
  if (!asked.check && asked.samples.empty()) return;
  bundle_name::Model model(asked.bundle, asked.options);
  for (const std::string& one : model.passed_over())
    std::fprintf(stderr, "note: took %s, since %s\n", model.artifact().c_str(), one.c_str());
  if (asked.check) {
    const bundle_name::Checked checked = model.check();
    std::printf("%s on %s: %d golden cases hold\n", model.artifact().c_str(),
                model.runtime().c_str(), checked.cases);
    if (checked.values > 0)
      std::printf("pictures: 0 of %zu values differ\n", checked.values);
    if (checked.originals > 0)
      std::printf("texts or sounds: 0 of %d differ\n", checked.originals);
    std::printf("outputs: at most %.2g %% of their spread apart\n", 100 * checked.worst);
  }
  for (const std::string& sample : asked.samples) {
    if (asked.text) {
      print(sample, model.predict(std::string_view(sample)));
      continue;
    }
    if (model.rate_hz() > 0) {
      const std::vector<float> sound =
          bundle_name::read_wav(sample, model.rate_hz(), model.length());
      print(sample, model.predict(sound.data(), sound.size()));
      continue;
    }
    const bundle_name::detail::Ppm ppm(bytes_of(sample), sample);
    print(sample, model.predict(ppm.picture()));
  }
}

}  // namespace

int main(int count, char** words) {
  try {
    Asked asked;
    if (!parsed({words + 1, words + count}, asked)) {
      std::cerr << kUsage;
      return 2;
    }
    act(asked);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
