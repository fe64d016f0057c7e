// Who signed a bundle: the OpenSSF Model Signing format, over OpenSSL's libcrypto.
#pragma once

#include <map>
#include <string>

namespace bundle_name::detail {

// Throws Error unless `signature`, what bundle.sig holds, was made with the private half of `key`
// (public, PEM, an elliptic curve) of exactly these files: path to sha256 in hex.
void check_signature(const std::string& signature, const std::string& key,
                     const std::map<std::string, std::string>& files);

}  // namespace bundle_name::detail
