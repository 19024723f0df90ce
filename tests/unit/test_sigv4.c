/* SPDX-License-Identifier: Apache-2.0 */
/* The signer against signatures known from elsewhere: those of AWS's signing test suite, and the worked example of the IAM
 * User Guide. (Many more are generated with botocore in tests/integration/test_sigv4_botocore.py.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "cpi/aws/sigv4.h"
#include "tests/unit/fail_alloc.h"

#define TIME INT64_C(1440938160) /* 20150830T123600Z */
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static const struct sigv4_credentials example = { "AKIDEXAMPLE", SECRET, NULL };

/* The suite's own headers: Host first. */
#define HOST { "Host", "example.amazonaws.com" }

static struct sigv4_request vanilla(const char *method, const char *path, const char *query,
				    const struct http_header *headers, size_t n_headers)
{
	return (struct sigv4_request){
		.method = method,
		.path = path,
		.query = query,
		.headers = headers,
		.n_headers = n_headers,
		.service = "service",
		.region = "us-east-1",
		.time = TIME,
	};
}

static void expect_authorization(const struct sigv4_request *request, const struct sigv4_credentials *credentials,
				 const char *signed_headers, const char *signature)
{
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct sigv4_headers added;
	char expected[1024];

	assert_int_equal(sigv4_sign(request, credentials, arena, &added, NULL), 0);
	snprintf(expected, sizeof(expected),
		 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/%s/aws4_request, SignedHeaders=%s, "
		 "Signature=%s", request->service, signed_headers, signature);
	assert_string_equal(added.items[0].name, "X-Amz-Date");
	assert_string_equal(added.items[0].value, "20150830T123600Z");
	assert_string_equal(added.items[added.count - 1].name, "Authorization");
	assert_string_equal(added.items[added.count - 1].value, expected);
}

static void test_published_examples(void **state)
{
	(void)state;
	static const struct http_header host[] = { HOST };
	static const struct {
		const char *method;
		const char *path;
		const char *query;
		const char *signature;
	} rows[] = {
		{ "GET", "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "POST", "/", NULL, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
		{ "GET", "/", "Param2=value2&Param1=value1",
		  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
		{ "POST", "/", "Param1=value1", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11" },
		{ "GET", "", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		/* names sort before values, and an empty value is one */
		{ "GET", "/", "Param1=value2&Param1=value1",
		  "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694" },
		{ "GET", "/", "Param1=value2&Param1=Value1",
		  "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1" },
		{ "GET", "/", "Param1=value1", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
		{ "GET", "/", "%E1%88%B4=bar", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
		/* paths, normalised */
		{ "GET", "/example/..", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "GET", "/example1/example2/../..", NULL,
		  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "GET", "//", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "GET", "/./", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "GET", "/./example", NULL,
		  "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5" },
		{ "GET", "//example//", NULL,
		  "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84" },
		{ "GET", "/example space/", NULL,
		  "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },
		{ "GET", "/\xe1\x88\xb4", NULL, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
		{ "GET", "/-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", NULL,
		  "98964e1079ce472101899439653197a4f6e602f30cd6aaf6c76d81b4fd9866fe" },
		/* what the suite does not have, by the same rules */
		{ "GET", "/a/.././/", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "GET", "/..", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sigv4_request request = vanilla(rows[i].method, rows[i].path, rows[i].query, host, 1);
		expect_authorization(&request, &example, "host;x-amz-date", rows[i].signature);
	}
}

static void test_headers_are_sorted_trimmed_and_joined(void **state)
{
	(void)state;
	static const struct http_header trimmed[] = { HOST,
						      { "My-Header1", " value1" },
						      { "My-Header2", "  \"a   b   c\" \t" } };
	static const struct http_header lower[] = { HOST, { "My-Header1", "value1" } };
	static const struct http_header upper[] = { HOST, { "My-Header1", "VALUE1" } };
	static const struct http_header repeated[] = { HOST, { "My-Header1", "value4" }, { "My-Header1", "value1" },
						       { "MY-HEADER1", "value3" }, { "my-header1", "value2" } };
	struct sigv4_request request = vanilla("GET", "/", NULL, trimmed, 3);

	expect_authorization(&request, &example, "host;my-header1;my-header2;x-amz-date",
			     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
	request = vanilla("GET", "/", NULL, repeated, 5);
	expect_authorization(&request, &example, "host;my-header1;x-amz-date",
			     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01");
	request = vanilla("POST", "/", NULL, lower, 2);
	expect_authorization(&request, &example, "host;my-header1;x-amz-date",
			     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c");
	request = vanilla("POST", "/", NULL, upper, 2);
	expect_authorization(&request, &example, "host;my-header1;x-amz-date",
			     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d");
}

/* "Create a signed AWS API request": ListUsers. */
static void test_the_user_guides_example(void **state)
{
	(void)state;
	static const struct http_header headers[] = {
		{ "Host", "iam.amazonaws.com" },
		{ "Content-Type", "application/x-www-form-urlencoded; charset=utf-8" },
	};
	struct sigv4_request request = vanilla("GET", "/", "Action=ListUsers&Version=2010-05-08", headers, 2);

	request.service = "iam";
	expect_authorization(&request, &example, "content-type;host;x-amz-date",
			     "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

static void test_body_of_a_form(void **state)
{
	(void)state;
	static const struct http_header headers[] = { HOST, { "Content-Type", "application/x-www-form-urlencoded" } };
	struct sigv4_request request = vanilla("POST", "/", NULL, headers, 2);

	request.body = "Param1=value1";
	request.body_len = strlen(request.body);
	expect_authorization(&request, &example, "content-type;host;x-amz-date",
			     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

static void test_session_token_is_signed_and_sent(void **state)
{
	(void)state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const struct http_header host[] = { HOST, { "User-Agent", "changes on the way" } };
	struct sigv4_request request = vanilla("POST", "/", NULL, host, 2);
	struct sigv4_credentials credentials = {
		"AKIDEXAMPLE", SECRET,
		"AQoDYXdzEPT//////////"
		"wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUu"
		"wthAx7mSEI/qkPpKPi/"
		"kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQ"
		"cHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+"
		"scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2IC"
		"CR/oLxBA=="
	};
	struct sigv4_headers added;

	assert_int_equal(sigv4_sign(&request, &credentials, arena, &added, NULL), 0);
	assert_int_equal(added.count, 3);
	assert_string_equal(added.items[1].name, "X-Amz-Security-Token");
	assert_string_equal(added.items[1].value, credentials.session_token);
	assert_non_null(strstr(added.items[2].value, "SignedHeaders=host;x-amz-date;x-amz-security-token,"));
	assert_non_null(
		strstr(added.items[2].value, "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"));
}

static void test_encoding(void **state)
{
	(void)state;
	struct buf out CLEANUP_BUF = BUF_INIT(1000);

	sigv4_encode(&out, "aZ09-_.~ +/&=%ü\n", "");
	assert_string_equal(buf_text(&out), "aZ09-_.~%20%2B%2F%26%3D%25%C3%BC%0A");
	buf_reset(&out);
	sigv4_encode(&out, "/a b/", "/");
	assert_string_equal(buf_text(&out), "/a%20b/");
}

static void test_too_large_and_out_of_range(void **state)
{
	(void)state;
	struct arena *arena CLEANUP_ARENA = arena_new(20000000);
	static char query[1100000];
	static const struct http_header host[] = { HOST };
	struct sigv4_request request = vanilla("GET", "/", query, host, 1);
	struct sigv4_headers added;
	struct error err;

	memset(query, 'a', sizeof(query) - 1);
	assert_int_equal(sigv4_sign(&request, &example, arena, &added, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	request = vanilla("GET", "/", "", host, 1);
	request.time = INT64_C(300000000000);
	assert_int_equal(sigv4_sign(&request, &example, arena, &added, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	assert_null(strstr(err.message, SECRET));
}

static void test_no_memory(void **state)
{
	(void)state;
	static const struct http_header host[] = { HOST };
	struct sigv4_request request = vanilla("GET", "/a", "b=c", host, 1);

	for (long n = 0; n < 100; n++) {
		struct arena *arena CLEANUP_ARENA = arena_new(1000000);
		struct sigv4_headers added = { .count = 77 };
		fail_alloc_after(n);
		int result = sigv4_sign(&request, &example, arena, &added, NULL);
		if (!fail_alloc_off()) {
			assert_int_equal(result, 0);
			return;
		}
		assert_int_equal(result, -1);
		assert_int_equal(added.count, 77);
	}
	fail();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_examples),
		cmocka_unit_test(test_headers_are_sorted_trimmed_and_joined),
		cmocka_unit_test(test_the_user_guides_example),
		cmocka_unit_test(test_body_of_a_form),
		cmocka_unit_test(test_session_token_is_signed_and_sent),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_too_large_and_out_of_range),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
