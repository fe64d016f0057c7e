// bundle.json: every other file of a bundle with its size and digest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bundle_name::detail {

struct Entry {
  std::string sha256;
  std::int64_t bytes = 0;
};

struct Held {
  std::string label;
  std::string target;  // "tflite", "onnx", "openvino"
  std::string file;
};

class Contents {
 public:
  // Reads bundle.json, which is untrusted: paths that leave the folder are refused. With a digest,
  // another bundle.json is refused; with a key (public, PEM), one that it did not sign.
  Contents(const std::filesystem::path& folder, const std::string& digest,
           const std::optional<std::string>& key);

  // The place of a file that is what bundle.json says; throws Error where it is not.
  std::filesystem::path verified(const std::string& name) const;
  std::string read(const std::string& name) const;  // the same, and what it holds
  bool has(const std::string& name) const { return files.count(name) > 0; }

  std::filesystem::path folder;
  std::vector<Held> artifacts;
  std::map<std::string, std::string> choice;  // class of device → label
  std::map<std::string, Entry> files;
};

}  // namespace bundle_name::detail
