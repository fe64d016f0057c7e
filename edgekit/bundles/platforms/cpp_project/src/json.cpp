#include "json.hpp"

#include <cmath>
#include <locale>
#include <sstream>

#include "bundle_name/model.hpp"

namespace bundle_name::detail {

class JsonReader {
 public:
  JsonReader(std::string_view text, const std::string& what) : text_(text), what_(what) {}

  Json document() {
    Json found = value(0);
    skip();
    if (at_ != text_.size()) fail();
    return found;
  }

 private:
  static constexpr int kDeepest = 32;

  [[noreturn]] void fail() const {
    throw Error(what_ + ": not valid JSON at byte " + std::to_string(at_));
  }

  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' ||
                                  text_[at_] == '\t'))
      ++at_;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char wanted) {
    skip();
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }

  void word(std::string_view wanted) {
    if (text_.substr(at_, wanted.size()) != wanted) fail();
    at_ += wanted.size();
  }

  Json value(int depth) {
    if (depth > kDeepest) fail();
    skip();
    Json found;
    switch (peek()) {
      case '{':
        ++at_;
        found.kind_ = Json::Kind::table;
        table(found, depth);
        return found;
      case '[':
        ++at_;
        found.kind_ = Json::Kind::items;
        if (take(']')) return found;
        do found.items_.push_back(value(depth + 1));
        while (take(','));
        if (!take(']')) fail();
        return found;
      case '"':
        found.kind_ = Json::Kind::text;
        found.text_ = string();
        return found;
      case 't':
        word("true");
        found.kind_ = Json::Kind::boolean;
        found.number_ = 1.0;
        return found;
      case 'f':
        word("false");
        found.kind_ = Json::Kind::boolean;
        return found;
      case 'n':
        word("null");
        return found;
      default:
        found.kind_ = Json::Kind::number;
        found.number_ = number();
        return found;
    }
  }

  void table(Json& found, int depth) {
    if (take('}')) return;
    do {
      skip();
      std::string key = string();
      if (!take(':')) fail();
      if (!found.table_.emplace(std::move(key), value(depth + 1)).second) fail();
    } while (take(','));
    if (!take('}')) fail();
  }

  void digits() {
    if (peek() < '0' || peek() > '9') fail();
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  double number() {
    const std::size_t start = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0')
      ++at_;
    else
      digits();
    if (peek() == '.') ++at_, digits();
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits();
    }
    // By a stream of its own: strtod reads as the app's locale says.
    std::istringstream stream{std::string(text_.substr(start, at_ - start))};
    stream.imbue(std::locale::classic());
    double found = 0.0;
    if (!(stream >> found) || !std::isfinite(found)) fail();
    return found;
  }

  std::uint32_t hex4() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      if (c >= '0' && c <= '9')
        code = code * 16 + static_cast<std::uint32_t>(c - '0');
      else if (c >= 'a' && c <= 'f')
        code = code * 16 + static_cast<std::uint32_t>(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F')
        code = code * 16 + static_cast<std::uint32_t>(c - 'A' + 10);
      else
        fail();
    }
    return code;
  }

  std::string escaped() {
    const char c = peek();
    ++at_;
    switch (c) {
      case '"': case '\\': case '/': return std::string(1, c);
      case 'b': return "\b";
      case 'f': return "\f";
      case 'n': return "\n";
      case 'r': return "\r";
      case 't': return "\t";
      case 'u': break;
      default: fail();
    }
    std::uint32_t code = hex4();
    if (code >= 0xD800 && code < 0xDC00) {
      word("\\u");
      const std::uint32_t low = hex4();
      if (low < 0xDC00 || low > 0xDFFF) fail();
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      fail();
    }
    std::string utf8;
    if (code < 0x80) {
      utf8 += static_cast<char>(code);
    } else {
      const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
      const std::uint32_t lead = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
      utf8 += static_cast<char>(lead | (code >> (6 * more)));
      for (int i = more - 1; i >= 0; --i)
        utf8 += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
    }
    return utf8;
  }

  std::string string() {
    if (peek() != '"') fail();
    ++at_;
    std::string found;
    for (;;) {
      if (at_ >= text_.size() || static_cast<unsigned char>(text_[at_]) < 0x20) fail();
      const char c = text_[at_++];
      if (c == '"') return found;
      if (c == '\\')
        found += escaped();
      else
        found += c;
    }
  }

  std::string_view text_;
  const std::string& what_;
  std::size_t at_ = 0;
};

namespace {

[[noreturn]] void unexpected(const char* wanted) {
  throw Error(std::string("a document of the bundle: expected ") + wanted);
}

}  // namespace

Json Json::parse(std::string_view text, const std::string& what) {
  return JsonReader(text, what).document();
}

double Json::number() const {
  if (kind_ != Kind::number) unexpected("a number");
  return number_;
}

std::int64_t Json::integer() const {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (number() != std::floor(number_) || std::abs(number_) > kExact) unexpected("an integer");
  return static_cast<std::int64_t>(number_);
}

const std::string& Json::text() const {
  if (kind_ != Kind::text) unexpected("text");
  return text_;
}

const std::vector<Json>& Json::items() const {
  if (kind_ != Kind::items) unexpected("a list");
  return items_;
}

const Json::Table& Json::table() const {
  if (kind_ != Kind::table) unexpected("a table");
  return table_;
}

const Json* Json::find(std::string_view key) const {
  const auto found = table().find(key);
  return found == table_.end() ? nullptr : &found->second;
}

const Json& Json::operator[](std::string_view key) const {
  const Json* found = find(key);
  if (found == nullptr) throw Error("a document of the bundle: no " + std::string(key));
  return *found;
}

std::vector<std::int64_t> Json::integers() const {
  std::vector<std::int64_t> found;
  for (const Json& item : items()) found.push_back(item.integer());
  return found;
}

}  // namespace bundle_name::detail
