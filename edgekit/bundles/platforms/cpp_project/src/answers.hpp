// From a model's outputs to classes or objects.
#pragma once

#include <string>
#include <vector>

#include "bundle_name/model.hpp"
#include "contract.hpp"

namespace bundle_name::detail {

// Boxes are in 0 to 1 of the input.
std::vector<Found> answered(const Answer& answer, const std::vector<Port>& ports,
                            const Tensors& outputs, const std::vector<std::string>& labels);

std::vector<double> values_of(const Tensor& tensor);

}  // namespace bundle_name::detail
