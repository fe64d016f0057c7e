#include "ppm.hpp"

namespace bundle_name::detail {

Ppm::Ppm(const std::string& bytes, const std::string& name) {
  std::size_t at = 2;
  const auto number = [&] {
    for (; at < bytes.size(); ++at) {
      const char c = bytes[at];
      if (c == '#')
        while (at + 1 < bytes.size() && bytes[at] != '\n') ++at;
      else if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
        break;
    }
    int found = 0;
    const std::size_t start = at;
    while (at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9' && at - start < 6)
      found = 10 * found + (bytes[at++] - '0');
    if (at == start) throw Error(name + ": no picture in PPM (P6, 8 bits)");
    return found;
  };
  if (bytes.compare(0, 2, "P6") != 0) throw Error(name + ": no picture in PPM (P6, 8 bits)");
  width = number();
  height = number();
  const int highest = number();
  ++at;  // one white space
  const std::size_t size = std::size_t{3} * static_cast<std::size_t>(width) *
                           static_cast<std::size_t>(height);
  if (highest != 255 || size == 0 || at > bytes.size() || bytes.size() - at < size)
    throw Error(name + ": no picture in PPM (P6, 8 bits), or cut off");
  rgb.assign(bytes.begin() + static_cast<std::ptrdiff_t>(at),
             bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
}

}  // namespace bundle_name::detail
