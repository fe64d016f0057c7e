// From text and sound to a sample, and numbers of one dtype to another.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bundle_name/model.hpp"
#include "contract.hpp"

namespace bundle_name::detail {

Tensor tokens_of(std::string_view text, const Input& input);
Tensor wave_of(const float* samples, std::size_t count, const Input& input);

// Values as a dtype; integers are cut to its range.
Tensor narrowed(const std::vector<double>& values, const std::string& dtype,
                std::vector<std::int64_t> shape);

}  // namespace bundle_name::detail
