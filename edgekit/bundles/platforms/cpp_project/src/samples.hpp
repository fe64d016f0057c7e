// From text and sound to a sample, and numbers of one dtype to another.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bundle_name/model.hpp"
#include "contract.hpp"
#include "wordpiece.hpp"

namespace bundle_name::detail {

// `wordpiece` is asked where the input's tokenizer is one.
Tensor tokens_of(std::string_view text, const Input& input, const WordPiece* wordpiece);
Tensor wave_of(const float* samples, std::size_t count, const Input& input);

// Values as a dtype; integers are cut to its range.
Tensor narrowed(const std::vector<double>& values, const std::string& dtype,
                std::vector<std::int64_t> shape);

}  // namespace bundle_name::detail
