/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader on anything: no crash; and what it accepts comes out of the writer as a text that it reads as the
 * same tree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"

#define MAX_TEXT ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* A tree as its text. The writer escapes nothing that it need not, so equal trees are equal texts. */
static void print(const struct json *root, struct buf *out)
{
	struct json_writer writer;
	json_writer_init(&writer, out);
	json_value(&writer, root);
	require(!out->failed && writer.depth == 0);
}

static void ask(const struct json *value)
{
	int64_t integer;
	double number;

	json_text(value);
	json_get(value, "a");
	json_at(value, 1);
	json_truthy(value);
	if (json_int(value, &integer) && json_double(value, &number))
		require(value->type == JSON_NUMBER);
	size_t count = 0;
	for (const struct json *child = value->child; child != NULL; child = child->next) {
		require((child->key != NULL) == (value->type == JSON_OBJECT));
		require(child->key == NULL || child->key[child->key_len] == '\0');
		ask(child);
		count++;
	}
	require(count == value->count);
	require(value->text == NULL || value->text[value->len] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)512 * 1024 * 1024);
	struct buf first = BUF_INIT(8 * MAX_TEXT);
	struct buf second = BUF_INIT(8 * MAX_TEXT);
	const struct json *root = NULL;
	struct error err = { .kind = ERROR_NONE };

	require(arena != NULL);
	if (json_parse(arena, (const char *)data, size, MAX_TEXT, &root, &err) != 0) {
		require(root == NULL && (err.kind == ERROR_INVALID || err.kind == ERROR_TOO_BIG));
	} else {
		ask(root);
		print(root, &first);
		require(json_parse(arena, first.data, first.len, 8 * MAX_TEXT, &root, &err) == 0);
		print(root, &second);
		require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	}
	buf_free(&first);
	buf_free(&second);
	arena_free(arena);
	return 0;
}
