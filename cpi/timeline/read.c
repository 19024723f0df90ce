/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a line is common/log.c's: X, [TIME #PID] LEVEL -- [req_id ID]: TEXT. What of it is missing in front, where a
 * line was cut, is unknown in the event. The fields of an aws-call are record.c's. */
#include "cpi/timeline/read.h"

#include <string.h>

#include "cpi/timeline/record.h"

/* A line of the log has at most 16 KiB; escaped it takes more. */
#define MAX_RECORD ((size_t)64 * 1024)
/* As much as stands before a line's text, with the line break that precedes it escaped. */
#define MAX_HEAD ((size_t)256)

static const char dashes[] = " -- ";
static const char call_word[] = "aws-call action=";
static const char id_word[] = "[req_id ";
static const char task_word[] = "[task:";

struct span {
	const char *at;
	size_t len;
};

/* What stands before a line's text. */
struct head {
	const char *start; /* as far as it is there */
	const char *text;  /* behind it; NULL: no head */
	struct span request_id;
	int64_t log_us;
	uint32_t pid;
	bool is_error;
};

struct scan {
	const char *begin; /* nothing is read before it */
	const char *end;
	const char *dashes; /* the next ones not passed yet; end: none */
	const char *call;
};

static const char *find(const char *from, const char *end, const char *word, size_t len)
{
	const char *found = from < end ? memmem(from, (size_t)(end - from), word, len) : NULL;

	return found == NULL ? end : found;
}

static bool starts_with(const char *at, const char *end, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(end - at) >= len && memcmp(at, word, len) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return (c >= 'a' && c <= 'z') || c == '_' || is_digit(c);
}

/* The decimal number that ends before *at; moves there to its first digit. 0 when it is none, or too large. */
static uint32_t number_before(const char *begin, const char **at)
{
	uint64_t value = 0;
	uint64_t unit = 1;
	const char *c = *at;

	for (; c > begin && is_digit(c[-1]); c--) {
		if (unit <= 1000000000)
			value += (uint64_t)(c[-1] - '0') * unit;
		unit = unit <= 1000000000 ? unit * 10 : unit;
	}
	*at = c;
	return value <= UINT32_MAX ? (uint32_t)value : 0;
}

/* "X, [2026-11-21T21:11:50.141199 #" before at, as far as it is there. */
static void read_time_before(const char *begin, const char *at, struct head *head)
{
	const char *end = at;

	if (at <= begin || at[-1] != ' ')
		return;
	end = --at;
	while (at > begin && (is_digit(at[-1]) || at[-1] == '-' || at[-1] == ':' || at[-1] == '.' || at[-1] == 'T'))
		at--;
	if (at <= begin || at[-1] != '[' || !record_time(at, (size_t)(end - at), &head->log_us))
		return;
	head->start = at - 1;
	if (at - begin >= 4 && at[-2] == ' ' && at[-3] == ',')
		head->start = at - 4;
}

/* "[TIME #PID] LEVEL" before the dashes. */
static void read_before_dashes(const char *begin, const char *at, struct head *head)
{
	const char *level = at;

	head->start = at;
	while (level > begin && level[-1] >= 'A' && level[-1] <= 'Z')
		level--;
	head->is_error = at - level == 5 && memcmp(level, "ERROR", 5) == 0;
	if (level == at)
		return;
	for (at = level; at > begin && at[-1] == ' ' && level - at < 3;)
		at--;
	if (at <= begin || at[-1] != ']')
		return;
	const char *digits = at - 1;
	uint32_t pid = number_before(begin, &digits);
	if (digits <= begin || digits[-1] != '#')
		return;
	head->pid = pid;
	head->start = digits - 1;
	read_time_before(begin, digits - 1, head);
}

/* "[req_id ID]: " or ": " at at: where the text behind it begins, or NULL. */
static const char *read_request_id(const char *at, const char *end, struct span *ret_id)
{
	*ret_id = (struct span){ 0 };
	if (starts_with(at, end, id_word)) {
		const char *id = at + strlen(id_word);
		for (at = id; at < end && (unsigned char)*at > ' ' && *at != ']' && *at != '\\' && *at != '"';)
			at++;
		if (at >= end || *at != ']')
			return NULL;
		*ret_id = (struct span){ id, (size_t)(at - id) };
		at++;
	}
	return starts_with(at, end, ": ") ? at + 2 : NULL;
}

/* A call whose dashes are cut off: its request may still be named. */
static struct head bare_head(const struct scan *scan, const char *call)
{
	struct head head = { .start = call, .text = call, .log_us = EVENT_TIME_UNKNOWN };
	const char *begin = (size_t)(call - scan->begin) > MAX_HEAD ? call - MAX_HEAD : scan->begin;
	const char *id = call - begin > 3 ? call - 3 : begin;

	while (id > begin && (unsigned char)id[-1] > ' ')
		id--;
	if ((size_t)(id - begin) < sizeof(id_word) - 1)
		return head;
	id -= sizeof(id_word) - 1;
	if (read_request_id(id, call, &head.request_id) == call)
		head.start = id;
	else
		head.request_id = (struct span){ 0 };
	return head;
}

static struct head next_head(struct scan *scan, const char *from)
{
	struct head head = { .log_us = EVENT_TIME_UNKNOWN };

	if (scan->call < from)
		scan->call = find(from, scan->end, call_word, sizeof(call_word) - 1);
	if (scan->dashes < from)
		scan->dashes = find(from, scan->end, dashes, sizeof(dashes) - 1);
	while (scan->dashes < scan->call) {
		const char *at = scan->dashes;
		head.text = read_request_id(at + sizeof(dashes) - 1, scan->end, &head.request_id);
		if (head.text != NULL) {
			read_before_dashes(scan->begin, at, &head);
			return head;
		}
		scan->dashes = find(at + 1, scan->end, dashes, sizeof(dashes) - 1);
	}
	return scan->call < scan->end ? bare_head(scan, scan->call) : head;
}

/* --- the text behind the head --- */

/* How often the string was escaped in which the line begins, by the line break before it. */
static unsigned level_before(const char *begin, const char *at)
{
	unsigned backslashes = 0;

	if (at <= begin || at[-1] != 'n')
		return 0;
	for (at--; at > begin && at[-1] == '\\' && backslashes <= 4; at--)
		backslashes++;
	return backslashes == 1 ? 1 : backslashes == 2 ? 2 : backslashes == 4 ? 3 : 0;
}

static void copy_span(char *to, size_t size, struct span span)
{
	size_t len = span.len < size - 1 ? span.len : size - 1;

	if (len > 0)
		memcpy(to, span.at, len);
	to[len] = '\0';
}

/* A method's name and behind it that word: where the rest begins, or NULL. */
static const char *read_method(const char *at, const char *end, const char *behind, struct event *event)
{
	const char *name = at;

	while (at < end && is_lower(*at) && (size_t)(at - name) < sizeof(event->method))
		at++;
	copy_span(event->method, sizeof(event->method), (struct span){ name, (size_t)(at - name) });
	return at > name && starts_with(at, end, behind) ? at + strlen(behind) : NULL;
}

/* "5.17 seconds" */
static bool read_seconds(const char *at, const char *end, int64_t *ret_ms)
{
	int64_t ms = 0;
	int64_t unit = 100;
	const char *digits = at;

	for (; at < end && is_digit(*at) && at - digits < 9; at++)
		ms = ms * 10 + (*at - '0');
	if (at == digits)
		return false;
	ms *= 1000;
	if (at < end && *at == '.') {
		for (at++; at < end && is_digit(*at); at++, unit /= 10)
			ms += (*at - '0') * unit;
	}
	*ret_ms = ms;
	return starts_with(at, end, " seconds");
}

static bool read_failure(const struct scan *scan, const struct head *head, const char *end, struct event *event)
{
	static const char unread[] = "the request failed: ";
	const char *text;

	if (!head->is_error)
		return false;
	if (starts_with(head->text, end, unread)) {
		text = head->text + sizeof(unread) - 1;
		event->method[0] = '\0';
	} else {
		text = read_method(head->text, end, " failed: ", event);
	}
	if (text == NULL)
		return false;
	record_unescape(text, end, level_before(scan->begin, head->start), event->failure, sizeof(event->failure));
	return true;
}

/* True when the line is one that tells something; end is where the next one begins. */
static bool read_text(struct reader *reader, const struct scan *scan, const struct head *head, const char *end,
		      struct event *event)
{
	static const char starting[] = "Starting ";
	static const char finished[] = "Finished ";
	const char *rest;

	if (starts_with(head->text, end, call_word)) {
		event->kind = EVENT_CALL;
		enum record_result result = record_parse(head->text + strlen("aws-call"), end, &event->call);
		if (result != RECORD_WHOLE)
			reader->cut++;
		return result != RECORD_CUT;
	}
	if (starts_with(head->text, end, starting)) {
		event->kind = EVENT_START;
		return read_method(head->text + sizeof(starting) - 1, end, "...", event) != NULL;
	}
	if (starts_with(head->text, end, finished)) {
		event->kind = EVENT_FINISH;
		rest = read_method(head->text + sizeof(finished) - 1, end, " in ", event);
		return rest != NULL && read_seconds(rest, end, &event->took_ms);
	}
	event->kind = EVENT_FAILURE;
	return read_failure(scan, head, end, event);
}

static void take_head(struct reader *reader, const struct scan *scan, const struct head *head, const char *end)
{
	struct event event = { .log_us = head->log_us, .pid = head->pid, .task = reader->task };

	copy_span(event.request_id, sizeof(event.request_id), head->request_id);
	if (!read_text(reader, scan, head, end, &event))
		return;
	reader->found++;
	reader->take(reader->self, &event);
}

/* "[task:12]" in a line of the Director's holds for what follows. */
static void read_task(struct reader *reader, const char *text, const char *end)
{
	const char *at = find(text, end, task_word, sizeof(task_word) - 1);
	uint64_t task = 0;

	if (at == end)
		return;
	for (at += sizeof(task_word) - 1; at < end && is_digit(*at) && task < UINT32_MAX / 10; at++)
		task = task * 10 + (uint64_t)(*at - '0');
	if (task > 0 && at < end && !is_digit(*at))
		reader->task = (uint32_t)task;
}

size_t read_events(struct reader *reader, const char *text, size_t len, bool last)
{
	struct scan scan = { .begin = text, .end = text + len };
	const char *sure = last ? scan.end : scan.end - MAX_RECORD;
	const char *done = text;

	/* far in front of a line: what a method was given may say anything */
	read_task(reader, text, text + (len < MAX_HEAD ? len : MAX_HEAD));
	struct head head = next_head(&scan, text);
	while (head.text != NULL && (last || head.text < sure)) {
		struct head next = next_head(&scan, head.text + 1);
		const char *end = next.text != NULL && next.start > head.text ? next.start : scan.end;
		take_head(reader, &scan, &head, end);
		scan.begin = head.text;
		done = head.text + 1;
		head = next;
	}
	if (last)
		return len;
	const char *again = (head.text != NULL && head.start < sure ? head.start : sure) - MAX_HEAD;
	return (size_t)((again > done ? again : done) - text);
}
