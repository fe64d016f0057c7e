// From a text to pieces of words by wordpiece.json, which says what becomes of every character: no
// Unicode of the system's own is asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bundle_name::detail {

class Json;

class WordPiece {
 public:
  // Of what wordpiece.json holds; throws Error unless it stands for the tokenizer of that reference.
  WordPiece(const std::string& json, const std::string& reference);

  // At most `length` tokens.
  std::vector<double> tokens(std::string_view text, std::size_t length) const;

 private:
  enum class How { none, to, shift, apart, hangul, rank };
  struct Range {
    char32_t first;
    char32_t last;
    How how = How::none;
    std::int64_t number = 0;  // to shift by; or a rank
    std::u32string text = {};
  };
  using Ranges = std::vector<Range>;  // ascending

  static const Range* find(const Ranges& ranges, char32_t point);
  static Ranges ranges_of(const Json& told, bool ranked = false);

  void add(const std::u32string& text, std::vector<double>& tokens) const;
  std::u32string normal(const std::u32string& text) const;
  void pieces(const std::u32string& word, std::vector<double>& tokens) const;

  std::unordered_map<std::string, std::int64_t> numbers_;  // of pieces
  std::vector<std::pair<std::u32string, std::int64_t>> special_;  // the longest first
  std::vector<std::int64_t> before_;
  std::vector<std::int64_t> after_;
  std::string continued_;
  std::int64_t unknown_ = 0;
  std::size_t longest_ = 0;
  std::size_t cut_ = 0;
  Ranges becomes_, order_, breaks_, spaces_, alone_, runs_;
};

}  // namespace bundle_name::detail
