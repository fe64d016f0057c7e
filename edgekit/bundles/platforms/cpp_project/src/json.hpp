// Reads JSON as edgekit writes it: strictly, with bounded depth. Writes none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bundle_name::detail {

class Json {
 public:
  using Table = std::map<std::string, Json, std::less<>>;

  // Throws Error where it is none; `what` names it there.
  static Json parse(std::string_view text, const std::string& what);

  // Each throws Error where this is something else.
  bool is_null() const { return kind_ == Kind::null; }
  double number() const;
  std::int64_t integer() const;
  const std::string& text() const;
  const std::vector<Json>& items() const;
  const Table& table() const;
  const Json& operator[](std::string_view key) const;
  const Json* find(std::string_view key) const;  // nullptr where it is not there
  std::vector<std::int64_t> integers() const;

 private:
  friend class JsonReader;
  enum class Kind { null, boolean, number, text, items, table };

  Kind kind_ = Kind::null;
  double number_ = 0.0;
  std::string text_;
  std::vector<Json> items_;
  Table table_;
};

}  // namespace bundle_name::detail
