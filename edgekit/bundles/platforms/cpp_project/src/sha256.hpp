// SHA-256, FIPS 180-4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace bundle_name::detail {

std::string sha256(std::string_view bytes);  // in hex
std::string sha256_file(const std::filesystem::path& file);

}  // namespace bundle_name::detail
