/* SPDX-License-Identifier: Apache-2.0 */
#include "common/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *buf_reserve(struct buf *buf, size_t len)
{
	if (buf->failed)
		return NULL;
	if (len > buf->max - buf->len || buf->max == SIZE_MAX) {
		buf->failed = true;
		return NULL;
	}
	size_t need = buf->len + len + 1;
	if (need > buf->size) {
		size_t size = buf->size < 256 ? 256 : buf->size;
		while (size < need)
			size = size > SIZE_MAX / 2 ? need : size * 2;
		if (size > buf->max + 1)
			size = buf->max + 1;
		char *data = realloc(buf->data, size);
		if (data == NULL) {
			buf->failed = true;
			return NULL;
		}
		buf->data = data;
		buf->size = size;
		buf->data[buf->len] = '\0'; /* also where nothing comes to be committed */
	}
	return buf->data + buf->len;
}

void buf_commit(struct buf *buf, size_t len)
{
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
	char *to = buf_reserve(buf, len);
	if (to == NULL)
		return;
	if (len > 0)
		memcpy(to, data, len);
	buf_commit(buf, len);
}

void buf_str(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0) {
		buf->failed = true;
		return;
	}
	char *to = buf_reserve(buf, (size_t)len);
	if (to == NULL)
		return;
	va_start(args, format);
	vsnprintf(to, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->len = 0;
	buf->size = 0;
}

const char *buf_text(const struct buf *buf)
{
	return buf->data == NULL ? "" : buf->data;
}

int buf_check(const struct buf *buf, const char *what, struct error *err)
{
	if (!buf->failed)
		return 0;
	return error_set(err, ERROR_TOO_BIG, "%s is larger than %zu bytes, or memory ran out", what, buf->max);
}
