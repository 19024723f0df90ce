/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/aws/call_line.h"

#include <stdbool.h>

#include "common/buf.h"
#include "common/parse.h"

#define MAX_LINE 4096

/* A value in logfmt: quoted where it holds more than plain characters. */
static void append_value(struct buf *text, const char *name, const char *value, bool quoted)
{
	for (const char *c = value; *c != '\0'; c++)
		quoted = quoted || *c <= ' ' || *c == '"' || *c == '\\' || *c == '=';
	buf_printf(text, " %s=%s", name, quoted ? "\"" : "");
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buf_char(text, '\\');
		buf_char(text, (unsigned char)*c < ' ' ? ' ' : *c);
	}
	if (quoted)
		buf_char(text, '"');
}

static void append_start(struct buf *text, int64_t wall_us)
{
	char start[FORMAT_ISO8601_SIZE];

	buf_printf(text, " start=%s.%03dZ", format_iso8601(wall_us / 1000000, start) ? start : "1970-01-01T00:00:00",
		   (int)(wall_us / 1000 % 1000));
}

void call_line_log(struct log *log, const struct call_line *line)
{
	struct buf text CLEANUP_BUF = BUF_INIT(MAX_LINE);

	append_value(&text, "action", line->action, false);
	append_start(&text, line->start_us);
	buf_printf(&text, " duration_ms=%lld attempts=%u wait_ms=%lld status=%d", (long long)line->duration_ms,
		   line->attempts, (long long)line->wait_ms, line->status);
	append_value(&text, "aws_request_id", line->request_id, false);
	if (line->throttled > 0 || line->throttle_ms > 0)
		buf_printf(&text, " throttled=%u throttle_ms=%lld", line->throttled, (long long)line->throttle_ms);
	if (line->code != NULL)
		append_value(&text, "code", line->code, false);
	append_value(&text, "for", line->purpose == NULL ? "" : line->purpose, true);
	if (line->quiet)
		log_debug(log, "aws-call%s", buf_text(&text));
	else
		log_info(log, "aws-call%s", buf_text(&text));
}
