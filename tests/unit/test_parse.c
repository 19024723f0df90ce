/* SPDX-License-Identifier: Apache-2.0 */
/* The strict readers: what each takes, and near misses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "common/parse.h"

static void test_u64(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{ "0", 0 },
		{ "007", 7 },
		{ "42", 42 },
		{ "18446744073709551615", UINT64_MAX },
		{ "0000000000000000000000000000001", 1 },
	};
	static const char *const bad[] = {
		"",    " 1",  "1 ",  "+1",  "-1",  "-0",       "1.0",
		"1e3", "0x1", "1a",  "\t1", "1\n", "\xD9\xA1", "18446744073709551616",
		"18446744073709551620", "99999999999999999999999",
	};
	uint64_t value;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(parse_u64(good[i].text, &value));
		assert_true(value == good[i].value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = 77;
		assert_false(parse_u64(bad[i], &value));
		assert_true(value == 77);
	}
	assert_false(parse_u64(NULL, &value));
}

static void test_i64(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t value;
	} good[] = {
		{ "0", 0 },      { "-0", 0 },
		{ "42", 42 },    { "-42", -42 },
		{ "9223372036854775807", INT64_MAX },
		{ "-9223372036854775807", -INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
	};
	static const char *const bad[] = { "", "-", "--1", "- 1", "+1", " 1", "-1 ", "9223372036854775808",
					   "-9223372036854775809", "-18446744073709551616", "1.5" };
	int64_t value;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(parse_i64(good[i].text, &value));
		assert_true(value == good[i].value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = 77;
		assert_false(parse_i64(bad[i], &value));
		assert_true(value == 77);
	}
	assert_false(parse_i64(NULL, &value));
}

static void test_format_iso8601(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} times[] = {
		{ 0, "1970-01-01T00:00:00" },
		{ 1709251199, "2024-02-29T23:59:59" },
		{ 1767229323, "2026-01-01T01:02:03" },
		{ -1, "1969-12-31T23:59:59" },
	};
	char text[FORMAT_ISO8601_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		assert_true(format_iso8601(times[i].seconds, text));
		assert_string_equal(text, times[i].text);
	}
	assert_false(format_iso8601(INT64_MAX, text));
	assert_string_equal(text, "1969-12-31T23:59:59");
}

static void test_iso8601(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:00.000Z", 0 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "2026-01-31T10:20:30Z", 1769854830 },
		{ "2026-01-31T10:20:30.999999Z", 1769854830 },
		{ "2024-02-29T00:00:00Z", 1709164800 },
		{ "2000-02-29T12:00:00Z", 951825600 },
		{ "2000-03-01T00:00:00Z", 951868800 },
		{ "2038-01-19T03:14:08Z", 2147483648 },
		{ "2016-12-31T23:59:60Z", 1483228800 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
		{ "0000-01-01T00:00:00Z", -62167219200 },
		{ "0000-03-01T00:00:00Z", -62162035200 },
	};
	static const char *const bad[] = {
		"",
		"2026-01-31",
		"2026-01-31T10:20:30",
		"2026-01-31T10:20:30z",
		"2026-01-31t10:20:30Z",
		"2026-01-31 10:20:30Z",
		"2026-01-31T10:20:30+00:00",
		"2026-01-31T10:20:30.Z",
		"2026-01-31T10:20:30,5Z",
		"2026-01-31T10:20:30ZZ",
		"2026-01-31T10:20:30Z ",
		" 2026-01-31T10:20:30Z",
		"26-01-31T10:20:30Z",
		"2026-1-31T10:20:30Z",
		"2026-00-31T10:20:30Z",
		"2026-13-31T10:20:30Z",
		"2026-01-00T10:20:30Z",
		"2026-01-32T10:20:30Z",
		"2026-04-31T10:20:30Z",
		"2026-02-29T10:20:30Z",
		"1900-02-29T10:20:30Z",
		"2026-01-31T24:00:00Z",
		"2026-01-31T10:60:00Z",
		"2026-01-31T10:20:61Z",
		"2026-01-31T10:20Z",
		"-026-01-31T10:20:30Z",
		"20260131T102030Z",
	};
	int64_t seconds;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(parse_iso8601(good[i].text, &seconds));
		assert_true(seconds == good[i].seconds);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		seconds = 77;
		assert_false(parse_iso8601(bad[i], &seconds));
		assert_true(seconds == 77);
	}
	assert_false(parse_iso8601(NULL, &seconds));
}

static void test_zoned_time(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = {
		{ "2026-01-31T10:20:30Z", 1769854830 },
		{ "2026-01-31T10:20:30UTC", 1769854830 },
		{ "2026-01-31T10:20:30.25+00:00", 1769854830 },
		{ "2026-01-31 10:20:30+00:00", 1769854830 },
		{ "2026-01-31T12:20:30+02:00", 1769854830 },
		{ "2026-01-31T04:50:30-0530", 1769854830 },
		{ "2026-02-01T00:20:30+14:00", 1769854830 },
	};
	static const char *const bad[] = {
		"", "2026-01-31T10:20:30", "2026-01-31T10:20:30 UTC", "2026-01-31T10:20:30z", "2026-01-31T10:20:30GMT",
		"2026-01-31T10:20:30+02", "2026-01-31T10:20:30+2:00", "2026-01-31T10:20:30+24:00",
		"2026-01-31T10:20:30+02:60", "2026-01-31T10:20:30+02:00x", "2026-01-31T10:20:30+-2:00",
		"2026-01-31_10:20:30Z", "2026-01-31", "2026-02-30T10:20:30Z", "2026-01-31T10:20:30ZZ",
	};
	int64_t seconds;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(parse_zoned_time(good[i].text, &seconds));
		assert_true(seconds == good[i].seconds);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		seconds = 77;
		assert_false(parse_zoned_time(bad[i], &seconds));
		assert_true(seconds == 77);
	}
	assert_false(parse_zoned_time(NULL, &seconds));
}

/* Against the system's calendar: each day from 1900 to 2200. */
static void test_calendar(void **state)
{
	(void)state;
	for (int64_t day = -25567; day < 84000; day++) {
		time_t at = (time_t)(day * 86400 + 12345);
		struct tm tm;
		char text[64];
		int64_t seconds = 0;
		assert_non_null(gmtime_r(&at, &tm));
		assert_true(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		assert_true(parse_iso8601(text, &seconds));
		assert_true(seconds == (int64_t)at);
		assert_true(strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
		seconds = 0;
		assert_true(parse_http_date(text, &seconds));
		assert_true(seconds == (int64_t)at);
	}
}

static void test_http_date(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"Sat, 31 Jan 2026 10:20:30",
		"Sat, 31 Jan 2026 10:20:30 UTC",
		"Sat, 31 Jan 2026 10:20:30 GMT ",
		"Sat, 31 Jan 2026 10:20:30 GMTx",
		"sat, 31 Jan 2026 10:20:30 GMT",
		"Sat 31 Jan 2026 10:20:30 GMT",
		"Sat,31 Jan 2026 10:20:30 GMT",
		"Saturday, 31-Jan-26 10:20:30 GMT",
		"Sat Jan 31 10:20:30 2026",
		"Xxx, 31 Jan 2026 10:20:30 GMT",
		"Sat, 31 Jab 2026 10:20:30 GMT",
		"Sat, 1 Jan 2026 10:20:30 GMT",
		"Sat, 32 Jan 2026 10:20:30 GMT",
		"Sat, 31 Jan 26 10:20:30 GMT",
		"Sat, 31 Jan 2026 25:20:30 GMT",
		"Sat, 31 Jan 2026 10:20 GMT",
		"Sa",
	};
	int64_t seconds = 0;

	assert_true(parse_http_date("Sat, 31 Jan 2026 10:20:30 GMT", &seconds));
	assert_true(seconds == 1769854830);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		seconds = 77;
		assert_false(parse_http_date(bad[i], &seconds));
		assert_true(seconds == 77);
	}
	assert_false(parse_http_date(NULL, &seconds));
}

static void test_aws_id(void **state)
{
	(void)state;
	assert_true(parse_aws_id("vol-0123456789abcdef0", "vol-"));
	assert_true(parse_aws_id("vol-01234567", "vol-"));
	assert_true(parse_aws_id("i-ffffffffffffffff0", "i-"));
	assert_false(parse_aws_id("vol-0123456789abcdef", "vol-"));
	assert_false(parse_aws_id("vol-0123456789abcdef01", "vol-"));
	assert_false(parse_aws_id("vol-0123456", "vol-"));
	assert_false(parse_aws_id("vol-012345678", "vol-"));
	assert_false(parse_aws_id("vol-0123456789ABCDEF0", "vol-"));
	assert_false(parse_aws_id("vol-0123456789abcdeg0", "vol-"));
	assert_false(parse_aws_id("vol-01234567 ", "vol-"));
	assert_false(parse_aws_id(" vol-01234567", "vol-"));
	assert_false(parse_aws_id("snap-01234567", "vol-"));
	assert_false(parse_aws_id("vol01234567", "vol-"));
	assert_false(parse_aws_id("vol-../../x", "vol-"));
	assert_false(parse_aws_id("vol-", "vol-"));
	assert_false(parse_aws_id("vo", "vol-"));
	assert_false(parse_aws_id("", "vol-"));
	assert_false(parse_aws_id(NULL, "vol-"));
}

static void test_hex(void **state)
{
	(void)state;
	assert_int_equal(parse_hex("40", 2), 0x40);
	assert_int_equal(parse_hex("aFrest", 2), 0xAF);
	assert_int_equal(parse_hex("20AC", 4), 0x20AC);
	assert_int_equal(parse_hex("0", 1), 0);
	assert_int_equal(parse_hex("4", 2), -1);
	assert_int_equal(parse_hex("g0", 2), -1);
	assert_int_equal(parse_hex("-1", 2), -1);
	assert_int_equal(parse_hex("", 1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),       cmocka_unit_test(test_i64),       cmocka_unit_test(test_iso8601),
		cmocka_unit_test(test_format_iso8601),
		cmocka_unit_test(test_calendar), cmocka_unit_test(test_http_date), cmocka_unit_test(test_aws_id),
		cmocka_unit_test(test_hex),      cmocka_unit_test(test_zoned_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
