// Functions of OpenSSL 3 that check a signature; written by hand.
#include <stddef.h>

void* BIO_new_mem_buf(const void* bytes, int count);
void* PEM_read_bio_PUBKEY(void* bio, void** key, void* password, void* data);
const void* EVP_sha256(void);
void* EVP_MD_CTX_new(void);
int EVP_DigestVerifyInit(void* context, void** kind, const void* digest, void* engine, void* key);
int EVP_DigestVerify(
    void* context, const unsigned char* signature, size_t size, const unsigned char* message,
    size_t count);
