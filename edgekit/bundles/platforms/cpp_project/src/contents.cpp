#include "contents.hpp"

#include <fstream>
#include <system_error>

#include "bundle_name/model.hpp"
#include "json.hpp"
#include "sha256.hpp"
#include "signature.hpp"

namespace bundle_name {
namespace detail {
namespace {

namespace fs = std::filesystem;

constexpr const char* kContents = "bundle.json";
constexpr const char* kSignature = "bundle.sig";
constexpr std::uintmax_t kMostContents = 4u << 20;
constexpr std::size_t kMostFiles = 4096;
constexpr int kMostDepth = 32;
constexpr std::int64_t kMostBytes = std::int64_t{4} << 30;

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '@' || c == '+';
}

// Whether a path stays inside a folder, on every platform.
bool is_path(const std::string& path) {
  if (path.empty() || path.size() > 200) return false;
  int folders = 0;
  bool begins = true;
  for (const char c : path) {
    if (begins ? !is_letter(c) : !(is_letter(c) || c == '.' || c == '-' || c == '/')) return false;
    begins = c == '/';
    folders += begins ? 1 : 0;
  }
  return !begins && folders <= 15;
}

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string bytes_of(const fs::path& file, std::uintmax_t most) {
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(file, failed);
  if (failed) throw Error(file.string() + ": cannot be read");
  if (size > most) throw Error(file.string() + ": has " + std::to_string(size) + " bytes");
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size)))
    throw Error(file.string() + ": cannot be read");
  return bytes;
}

Entry entry_of(const std::string& path, const Json& told) {
  Entry entry{told["sha256"].text(), told["bytes"].integer()};
  if (!is_path(path) || path == kContents || path == kSignature || !is_digest(entry.sha256) ||
      entry.bytes < 0 || entry.bytes > kMostBytes)
    throw Error("bundle.json: not a path, size and digest: " + path.substr(0, 200));
  return entry;
}

}  // namespace

Contents::Contents(const fs::path& place, const std::string& digest,
                   const std::optional<std::string>& key)
    : folder(place) {
  const fs::path file = folder / kContents;
  std::error_code failed;
  if (!fs::is_regular_file(fs::symlink_status(file, failed)))
    throw Error(folder.string() + ": not a bundle (no bundle.json)");
  const std::string text = bytes_of(file, kMostContents);
  if (!digest.empty() && sha256(text) != digest)
    throw Error(file.string() + ": sha256 differs from the one that is expected");
  const Json told = Json::parse(text, file.string());
  if (told["format"].integer() != 1)
    throw Error(file.string() + ": another format than 1, which this program reads");
  for (const auto& [path, entry] : told["files"].table())
    files.emplace(path, entry_of(path, entry));
  if (files.size() > kMostFiles) throw Error(file.string() + ": more than 4096 files");
  for (const Json& one : told["artifacts"].items()) {
    artifacts.push_back({one["label"].text(), one["target"].text(), one["file"].text()});
    if (!has(artifacts.back().file))
      throw Error(file.string() + ": " + artifacts.back().file + " is not among the files");
  }
  if (artifacts.empty()) throw Error(file.string() + ": no artifact");
  for (const auto& [device, label] : told["choice"].table()) choice.emplace(device, label.text());
  if (!key) return;
  const fs::path signature = folder / kSignature;
  if (!fs::is_regular_file(fs::symlink_status(signature, failed)))
    throw Error(folder.string() + ": not signed (no bundle.sig)");
  std::map<std::string, std::string> digests = {{kContents, sha256(text)}};
  for (const auto& [path, entry] : files) digests.emplace(path, entry.sha256);
  check_signature(bytes_of(signature, kMostContents), *key, digests);
}

fs::path Contents::verified(const std::string& name) const {
  const auto found = files.find(name);
  if (found == files.end()) throw Error(name + ": not in bundle.json");
  const fs::path file = folder / name;
  std::error_code failed;
  // By size first: a file of another one is not read, however large.
  const std::uintmax_t size = fs::file_size(file, failed);
  if (failed) throw Error(file.string() + ": is missing");
  if (!fs::is_regular_file(fs::symlink_status(file, failed)))
    throw Error(file.string() + ": is a link or no plain file");
  const auto wanted = static_cast<std::uintmax_t>(found->second.bytes);
  if (size != wanted)
    throw Error(file.string() + ": has " + std::to_string(size) + " bytes; bundle.json says " +
                std::to_string(wanted));
  if (sha256_file(file) != found->second.sha256)
    throw Error(file.string() + ": sha256 differs from the one in bundle.json");
  return file;
}

std::string Contents::read(const std::string& name) const {
  return bytes_of(verified(name), static_cast<std::uintmax_t>(kMostBytes));
}

}  // namespace detail

int verify(const std::filesystem::path& bundle, const std::string& digest,
           const std::optional<std::string>& key) {
  namespace fs = std::filesystem;
  const detail::Contents contents(bundle, digest, key);
  std::size_t seen = 0;
  try {
    for (auto at = fs::recursive_directory_iterator(bundle);
         at != fs::recursive_directory_iterator(); ++at) {
      const std::string path = at->path().lexically_relative(bundle).generic_string();
      const fs::file_status status = at->symlink_status();
      if (fs::is_directory(status)) {
        if (at.depth() > detail::kMostDepth) throw Error(bundle.string() + ": folders too deep");
        if (fs::is_empty(at->path()))
          throw Error(at->path().string() + ": is empty: it was added");
        continue;
      }
      if (!fs::is_regular_file(status))
        throw Error(at->path().string() + ": is a link or no plain file");
      if (path == detail::kContents || path == detail::kSignature) continue;
      if (!contents.has(path))
        throw Error(at->path().string() + ": is not in bundle.json: it was added");
      contents.verified(path);
      ++seen;
    }
  } catch (const std::system_error& error) {
    throw Error(bundle.string() + ": " + error.code().message());
  }
  if (seen != contents.files.size())
    for (const auto& [path, entry] : contents.files) contents.verified(path);
  return static_cast<int>(seen);
}

}  // namespace bundle_name
