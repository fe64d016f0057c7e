#include "signature.hpp"

#include "bundle_name/model.hpp"

#ifdef BUNDLE_NAME_SIGNATURES

#include <memory>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "json.hpp"

namespace bundle_name::detail {
namespace {

template <typename T, void (*Release)(T*)>
struct Released {
  void operator()(T* one) const { Release(one); }
};
using Key = std::unique_ptr<EVP_PKEY, Released<EVP_PKEY, EVP_PKEY_free>>;
using Source = std::unique_ptr<BIO, Released<BIO, BIO_free_all>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Released<EVP_MD_CTX, EVP_MD_CTX_free>>;

[[noreturn]] void refuse(const std::string& why) {
  throw Error("the signature is not by this key, or the bundle was changed: " + why);
}

Key key_of(const std::string& pem) {
  const Source source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(source ? PEM_read_bio_PUBKEY(source.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!key || EVP_PKEY_base_id(key.get()) != EVP_PKEY_EC)
    throw Error("no public elliptic-curve key (PEM)");
  return key;
}

// As the format has it: the digest grows with the curve.
const EVP_MD* digest_of(const EVP_PKEY* key) {
  switch (EVP_PKEY_bits(key)) {
    case 256: return EVP_sha256();
    case 384: return EVP_sha384();
    case 521: return EVP_sha512();
    default: throw Error("a key of another curve than P-256, P-384 or P-521");
  }
}

std::string from_base64(const std::string& text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (text.empty() || text.size() % 4 != 0 || size < 0) refuse("bundle.sig has another form");
  // Padding is decoded as zeros.
  const std::size_t padding = text[text.size() - 1] != '=' ? 0 : text[text.size() - 2] != '=' ? 1 : 2;
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

bool fits(const std::string& signed_text, const std::string& signature, EVP_PKEY* key) {
  const Digest digest(EVP_MD_CTX_new());
  return digest &&
         EVP_DigestVerifyInit(digest.get(), nullptr, digest_of(key), nullptr, key) == 1 &&
         EVP_DigestVerify(digest.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(),
                          reinterpret_cast<const unsigned char*>(signed_text.data()),
                          signed_text.size()) == 1;
}

}  // namespace

void check_signature(const std::string& signature, const std::string& key,
                     const std::map<std::string, std::string>& files) {
  const Key opened = key_of(key);
  std::map<std::string, std::string> listed;
  try {
    const Json whole = Json::parse(signature, "bundle.sig");
    const Json& envelope = whole["dsseEnvelope"];
    const std::string& type = envelope["payloadType"].text();
    const std::string payload = from_base64(envelope["payload"].text());
    const auto& signatures = envelope["signatures"].items();
    if (signatures.size() != 1) refuse("bundle.sig has another form");
    // The pre-authentication encoding of DSSE.
    const std::string text = "DSSEv1 " + std::to_string(type.size()) + ' ' + type + ' ' +
                             std::to_string(payload.size()) + ' ' + payload;
    if (!fits(text, from_base64(signatures.front()["sig"].text()), opened.get()))
      refuse("it does not fit");
    const Json statement = Json::parse(payload, "the signed statement");
    for (const Json& one : statement["predicate"]["resources"].items()) {
      const std::string& name = one["name"].text();
      if (one["algorithm"].text() != "sha256" || !listed.emplace(name, one["digest"].text()).second)
        refuse(name + " is listed otherwise");
    }
  } catch (const Error& error) {
    const std::string why = error.what();
    if (why.rfind("the signature is not", 0) == 0) throw;
    refuse(why);
  }
  if (listed.size() != files.size()) refuse("it is of other files");
  for (const auto& [path, sha256] : files) {
    const auto found = listed.find(path);
    if (found == listed.end() || found->second != sha256) refuse(path + " differs");
  }
}

}  // namespace bundle_name::detail

#else

namespace bundle_name::detail {

void check_signature(const std::string&, const std::string&,
                     const std::map<std::string, std::string>&) {
  throw Error("a key was given, and this build checks no signatures: -DWITH_SIGNATURES=ON");
}

}  // namespace bundle_name::detail

#endif
