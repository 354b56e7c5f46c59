/* digest.h - SHA-256 (nettle), as 64 lower-case hex digits. Any thread, one owner a value. */
#ifndef DIGEST_H
#define DIGEST_H

#include <nettle/sha2.h>
#include <stddef.h>

#define DIGEST_TEXT_SIZE 65 /* 64 digits and a NUL */

struct digest {
    struct sha256_ctx context;
};

void digest_init(struct digest *digest);
void digest_update(struct digest *digest, const void *bytes, size_t size);
void digest_text(struct digest *digest, char text[DIGEST_TEXT_SIZE]); /* ends it */

/* All of `bytes` at once. */
void digest_of(const void *bytes, size_t size, char text[DIGEST_TEXT_SIZE]);

#endif
