#include "texts.hpp"

namespace bundle_name::detail {
namespace {

bool follows(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

}  // namespace

std::u32string points_of(std::string_view text, std::size_t most) {
  std::u32string points;
  for (std::size_t at = 0; at < text.size() && points.size() < most;) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    const int more = lead < 0x80 ? 0 : lead < 0xC2 ? -1 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2
                     : lead < 0xF5                 ? 3 : -1;
    char32_t point = more < 1 ? lead : lead & (0x3F >> more);
    int left = more;
    for (; left > 0 && follows(text, at); --left)
      point = point << 6 | (static_cast<unsigned char>(text[at++]) & 0x3F);
    const bool shortest = more < 2 || point >= (more == 2 ? 0x800u : 0x10000u);
    if (left != 0 || !shortest || point > 0x10FFFF) point = 0xFFFD;
    else if (point >= 0xD800 && point < 0xE000) point = U'?';
    points.push_back(point);
  }
  return points;
}

void append(std::string& text, char32_t point) {
  if (point < 0x80) {
    text += static_cast<char>(point);
    return;
  }
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  const unsigned lead = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
  text += static_cast<char>(lead | static_cast<unsigned>(point >> (6 * more)));
  for (int i = more - 1; i >= 0; --i)
    text += static_cast<char>(0x80u | (static_cast<unsigned>(point >> (6 * i)) & 0x3Fu));
}

}  // namespace bundle_name::detail
