/* SPDX-License-Identifier: Apache-2.0 */
/* The list of findings, and its three forms. */
#include "cpi/check/findings.h"

#include <stdarg.h>
#include <string.h>

#include "common/json_write.h"
#include "common/terminal.h"

#define TEXT_MAX ((size_t)16 * 1024)

static const char *const state_names[] = {
	[FINDING_OK] = "ok",
	[FINDING_FAILED] = "failed",
	[FINDING_UNKNOWN] = "unknown",
};

/* A copy without secrets; NULL without memory. */
static const char *redacted(const struct findings *findings, const char *text)
{
	/* redaction may make a text longer */
	size_t size = strlen(text) * 3 + 64;
	char *copy = arena_alloc(findings->arena, size);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, strlen(text) + 1);
	log_redact(findings->log, copy, size);
	return copy;
}

void findings_add(struct findings *findings, const struct finding *finding)
{
	struct finding added = *finding;

	if (findings->count == FINDINGS_MAX) {
		findings->incomplete = true;
		return;
	}
	added.text = redacted(findings, finding->text);
	if (finding->advice != NULL)
		added.advice = redacted(findings, finding->advice);
	if (added.text == NULL || (finding->advice != NULL && added.advice == NULL)) {
		findings->incomplete = true;
		return;
	}
	findings->items[findings->count++] = added;
}

__attribute__((format(printf, 3, 0))) static void add_formatted(struct findings *findings, struct finding finding,
								const char *format, va_list arguments)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);
	char *room = buf_reserve(&text, TEXT_MAX);

	if (room == NULL) {
		findings->incomplete = true;
		return;
	}
	/* what is longer is cut: no text of ours is, and a foreign one has no claim to more */
	(void)vsnprintf(room, TEXT_MAX, format, arguments);
	finding.text = room;
	findings_add(findings, &finding);
}

void findings_ok(struct findings *findings, const char *name, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_formatted(findings, (struct finding){ .name = name, .state = FINDING_OK }, format, arguments);
	va_end(arguments);
}

void findings_failed(struct findings *findings, const char *name, const char *advice, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_formatted(findings, (struct finding){ .name = name, .state = FINDING_FAILED, .advice = advice }, format,
		      arguments);
	va_end(arguments);
}

void findings_unknown(struct findings *findings, const char *name, const char *advice, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_formatted(findings, (struct finding){ .name = name, .state = FINDING_UNKNOWN, .advice = advice }, format,
		      arguments);
	va_end(arguments);
}

bool findings_are_fine(const struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		if (findings->items[i].state == FINDING_FAILED)
			return false;
	}
	return true;
}

/* --- forms -------------------------------------------------------------------------------------------------------- */

enum findings_style findings_style(bool terminal)
{
	if (!terminal || !terminal_is_able())
		return FINDINGS_PLAIN;
	return terminal_colour_is_wanted() ? FINDINGS_COLOUR : FINDINGS_TICKS;
}

/* A text may repeat foreign bytes: none of them may move a terminal's cursor. */
static void put_text(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		bool control = (unsigned char)*text < 0x20 || *text == 0x7F;
		/* U+0080 to U+009F are control characters as well */
		bool c1 = (unsigned char)*text == 0xC2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xA0;
		if (c1)
			text++;
		buf_char(out, control || c1 ? ' ' : *text);
	}
}

struct mark {
	const char *plain;
	const char *tick;
	const char *colour;
};

static void put_mark(struct buf *out, enum findings_style style, enum finding_state state)
{
	static const struct mark marks[] = {
		[FINDING_OK] = { "ok    ", "✔", "\033[32m" },
		[FINDING_FAILED] = { "WRONG ", "✘", "\033[31m" },
		[FINDING_UNKNOWN] = { "?     ", "?", "\033[33m" },
	};
	const struct mark *mark = &marks[state];

	if (style == FINDINGS_PLAIN)
		buf_str(out, mark->plain);
	else if (style == FINDINGS_TICKS)
		buf_printf(out, "%s ", mark->tick);
	else
		buf_printf(out, "%s%s\033[0m ", mark->colour, mark->tick);
}

void findings_write_lines(const struct findings *findings, enum findings_style style, struct buf *out)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];
		put_mark(out, style, finding->state);
		buf_printf(out, "%s: ", finding->name);
		put_text(out, finding->text);
		if (finding->advice != NULL) {
			buf_str(out, style == FINDINGS_PLAIN ? "\n      to do: " : "\n  to do: ");
			put_text(out, finding->advice);
		}
		buf_char(out, '\n');
	}
}

void findings_write_json(const struct findings *findings, struct buf *out)
{
	struct json_writer writer;

	json_writer_init(&writer, out);
	json_begin_object(&writer);
	json_member_boolean(&writer, "ok", findings_are_fine(findings));
	json_key(&writer, "checks");
	json_begin_array(&writer);
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];
		json_begin_object(&writer);
		json_member_string(&writer, "name", finding->name);
		json_member_boolean(&writer, "ok", finding->state != FINDING_FAILED);
		json_member_string(&writer, "state", state_names[finding->state]);
		json_member_string(&writer, "text", finding->text);
		json_member_string(&writer, "advice", finding->advice);
		json_end_object(&writer);
	}
	json_end_array(&writer);
	json_end_object(&writer);
	buf_char(out, '\n');
}
