/* SPDX-License-Identifier: Apache-2.0 */
/* cpi's end of the session, against a fake onhost: this same program, started again with the name of a behaviour. */
#include "cpi/builder/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "tests/unit/under_valgrind.h"

#define IMAGE_BYTES ((size_t)3 * 1024 * 1024 + 12345)

/* --- the fake ------------------------------------------------------------------------------------------------------- */

struct fake {
	const char *behaviour;
	struct onhost_frames frames;
	struct arena *arena;
};

static bool behaves(const struct fake *fake, const char *name)
{
	return strcmp(fake->behaviour, name) == 0;
}

static void say_text(const char *text, size_t len)
{
	if (io_write_all(STDOUT_FILENO, text, len, "fake", NULL) != 0)
		_exit(40);
}

static void say_line(const char *line)
{
	say_text(line, strlen(line));
}

static void say(const struct fake *fake, const struct onhost_msg *msg)
{
	struct buf line = BUF_INIT(ONHOST_LINE_MAX);

	if (onhost_msg_encode(msg, &line, NULL) != 0)
		_exit(41);
	for (size_t i = 0; behaves(fake, "slow") && i + 1 < line.len; i++) {
		say_text(line.data + i, 1);
		usleep(200);
	}
	say_text(behaves(fake, "slow") ? line.data + line.len - 1 : line.data, behaves(fake, "slow") ? 1 : line.len);
	buf_free(&line);
}

static bool feed(struct fake *fake)
{
	static char data[65536];
	ssize_t count = read(STDIN_FILENO, data, sizeof(data));

	if (count <= 0)
		return false;
	onhost_frames_feed(&fake->frames, data, (size_t)count);
	return true;
}

static struct onhost_msg hear(struct fake *fake)
{
	struct onhost_msg msg;
	const char *line;
	size_t len;

	while (onhost_frames_line(&fake->frames, &line, &len, NULL) == 0)
		if (!feed(fake))
			_exit(42);
	if (onhost_msg_decode(fake->arena, line, len, &msg, NULL) != 0)
		_exit(43);
	return msg;
}

static void complain(size_t bytes)
{
	for (size_t i = 0; i < bytes / 64; i++)
		dprintf(STDERR_FILENO, "complaint %08zu ...........................................\n", i);
}

static void say_error(const struct fake *fake, const char *type, const char *message)
{
	const struct onhost_msg msg = { .type = ONHOST_MSG_ERROR, .error = { .type = type, .message = message } };
	say(fake, &msg);
}

static void greet(struct fake *fake)
{
	struct onhost_msg hello = {
		.type = ONHOST_MSG_HELLO_OK,
		.hello_ok = {
			.version = behaves(fake, "other-version") ? 7 : 1,
			.release = "1.2.3",
			.instance_id = "i-0123456789abcdef0",
			.region = "eu-west-1",
			.availability_zone = "eu-west-1a",
			.architecture = "x86_64",
			.metadata_error = "",
		},
	};

	if (behaves(fake, "refuses"))
		dprintf(STDERR_FILENO, "sudo: a password is required\n");
	if (behaves(fake, "refuses") || behaves(fake, "says-nothing"))
		_exit(1);
	(void)hear(fake);
	if (behaves(fake, "big-stderr"))
		complain(2 * 1024 * 1024);
	if (behaves(fake, "blank-lines"))
		say_line("\n \t\r\n");
	if (behaves(fake, "garbage"))
		say_line("{\"what\"?\n");
	else if (behaves(fake, "motd"))
		say_line("\n  \r\nWelcome to the builder \xe2\x9c\x93\n{\"ok\":\"hello\"}\n");
	else if (behaves(fake, "nologin"))
		say_line("This account is currently not available.\n");
	else if (behaves(fake, "cut-line"))
		say_line("{\"ok\":\"hel");
	else if (behaves(fake, "long-line"))
		for (size_t i = 0; i < 2000; i++)
			say_line("................................................................");
	else if (behaves(fake, "error-at-hello"))
		say_error(fake, "metadata", "no answer");
	else
		say(fake, &hello);
	if (behaves(fake, "cut-line") || behaves(fake, "ends-after-hello"))
		_exit(3);
}

/* Reads the image; stop_after: bytes (0: all of it). Returns its size and sum. */
static uint64_t swallow(struct fake *fake, uint64_t stop_after, char sum[SHA256_HEX_SIZE])
{
	static uint8_t data[ONHOST_CHUNK_MAX];
	struct digest *digest;
	uint8_t raw[SHA256_LEN];
	uint64_t total = 0;
	uint32_t len;

	if (digest_new(&digest, NULL) != 0)
		_exit(44);
	for (;;) {
		while (onhost_frames_chunk_header(&fake->frames, &len, NULL) == 0)
			if (!feed(fake))
				_exit(45);
		if (len == 0)
			break;
		size_t have = onhost_frames_take(&fake->frames, data, len);
		if (io_read_full(STDIN_FILENO, data + have, len - have, "fake", NULL) != (ssize_t)(len - have))
			_exit(46);
		if (digest_update(digest, data, len, NULL) != 0)
			_exit(47);
		total += len;
		if (stop_after != 0 && total >= stop_after)
			return total;
		const struct onhost_msg progress = { .type = ONHOST_MSG_PROGRESS, .progress = { .read = total, .total = IMAGE_BYTES } };
		say(fake, &progress);
	}
	if (hear(fake).type != ONHOST_MSG_END || digest_finish(digest, raw, NULL) != 0)
		_exit(48);
	digest_free(digest);
	digest_hex(raw, sizeof(raw), sum);
	return total;
}

static void receive_image(struct fake *fake)
{
	const struct onhost_msg ready = { .type = ONHOST_MSG_READY, .ready = { .device = "/dev/x", .recognised_by = "guess" } };
	struct onhost_msg written = { .type = ONHOST_MSG_WRITTEN };
	char sum[SHA256_HEX_SIZE] = "";

	if (hear(fake).type != ONHOST_MSG_WRITE)
		_exit(49);
	if (behaves(fake, "no-device")) {
		say_error(fake, "no_device", "nothing came within 60 s");
		(void)feed(fake);
		_exit(5);
	}
	if (behaves(fake, "unknown-event"))
		say_line("{\"event\":\"weather\",\"text\":\"fine\"}\n");
	if (behaves(fake, "hello-again"))
		say_line("{\"event\":\"progress\",\"read\":0,\"written\":0,\"skipped\":0,\"total\":0,\"seconds\":0}\n");
	say(fake, &ready);
	if (behaves(fake, "dies-midway")) {
		(void)swallow(fake, 600000, sum);
		dprintf(STDERR_FILENO, "about to fall\n");
		raise(SIGKILL);
	}
	if (behaves(fake, "error-midway") || behaves(fake, "closes-input")) {
		(void)swallow(fake, 600000, sum);
		close(STDIN_FILENO);
		usleep(50000);
		say_error(fake, "image", "bad checksum");
		_exit(3);
	}
	if (behaves(fake, "sleeps-midway")) {
		(void)swallow(fake, 600000, sum);
		for (;;)
			pause();
	}
	written.written = (struct onhost_written){ .read = IMAGE_BYTES, .written = 1, .image_size = 2, .seconds = 0.5,
						    .input_sha256 = sum, .image_sha256 = "", .format = "gzip tar" };
	if (!behaves(fake, "early"))
		written.written.read = swallow(fake, 0, sum);
	else
		memset(sum, 'a', sizeof(sum) - 1);
	if (behaves(fake, "big-stderr"))
		complain(1024 * 1024);
	if (behaves(fake, "wrong-count"))
		written.written.read--;
	if (behaves(fake, "wrong-sum"))
		sum[0] = sum[0] == '0' ? '1' : '0';
	say(fake, &written);
	while (feed(fake))
		;
}

static const char *const hidden_variables[] = {
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE",
};

static int fake_main(const char *behaviour)
{
	for (size_t i = 0; i < sizeof(hidden_variables) / sizeof(hidden_variables[0]); i++) {
		if (getenv(hidden_variables[i]) != NULL)
			_exit(43);
	}
	struct fake fake = { .behaviour = behaviour, .arena = arena_new((size_t)16 * 1024 * 1024) };

	signal(SIGPIPE, SIG_IGN);
	if (behaves(&fake, "silent"))
		for (;;)
			pause();
	onhost_frames_init(&fake.frames);
	greet(&fake);
	receive_image(&fake);
	onhost_frames_free(&fake.frames);
	arena_free(fake.arena);
	return 0;
}

/* --- the tests ------------------------------------------------------------------------------------------------------ */

struct fixture {
	struct log log;
	struct clock clock;
	struct cancel cancel;
	struct runtime runtime;
	struct arena *arena;
	struct builder_session session;
	struct builder_command command;
	char self[4096];
	char name[64];
	int image_fd;
	int log_fd;
	unsigned ready;
	unsigned progress;
	pid_t pid;
};

static const struct onhost_write write_request = {
	.volume_id = "vol-0123456789abcdef0",
	.device_name = "/dev/sdf",
	.size_mib = 1024,
	.fresh = true,
	.device_timeout_ms = 1000,
};

static int temporary_file(void)
{
	char path[] = "/tmp/test_session.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	static char block[4096];

	assert_non_null(fixture);
	signal(SIGPIPE, SIG_IGN);
	clock_system(&fixture->clock);
	fixture->log_fd = temporary_file();
	log_init(&fixture->log, fixture->log_fd, LOG_LEVEL_DEBUG, &fixture->clock);
	assert_int_equal(cancel_open(&fixture->cancel, NULL), 0);
	fixture->runtime = (struct runtime){ .log = &fixture->log, .clock = &fixture->clock, .cancel = &fixture->cancel };
	fixture->arena = arena_new(1024 * 1024);
	fixture->image_fd = temporary_file();
	for (size_t done = 0; done < IMAGE_BYTES; done += sizeof(block)) {
		memset(block, (int)(done / sizeof(block)), sizeof(block));
		size_t len = IMAGE_BYTES - done < sizeof(block) ? IMAGE_BYTES - done : sizeof(block);
		assert_int_equal(io_write_all(fixture->image_fd, block, len, "image", NULL), 0);
	}
	assert_true(lseek(fixture->image_fd, 0, SEEK_SET) == 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	builder_session_close(&fixture->session);
	if (fixture->pid > 0)
		assert_int_equal(kill(fixture->pid, 0), -1); /* nothing is left running */
	cancel_close(&fixture->cancel);
	close(fixture->image_fd);
	close(fixture->log_fd);
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static const char *explain(const struct builder_command *command, const struct builder_end *end)
{
	assert_string_equal(command->name, "fake");
	if (end->exit_status == 1 && !end->greeted && strstr(end->words, "sudo: a password is required\n") != NULL)
		return "sudo wants a password";
	if (end->exit_status == -1 && end->greeted && strstr(end->words, "about to fall\n") != NULL)
		return "it fell";
	return NULL;
}

static void start(struct fixture *fixture, const char *behaviour)
{
	ssize_t len = readlink("/proc/self/exe", fixture->self, sizeof(fixture->self) - 1);
	struct error err = { 0 };

	assert_true(len > 0);
	fixture->self[len] = '\0';
	snprintf(fixture->name, sizeof(fixture->name), "%s", behaviour);
	fixture->command.name = "fake";
	builder_command_add(&fixture->command, fixture->self);
	builder_command_add(&fixture->command, fixture->name);
	assert_int_equal(builder_session_open(&fixture->session, &fixture->runtime, &fixture->command, &err), 0);
	fixture->pid = fixture->session.process.pid;
}

static int hello(struct fixture *fixture, struct onhost_hello_ok *ret_hello, struct error *err)
{
	return builder_session_hello(&fixture->session, fixture->arena, ret_hello, err);
}

static void saw_ready(void *self, const struct onhost_ready *ready)
{
	struct fixture *fixture = self;

	assert_string_equal(ready->device, "/dev/x");
	fixture->ready++;
}

static void saw_progress(void *self, const struct onhost_progress *progress)
{
	struct fixture *fixture = self;

	assert_true(progress->read > 0);
	fixture->progress++;
}

static int send_image(struct fixture *fixture, struct onhost_written *ret_written, struct error *err)
{
	const struct builder_session_image image = {
		.fd = fixture->image_fd,
		.path = "image",
		.ready = saw_ready,
		.progress = saw_progress,
		.self = fixture,
	};
	return builder_session_write(&fixture->session, fixture->arena, &write_request, &image, ret_written, err);
}

static void whole_session(struct fixture *fixture, const char *behaviour)
{
	struct onhost_hello_ok place = { 0 };
	struct onhost_written written = { 0 };
	struct error err = { 0 };

	start(fixture, behaviour);
	assert_int_equal(hello(fixture, &place, &err), 0);
	assert_string_equal(place.instance_id, "i-0123456789abcdef0");
	assert_string_equal(place.availability_zone, "eu-west-1a");
	assert_string_equal(place.release, "1.2.3");
	if (send_image(fixture, &written, &err) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(written.read, IMAGE_BYTES);
	assert_string_equal(written.format, "gzip tar");
	assert_int_equal(fixture->ready, 1);
	assert_true(fixture->progress >= 10);
}

static void test_whole(void **state)
{
	whole_session(*state, "good");
}

static void test_byte_by_byte(void **state)
{
	whole_session(*state, "slow");
}

static void test_unknown_events_are_ignored(void **state)
{
	whole_session(*state, "unknown-event");
}

static void test_blank_lines_before_the_answer(void **state)
{
	whole_session(*state, "blank-lines");
}

/* The command knows what an end means; and without it both are told as they are (below). */
static void test_explained(void **state)
{
	struct fixture *fixture = *state;
	struct onhost_hello_ok place;
	struct onhost_written written;
	struct error err = { 0 };

	fixture->command.explain = explain;
	start(fixture, "refuses");
	assert_int_equal(hello(fixture, &place, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, "sudo wants a password ("));
	assert_non_null(strstr(err.message, "exited with status 1; the last words: sudo: a password is required)"));
	builder_session_close(&fixture->session);
	fixture->command.count = 0;
	start(fixture, "dies-midway");
	assert_int_equal(hello(fixture, &place, &err), 0);
	assert_int_equal(send_image(fixture, &written, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, "it fell ("));
	assert_non_null(strstr(err.message, "signal 9 (Killed); the last words: about to fall)"));
}

static void test_much_standard_error(void **state)
{
	struct fixture *fixture = *state;

	whole_session(fixture, "big-stderr");
	builder_session_close(&fixture->session);
	/* all of it is in the log */
	off_t logged = lseek(fixture->log_fd, 0, SEEK_END);
	assert_true(logged > 3 * 1024 * 1024);
}

static void test_failures_at_hello(void **state)
{
	static const struct {
		const char *behaviour;
		enum error_kind kind;
		const char *message;
	} rows[] = {
		{ "refuses", ERROR_IO, "exited with status 1 in the middle of its work; it said last: sudo: a password is required" },
		{ "says-nothing", ERROR_IO, "exited with status 1 in the middle of its work and said nothing" },
		{ "other-version", ERROR_PROTOCOL, "onhost 1.2.3 speaks version 7 of the session and cpi " CPI_VERSION " version 1" },
		{ "garbage", ERROR_PROTOCOL, "onhost broke the protocol" },
		{ "motd", ERROR_PROTOCOL, "the first line that came is \"Welcome to the builder ???\": either something else prints" },
		{ "nologin", ERROR_PROTOCOL, "the first line that came is \"This account is currently not available.\"" },
		{ "cut-line", ERROR_IO, "exited with status 3" },
		{ "long-line", ERROR_PROTOCOL, "longer than 65536 bytes" },
		{ "error-at-hello", ERROR_METADATA, "onhost: no answer" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct onhost_hello_ok place;
		struct error err = { 0 };
		void *each;
		setup(&each);
		start(each, rows[i].behaviour);
		assert_int_equal(hello(each, &place, &err), -1);
		if (err.kind != rows[i].kind || strstr(err.message, rows[i].message) == NULL)
			fail_msg("%s: kind %s, %s", rows[i].behaviour, error_kind_name(err.kind), err.message);
		teardown(&each);
	}
	(void)state;
}

static void test_failures_at_write(void **state)
{
	static const struct {
		const char *behaviour;
		enum error_kind kind;
		const char *message;
	} rows[] = {
		{ "no-device", ERROR_NO_DEVICE, "onhost: nothing came within 60 s" },
		{ "ends-after-hello", ERROR_IO, "exited with status 3" },
		{ "hello-again", ERROR_PROTOCOL, "out of turn" },
		{ "dies-midway", ERROR_IO, "was killed by signal 9 (Killed) in the middle of its work; it said last: about to fall" },
		{ "error-midway", ERROR_IMAGE, "onhost: bad checksum" },
		{ "early", ERROR_PROTOCOL, "before it had the whole image" },
		{ "wrong-count", ERROR_PROTOCOL, "did not reach onhost as it was sent" },
		{ "wrong-sum", ERROR_PROTOCOL, "did not reach onhost as it was sent" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct onhost_hello_ok place;
		struct onhost_written written;
		struct error err = { 0 };
		void *each;
		setup(&each);
		start(each, rows[i].behaviour);
		if (hello(each, &place, &err) != 0)
			fail_msg("%s: %s", rows[i].behaviour, err.message);
		assert_int_equal(send_image(each, &written, &err), -1);
		if (err.kind != rows[i].kind || strstr(err.message, rows[i].message) == NULL)
			fail_msg("%s: kind %s, %s", rows[i].behaviour, error_kind_name(err.kind), err.message);
		teardown(&each);
	}
	(void)state;
}

/* --- time and signals --- */

/* A clock on which an hour passes each time it is asked. */
static int64_t fast_ms(void *self)
{
	int64_t *now = self;
	return *now += 3600 * 1000;
}

static void test_silence(void **state)
{
	struct fixture *fixture = *state;
	struct onhost_hello_ok place;
	struct error err = { 0 };
	int64_t now = 0;
	struct clock fast = fixture->clock;

	start(fixture, "silent");
	fast.monotonic_ms = fast_ms;
	fast.self = &now;
	fixture->runtime.clock = &fast;
	assert_int_equal(hello(fixture, &place, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_non_null(strstr(err.message, "fell silent"));
	fixture->runtime.clock = &fixture->clock;
	/* told to go, not waited for */
	kill(fixture->pid, SIGKILL);
}

static void test_cancelled_before_hello(void **state)
{
	struct fixture *fixture = *state;
	struct onhost_hello_ok place;
	struct error err = { 0 };

	start(fixture, "silent");
	cancel_raise(&fixture->cancel, SIGTERM);
	assert_int_equal(hello(fixture, &place, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
}

static void cancel_at_progress(void *self, const struct onhost_progress *progress)
{
	struct fixture *fixture = self;

	(void)progress;
	cancel_raise(&fixture->cancel, SIGTERM);
}

static void test_cancelled_while_writing(void **state)
{
	struct fixture *fixture = *state;
	const struct builder_session_image image = {
		.fd = fixture->image_fd, .path = "image", .progress = cancel_at_progress, .self = fixture,
	};
	struct onhost_hello_ok place;
	struct onhost_written written;
	struct error err = { 0 };

	start(fixture, "sleeps-midway");
	assert_int_equal(hello(fixture, &place, &err), 0);
	assert_int_equal(builder_session_write(&fixture->session, fixture->arena, &write_request, &image, &written, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	assert_non_null(strstr(err.message, "signal 15"));
}

static void test_unreadable_image(void **state)
{
	struct fixture *fixture = *state;
	struct onhost_hello_ok place;
	struct onhost_written written;
	struct error err = { 0 };

	start(fixture, "good");
	assert_int_equal(hello(fixture, &place, &err), 0);
	CLEANUP_FD int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct builder_session_image image = { .fd = folder, .path = "image.tgz" };
	assert_int_equal(builder_session_write(&fixture->session, fixture->arena, &write_request, &image, &written, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, "image.tgz"));
}

static void test_no_such_program(void **state)
{
	struct fixture *fixture = *state;
	struct builder_command command = { .name = "fake" };
	struct error err = { 0 };

	if (under_valgrind())
		skip();
	builder_command_add(&command, "/nowhere/onhost");
	assert_int_equal(builder_session_open(&fixture->session, &fixture->runtime, &command, &err), -1);
	assert_non_null(strstr(err.message, "/nowhere/onhost"));
	builder_session_close(&fixture->session);
	builder_session_close(&fixture->session);
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return fake_main(argv[1]);
	/* the fake ends at once where it sees one */
	for (size_t i = 0; i < sizeof(hidden_variables) / sizeof(hidden_variables[0]); i++)
		setenv(hidden_variables[i], "hush", 1);
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_whole),
		TEST(test_byte_by_byte),
		TEST(test_unknown_events_are_ignored),
		TEST(test_blank_lines_before_the_answer),
		TEST(test_explained),
		TEST(test_much_standard_error),
		TEST(test_failures_at_hello),
		TEST(test_failures_at_write),
		TEST(test_silence),
		TEST(test_cancelled_before_hello),
		TEST(test_cancelled_while_writing),
		TEST(test_unreadable_image),
		TEST(test_no_such_program),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
