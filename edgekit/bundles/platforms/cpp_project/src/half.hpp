// float16, as IEEE 754 has it: C++17 has no such type.
#pragma once

#include <cstdint>

namespace bundle_name::detail {

double from_half(std::uint16_t bits);
std::uint16_t to_half(double value);  // to nearest, halves to even; what is too large is infinite

}  // namespace bundle_name::detail
