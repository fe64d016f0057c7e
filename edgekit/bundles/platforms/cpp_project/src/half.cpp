#include "half.hpp"

#include <cmath>
#include <limits>

#include "pictures.hpp"

namespace bundle_name::detail {
namespace {

constexpr int kFraction = 10;    // bits of the fraction
constexpr int kLeast = -14;      // exponent of the smallest normal number
constexpr int kInfinite = 0x7c00;

}  // namespace

double from_half(std::uint16_t bits) {
  const int exponent = (bits >> kFraction) & 31;
  const int fraction = bits & ((1 << kFraction) - 1);
  double value = 0.0;
  if (exponent == 31)
    value = fraction == 0 ? std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::quiet_NaN();
  else if (exponent == 0)
    value = std::ldexp(fraction, kLeast - kFraction);
  else
    value = std::ldexp(fraction + (1 << kFraction), exponent - 15 - kFraction);
  return (bits & 0x8000) != 0 ? -value : value;
}

std::uint16_t to_half(double value) {
  const int sign = std::signbit(value) ? 0x8000 : 0;
  const double size = std::abs(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | kInfinite | 0x200);
  if (size >= 65520.0) return static_cast<std::uint16_t>(sign | kInfinite);
  int exponent = 0;
  std::frexp(size, &exponent);
  exponent = size == 0.0 || exponent - 1 < kLeast ? kLeast : exponent - 1;
  // In steps of that exponent: 1024 to 2048 of a normal number, and one more where it rounds up.
  const auto steps = static_cast<int>(rounded(std::ldexp(size, kFraction - exponent)));
  return static_cast<std::uint16_t>(sign | (steps + ((exponent - kLeast) << kFraction)));
}

}  // namespace bundle_name::detail
