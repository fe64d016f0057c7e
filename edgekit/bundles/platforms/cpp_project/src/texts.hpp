// Characters of texts in UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bundle_name::detail {

// Code points, at most `most`. What is no UTF-8 becomes U+FFFD; half a character in three bytes, as
// some write those of UTF-16, becomes '?'.
std::u32string points_of(std::string_view text, std::size_t most);

void append(std::string& text, char32_t point);

}  // namespace bundle_name::detail
