/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, HMAC-SHA-256, SHA-1 (for names alone), hexadecimal, base64 and random bytes, on OpenSSL's libcrypto. */
#ifndef COMMON_DIGEST_H
#define COMMON_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define SHA256_LEN 32
#define SHA256_HEX_SIZE 65 /* with the NUL */
#define SHA1_LEN 20
#define UUID_SIZE 37       /* with the NUL */
#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1) /* of len bytes, with the NUL */

/* A running SHA-256. digest_free also before digest_finish. */
struct digest;
int digest_new(struct digest **ret_digest, struct error *err);
int digest_update(struct digest *digest, const void *data, size_t len, struct error *err);
int digest_finish(struct digest *digest, uint8_t ret_sum[SHA256_LEN], struct error *err);
void digest_free(struct digest *digest);

int digest_sha256(const void *data, size_t len, uint8_t ret_sum[SHA256_LEN], struct error *err);
/* For the names that others give their files; proves nothing. */
int digest_sha1(const void *data, size_t len, uint8_t ret_sum[SHA1_LEN], struct error *err);
int digest_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t ret_sum[SHA256_LEN],
		       struct error *err);
/* Lower-case hex and a NUL: ret_hex holds 2 * len + 1. */
void digest_hex(const uint8_t *data, size_t len, char *ret_hex);
/* RFC 4648's base64, padded and without line breaks, and a NUL: ret_text holds BASE64_SIZE(len). */
void digest_base64(const void *data, size_t len, char *ret_text);
int digest_random(void *data, size_t len, struct error *err);
/* A random (version 4) UUID, from the system's generator. */
int digest_uuid(char ret_uuid[UUID_SIZE], struct error *err);

#endif
