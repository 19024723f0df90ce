/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines and the blacking-out of secrets. Which lines there are is the callers'; a line that cannot be written is
 * lost without a word, because there is no other place to say so. */
#include "common/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/parse.h"
#include "common/utf8.h"

#define MAX_LINE ((size_t)16 * 1024)
#define MIN_SECRET 4
#define MIN_BEGINNING 6 /* of a secret that was cut: less of it is no use to anybody */
#define LONGEST_ESCAPE 6
/* A reader that stopped reading must not stop us for ever. */
#define WRITE_WAIT_MS 1000

static const char redacted[] = "<redacted>";
static const char ellipsis[] = "…";

/* How a secret may be written: an access key's / and + are %2F and %2B in a request's body, \/ in some JSON. */
enum form { FORM_PLAIN, FORM_PERCENT, FORM_JSON, N_FORMS };

struct line {
	char bytes[MAX_LINE + sizeof(ellipsis) + 1];
	size_t len;
	bool full;
};

void log_init(struct log *log, int fd, enum log_level level, const struct clock *clock)
{
	*log = (struct log){ .fd = fd, .level = level, .clock = clock };
	pthread_mutex_init(&log->lock, NULL);
}

void log_set_request_id(struct log *log, const char *request_id)
{
	size_t len = 0;

	pthread_mutex_lock(&log->lock);
	for (; request_id != NULL && *request_id != '\0' && len < sizeof(log->request_id) - 1; request_id++) {
		if (*request_id > ' ' && *request_id < 0x7F && *request_id != '[' && *request_id != ']')
			log->request_id[len++] = *request_id;
	}
	log->request_id[len] = '\0';
	pthread_mutex_unlock(&log->lock);
}

static bool is_known(const struct log *log, const char *secret)
{
	for (size_t i = 0; i < log->n_secrets; i++) {
		if (log->secrets[i] == secret)
			return true;
	}
	return false;
}

void log_add_secret(struct log *log, const char *secret)
{
	if (secret == NULL || strlen(secret) < MIN_SECRET)
		return;
	pthread_mutex_lock(&log->lock);
	if (!is_known(log, secret) && log->n_secrets < LOG_MAX_SECRETS)
		log->secrets[log->n_secrets++] = secret;
	pthread_mutex_unlock(&log->lock);
}

void log_forget_secrets(struct log *log, struct arena *arena)
{
	size_t kept = 0;

	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->n_secrets; i++) {
		if (!arena_holds(arena, log->secrets[i]))
			log->secrets[kept++] = log->secrets[i];
	}
	log->n_secrets = kept;
	pthread_mutex_unlock(&log->lock);
}

/* What a JSON escape stands for, and in *ret_len how long it is; the backslash itself when it is none. */
static int json_escape(const char *text, size_t *ret_len)
{
	static const char letters[] = "bfnrt\"\\/";
	static const char meanings[] = "\b\f\n\r\t\"\\/";

	if (text[1] == 'u') {
		int code = parse_hex(text + 2, 4);
		if (code >= 0) {
			*ret_len = 6;
			return code;
		}
	}
	const char *letter = text[1] == '\0' ? NULL : strchr(letters, text[1]);
	*ret_len = letter == NULL ? 1 : 2;
	return letter == NULL ? '\\' : meanings[letter - letters];
}

/* The byte that text begins with when it is read in that form, and in *ret_len how much of text it takes. */
static int next_byte(const char *text, enum form form, size_t *ret_len)
{
	if (form == FORM_PERCENT && text[0] == '%') {
		int byte = parse_hex(text + 1, 2);
		if (byte >= 0) {
			*ret_len = 3;
			return byte;
		}
	}
	if (form == FORM_JSON && text[0] == '\\')
		return json_escape(text, ret_len);
	*ret_len = 1;
	return (unsigned char)text[0];
}

/* Whether a text that was too long ends here, perhaps in the middle of an escape. */
static bool is_cut(const char *text)
{
	const char *mark = *text == '%' || *text == '\\' ? strstr(text, ellipsis) : text;

	return mark != NULL && mark - text <= LONGEST_ESCAPE && strncmp(mark, ellipsis, strlen(ellipsis)) == 0;
}

/* How much of text is the secret in that form, or the beginning of it where the text was cut; 0 when it is neither. */
static size_t match(const char *text, const char *secret, enum form form)
{
	size_t taken = 0;

	for (size_t i = 0; secret[i] != '\0'; i++) {
		size_t len;
		if (text[taken] == '\0' || next_byte(text + taken, form, &len) != (unsigned char)secret[i])
			return i >= MIN_BEGINNING && is_cut(text + taken) ? taken : 0;
		taken += len;
	}
	return taken;
}

/* The longest secret that text begins with: one may be the beginning of another. */
static size_t match_any(const struct log *log, const char *text)
{
	size_t longest = 0;

	for (size_t i = 0; i < log->n_secrets; i++) {
		for (enum form form = FORM_PLAIN; form < N_FORMS; form++) {
			size_t len = match(text, log->secrets[i], form);
			if (len > longest)
				longest = len;
		}
	}
	return longest;
}

/* Under the lock. */
static void redact(const struct log *log, char *text, size_t size)
{
	size_t out = 0;
	const char *from = text;

	while (*from != '\0' && match_any(log, from) == 0)
		from++;
	if (*from == '\0')
		return;
	/* <redacted> may be longer than what it replaces, so the text is read from a copy */
	CLEANUP_FREE char *copy = strdup(text);
	if (copy == NULL) {
		snprintf(text, size, "%s", redacted);
		return;
	}
	for (from = copy; *from != '\0' && out < size - 1;) {
		size_t len = match_any(log, from);
		if (len == 0) {
			text[out++] = *from++;
			continue;
		}
		int put = snprintf(text + out, size - out, "%s", redacted);
		out = out + (size_t)put < size ? out + (size_t)put : size - 1;
		from += len;
	}
	text[out] = '\0';
}

void log_redact(struct log *log, char *text, size_t size)
{
	pthread_mutex_lock(&log->lock);
	redact(log, text, size);
	pthread_mutex_unlock(&log->lock);
}

static void put(struct line *line, const char *bytes, size_t len)
{
	if (line->full || len > MAX_LINE - line->len) {
		line->full = true;
		return;
	}
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
}

static void put_escaped(struct line *line, const char *bytes, size_t len)
{
	char escape[8];

	for (size_t i = 0; i < len; i++) {
		int written;
		if (bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t')
			written = snprintf(escape, sizeof(escape), "\\%c",
					   bytes[i] == '\n' ? 'n' : bytes[i] == '\r' ? 'r' : 't');
		else
			written = snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)bytes[i]);
		put(line, escape, (size_t)written);
	}
}

/* A character that moves a terminal's cursor or breaks the line: C0, DEL, and C1 (U+0080 to U+009F). */
static bool is_control(const char *text, size_t len)
{
	unsigned char first = (unsigned char)text[0];

	if (len == 1)
		return first < 0x20 || first == 0x7F;
	return len == 2 && first == 0xC2 && (unsigned char)text[1] < 0xA0;
}

static void put_text(const struct log *log, struct line *line, const char *text)
{
	const char *end = text + strlen(text);

	while (text < end && !line->full) {
		size_t len = match_any(log, text);
		if (len > 0) {
			put(line, redacted, strlen(redacted));
			text += len;
			continue;
		}
		len = utf8_length(text, (size_t)(end - text));
		if (len == 0 || is_control(text, len))
			put_escaped(line, text, len == 0 ? 1 : len);
		else
			put(line, text, len);
		text += len == 0 ? 1 : len;
	}
}

static void put_head(const struct log *log, struct line *line, enum log_level level)
{
	static const char *const words[] = { "DEBUG", "INFO", "WARN", "ERROR" };
	const char *word = words[level];
	char head[128];
	char when[32];
	struct tm local;

	int64_t us = log->clock->wall_us(log->clock->self);
	time_t seconds = (time_t)(us / 1000000);
	if (localtime_r(&seconds, &local) == NULL || strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &local) == 0)
		snprintf(when, sizeof(when), "%s", "?");
	int len = snprintf(head, sizeof(head), "%c, [%s.%06d #%ld] %5s -- ", word[0], when, (int)(us % 1000000),
			   (long)getpid(), word);
	put(line, head, (size_t)len);
	if (log->request_id[0] != '\0') {
		put(line, "[req_id ", strlen("[req_id "));
		put(line, log->request_id, strlen(log->request_id));
		put(line, "]", 1);
	}
	put(line, ": ", 2);
}

static void write_line(int fd, const char *bytes, size_t len)
{
	int saved = errno;

	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			continue;
		}
		struct pollfd ready = { .fd = fd, .events = POLLOUT };
		if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
			break;
		if (errno != EINTR && poll(&ready, 1, WRITE_WAIT_MS) == 0)
			break;
	}
	errno = saved;
}

static void log_text(struct log *log, enum log_level level, const char *text)
{
	struct line line;

	line.len = 0;
	line.full = false;
	/* also while writing: a pipe takes a long line in pieces */
	pthread_mutex_lock(&log->lock);
	put_head(log, &line, level);
	put_text(log, &line, text);
	if (line.full) {
		memcpy(line.bytes + line.len, ellipsis, strlen(ellipsis));
		line.len += strlen(ellipsis);
	}
	line.bytes[line.len++] = '\n';
	write_line(log->fd, line.bytes, line.len);
	pthread_mutex_unlock(&log->lock);
}

/* The text is made whole before it is cut, so that no half of a secret remains at the cut. */
__attribute__((format(printf, 3, 0))) static void log_va(struct log *log, enum log_level level,
							   const char *format, va_list args)
{
	char small[1024];
	va_list again;

	if (log->fd < 0 || level < log->level)
		return;
	va_copy(again, args);
	int len = vsnprintf(small, sizeof(small), format, args);
	if (len >= 0 && (size_t)len >= sizeof(small)) {
		CLEANUP_FREE char *large = malloc((size_t)len + 1);
		if (large != NULL)
			vsnprintf(large, (size_t)len + 1, format, again);
		log_text(log, level, large != NULL ? large : "(a long message was lost: out of memory)");
	} else {
		log_text(log, level, len < 0 ? "(a message could not be formatted)" : small);
	}
	va_end(again);
}

void log_debug(struct log *log, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_va(log, LOG_LEVEL_DEBUG, format, args);
	va_end(args);
}

void log_info(struct log *log, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_va(log, LOG_LEVEL_INFO, format, args);
	va_end(args);
}

void log_warn(struct log *log, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_va(log, LOG_LEVEL_WARN, format, args);
	va_end(args);
}

void log_error(struct log *log, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_va(log, LOG_LEVEL_ERROR, format, args);
	va_end(args);
}
