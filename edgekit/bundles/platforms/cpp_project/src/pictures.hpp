// From a picture to a sample, to the bit as the model was trained and proven with.
#pragma once

#include "bundle_name/model.hpp"
#include "contract.hpp"

namespace bundle_name::detail {

// Where a picture lies in an input, in pixels of the input.
struct Fit {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

Fit fit_of(int width, int height, const Input& input);

Tensor prepared(const Picture& picture, const Input& input);

// From 0 to 1 of the input to pixels of the picture, cut to it.
Box in_pixels(const Box& box, int width, int height, const Input& input);

// Round to nearest, halves to even, whatever the processor's rounding mode is.
double rounded(double value);

}  // namespace bundle_name::detail
