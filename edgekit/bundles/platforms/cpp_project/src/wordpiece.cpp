#include "wordpiece.hpp"

#include <algorithm>
#include <stdexcept>

#include "bundle_name/model.hpp"
#include "json.hpp"
#include "texts.hpp"

namespace bundle_name::detail {
namespace {

constexpr std::size_t kAll = static_cast<std::size_t>(-1);
constexpr char32_t kHangul = 0xAC00;

char32_t point_of(std::int64_t number) {
  if (number < 0 || number > 0x10FFFF) throw Error("wordpiece.json: not a character");
  return static_cast<char32_t>(number);
}

std::size_t size_of(const Json& told) {
  const std::int64_t size = told.integer();
  if (size < 1 || size > 1000) throw Error("wordpiece.json: not in 1 to 1000");
  return static_cast<std::size_t>(size);
}

}  // namespace

WordPiece::WordPiece(const std::string& json, const std::string& reference) try {
  const Json told = Json::parse(json, "wordpiece.json");
  if (told["version"].integer() != 1 || "wordpiece:" + told["sha256"].text() != reference)
    throw Error("wordpiece.json: of another version, or for another tokenizer");
  const auto& pieces = told["pieces"].items();
  for (std::size_t i = 0; i < pieces.size(); ++i)
    numbers_.emplace(pieces[i].text(), static_cast<std::int64_t>(i));
  for (const Json& one : told["special"].items()) {
    special_.emplace_back(points_of(one.items().at(0).text(), kAll), one.items().at(1).integer());
    if (special_.back().first.empty()) throw Error("wordpiece.json: a special text is empty");
  }
  std::stable_sort(special_.begin(), special_.end(), [](const auto& one, const auto& other) {
    return one.first.size() > other.first.size();
  });
  before_ = told["before"].integers();
  after_ = told["after"].integers();
  continued_ = told["continued"].text();
  unknown_ = told["unknown"].integer();
  longest_ = size_of(told["longest"]);
  cut_ = size_of(told["cut"]);
  becomes_ = ranges_of(told["becomes"]);
  order_ = ranges_of(told["order"], true);
  breaks_ = ranges_of(told["breaks"]);
  spaces_ = ranges_of(told["spaces"]);
  alone_ = ranges_of(told["alone"]);
  runs_ = ranges_of(told["runs"]);
} catch (const std::out_of_range&) {
  throw Error("wordpiece.json: a range without an end");
}

std::vector<double> WordPiece::tokens(std::string_view text, std::size_t length) const {
  const std::u32string points = points_of(text, length * cut_);
  std::vector<double> tokens(before_.begin(), before_.end());
  // The text between special ones, and their numbers.
  std::size_t begin = 0;
  for (std::size_t at = 0; at < points.size();) {
    const auto found = std::find_if(special_.begin(), special_.end(), [&](const auto& one) {
      return points.compare(at, one.first.size(), one.first) == 0;
    });
    if (found == special_.end()) {
      ++at;
      continue;
    }
    add(points.substr(begin, at - begin), tokens);
    tokens.push_back(static_cast<double>(found->second));
    begin = at += found->first.size();
  }
  add(points.substr(begin), tokens);
  tokens.insert(tokens.end(), after_.begin(), after_.end());
  tokens.resize(std::min(tokens.size(), length));
  return tokens;
}

// The words of a text: letters together, of another kind each alone or with its like.
void WordPiece::add(const std::u32string& text, std::vector<double>& tokens) const {
  enum class Kind { letters, spaces, alone, runs };
  std::u32string word;
  Kind kind = Kind::letters;
  for (const char32_t point : normal(text)) {
    const Kind here = find(spaces_, point)  ? Kind::spaces
                      : find(alone_, point) ? Kind::alone
                      : find(runs_, point)  ? Kind::runs
                                            : Kind::letters;
    if (here != kind || here == Kind::alone) {
      pieces(word, tokens);
      word.clear();
    }
    kind = here;
    if (here != Kind::spaces) word += point;
  }
  pieces(word, tokens);
}

// Characters as they are looked up: folded, dropped, taken apart, marks in their order.
std::u32string WordPiece::normal(const std::u32string& text) const {
  std::u32string made;
  std::vector<std::int64_t> ranks;  // of each; 0 of what stays in its place
  std::size_t run = 0;              // where the run of combining characters begins
  const auto give = [&](char32_t one) {
    const Range* found = find(order_, one);
    const std::int64_t rank = found == nullptr ? 0 : found->number;
    std::size_t at = made.size();
    while (rank != 0 && at > run && ranks[at - 1] > rank) --at;
    made.insert(made.begin() + static_cast<std::ptrdiff_t>(at), one);
    ranks.insert(ranks.begin() + static_cast<std::ptrdiff_t>(at), rank);
    if (rank == 0) run = made.size();
  };
  for (const char32_t point : text) {
    if (find(breaks_, point) != nullptr) run = made.size();
    const Range* rule = find(becomes_, point);
    if (rule == nullptr) {
      give(point);
    } else if (rule->how == How::to) {
      for (const char32_t one : rule->text) give(one);
    } else if (rule->how == How::shift) {
      give(point_of(static_cast<std::int64_t>(point) + rule->number));
    } else if (rule->how == How::apart) {
      for (const char32_t one : {U' ', point, U' '}) give(one);
    } else {
      // The letters of a Hangul syllable: The Unicode Standard, 3.12.
      const char32_t index = point - kHangul;
      give(0x1100 + index / 588);
      give(0x1161 + index % 588 / 28);
      if (index % 28 != 0) give(0x11A7 + index % 28);
    }
  }
  return made;
}

// The longest piece that is in the vocabulary, again and again.
void WordPiece::pieces(const std::u32string& word, std::vector<double>& tokens) const {
  if (word.empty()) return;
  std::string text;
  std::vector<std::size_t> ends;  // of each character, in bytes
  for (const char32_t point : word) {
    append(text, point);
    ends.push_back(text.size());
  }
  std::vector<double> made;
  std::size_t at = 0;  // character
  while (at < word.size() && word.size() <= longest_) {
    const std::size_t begin = at == 0 ? 0 : ends[at - 1];
    std::size_t end = word.size();
    for (; end > at; --end) {
      const std::string part = text.substr(begin, ends[end - 1] - begin);
      const auto found = numbers_.find(at == 0 ? part : continued_ + part);
      if (found == numbers_.end()) continue;
      made.push_back(static_cast<double>(found->second));
      break;
    }
    if (end == at) break;
    at = end;
  }
  if (at < word.size()) made.assign(1, static_cast<double>(unknown_));
  tokens.insert(tokens.end(), made.begin(), made.end());
}

const WordPiece::Range* WordPiece::find(const Ranges& ranges, char32_t point) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), point,
                       [](char32_t value, const Range& range) { return value < range.first; });
  if (after == ranges.begin() || point > (after - 1)->last) return nullptr;
  return &*(after - 1);
}

WordPiece::Ranges WordPiece::ranges_of(const Json& told, bool ranked) {
  Ranges ranges;
  for (const Json& one : told.items()) {
    const auto& parts = one.items();
    Range range{point_of(parts.at(0).integer()), point_of(parts.at(1).integer())};
    if (ranked) {
      range.how = How::rank;
      range.number = parts.at(2).integer();
    } else if (parts.size() > 2) {
      const std::string& how = parts[2].text();
      if (how == "to") {
        range.how = How::to;
        range.text = points_of(parts.at(3).text(), kAll);
      } else if (how == "shift") {
        range.how = How::shift;
        range.number = parts.at(3).integer();
      } else if (how == "apart" || how == "hangul") {
        range.how = how == "apart" ? How::apart : How::hangul;
      } else {
        throw Error("wordpiece.json: unknown rule " + how);
      }
    }
    if (range.last < range.first || (!ranges.empty() && range.first <= ranges.back().last))
      throw Error("wordpiece.json: ranges out of order");
    ranges.push_back(std::move(range));
  }
  return ranges;
}

}  // namespace bundle_name::detail
