/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, hex, base64 and random bytes. What is signed with them, and how, is cpi/aws/sigv4.c's. */
#include "common/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

struct digest {
	EVP_MD_CTX *context;
};

static int refused(const char *what, struct error *err)
{
	return error_set(err, ERROR_INTERNAL, "OpenSSL refuses %s: is its configuration (openssl.cnf) usable?", what);
}

int digest_new(struct digest **ret_digest, struct error *err)
{
	struct digest *digest = calloc(1, sizeof(*digest));

	if (digest == NULL)
		return error_nomem(err);
	digest->context = EVP_MD_CTX_new();
	if (digest->context == NULL) {
		digest_free(digest);
		return error_nomem(err);
	}
	if (EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
		digest_free(digest);
		return refused("SHA-256", err);
	}
	*ret_digest = digest;
	return 0;
}

int digest_update(struct digest *digest, const void *data, size_t len, struct error *err)
{
	if (len > 0 && EVP_DigestUpdate(digest->context, data, len) != 1)
		return refused("SHA-256", err);
	return 0;
}

int digest_finish(struct digest *digest, uint8_t ret_sum[SHA256_LEN], struct error *err)
{
	uint8_t sum[EVP_MAX_MD_SIZE];

	if (EVP_DigestFinal_ex(digest->context, sum, NULL) != 1)
		return refused("SHA-256", err);
	memcpy(ret_sum, sum, SHA256_LEN);
	return 0;
}

void digest_free(struct digest *digest)
{
	if (digest == NULL)
		return;
	EVP_MD_CTX_free(digest->context);
	free(digest);
}

int digest_sha256(const void *data, size_t len, uint8_t ret_sum[SHA256_LEN], struct error *err)
{
	uint8_t sum[EVP_MAX_MD_SIZE];

	if (EVP_Digest(len == 0 ? "" : data, len, sum, NULL, EVP_sha256(), NULL) != 1)
		return refused("SHA-256", err);
	memcpy(ret_sum, sum, SHA256_LEN);
	return 0;
}

int digest_sha1(const void *data, size_t len, uint8_t ret_sum[SHA1_LEN], struct error *err)
{
	uint8_t sum[EVP_MAX_MD_SIZE];

	if (EVP_Digest(len == 0 ? "" : data, len, sum, NULL, EVP_sha1(), NULL) != 1)
		return refused("SHA-1", err);
	memcpy(ret_sum, sum, SHA1_LEN);
	return 0;
}

int digest_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t ret_sum[SHA256_LEN],
		       struct error *err)
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned sum_len = 0;

	if (key_len > INT_MAX)
		return error_set(err, ERROR_INTERNAL, "a key of %zu bytes is too long", key_len);
	if (HMAC(EVP_sha256(), key_len == 0 ? "" : key, (int)key_len, len == 0 ? (const uint8_t *)"" : data, len, sum,
		 &sum_len) == NULL || sum_len != SHA256_LEN)
		return refused("HMAC-SHA-256", err);
	memcpy(ret_sum, sum, SHA256_LEN);
	OPENSSL_cleanse(sum, sizeof(sum)); /* the signing keys are made so */
	return 0;
}

void digest_hex(const uint8_t *data, size_t len, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		ret_hex[2 * i] = digits[data[i] >> 4];
		ret_hex[2 * i + 1] = digits[data[i] & 15];
	}
	ret_hex[2 * len] = '\0';
}

void digest_base64(const void *data, size_t len, char *ret_text)
{
	const unsigned char *bytes = data;
	const size_t piece = 3 * 1024; /* OpenSSL counts in int; a multiple of three needs no padding */

	*ret_text = '\0';
	for (size_t done = 0; done < len; done += piece) {
		size_t part = len - done < piece ? len - done : piece;
		ret_text += EVP_EncodeBlock((unsigned char *)ret_text, bytes + done, (int)part);
	}
}

int digest_random(void *data, size_t len, struct error *err)
{
	if (len > INT_MAX)
		return error_set(err, ERROR_INTERNAL, "%zu random bytes are too many", len);
	if (RAND_bytes(data, (int)len) != 1)
		return error_set(err, ERROR_INTERNAL, "the system gives no random bytes");
	return 0;
}

int digest_uuid(char ret_uuid[UUID_SIZE], struct error *err)
{
	uint8_t bytes[16];
	char hex[2 * sizeof(bytes) + 1];

	if (digest_random(bytes, sizeof(bytes), err) != 0)
		return -1;
	bytes[6] = (uint8_t)((bytes[6] & 0x0F) | 0x40); /* RFC 9562: version 4 … */
	bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80); /* … of the common variant */
	digest_hex(bytes, sizeof(bytes), hex);
	snprintf(ret_uuid, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return 0;
}
