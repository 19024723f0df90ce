/* SPDX-License-Identifier: Apache-2.0 */
/* Digests against published vectors: FIPS 180-2 (appendices A and B, and its million a's), RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/digest.h"
#include "tests/unit/fail_alloc.h"

static void assert_sum(const uint8_t sum[SHA256_LEN], const char *hex)
{
	char ours[SHA256_HEX_SIZE];

	digest_hex(sum, SHA256_LEN, ours);
	assert_string_equal(ours, hex);
}

static const struct {
	const char *text;
	const char *hex;
} sha256_vectors[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void sha256_in_one_piece(void **state)
{
	uint8_t sum[SHA256_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(sha256_vectors) / sizeof(sha256_vectors[0]); i++) {
		const char *text = sha256_vectors[i].text;
		assert_int_equal(digest_sha256(text, strlen(text), sum, NULL), 0);
		assert_sum(sum, sha256_vectors[i].hex);
	}
	assert_int_equal(digest_sha256(NULL, 0, sum, NULL), 0);
	assert_sum(sum, sha256_vectors[0].hex);
}

static void sha256_in_pieces(void **state)
{
	char thousand[1000];
	struct digest *digest;
	uint8_t sum[SHA256_LEN];

	(void)state;
	memset(thousand, 'a', sizeof(thousand));
	assert_int_equal(digest_new(&digest, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(digest_update(digest, thousand, 333, NULL), 0);
		assert_int_equal(digest_update(digest, NULL, 0, NULL), 0);
		assert_int_equal(digest_update(digest, thousand + 333, 667, NULL), 0);
	}
	assert_int_equal(digest_finish(digest, sum, NULL), 0);
	digest_free(digest);
	assert_sum(sum, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void freed_before_its_end(void **state)
{
	struct digest *digest;

	(void)state;
	assert_int_equal(digest_new(&digest, NULL), 0);
	assert_int_equal(digest_update(digest, "abc", 3, NULL), 0);
	digest_free(digest);
	digest_free(NULL);
}

static void hmac_vectors(void **state)
{
	uint8_t key[131];
	uint8_t data[50];
	uint8_t sum[SHA256_LEN];

	(void)state;
	/* RFC 4231, 4.2, 4.3, 4.4, 4.7 */
	memset(key, 0x0b, 20);
	assert_int_equal(digest_hmac_sha256(key, 20, "Hi There", 8, sum, NULL), 0);
	assert_sum(sum, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_int_equal(digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, sum, NULL), 0);
	assert_sum(sum, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	assert_int_equal(digest_hmac_sha256(key, 20, data, sizeof(data), sum, NULL), 0);
	assert_sum(sum, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	static const char larger[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	assert_int_equal(digest_hmac_sha256(key, sizeof(key), larger, strlen(larger), sum, NULL), 0);
	assert_sum(sum, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_int_equal(digest_hmac_sha256(NULL, 0, NULL, 0, sum, NULL), 0);
	assert_sum(sum, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void too_long_a_key(void **state)
{
	uint8_t sum[SHA256_LEN] = { 42 };
	struct error err;

	(void)state;
	assert_int_equal(digest_hmac_sha256("", (size_t)INT32_MAX + 1, "", 0, sum, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	assert_int_equal(sum[0], 42);
}

static void hex_is_lower_case(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x0f, 0xf0, 0xab };
	char hex[9];

	(void)state;
	digest_hex(bytes, sizeof(bytes), hex);
	assert_string_equal(hex, "000ff0ab");
	digest_hex(bytes, 0, hex);
	assert_string_equal(hex, "");
}

static void base64_vectors(void **state)
{
	/* RFC 4648, 10 */
	static const char *const texts[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	static const uint8_t high[] = { 0xff, 0xfe, 0xfb };
	char text[BASE64_SIZE(6)];

	(void)state;
	for (size_t len = 0; len <= 6; len++) {
		memset(text, 'x', sizeof(text));
		digest_base64("foobar", len, text);
		assert_string_equal(text, texts[len]);
		assert_int_equal(BASE64_SIZE(len), strlen(texts[len]) + 1);
	}
	digest_base64(high, sizeof(high), text);
	assert_string_equal(text, "//77");
	digest_base64(NULL, 0, text);
	assert_string_equal(text, "");
}

static void base64_of_much(void **state)
{
	static char data[10000];
	static char text[BASE64_SIZE(sizeof(data))];

	(void)state;
	memset(data, 'a', sizeof(data));
	digest_base64(data, sizeof(data), text);
	assert_int_equal(strlen(text), BASE64_SIZE(sizeof(data)) - 1);
	for (size_t i = 0; i + 4 < strlen(text); i += 4)
		assert_memory_equal(text + i, "YWFh", 4);
	assert_string_equal(text + strlen(text) - 4, "YQ==");
}

static void random_bytes_differ(void **state)
{
	uint8_t one[32] = { 0 };
	uint8_t two[32] = { 0 };

	(void)state;
	assert_int_equal(digest_random(one, sizeof(one), NULL), 0);
	assert_int_equal(digest_random(two, sizeof(two), NULL), 0);
	assert_memory_not_equal(one, two, sizeof(one));
	assert_int_equal(digest_random(one, (size_t)INT32_MAX + 1, NULL), -1);
}

static void uuid_is_version_4(void **state)
{
	char uuid[UUID_SIZE];
	char another[UUID_SIZE];

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(digest_uuid(uuid, NULL), 0);
		assert_int_equal(strlen(uuid), 36);
		assert_int_equal(strspn(uuid, "0123456789abcdef-"), 36);
		assert_int_equal(uuid[8], '-');
		assert_int_equal(uuid[13], '-');
		assert_int_equal(uuid[18], '-');
		assert_int_equal(uuid[23], '-');
		assert_int_equal(uuid[14], '4');
		assert_non_null(strchr("89ab", uuid[19]));
	}
	assert_int_equal(digest_uuid(another, NULL), 0);
	assert_string_not_equal(uuid, another);
}

static void sha1_vectors(void **state)
{
	static const char *const rows[][2] = {
		{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	};
	uint8_t sum[SHA1_LEN];
	char hex[2 * SHA1_LEN + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(digest_sha1(rows[i][0], strlen(rows[i][0]), sum, NULL), 0);
		digest_hex(sum, sizeof(sum), hex);
		assert_string_equal(hex, rows[i][1]);
	}
}

static void no_memory(void **state)
{
	struct digest *digest = NULL;
	struct error err;

	(void)state;
	fail_alloc_after(0);
	int done = digest_new(&digest, &err);
	assert_true(fail_alloc_off());
	assert_int_equal(done, -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
	assert_null(digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_in_one_piece), cmocka_unit_test(sha256_in_pieces),
		cmocka_unit_test(freed_before_its_end), cmocka_unit_test(hmac_vectors),
		cmocka_unit_test(too_long_a_key),      cmocka_unit_test(hex_is_lower_case),
		cmocka_unit_test(random_bytes_differ), cmocka_unit_test(uuid_is_version_4),
		cmocka_unit_test(no_memory),           cmocka_unit_test(sha1_vectors),
		cmocka_unit_test(base64_vectors),      cmocka_unit_test(base64_of_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
