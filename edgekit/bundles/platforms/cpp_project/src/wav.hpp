// WAV files: PCM of 8 to 32 bits.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bundle_name::detail {

// The beginning of one, as the library's read_wav; `name` names it in errors.
std::vector<float> wav_of(const std::string& bytes, int rate_hz, std::size_t most,
                          const std::string& name);

}  // namespace bundle_name::detail
