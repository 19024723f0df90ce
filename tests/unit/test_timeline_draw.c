/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown: foreign text made harmless, columns kept at every width, bars where they belong, and the JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/json_read.h"
#include "common/utf8.h"
#include "cpi/timeline/draw.h"
#include "cpi/timeline/show.h"

#define T0_MS INT64_C(1795294800000)
/* clears the screen, sets the title, rings, deletes, turns the direction, is no character */
#define EVIL "\033[2J\033]0;x\007 \x7F \xC2\x9B" "2J \xE2\x80\xAE \xFF\xC0\x80 \xEF\xBF\xBF <b>&\"'\r\n\x01 \xE6\xBC\xA2\xE5\xAD\x97 a\xCC\x81"

static void test_text(void **state)
{
	static const struct {
		const char *text;
		size_t width;
		const char *unicode;
		const char *ascii;
	} table[] = {
		{ "volume vol-1", 20, "volume vol-1", "volume vol-1" },
		{ "volume vol-1", 12, "volume vol-1", "volume vol-1" },
		{ "volume vol-1", 11, "volum…vol-1", "volum..ol-1" },
		{ "volume vol-1", 8, "volu…l-1", "vol..l-1" },
		{ "volume vol-1", 3, "v…1", "vol" },
		{ "volume vol-1", 1, "v", "v" },
		{ "volume vol-1", 0, "", "" },
		{ "\xE6\xBC\xA2\xE5\xAD\x97", 4, "漢字", "??" },
		{ "\xE6\xBC\xA2\xE5\xAD\x97", 3, "…字", "??" },
		{ "a\033[2Jb\xC2\x9B\xFF\xC3\xA4", 20, "a?[2Jb??ä", "a?[2Jb???" },
		{ "x\xE2\x80\xAEy\xCC\x81\xEF\xBB\xBF", 20, "x?y??", "x?y??" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (int unicode = 0; unicode < 2; unicode++) {
			struct buf out = BUF_INIT(1000);
			size_t width = show_text(&out, table[i].text, table[i].width, unicode);
			assert_string_equal(buf_text(&out), unicode ? table[i].unicode : table[i].ascii);
			assert_int_equal(width, show_width(buf_text(&out), unicode));
			assert_true(width <= table[i].width);
			buf_free(&out);
		}
	}
}

static void test_durations(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} table[] = { { 0, "0ms" }, { 999, "999ms" }, { 1000, "1.00s" }, { 59999, "59.99s" }, { 60000, "1m00s" },
		      { 3599999, "59m59s" }, { 3600000, "1h00m" }, { 360000000, "4d04h" } };
	char text[SHOW_TIME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		show_duration(table[i].ms, text);
		assert_string_equal(text, table[i].text);
	}
	show_time(T0_MS + 7, text);
	assert_string_equal(text, "2026-11-21 21:00:00.007");
}

/* --- drawings --- */

struct picture {
	char *text;
	size_t len;
};

static struct event call_of(int64_t at_ms, int64_t duration_ms, const char *action, const char *purpose)
{
	struct event event = { .kind = EVENT_CALL, .pid = 7, .task = 12, .request_id = "cpi-1" };

	event.log_us = (at_ms + duration_ms) * 1000;
	event.call = (struct event_call){ .start_ms = at_ms, .duration_ms = duration_ms, .attempts = 1, .status = 200 };
	snprintf(event.call.action, sizeof(event.call.action), "%s", action);
	snprintf(event.call.purpose, sizeof(event.call.purpose), "%s", purpose);
	return event;
}

/* A request of a second with everything in it that can be drawn. */
static struct model *sample(struct model_result *ret_result)
{
	struct model_options options = { 0 };
	struct model *model = model_new(&options);
	struct event event = { .kind = EVENT_START, .pid = 7, .task = 12, .log_us = T0_MS * 1000, .request_id = "cpi-1",
			       .method = "create_disk" };
	struct error err;

	assert_non_null(model);
	model_take(model, &event);
	event = call_of(T0_MS, 500, "DescribeVolumes", EVIL EVIL);
	event.call.attempts = 3;
	event.call.throttled = 1;
	event.call.wait_ms = 400;
	event.call.throttle_ms = 200;
	model_take(model, &event);
	event = call_of(T0_MS + 500, 100, "ModifyNetworkInterfaceAttribute", "network interface eni-1");
	snprintf(event.call.code, sizeof(event.call.code), "Code" EVIL);
	snprintf(event.call.aws_request_id, sizeof(event.call.aws_request_id), "id" EVIL);
	model_take(model, &event);
	for (int64_t i = 0; i < 5; i++) {
		event = call_of(T0_MS + 700 + i * 50, 10, "DescribeSnapshots", "snapshot snap-1");
		model_take(model, &event);
	}
	event = (struct event){ .kind = EVENT_FINISH, .pid = 7, .log_us = (T0_MS + 1000) * 1000, .request_id = "cpi-1",
				.method = "create_disk", .took_ms = 1000 };
	model_take(model, &event);
	event.kind = EVENT_FAILURE;
	snprintf(event.failure, sizeof(event.failure), "Bosh::Clouds::CloudError: " EVIL EVIL EVIL EVIL);
	model_take(model, &event);
	assert_int_equal(model_finish(model, ret_result, &err), 0);
	return model;
}

static struct picture draw_with(int (*draw)(const struct drawing *), size_t columns, bool unicode, bool colour)
{
	static const struct stream_counts counts = { .lines = 11, .foreign = 1 };
	struct model_result result;
	struct picture picture = { 0 };
	struct model *model = sample(&result);
	FILE *out = open_memstream(&picture.text, &picture.len);

	assert_non_null(out);
	struct drawing drawing = { .out = out, .result = &result, .counts = &counts, .cut = 2, .columns = columns,
				   .unicode = unicode, .colour = colour };
	assert_int_equal(draw(&drawing), 0);
	assert_int_equal(fclose(out), 0);
	model_free(model);
	return picture;
}

static bool shows(const struct picture *picture, const char *part)
{
	return strstr(picture->text, part) != NULL;
}

/* No line is wider than the terminal, and nothing is in it that a terminal would obey. */
static void check_harmless(const struct picture *picture, size_t columns, bool unicode, bool colour)
{
	char *copy = strdup(picture->text);
	char *rest = copy;

	assert_non_null(copy);
	assert_int_equal(strlen(picture->text), picture->len);
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		char plain[8192];
		size_t len = 0;
		for (const char *c = line; *c != '\0'; c++) {
			if (*c == '\033') {
				assert_true(colour);
				assert_int_equal(c[1], '[');
				c = strchr(c, 'm');
				assert_non_null(c);
				continue;
			}
			assert_true((unsigned char)*c >= ' ' && *c != 0x7F);
			assert_true(unicode || (unsigned char)*c < 0x80);
			plain[len++] = *c;
		}
		plain[len] = '\0';
		for (size_t at = 0; at < len; at += utf8_length(&plain[at], len - at))
			assert_true(utf8_length(&plain[at], len - at) > 0);
		/* nothing had to be replaced once more, and it fits */
		if (show_width(plain, true) > columns)
			fail_msg("%zu columns: %s", columns, plain);
		struct buf again = BUF_INIT(8192);
		show_text(&again, plain, columns, true);
		assert_string_equal(buf_text(&again), plain);
		buf_free(&again);
	}
	free(copy);
}

static void test_every_width(void **state)
{
	(void)state;
	for (size_t columns = 80; columns <= 400; columns += columns < 130 ? 1 : 30) {
		for (int how = 0; how < 4; how++) {
			struct picture picture = draw_with(draw_text, columns, how & 1, how & 2);
			check_harmless(&picture, columns, how & 1, how & 2);
			free(picture.text);
		}
	}
}

static void test_waterfall(void **state)
{
	struct picture picture = draw_with(draw_text, 200, true, false);

	(void)state;
	assert_true(shows(&picture, "━━ create_disk, cpi-1, pid 7, task 12 ━━"));
	assert_true(shows(&picture, "   2026-11-21 21:00:00.000  1.00s: 7 calls, AWS 650ms, own time and pauses 350ms"));
	/* half of the width: a bit of work, throttled, another wait, work again */
	assert_true(shows(&picture, "█▒▒▒▒"));
	assert_true(shows(&picture, "┄█"));
	assert_true(shows(&picture, "3 attempts, throttled 1×, 200ms waited for throttling, 200ms waited before"));
	assert_true(shows(&picture, "✗"));
	assert_true(shows(&picture, "failed: Code?[2J"));
	assert_true(shows(&picture, "DescribeSnapshots ×5"));
	assert_true(shows(&picture, "Read: 11 lines, 7 calls of 1 request; 1 foreign, 2 cut."));
	free(picture.text);

	/* where one column is more than a bit of work, the wait is what shows; and sentences go on in the next line */
	picture = draw_with(draw_text, 80, true, false);
	assert_false(shows(&picture, "█▒"));
	assert_true(shows(&picture, " ▒▒▒"));
	assert_true(shows(&picture, "▏"));
	assert_false(shows(&picture, "▏█"));
	assert_true(shows(&picture, "own time and pauses\n   350ms, throttled 1×, 1 failed\n"));
	free(picture.text);

	picture = draw_with(draw_text, 200, false, false);
	assert_true(shows(&picture, "== create_disk"));
	assert_true(shows(&picture, "#~~~~"));
	assert_true(shows(&picture, "-#"));
	assert_true(shows(&picture, "DescribeSnapshots x5"));
	free(picture.text);
}

/* The bar of a call begins and ends where the call does. */
static void test_bars(void **state)
{
	struct picture picture = draw_with(draw_text, 200, false, false);
	const char *scale = strstr(picture.text, " 0....");
	const char *looks = strstr(picture.text, "DescribeSnapshots x5");

	(void)state;
	assert_non_null(scale);
	assert_non_null(looks);
	while (scale > picture.text && scale[-1] != '\n')
		scale--;
	while (looks > picture.text && looks[-1] != '\n')
		looks--;
	size_t from = (size_t)(strstr(scale, " 0....") + 1 - scale);
	size_t width = (size_t)(strstr(scale, "1.00s") + 5 - scale) - from;
	size_t first = (size_t)(strchr(looks, '#') - looks) - from;
	size_t last = first;
	for (const char *c = looks; *c != '\n'; c++) {
		if (*c == '#')
			last = (size_t)(c - looks) - from;
	}
	assert_in_range(first, width * 70 / 100 - 1, width * 70 / 100 + 1);
	assert_in_range(last, width * 91 / 100 - 1, width * 91 / 100 + 1);
	free(picture.text);
}

static void test_json(void **state)
{
	struct picture picture = draw_with(draw_json, 80, true, false);
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 24);
	const struct json *root;
	struct error err;

	(void)state;
	if (json_parse(arena, picture.text, picture.len, 1 << 20, &root, &err) != 0)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < picture.len; i++)
		assert_true(((unsigned char)picture.text[i] >= ' ' && picture.text[i] != 0x7F) || picture.text[i] == '\n');
	assert_true(shows(&picture, "\\u007f \\u009b2J \\u202e"));
	const struct json *request = json_at(json_get(root, "requests"), 0);
	assert_string_equal(json_text(json_get(request, "method")), "create_disk");
	free(picture.text);
}

static void test_svg(void **state)
{
	struct picture picture = draw_with(draw_svg, 80, true, false);

	(void)state;
	for (size_t i = 0; i < picture.len; i++)
		assert_true((unsigned char)picture.text[i] >= ' ' || picture.text[i] == '\n');
	assert_null(strstr(picture.text, "<b>"));
	assert_true(shows(&picture, "&lt;b&gt;&amp;"));
	assert_true(shows(&picture, "</svg>\n"));
	free(picture.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	   cmocka_unit_test(test_durations), cmocka_unit_test(test_every_width),
		cmocka_unit_test(test_waterfall), cmocka_unit_test(test_bars),	     cmocka_unit_test(test_json),
		cmocka_unit_test(test_svg),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
