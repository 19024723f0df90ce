/* SPDX-License-Identifier: Apache-2.0 */
/* One poll loop moves all three pipes, so that neither side can block the other. Knows the order of the messages; their form
 * is common/onhost_msg.c's. */
#include "cpi/builder/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

#define CHUNK_BYTES ((size_t)64 * 1024) /* what has been read and summed up is still in the cache when it is written */
#define PIPE_BYTES (1024 * 1024)
#define READ_BYTES ((size_t)64 * 1024)
#define QUOTED_MAX 160
#define SCRATCH_BYTES ((size_t)4 * 1024 * 1024)
/* Limits, scaled, and what is left of them at least: another process does not run faster because tests are in a hurry. */
#define HELLO_MS ((int64_t)60 * 1000)
#define HELLO_LEAST_MS ((int64_t)20 * 1000)
#define SILENCE_MS ((int64_t)15 * 60 * 1000)
#define SILENCE_LEAST_MS ((int64_t)60 * 1000)
#define LAST_WORDS_MS ((int64_t)5 * 1000)
#define END_MS ((int64_t)10 * 1000)
#define GRACE_MS ((int64_t)5 * 1000)

struct outgoing {
	const uint8_t *data;
	size_t len;
};

static struct deadline unscaled(const struct clock *clock, int64_t ms)
{
	return (struct deadline){ .at_ms = clock->monotonic_ms(clock->self) + ms };
}

static struct deadline patience(const struct clock *clock, int64_t ms, int64_t least_ms)
{
	struct deadline scaled = deadline_in(clock, ms);
	struct deadline least = unscaled(clock, least_ms);
	return scaled.at_ms > least.at_ms ? scaled : least;
}

/* --- the loop --- */

/* What there is, without blocking; at the end *ended is set. */
static int take(int fd, char *data, size_t *ret_len, bool *ended, const char *what, struct error *err)
{
	ssize_t count = read(fd, data, READ_BYTES);

	if (count < 0 && errno != EAGAIN && errno != EINTR)
		return error_errno(err, ERROR_IO, errno, "cannot read onhost's %s", what);
	*ended = count == 0;
	*ret_len = count > 0 ? (size_t)count : 0;
	return 0;
}

static int give(struct builder_session *session, struct outgoing *outgoing, struct error *err)
{
	ssize_t count = write(session->process.in_fd, outgoing->data, outgoing->len);

	if (count >= 0) {
		outgoing->data += count;
		outgoing->len -= (size_t)count;
		return 0;
	}
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	if (errno != EPIPE)
		return error_errno(err, ERROR_IO, errno, "cannot write to onhost");
	/* it may have said why: its answer is read before anything is made of this */
	session->in_broken = true;
	outgoing->len = 0;
	return 0;
}

/* Moves what can be moved, once. ERROR_TIMEOUT when the deadline has passed, however much comes in. */
static int pump(struct builder_session *session, struct outgoing *outgoing, struct deadline deadline, struct error *err)
{
	const struct runtime *runtime = session->runtime;
	char data[READ_BYTES];
	size_t len;
	struct pollfd fds[] = {
		{ .fd = session->out_ended ? -1 : session->process.out_fd, .events = POLLIN },
		{ .fd = session->err_ended ? -1 : session->process.err_fd, .events = POLLIN },
		{ .fd = outgoing != NULL && outgoing->len > 0 ? session->process.in_fd : -1, .events = POLLOUT },
		{ .fd = runtime->cancel != NULL ? runtime->cancel->read_fd : -1, .events = POLLIN },
	};

	if (cancel_check(runtime->cancel, err) != 0)
		return -1;
	int left = deadline_left_ms(runtime->clock, deadline);
	int ready = left > 0 ? poll(fds, sizeof(fds) / sizeof(fds[0]), left) : 0;
	if (ready < 0 && errno != EINTR)
		return error_errno(err, ERROR_INTERNAL, errno, "cannot wait for onhost");
	if (ready == 0)
		return error_set(err, ERROR_TIMEOUT, "onhost fell silent%s%s", session->words.last[0] != '\0' ? "; it said last: " : "",
				 session->words.last);
	if (ready < 0 || cancel_check(runtime->cancel, err) != 0)
		return ready < 0 ? 0 : -1;
	if (fds[0].revents != 0) {
		if (take(fds[0].fd, data, &len, &session->out_ended, "answer", err) != 0)
			return -1;
		onhost_frames_feed(&session->frames, data, len);
	}
	if (fds[1].revents != 0) {
		if (take(fds[1].fd, data, &len, &session->err_ended, "standard error", err) != 0)
			return -1;
		words_take(&session->words, runtime->log, data, len);
	}
	return outgoing != NULL && fds[2].revents != 0 ? give(session, outgoing, err) : 0;
}

/* It closed its output in the middle: how it ended, what it said last, and what that means to who knows the command. */
static int ended(struct builder_session *session, struct error *err)
{
	const struct clock *clock = session->runtime->clock;
	const struct builder_command *command = session->command;
	struct builder_end end = { .exit_status = -1, .words = session->words.kept, .greeted = session->greeted };
	struct deadline deadline = unscaled(clock, LAST_WORDS_MS);
	const char *last = session->words.last;
	char how[128] = "closed its output";
	int status;

	while (!session->err_ended)
		if (pump(session, NULL, deadline, NULL) != 0)
			break;
	words_end(&session->words, session->runtime->log);
	if (process_wait(&session->process, clock, deadline, &status, NULL) == 0) {
		process_describe(status, how, sizeof(how));
		end.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}
	const char *meaning = command->explain == NULL ? NULL : command->explain(command, &end);
	if (meaning != NULL)
		return error_set(err, ERROR_IO, "%s (%s %s%s%s)", meaning, command->argv[0], how,
				 last[0] != '\0' ? "; the last words: " : "", last);
	return error_set(err, ERROR_IO, "onhost %s in the middle of its work%s%s", how,
			 last[0] != '\0' ? "; it said last: " : " and said nothing", last);
}

/* Before the first answer: lines that are empty, and a line that is none of onhost's, which is said as such. */
static int check_first_line(const char *line, size_t len, bool *ret_blank, struct error *err)
{
	char quoted[QUOTED_MAX];
	size_t count = len < sizeof(quoted) - 1 ? len : sizeof(quoted) - 1;
	size_t blanks = 0;

	while (blanks < len && strchr(" \t\r", line[blanks]) != NULL && line[blanks] != '\0')
		blanks++;
	*ret_blank = blanks == len;
	if (*ret_blank || line[blanks] == '{')
		return 0;
	for (size_t i = 0; i < count; i++)
		quoted[i] = line[i] >= ' ' && line[i] <= '~' ? line[i] : '?';
	quoted[count] = '\0';
	return error_set(err, ERROR_PROTOCOL,
			 "onhost's answer was expected, and the first line that came is \"%s\": either something else prints "
			 "before onhost starts (a banner or message of the day in a shell's start-up file: let it be silent where "
			 "there is no terminal), or something else was started in its place (a forced command, a login shell that "
			 "refuses)",
			 quoted);
}

/* 1: a message, its texts in scratch until the next call. 0: none, and all that was outgoing is sent (or cannot be). With
 * nothing outgoing it waits for a message. */
static int exchange(struct builder_session *session, struct arena *scratch, struct outgoing *outgoing,
		    struct deadline deadline, struct onhost_msg *ret_msg, struct error *err)
{
	for (;;) {
		const char *line;
		size_t len;
		int got = onhost_frames_line(&session->frames, &line, &len, err);
		if (got < 0)
			return error_prefix(err, "onhost broke the protocol");
		bool blank = false;
		if (got > 0 && !session->greeted && check_first_line(line, len, &blank, err) != 0)
			return -1;
		if (got > 0 && !blank) {
			arena_reset(scratch);
			if (onhost_msg_decode(scratch, line, len, ret_msg, err) != 0)
				return error_prefix(err, "onhost broke the protocol");
			return 1;
		}
		if (blank)
			continue;
		if (session->out_ended)
			return ended(session, err);
		if (outgoing != NULL && outgoing->len == 0)
			return 0;
		if (pump(session, outgoing, deadline, err) != 0)
			return -1;
	}
}

static int unexpected(const struct onhost_msg *msg, struct error *err)
{
	enum error_kind kind;

	if (msg->type != ONHOST_MSG_ERROR)
		return error_set(err, ERROR_PROTOCOL, "onhost broke the protocol: a message came out of turn (type %d)",
				 (int)msg->type);
	kind = error_kind_by_name(msg->error.type);
	return error_set(err, kind != ERROR_NONE ? kind : ERROR_INTERNAL, "onhost: %s", msg->error.message);
}

/* Sends one message, whole. What comes in meanwhile waits in the frames. */
static int send_msg(struct builder_session *session, const struct onhost_msg *msg, struct deadline deadline,
		    struct error *err)
{
	CLEANUP_BUF struct buf line = BUF_INIT(ONHOST_LINE_MAX);

	if (onhost_msg_encode(msg, &line, err) != 0)
		return -1;
	struct outgoing outgoing = { .data = (const uint8_t *)line.data, .len = line.len };
	while (outgoing.len > 0 && !session->out_ended)
		if (pump(session, &outgoing, deadline, err) != 0)
			return -1;
	return 0;
}

/* --- opening, hello --- */

int builder_session_open(struct builder_session *session, struct runtime *runtime, const struct builder_command *command,
			 struct error *err)
{
	const struct process_manner manner = builder_manner(command->no_terminal);

	*session = (struct builder_session){ .runtime = runtime, .command = command };
	session->process = (struct process){ .in_fd = -1, .out_fd = -1, .err_fd = -1 };
	onhost_frames_init(&session->frames);
	if (process_start_as(command->argv, &manner, &session->process, err) != 0)
		return -1;
	if (io_set_nonblocking(session->process.in_fd, err) != 0 || io_set_nonblocking(session->process.out_fd, err) != 0 ||
	    io_set_nonblocking(session->process.err_fd, err) != 0) {
		builder_session_close(session);
		return -1;
	}
#ifdef F_SETPIPE_SZ
	/* fewer turns for an image of hundreds of MiB; not getting it is fine */
	(void)fcntl(session->process.in_fd, F_SETPIPE_SZ, PIPE_BYTES);
#endif
	return 0;
}

static int keep_hello(struct arena *arena, const struct onhost_hello_ok *hello, struct onhost_hello_ok *ret_hello,
		      struct error *err)
{
	struct onhost_hello_ok kept = {
		.version = hello->version,
		.release = arena_strdup(arena, hello->release),
		.instance_id = arena_strdup(arena, hello->instance_id),
		.region = arena_strdup(arena, hello->region),
		.availability_zone = arena_strdup(arena, hello->availability_zone),
		.architecture = arena_strdup(arena, hello->architecture),
		.metadata_error = arena_strdup(arena, hello->metadata_error),
		.devices_error = arena_strdup(arena, hello->devices_error),
	};
	if (kept.release == NULL || kept.instance_id == NULL || kept.region == NULL || kept.availability_zone == NULL ||
	    kept.architecture == NULL || kept.metadata_error == NULL || kept.devices_error == NULL)
		return error_nomem(err);
	*ret_hello = kept;
	return 0;
}

int builder_session_hello(struct builder_session *session, struct arena *arena, struct onhost_hello_ok *ret_hello,
			  struct error *err)
{
	const struct onhost_msg hello = {
		.type = ONHOST_MSG_HELLO,
		.hello = { .version = ONHOST_PROTOCOL_VERSION, .release = CPI_VERSION },
	};
	CLEANUP_ARENA struct arena *scratch = arena_new(SCRATCH_BYTES);
	struct deadline deadline = patience(session->runtime->clock, HELLO_MS, HELLO_LEAST_MS);
	struct onhost_msg msg = { .type = ONHOST_MSG_UNKNOWN };

	if (scratch == NULL)
		return error_nomem(err);
	if (send_msg(session, &hello, deadline, err) != 0 || exchange(session, scratch, NULL, deadline, &msg, err) < 0)
		return -1;
	if (msg.type != ONHOST_MSG_HELLO_OK)
		return unexpected(&msg, err);
	if (msg.hello_ok.version != ONHOST_PROTOCOL_VERSION)
		return error_set(err, ERROR_PROTOCOL,
				 "onhost %s speaks version %" PRId64 " of the session and cpi " CPI_VERSION " version %d: install both "
				 "from one release",
				 msg.hello_ok.release, msg.hello_ok.version, ONHOST_PROTOCOL_VERSION);
	session->greeted = true;
	return keep_hello(arena, &msg.hello_ok, ret_hello, err);
}

/* --- writing an image --- */

struct upload {
	const struct builder_session_image *image;
	struct digest *digest;
	uint8_t *buffer; /* 4 bytes of header and CHUNK_BYTES */
	struct buf end;  /* the last header and the end message */
	struct outgoing outgoing;
	uint64_t sent; /* bytes of the image */
	char sha256[SHA256_HEX_SIZE];
	bool whole; /* all has been handed to outgoing */
};

static void upload_free(struct upload *upload)
{
	digest_free(upload->digest);
	free(upload->buffer);
	buf_free(&upload->end);
}

static int upload_end(struct upload *upload, struct error *err)
{
	struct onhost_msg msg = { .type = ONHOST_MSG_END };
	uint8_t sum[SHA256_LEN];
	uint8_t header[4];

	if (digest_finish(upload->digest, sum, err) != 0)
		return -1;
	digest_hex(sum, sizeof(sum), upload->sha256);
	memcpy(msg.end_sha256, upload->sha256, sizeof(msg.end_sha256));
	onhost_chunk_header(0, header);
	buf_append(&upload->end, header, sizeof(header));
	if (onhost_msg_encode(&msg, &upload->end, err) != 0 || buf_check(&upload->end, "the end message", err) != 0)
		return -1;
	upload->outgoing = (struct outgoing){ .data = (const uint8_t *)upload->end.data, .len = upload->end.len };
	upload->whole = true;
	return 0;
}

/* The next chunk, or the end. */
static int upload_next(struct upload *upload, struct error *err)
{
	ssize_t count = io_read_full(upload->image->fd, upload->buffer + 4, CHUNK_BYTES, upload->image->path, err);

	if (count < 0)
		return -1;
	if (count == 0)
		return upload_end(upload, err);
	if (digest_update(upload->digest, upload->buffer + 4, (size_t)count, err) != 0)
		return -1;
	onhost_chunk_header((uint32_t)count, upload->buffer);
	upload->sent += (uint64_t)count;
	upload->outgoing = (struct outgoing){ .data = upload->buffer, .len = 4 + (size_t)count };
	return 0;
}

static int keep_written(struct arena *arena, const struct onhost_written *written, struct onhost_written *ret_written,
			struct error *err)
{
	struct onhost_written kept = *written;

	kept.input_sha256 = arena_strdup(arena, written->input_sha256);
	kept.image_sha256 = arena_strdup(arena, written->image_sha256);
	kept.format = arena_strdup(arena, written->format);
	if (kept.input_sha256 == NULL || kept.image_sha256 == NULL || kept.format == NULL)
		return error_nomem(err);
	*ret_written = kept;
	return 0;
}

static int check_written(const struct upload *upload, const struct onhost_written *written, struct error *err)
{
	if (!upload->whole || upload->outgoing.len > 0)
		return error_set(err, ERROR_PROTOCOL, "onhost says that it is done before it had the whole image");
	if (written->read != upload->sent || strcmp(written->input_sha256, upload->sha256) != 0)
		return error_set(err, ERROR_PROTOCOL,
				 "the image did not reach onhost as it was sent: %" PRIu64 " bytes with SHA-256 %s went out, %" PRIu64
				 " with %s came in; try again",
				 upload->sent, upload->sha256, written->read, written->input_sha256);
	return 0;
}

static int wait_ready(struct builder_session *session, struct arena *scratch, const struct onhost_write *write,
		      const struct builder_session_image *image, struct error *err)
{
	const struct clock *clock = session->runtime->clock;
	/* device_timeout_ms is scaled already */
	struct deadline deadline = unscaled(clock, (int64_t)write->device_timeout_ms + SILENCE_LEAST_MS);
	struct onhost_msg msg = { .type = ONHOST_MSG_WRITE, .write = *write };

	if (send_msg(session, &msg, deadline, err) != 0)
		return -1;
	do {
		if (exchange(session, scratch, NULL, deadline, &msg, err) < 0)
			return -1;
	} while (msg.type == ONHOST_MSG_UNKNOWN);
	if (msg.type != ONHOST_MSG_READY)
		return unexpected(&msg, err);
	if (image->ready != NULL)
		image->ready(image->self, &msg.ready);
	return 0;
}

/* Until the written message (in scratch). Each message, and each chunk that goes out, is a sign of life. */
static int send_image(struct builder_session *session, struct arena *scratch, struct upload *upload,
		      struct onhost_msg *ret_msg, struct error *err)
{
	const struct builder_session_image *image = upload->image;

	for (;;) {
		struct deadline deadline = session->in_broken ?
						   unscaled(session->runtime->clock, END_MS) :
						   patience(session->runtime->clock, SILENCE_MS, SILENCE_LEAST_MS);
		bool sending = !session->in_broken && !(upload->whole && upload->outgoing.len == 0);
		if (sending && upload->outgoing.len == 0 && upload_next(upload, err) != 0)
			return -1;
		int got = exchange(session, scratch, sending ? &upload->outgoing : NULL, deadline, ret_msg, err);
		if (got < 0)
			return -1;
		if (got == 0 || ret_msg->type == ONHOST_MSG_UNKNOWN)
			continue;
		if (ret_msg->type == ONHOST_MSG_WRITTEN)
			return 0;
		if (ret_msg->type != ONHOST_MSG_PROGRESS)
			return unexpected(ret_msg, err);
		if (image->progress != NULL)
			image->progress(image->self, &ret_msg->progress);
	}
}

int builder_session_write(struct builder_session *session, struct arena *arena, const struct onhost_write *write,
			  const struct builder_session_image *image, struct onhost_written *ret_written,
			  struct error *err)
{
	CLEANUP_ARENA struct arena *scratch = arena_new(SCRATCH_BYTES);
	CLEANUP(upload_free) struct upload upload = { .image = image, .end = BUF_INIT(ONHOST_LINE_MAX) };
	struct onhost_msg msg = { .type = ONHOST_MSG_UNKNOWN };

	upload.buffer = malloc(4 + CHUNK_BYTES);
	if (scratch == NULL || upload.buffer == NULL)
		return error_nomem(err);
	if (digest_new(&upload.digest, err) != 0)
		return -1;
	if (wait_ready(session, scratch, write, image, err) != 0)
		return -1;
	if (send_image(session, scratch, &upload, &msg, err) != 0)
		return -1;
	if (check_written(&upload, &msg.written, err) != 0)
		return -1;
	return keep_written(arena, &msg.written, ret_written, err);
}

void builder_session_close(struct builder_session *session)
{
	const struct clock *clock;
	int status;

	if (session->runtime == NULL)
		return;
	clock = session->runtime->clock;
	/* the end of its input is what ends it; behind sudo our signals would not reach it */
	if (session->process.in_fd >= 0) {
		close(session->process.in_fd);
		session->process.in_fd = -1;
	}
	if (session->process.pid > 0 && !cancel_raised(session->runtime->cancel)) {
		struct deadline deadline = unscaled(clock, END_MS);
		while (!session->err_ended || !session->out_ended)
			if (pump(session, NULL, deadline, NULL) != 0)
				break;
		(void)process_wait(&session->process, clock, deadline, &status, NULL);
	}
	process_stop(&session->process, clock, GRACE_MS);
	onhost_frames_free(&session->frames);
	session->runtime = NULL;
}
