#include "core/base/digest.h"

void digest_init(struct digest *digest)
{
    sha256_init(&digest->context);
}

void digest_update(struct digest *digest, const void *bytes, size_t size)
{
    sha256_update(&digest->context, size, bytes);
}

void digest_text(struct digest *digest, char text[DIGEST_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum[SHA256_DIGEST_SIZE];

    sha256_digest(&digest->context, sizeof sum, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        text[2 * i] = digits[sum[i] >> 4];
        text[2 * i + 1] = digits[sum[i] & 15];
    }
    text[DIGEST_TEXT_SIZE - 1] = '\0';
}

void digest_of(const void *bytes, size_t size, char text[DIGEST_TEXT_SIZE])
{
    struct digest digest;

    digest_init(&digest);
    digest_update(&digest, bytes, size);
    digest_text(&digest, text);
}
