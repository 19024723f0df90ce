/* SPDX-License-Identifier: Apache-2.0 */
/* The XML reader: trees, text and entities, what is refused, the limits, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "cpi/aws/xml.h"
#include "tests/unit/fail_alloc.h"

#define ARENA ((size_t)512 * 1024 * 1024)

static const struct xml_node *parse(struct arena *arena, const char *text)
{
	const struct xml_node *root = NULL;
	struct error err = { 0 };

	if (xml_parse(arena, text, strlen(text), &root, &err) != 0)
		fail_msg("%s: %s", text, err.message);
	return root;
}

static void test_a_tree(void **state)
{
	(void)state;
	struct arena *arena CLEANUP_ARENA = arena_new(ARENA);
	const struct xml_node *root = parse(arena,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n"
		"  <id>59dbff89</id><empty/><open></open>\n  <set>\n    <item><k>1</k></item>\n    <other/>\n"
		"    <item><k>2</k></item>\n  </set>\n</R>\n");

	assert_string_equal(root->name, "R");
	assert_string_equal(root->text, "");
	assert_int_equal(root->n_children, 4);
	assert_null(root->next);
	assert_string_equal(xml_text(root, "id"), "59dbff89");
	assert_string_equal(xml_text(root, "empty"), "");
	assert_string_equal(xml_text(root, "open"), "");
	assert_null(xml_text(root, "absent"));
	assert_null(xml_text(NULL, "id"));
	assert_null(xml_child(xml_child(root, "absent"), "id"));

	const struct xml_node *set = xml_child(root, "set");
	const struct xml_node *item = xml_item(set);
	assert_int_equal(xml_count_items(set), 2);
	assert_int_equal(xml_count_items(NULL), 0);
	assert_string_equal(xml_text(item, "k"), "1");
	item = xml_next_item(item);
	assert_string_equal(xml_text(item, "k"), "2");
	assert_null(xml_next_item(item));
	assert_null(xml_item(NULL));

	/* as load balancers have it */
	item = xml_item(parse(arena, "<R><x/><member>1</member><x/><member>2</member></R>"));
	assert_string_equal(item->text, "1");
	assert_string_equal(xml_next_item(item)->text, "2");
	assert_null(xml_next_item(xml_next_item(item)));
}

static void test_text(void **state)
{
	(void)state;
	static const struct {
		const char *xml;
		const char *text;
	} rows[] = {
		{ "<a> kept as it is \n</a>", " kept as it is \n" },
		{ "<a>&lt;b&gt; &amp; &quot;&apos;</a>", "<b> & \"'" },
		{ "<a>x<![CDATA[<b>&amp;]]>y</a>", "x<b>&amp;y" },
		{ "<a>&#xFC;&#252;\xC3\xBC</a>", "üüü" },
		{ "<a>one<!-- not this --> two<?nor this?></a>", "one two" },
		{ "<a>\xE5\x90\x8D\xE5\x89\x8D</a>", "名前" },
		{ "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xFC</a>", "ü" },
	};
	struct arena *arena CLEANUP_ARENA = arena_new(ARENA);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(parse(arena, rows[i].xml)->text, rows[i].text);
	/* pieces of an outer text do not leak into an inner one */
	const struct xml_node *mixed = parse(arena, "<a>before<b>in</b>after<c>more</c></a>");
	assert_string_equal(mixed->text, "");
	assert_string_equal(xml_text(mixed, "b"), "in");
	assert_string_equal(xml_text(mixed, "c"), "more");
}

static void test_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		" ",
		"<",
		"<a",
		"<a>",
		"<a></b>",
		"<a><b></a></b>",
		"<a/><b/>",
		"<a/>x",
		"x<a/>",
		"{\"a\":1}",
		"<a>&b;</a>",
		"<a>&#0;</a>",
		"<a>\x01</a>",
		"<a>\xFF\xFE</a>",
		"<a b=c/>",
		"<a b='1' b='2'/>",
		"<html><br></html>",
		"<?xml version='1.0' encoding='no-such-thing'?><a/>",
		"<a>]]></a>",
		"<!DOCTYPE a><a/>",
		"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
		"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
		"<!DOCTYPE a [<!ENTITY x 'ha'><!ENTITY y '&x;&x;&x;'>]><a>&y;</a>",
	};
	struct arena *arena CLEANUP_ARENA = arena_new(ARENA);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct xml_node *root = NULL;
		struct error err = { 0 };
		if (xml_parse(arena, rows[i], strlen(rows[i]), &root, &err) == 0)
			fail_msg("accepted: %s", rows[i]);
		assert_int_equal(err.kind, ERROR_INVALID);
		assert_null(root);
		if (strncmp(rows[i], "<!DOCTYPE", 9) == 0)
			assert_non_null(strstr(err.message, "document type"));
	}
	/* a NUL is no end of the text */
	assert_int_equal(xml_parse(arena, "<a/>\0x", 6, &(const struct xml_node *){ NULL }, NULL), -1);
}

static void test_every_cut_is_refused(void **state)
{
	(void)state;
	static const char whole[] = "<?xml version=\"1.0\"?><R><volumeSet><item><size>8</size></item></volumeSet></R>";
	struct arena *arena CLEANUP_ARENA = arena_new(ARENA);

	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		const struct xml_node *root = NULL;
		assert_int_equal(xml_parse(arena, whole, len, &root, NULL), -1);
		assert_null(root);
	}
}

static void nest(struct buf *out, unsigned depth)
{
	buf_reset(out);
	for (unsigned i = 0; i < depth; i++)
		buf_str(out, "<a>");
	for (unsigned i = 0; i < depth; i++)
		buf_str(out, "</a>");
}

static void test_limits(void **state)
{
	(void)state;
	struct arena *arena CLEANUP_ARENA = arena_new(ARENA);
	struct buf text CLEANUP_BUF = BUF_INIT(XML_MAX_BYTES);
	const struct xml_node *root;
	struct error err;

	nest(&text, XML_MAX_DEPTH);
	assert_int_equal(xml_parse(arena, text.data, text.len, &root, &err), 0);
	nest(&text, XML_MAX_DEPTH + 1);
	assert_int_equal(xml_parse(arena, text.data, text.len, &root, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);

	buf_reset(&text);
	buf_str(&text, "<a>");
	for (size_t i = 0; i < XML_MAX_NODES - 1; i++)
		buf_str(&text, "<b/>");
	buf_str(&text, "</a>");
	assert_int_equal(xml_parse(arena, text.data, text.len, &root, &err), 0);
	assert_int_equal(root->n_children, XML_MAX_NODES - 1);
	text.len -= 4;
	buf_str(&text, "<b/></a>");
	arena_reset(arena);
	assert_int_equal(xml_parse(arena, text.data, text.len, &root, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);

	assert_int_equal(xml_parse(arena, text.data, XML_MAX_BYTES + 1, &root, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
}

static void test_no_memory(void **state)
{
	(void)state;
	static const char text[] = "<a><b>text</b><c><item>x</item></c></a>";
	const struct xml_node *root = NULL;
	struct error err = { 0 };

	for (size_t room = 16; room < 4096; room += 16) {
		struct arena *small CLEANUP_ARENA = arena_new(room);
		if (xml_parse(small, text, sizeof(text) - 1, &root, &err) == 0) {
			assert_true(room > 200);
			break;
		}
		assert_int_equal(err.kind, ERROR_NOMEM);
		assert_null(root);
	}
	assert_non_null(root);
	for (long n = 0; n < 3; n++) {
		struct arena *arena CLEANUP_ARENA = arena_new(ARENA);
		fail_alloc_after(n);
		int result = xml_parse(arena, text, sizeof(text) - 1, &root, &err);
		assert_int_equal(result, fail_alloc_off() ? -1 : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tree),	cmocka_unit_test(test_text),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_limits),	cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
