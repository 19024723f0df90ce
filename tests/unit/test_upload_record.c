/* SPDX-License-Identifier: Apache-2.0 */
/* An upload's file as text: names of targets, lines there and back, and files that a kill or a power cut left. */
#include "cpi/upload/upload_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/io.h"
#include "common/onhost_blocks.h"
#include "tests/unit/fail_alloc.h"

#define HEADER                                                                                                         \
	"{\"upload\":1,\"pid\":7,\"started\":1,\"snapshot_id\":\"snap-0123456789abcdef0\",\"encrypted\":true,"         \
	"\"timeout_minutes\":60,\"target\":{}}\n"
#define SUM_A "00000000000000000000000000000000000000000000000000000000000000aa"
#define SUM_B "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffbb"

static int file_with(const void *text, size_t len)
{
	int fd = memfd_create("upload", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, len, "the file", NULL), 0);
	return fd;
}

static struct upload_record read_bytes(const void *text, size_t len)
{
	struct upload_record record = { 0 };
	struct error err;
	int fd = file_with(text, len);

	assert_int_equal(upload_record_read(fd, "the file", UPLOAD_STATE_MAX_BYTES, &record, &err), 0);
	close(fd);
	return record;
}

static struct upload_record read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

/* --- names --- */

static const struct upload_target plain = {
	.image_sha256 = SUM_A,
	.endpoint = "https://ebs.eu-west-1.amazonaws.com/",
	.account = "123456789012",
	.region = "eu-west-1",
	.description = "a stemcell",
	.kms_key_arn = NULL,
	.purpose = "create_stemcell d",
	.size_gib = 3,
};

static void name_of(const struct upload_target *target, char name[SHA256_HEX_SIZE])
{
	struct error err;
	assert_int_equal(upload_record_name(target, name, &err), 0);
}

static void each_field_makes_another_name(void **state)
{
	struct upload_target others[15];
	char names[16][SHA256_HEX_SIZE];

	(void)state;
	for (size_t i = 0; i < 15; i++)
		others[i] = plain;
	others[0].image_sha256 = SUM_B;
	others[1].endpoint = NULL;
	others[2].account = "123456789013";
	others[3].region = "eu-west-2";
	others[4].description = "a stemcell ";
	others[5].kms_key_arn = "";
	others[6].purpose = "upload-image";
	others[7].size_gib = 4;
	others[8].encrypted = true;
	others[9].skip_zero_blocks = true;
	/* the same bytes, cut otherwise */
	others[10].region = "eu-west-1a";
	others[10].description = " stemcell";
	others[11].account = "123456789012eu-west-1";
	others[11].region = "";
	others[12].kms_key_arn = "-";
	others[13].account = "1;2";
	others[13].region = "3";
	others[14].account = "1";
	others[14].region = "2;3";
	name_of(&plain, names[15]);
	for (size_t i = 0; i < 15; i++)
		name_of(&others[i], names[i]);
	for (size_t i = 0; i < 16; i++) {
		assert_int_equal(strspn(names[i], "0123456789abcdef"), 64);
		for (size_t k = i + 1; k < 16; k++)
			assert_string_not_equal(names[i], names[k]);
	}
	struct upload_target again = plain;
	name_of(&again, names[0]);
	assert_string_equal(names[0], names[15]);
}

static void a_target_that_is_too_long(void **state)
{
	struct upload_target target = plain;
	char name[SHA256_HEX_SIZE];
	char *json = NULL;
	struct error err;

	(void)state;
	char *text = malloc(20001);
	assert_non_null(text);
	memset(text, 'x', 20000);
	text[20000] = '\0';
	target.description = text;
	assert_int_equal(upload_record_name(&target, name, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	assert_int_equal(upload_record_describe(&target, &json, &err), -1);
	assert_null(json);
	free(text);
}

/* --- there and back --- */

static void what_is_written_is_read(void **state)
{
	struct buf text = BUF_INIT(100000);
	char *json = NULL;
	uint8_t sum[SHA256_LEN];
	char line[UPLOAD_RECORD_LINE_SIZE];
	struct error err;

	(void)state;
	assert_int_equal(upload_record_describe(&plain, &json, &err), 0);
	const struct upload_record_header header = { .snapshot_id = "snap-12345678", .timeout_minutes = 4320, .started = 5, .target = json };
	assert_int_equal(upload_record_header_line(&header, &text, &err), 0);
	assert_non_null(strstr(buf_text(&text), "\"timeout_minutes\":4320,\"target\":{\"image_sha256\":\"" SUM_A "\""));
	assert_ptr_equal(strchr(buf_text(&text), '\n'), buf_text(&text) + text.len - 1);
	for (uint32_t i = 0; i < 5; i++) {
		const uint32_t index = i == 4 ? ONHOST_BLOCK_INDEX_MAX : i * 3;
		memset(sum, (int)i + 0x70, sizeof(sum));
		size_t len = upload_record_line(index, sum, line);
		assert_int_equal(len, strlen(line));
		buf_append(&text, line, len);
	}
	struct upload_record record = read_bytes(text.data, text.len);
	assert_true(record.has_header);
	assert_string_equal(record.snapshot_id, "snap-12345678");
	assert_false(record.encrypted);
	assert_int_equal(record.timeout_minutes, 4320);
	assert_int_equal(record.n_blocks, 5);
	assert_int_equal(record.good_bytes, text.len);
	for (uint32_t i = 0; i < 5; i++) {
		memset(sum, (int)i + 0x70, sizeof(sum));
		const uint8_t *found = upload_record_find(&record, i == 4 ? ONHOST_BLOCK_INDEX_MAX : i * 3);
		assert_non_null(found);
		assert_memory_equal(found, sum, sizeof(sum));
	}
	assert_null(upload_record_find(&record, 1));
	assert_null(upload_record_find(&record, 10));
	upload_record_free(&record);
	assert_null(record.blocks);
	buf_free(&text);
	free(json);
}

static void out_of_order_and_twice(void **state)
{
	(void)state;
	struct upload_record record = read_text(HEADER "5 " SUM_A "\n2 " SUM_A "\n9 " SUM_A "\n2 " SUM_B "\n0 " SUM_A "\n9 " SUM_A "\n2 " SUM_A
						       "\n5 " SUM_B "\n");

	assert_true(record.encrypted);
	assert_int_equal(record.n_blocks, 4);
	assert_int_equal(upload_record_find(&record, 2)[31], 0xaa);
	assert_int_equal(upload_record_find(&record, 5)[31], 0xbb);
	assert_int_equal(upload_record_find(&record, 9)[31], 0xaa);
	assert_int_equal(upload_record_find(&record, 0)[31], 0xaa);
	upload_record_free(&record);
}

/* Larger than one piece of reading, lines over the border. */
static void many_lines(void **state)
{
	struct buf text = BUF_INIT((size_t)4 * 1024 * 1024);
	const uint32_t count = 30000;

	(void)state;
	buf_str(&text, HEADER);
	for (uint32_t i = 0; i < count; i++)
		buf_printf(&text, "%u " SUM_A "\n", (unsigned)((i * 7919) % count));
	struct upload_record record = read_bytes(text.data, text.len);
	assert_int_equal(record.n_blocks, count);
	assert_int_equal(record.good_bytes, text.len);
	for (uint32_t i = 0; i < count; i++)
		assert_non_null(upload_record_find(&record, i));
	assert_null(upload_record_find(&record, count));
	upload_record_free(&record);
	buf_free(&text);
}

/* --- what a kill or a power cut leaves --- */

static void cut_anywhere(void **state)
{
	static const char text[] = HEADER "1 " SUM_A "\n22 " SUM_B "\n";
	const size_t header = strlen(HEADER);
	const size_t first = header + 67;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		struct upload_record record = read_bytes(text, len);
		assert_int_equal(record.has_header, len >= header);
		assert_int_equal(record.n_blocks, len >= first);
		assert_int_equal(record.good_bytes, len >= first ? first : len >= header ? header : 0);
		upload_record_free(&record);
	}
}

static void what_follows_a_bad_line_does_not_count(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {
#define BAD(text) { text, sizeof(text) - 1 }
		BAD("\0\0\0\0\0\0\0\0\n"),
		BAD("\n"),
		BAD("2\n"),
		BAD("2 \n"),
		BAD(" 2 " SUM_A "\n"),
		BAD("+2 " SUM_A "\n"),
		BAD("02 " SUM_A "\n"),
		BAD("2  " SUM_A "\n"),
		BAD("2 " SUM_A " \n"),
		BAD("2 " SUM_A "\r\n"),
		BAD("2 " SUM_A "0\n"),
		BAD("2\t" SUM_A "\n"),
		BAD("2 0" SUM_A "\n"),
		BAD("2 A0000000000000000000000000000000000000000000000000000000000000aa\n"),
		BAD("2 g0000000000000000000000000000000000000000000000000000000000000aa\n"),
		BAD("2 0\0" "000000000000000000000000000000000000000000000000000000000000aa\n"),
		BAD("134217728 " SUM_A "\n"),
		BAD("4294967298 " SUM_A "\n"),
		BAD("18446744073709551618 " SUM_A "\n"),
		BAD("x " SUM_A "\n"),
		BAD(HEADER),
#undef BAD
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf text = BUF_INIT(10000);
		buf_str(&text, HEADER "1 " SUM_A "\n");
		size_t good = text.len;
		buf_append(&text, bad[i].text, bad[i].len);
		buf_str(&text, "3 " SUM_A "\n");
		struct upload_record record = read_bytes(text.data, text.len);
		if (record.n_blocks != 1 || record.good_bytes != good)
			fail_msg("bad line %zu counted: %s", i, bad[i].text);
		upload_record_free(&record);
		buf_free(&text);
	}
}

static void a_line_without_end(void **state)
{
	struct buf text = BUF_INIT((size_t)1024 * 1024);

	(void)state;
	buf_str(&text, HEADER "1 " SUM_A "\n");
	size_t good = text.len;
	for (int i = 0; i < 300000; i++)
		buf_char(&text, '0');
	struct upload_record record = read_bytes(text.data, text.len);
	assert_int_equal(record.good_bytes, good);
	upload_record_free(&record);
	/* and no header */
	record = read_bytes(text.data + good, text.len - good);
	assert_false(record.has_header);
	buf_free(&text);
}

static void headers_that_are_none(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"{}\n",
		"[]\n",
		"{\"upload\":1\n",
		"{\"upload\":2,\"snapshot_id\":\"snap-1\",\"encrypted\":true,\"timeout_minutes\":60}\n",
		"{\"upload\":1,\"encrypted\":true,\"timeout_minutes\":60}\n",
		"{\"upload\":1,\"snapshot_id\":7,\"encrypted\":true,\"timeout_minutes\":60}\n",
		"{\"upload\":1,\"snapshot_id\":\"vol-1\",\"encrypted\":true,\"timeout_minutes\":60}\n",
		"{\"upload\":1,\"snapshot_id\":\"snap-\",\"encrypted\":true,\"timeout_minutes\":60}\n",
		"{\"upload\":1,\"snapshot_id\":\"snap-1/../2\",\"encrypted\":true,\"timeout_minutes\":60}\n",
		("{\"upload\":1,\"snapshot_id\":\"snap-01234567890123456789012345678901234567890123456789012345678\","
		 "\"encrypted\":true,\"timeout_minutes\":60}\n"),
		"{\"upload\":1,\"snapshot_id\":\"snap-1\",\"timeout_minutes\":60}\n",
		"{\"upload\":1,\"snapshot_id\":\"snap-1\",\"encrypted\":1,\"timeout_minutes\":60}\n",
		"{\"upload\":1,\"snapshot_id\":\"snap-1\",\"encrypted\":true}\n",
		"{\"upload\":1,\"snapshot_id\":\"snap-1\",\"encrypted\":true,\"timeout_minutes\":0}\n",
		"{\"upload\":1,\"snapshot_id\":\"snap-1\",\"encrypted\":true,\"timeout_minutes\":4321}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[512];
		snprintf(text, sizeof(text), "%s1 " SUM_A "\n", bad[i]);
		struct upload_record record = read_text(text);
		if (record.has_header || record.n_blocks != 0 || record.good_bytes != 0)
			fail_msg("header %zu counted: %s", i, bad[i]);
	}
}

static void no_more_than_the_maximum(void **state)
{
	const char *text = HEADER "1 " SUM_A "\n2 " SUM_A "\n";
	struct upload_record record;
	int fd = file_with(text, strlen(text));

	(void)state;
	assert_int_equal(upload_record_read(fd, "the file", strlen(text) - 1, &record, NULL), 0);
	assert_int_equal(record.n_blocks, 1);
	upload_record_free(&record);
	close(fd);
}

static void the_header_alone(void **state)
{
	struct upload_record record;
	int fd = file_with(HEADER "garbage", strlen(HEADER "garbage"));

	(void)state;
	assert_int_equal(upload_record_read_header(fd, "the file", &record, NULL), 0);
	assert_true(record.has_header);
	assert_int_equal(record.timeout_minutes, 60);
	close(fd);
	fd = file_with("x\n", 2);
	assert_int_equal(upload_record_read_header(fd, "the file", &record, NULL), 0);
	assert_false(record.has_header);
	close(fd);
}

static void a_file_that_cannot_be_read(void **state)
{
	struct upload_record record = { 0 };
	struct error err;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(upload_record_read(ends[0], "the file", 100, &record, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, "the file"));
	assert_int_equal(upload_record_read_header(ends[0], "the file", &record, &err), -1);
	close(ends[0]);
	close(ends[1]);
}

/* Out of memory is never taken for a file without anything to go on from. */
static void out_of_memory(void **state)
{
	const char *text = HEADER "1 " SUM_A "\n2 " SUM_A "\n";
	int fd = file_with(text, strlen(text));
	bool failed = true;

	(void)state;
	for (long allowed = 0; failed; allowed++) {
		struct upload_record record = { 0 };
		struct error err;
		fail_alloc_after(allowed);
		int result = upload_record_read(fd, "the file", 10000, &record, &err);
		failed = fail_alloc_off();
		assert_int_equal(result, failed ? -1 : 0);
		if (failed)
			assert_int_equal(err.kind, ERROR_NOMEM);
		else
			assert_int_equal(record.n_blocks, 2);
		upload_record_free(&record);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_makes_another_name),
		cmocka_unit_test(a_target_that_is_too_long),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(out_of_order_and_twice),
		cmocka_unit_test(many_lines),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(what_follows_a_bad_line_does_not_count),
		cmocka_unit_test(a_line_without_end),
		cmocka_unit_test(headers_that_are_none),
		cmocka_unit_test(no_more_than_the_maximum),
		cmocka_unit_test(the_header_alone),
		cmocka_unit_test(a_file_that_cannot_be_read),
		cmocka_unit_test(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
