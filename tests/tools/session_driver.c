/* SPDX-License-Identifier: Apache-2.0 */
/* cpi's end of one session, without AWS: sends an image through a given command line (onhost serve, here or through ssh) and prints
 * what came of it as one object of JSON, for measuring the ways there against each other.
 *     session_driver IMAGE VOLUME_ID SIZE_MIB -- COMMAND…
 * A test's tool; nothing of it is shipped. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/json_write.h"
#include "cpi/builder/session.h"

#define ARENA_MAX ((size_t)1024 * 1024)
#define OUTPUT_MAX ((size_t)64 * 1024)
#define DEVICE_MS 60000

struct result {
	double hello_seconds; /* from the start until onhost answered */
	double write_seconds; /* from the write message until all was written */
	struct onhost_hello_ok hello;
	struct onhost_written written;
};

static double seconds_since(const struct clock *clock, int64_t began_ms)
{
	return (double)(clock->monotonic_ms(clock->self) - began_ms) / 1000;
}

static int run(struct builder_session *session, struct runtime *runtime, const struct builder_command *command,
	       const struct onhost_write *write, const struct builder_session_image *image, struct arena *arena,
	       struct result *ret_result, struct error *err)
{
	const struct clock *clock = runtime->clock;
	struct result result = { 0 };
	int64_t began = clock->monotonic_ms(clock->self);

	if (builder_session_open(session, runtime, command, err) != 0 ||
	    builder_session_hello(session, arena, &result.hello, err) != 0)
		return -1;
	result.hello_seconds = seconds_since(clock, began);
	began = clock->monotonic_ms(clock->self);
	if (builder_session_write(session, arena, write, image, &result.written, err) != 0)
		return -1;
	result.write_seconds = seconds_since(clock, began);
	*ret_result = result;
	return 0;
}

static void add_number(struct json_writer *writer, const char *key, double value)
{
	json_key(writer, key);
	json_number(writer, value);
}

static void add_count(struct json_writer *writer, const char *key, uint64_t value)
{
	json_key(writer, key);
	json_integer(writer, (int64_t)value);
}

static int print(const struct result *result, struct error *err)
{
	CLEANUP_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct json_writer writer;

	json_writer_init(&writer, &out);
	json_begin_object(&writer);
	add_number(&writer, "hello_seconds", result->hello_seconds);
	add_number(&writer, "write_seconds", result->write_seconds);
	add_number(&writer, "onhost_seconds", result->written.seconds);
	add_count(&writer, "read", result->written.read);
	add_count(&writer, "written", result->written.written);
	add_count(&writer, "skipped", result->written.skipped);
	add_count(&writer, "image_size", result->written.image_size);
	json_key(&writer, "input_sha256");
	json_string(&writer, result->written.input_sha256);
	json_key(&writer, "format");
	json_string(&writer, result->written.format);
	json_end_object(&writer);
	buf_char(&out, '\n');
	if (buf_check(&out, "the result", err) != 0)
		return -1;
	return io_write_all(STDOUT_FILENO, out.data, out.len, "standard output", err);
}

static int fail(const struct error *error)
{
	fprintf(stderr, "session_driver: %s\n", error->message);
	return 1;
}

int main(int argc, char *argv[])
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_MAX);
	struct builder_command command = { .name = "driver", .machine = "there", .how = "a command", .advice = "" };
	struct builder_session session = { .runtime = NULL };
	struct error error = { .kind = ERROR_NONE };
	struct result result;
	struct clock clock;
	struct log log;

	if (argc < 6 || strcmp(argv[4], "--") != 0 || arena == NULL) {
		fputs("usage: session_driver IMAGE VOLUME_ID SIZE_MIB -- COMMAND…\n", stderr);
		return 2;
	}
	clock_system(&clock);
	log_init(&log, STDERR_FILENO, getenv("SESSION_DEBUG") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, &clock);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 5; i < argc; i++)
		builder_command_add(&command, argv[i]);
	struct runtime runtime = { .log = &log, .clock = &clock };
	CLEANUP_FD int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	struct onhost_write write = { .volume_id = argv[2], .device_name = "/dev/sdf", .fresh = true, .device_timeout_ms = DEVICE_MS };
	write.size_mib = strtoull(argv[3], NULL, 10);
	const struct builder_session_image image = { .fd = fd, .path = argv[1] };
	int failed = fd < 0 ? error_set(&error, ERROR_IO, "cannot open %s", argv[1]) :
			      run(&session, &runtime, &command, &write, &image, arena, &result, &error);
	builder_session_close(&session);
	if (failed != 0 || print(&result, &error) != 0)
		return fail(&error);
	return 0;
}
