// Reads binary PPM (P6, 8 bits), for golden cases and the example.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bundle_name/model.hpp"

namespace bundle_name::detail {

struct Ppm {
  Ppm(const std::string& bytes, const std::string& name);
  Picture picture() const { return {rgb.data(), width, height, 0}; }

  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;
};

}  // namespace bundle_name::detail
