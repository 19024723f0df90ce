/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks from a child to an EBS that a transport plays: what arrives, how many at once, and every way to end early. */
#include "cpi/upload/uploader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/http.h"
#include "cpi/aws/client.h"
#include "cpi/upload/upload_state.h"
#include "tests/unit/block_kit.h"
#include "tests/unit/fail_alloc.h"

#define BLOCK BLOCK_KIT_BLOCK
#define SNAPSHOT "snap-0123456789abcdef0"
#define URL "https://ebs.eu-west-1.amazonaws.com/snapshots/" SNAPSHOT "/blocks/"
#define MAX_INDEX 2048
#define ANY_TIME 1000000
#define LATE 20

/* What happens to a block. */
struct rule {
	int status;       /* of the answer; 0: 201 */
	const char *code; /* AWS's */
	unsigned times;   /* that it does */
	bool hang;        /* no answer, until it is cut off */
	bool signal;      /* a signal comes, and no answer */
	bool late_signal; /* … after a while */
	unsigned wait_for; /* so many others that have a rule must have come before it goes on */
};

struct ebs {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct rule rules[MAX_INDEX];
	unsigned puts[MAX_INDEX];
	uint8_t first_byte[MAX_INDEX];
	unsigned n_puts;
	unsigned under_way;
	unsigned hanging;
	unsigned cut_off;
	unsigned arrived; /* of those that have a rule */
	unsigned most;
	unsigned most_late; /* when a block behind LATE came */
	unsigned last_percent;
	unsigned most_percent;
	char bad[200]; /* the first thing that is not as AWS takes it */
};

struct fixture {
	struct tree tree;
	char onhost[96];
	struct clock clock;
	struct log log;
	struct cancel cancel;
	struct ebs ebs;
	struct http_transport http;
	struct runtime runtime;
	struct aws_settings settings;
	struct aws_client *client;
	struct ec2_client ec2;
	struct buf stream;
	struct image_blocks *blocks;
	struct uploader_options options;
	struct uploader_result result;
	unsigned n_progress;
	struct onhost_progress progress;
	struct error err;
};

/* --- EBS --- */

static const char *header_of(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcasecmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	}
	return "";
}

static void complain(struct ebs *ebs, const char *what)
{
	if (ebs->bad[0] == '\0')
		snprintf(ebs->bad, sizeof(ebs->bad), "%s", what);
}

/* In a thread of the uploader's: nothing is asserted here. */
static unsigned check_request(struct ebs *ebs, const struct http_request *request, char checksum[BASE64_SIZE(SHA256_LEN)])
{
	uint8_t sum[SHA256_LEN] = { 0 };
	char *end = NULL;
	unsigned long index = MAX_INDEX;

	if (strncmp(request->url, URL, strlen(URL)) == 0)
		index = strtoul(request->url + strlen(URL), &end, 10);
	if (end == NULL || *end != '\0' || index >= MAX_INDEX || strcmp(request->method, "PUT") != 0)
		complain(ebs, request->url);
	if (request->body_len != BLOCK || strcmp(header_of(request, "x-amz-Data-Length"), "524288") != 0)
		complain(ebs, "the length");
	(void)digest_sha256(request->body, request->body_len, sum, NULL);
	digest_base64(sum, sizeof(sum), checksum);
	if (strcmp(header_of(request, "x-amz-Checksum"), checksum) != 0)
		complain(ebs, "the checksum");
	ebs->last_percent = (unsigned)strtoul(header_of(request, "x-amz-Progress"), NULL, 10);
	if (ebs->last_percent > ebs->most_percent)
		ebs->most_percent = ebs->last_percent;
	return index < MAX_INDEX ? (unsigned)index : 0;
}

static int answer(const struct rule *rule, const char *checksum, struct arena *arena, struct http_response *ret_response)
{
	struct http_header *headers = arena_array(arena, 2, sizeof(*headers));
	bool good = rule == NULL;

	headers[0] = (struct http_header){ good ? "x-amz-Checksum" : "x-amzn-errortype",
					   good ? arena_strdup(arena, checksum) : rule->code };
	headers[1] = (struct http_header){ "x-amz-Checksum-Algorithm", "SHA256" };
	*ret_response = (struct http_response){
		.status = good ? 201 : rule->status,
		.headers = headers,
		.n_headers = good ? 2 : 1,
		.body = good ? "" : "{\"message\":\"so it is\"}",
	};
	ret_response->body_len = strlen(ret_response->body);
	return 0;
}

static int hang(struct ebs *ebs, const struct cancel *cancel, struct error *err)
{
	struct pollfd raised = { .fd = cancel->read_fd, .events = POLLIN };

	pthread_mutex_lock(&ebs->lock);
	ebs->hanging++;
	pthread_cond_broadcast(&ebs->changed);
	pthread_mutex_unlock(&ebs->lock);
	while (poll(&raised, 1, -1) < 0)
		;
	pthread_mutex_lock(&ebs->lock);
	ebs->hanging--;
	ebs->cut_off++;
	pthread_mutex_unlock(&ebs->lock);
	return cancel_check(cancel, err);
}

static int perform(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		   struct http_response *ret_response, struct error *err)
{
	struct fixture *fixture = self;
	struct ebs *ebs = &fixture->ebs;
	char checksum[BASE64_SIZE(SHA256_LEN)];
	int result = 0;

	pthread_mutex_lock(&ebs->lock);
	unsigned index = check_request(ebs, request, checksum);
	struct rule rule = ebs->rules[index];
	bool ruled = rule.times > 0;
	ebs->rules[index].times -= ruled;
	ebs->n_puts++;
	if (++ebs->under_way > ebs->most)
		ebs->most = ebs->under_way;
	if (index > LATE && ebs->under_way > ebs->most_late)
		ebs->most_late = ebs->under_way;
	ebs->arrived += ruled;
	pthread_cond_broadcast(&ebs->changed);
	while (ruled && ebs->arrived < rule.wait_for + 1)
		pthread_cond_wait(&ebs->changed, &ebs->lock);
	pthread_mutex_unlock(&ebs->lock);

	if (ruled && rule.late_signal)
		usleep(300000);
	if (ruled && (rule.signal || rule.late_signal))
		cancel_raise(&fixture->cancel, SIGTERM);
	if (ruled && (rule.hang || rule.signal || rule.late_signal))
		result = hang(ebs, cancel, err);
	else
		result = answer(ruled && rule.status != 0 ? &rule : NULL, checksum, arena, ret_response);
	pthread_mutex_lock(&ebs->lock);
	ebs->under_way--;
	if (result == 0 && ret_response->status == 201) {
		ebs->puts[index]++;
		ebs->first_byte[index] = *(const uint8_t *)request->body;
	}
	pthread_mutex_unlock(&ebs->lock);
	return result;
}

static void no_close(void *self)
{
	(void)self;
}

/* --- the fixture --- */

static void note_progress(void *self, const struct onhost_progress *progress)
{
	struct fixture *fixture = self;

	fixture->n_progress++;
	fixture->progress = *progress;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	tree_make(&fixture->tree);
	tree_path(&fixture->tree, "onhost", fixture->onhost, sizeof(fixture->onhost));
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", fixture->tree.root, 1), 0);
	clock_system(&fixture->clock);
	/* the calls' pauses before another attempt */
	fixture->clock.scale = 0.01;
	log_init(&fixture->log, memfd_create("log", MFD_CLOEXEC), LOG_LEVEL_DEBUG, &fixture->clock);
	assert_int_equal(cancel_open(&fixture->cancel, NULL), 0);
	pthread_mutex_init(&fixture->ebs.lock, NULL);
	pthread_cond_init(&fixture->ebs.changed, NULL);
	fixture->http = (struct http_transport){ .perform = perform, .close = no_close, .self = fixture };
	fixture->runtime = (struct runtime){ &fixture->log, &fixture->clock, &fixture->cancel, &fixture->http };
	fixture->settings = (struct aws_settings){
		.region = "eu-west-1",
		.credentials_source = "static",
		.access_key_id = "AKIDEXAMPLE",
		.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
		.max_retries = 2,
	};
	assert_int_equal(aws_client_new(&fixture->runtime, &fixture->settings, &fixture->client, NULL), 0);
	fixture->ec2.aws = fixture->client;
	fixture->stream = (struct buf)BUF_INIT(BLOCK_KIT_MAX);
	fixture->options = (struct uploader_options){ .snapshot_id = SNAPSHOT, .progress = note_progress, .self = fixture };
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	assert_string_equal(fixture->ebs.bad, "");
	/* as it was, whatever happened */
	assert_ptr_equal(fixture->runtime.cancel, &fixture->cancel);
	image_blocks_close(fixture->blocks);
	buf_free(&fixture->stream);
	aws_client_free(fixture->client);
	pthread_cond_destroy(&fixture->ebs.changed);
	pthread_mutex_destroy(&fixture->ebs.lock);
	cancel_close(&fixture->cancel);
	close(fixture->log.fd);
	unsetenv("AWS_CPI_STATE_DIR");
	tree_remove(&fixture->tree);
	free(fixture);
	return 0;
}

static void start(struct fixture *fixture, const char *before, const char *after)
{
	const struct image_blocks_options options = { .onhost_path = fixture->onhost, .image_path = "/images/one.tgz" };

	image_blocks_close(fixture->blocks);
	fixture->blocks = NULL;
	block_kit_program(&fixture->tree, &fixture->stream, before, after);
	assert_int_equal(image_blocks_open(&fixture->runtime, &options, &fixture->blocks, &fixture->err), 0);
	fixture->options.blocks = fixture->blocks;
}

static int run(struct fixture *fixture)
{
	memset(&fixture->err, 0, sizeof(fixture->err));
	memset(&fixture->result, 0x77, sizeof(fixture->result));
	return uploader_run(&fixture->runtime, &fixture->ec2, &fixture->options, &fixture->result, &fixture->err);
}

static void assert_runs(struct fixture *fixture)
{
	if (run(fixture) != 0)
		fail_msg("%s", fixture->err.message);
}

static void assert_fails(struct fixture *fixture, enum error_kind kind, const char *words)
{
	struct uploader_result untouched;

	memset(&untouched, 0x77, sizeof(untouched));
	if (run(fixture) == 0)
		fail_msg("it went well, in place of: %s", words);
	if (strstr(fixture->err.message, words) == NULL)
		fail_msg("not \"%s\": %s", words, fixture->err.message);
	assert_int_equal(fixture->err.kind, kind);
	assert_memory_equal(&fixture->result, &untouched, sizeof(untouched));
}

/* Twenty blocks: 0, 2, 4 … 36, of which each byte is 0x40 and more, and 40 of 1000 bytes; 1000 bytes behind it are free. */
#define IMAGE_BLOCKS 20
#define IMAGE_SIZE (40 * (uint64_t)BLOCK + 1000)
/* Python: sha256(b"".join(sha256(block).digest() for block in blocks)) */
#define IMAGE_SUM "bfcca9e64c83553e23125ab1940a8f98507307dce3ed41dcc791e9862e32743e"

static void put_image(struct fixture *fixture, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		if (i < 19)
			block_kit_block(&fixture->stream, 2 * i, (uint8_t)(0x40 + i), BLOCK);
		else
			block_kit_block(&fixture->stream, 40, 0x99, 1000);
	}
}

static void put_whole_image(struct fixture *fixture)
{
	buf_reset(&fixture->stream);
	block_kit_progress(&fixture->stream, 0, IMAGE_SIZE);
	put_image(fixture, 0, IMAGE_BLOCKS);
	block_kit_progress(&fixture->stream, 4711, IMAGE_SIZE);
	block_kit_written(&fixture->stream, IMAGE_SIZE);
}

static void assert_image_sum(const struct fixture *fixture)
{
	char hex[SHA256_HEX_SIZE];

	digest_hex(fixture->result.sha256, SHA256_LEN, hex);
	assert_string_equal(hex, IMAGE_SUM);
}

static struct upload_state *open_state(struct fixture *fixture)
{
	const struct upload_target target = { .image_sha256 = "aa" };
	struct upload_state *upload = NULL;

	assert_int_equal(upload_state_open(&fixture->clock, &target, &upload, &fixture->err), 0);
	fixture->options.state = upload;
	return upload;
}

/* --- all goes well --- */

static void the_whole_image(void **state)
{
	static const unsigned connections[] = { 1, 3, 0, 64, 1000 };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 5; i++) {
		struct ebs *ebs = &fixture->ebs;
		memset(ebs->puts, 0, sizeof(ebs->puts));
		ebs->most = ebs->most_percent = 0;
		put_whole_image(fixture);
		start(fixture, "", "");
		fixture->options.connections = connections[i];
		fixture->options.total_bytes = IMAGE_SIZE;
		assert_runs(fixture);
		assert_int_equal(fixture->result.n_blocks, IMAGE_BLOCKS);
		assert_int_equal(fixture->result.n_resumed, 0);
		assert_int_equal(fixture->result.throttled, 0);
		assert_int_equal(fixture->result.recording.kind, ERROR_NONE);
		assert_image_sum(fixture);
		for (unsigned k = 0; k < MAX_INDEX; k++) {
			bool wanted = k == 40 || (k < 38 && k % 2 == 0);
			assert_int_equal(ebs->puts[k], wanted);
			assert_int_equal(!wanted || ebs->first_byte[k] == (k == 40 ? 0x99 : 0x40 + k / 2), 1);
		}
		assert_int_equal(fixture->result.most_at_once >= ebs->most, 1);
		assert_in_range(fixture->result.most_at_once, 1, connections[i] == 0 || connections[i] > 20 ? 20 : connections[i]);
		/* the sums of the last report */
		assert_int_equal(fixture->progress.written, 19 * (uint64_t)BLOCK + 1000);
		assert_int_equal(fixture->progress.skipped, 21 * (uint64_t)BLOCK);
		assert_int_equal(fixture->progress.total, IMAGE_SIZE);
		assert_int_equal(fixture->progress.read, 4711);
		assert_in_range(ebs->most_percent, connections[i] == 1 ? 90 : 0, 99);
	}
}

/* As many as may be at once really are, and stay so: each of the last four waits for the others. */
static void side_by_side(void **state)
{
	struct fixture *fixture = *state;

	put_whole_image(fixture);
	start(fixture, "", "");
	for (unsigned i = 15; i < 19; i++)
		fixture->ebs.rules[2 * i] = (struct rule){ .times = 1, .wait_for = 3 };
	fixture->options.connections = 4;
	assert_runs(fixture);
	assert_int_equal(fixture->result.most_at_once, 4);
	assert_image_sum(fixture);
}

static void an_empty_end_and_no_size(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->stream, 0, 0);
	block_kit_block(&fixture->stream, 1, 7, BLOCK);
	block_kit_written(&fixture->stream, 5 * (uint64_t)BLOCK);
	start(fixture, "", "");
	assert_runs(fixture);
	assert_int_equal(fixture->result.n_blocks, 1);
	assert_int_equal(fixture->progress.written, BLOCK);
	assert_int_equal(fixture->progress.skipped, 4 * (uint64_t)BLOCK);
	assert_int_equal(fixture->progress.total, 5 * (uint64_t)BLOCK);
	assert_int_equal(fixture->ebs.most_percent, 0);
	/* and nothing to send at all: SHA-256 of nothing */
	buf_reset(&fixture->stream);
	block_kit_progress(&fixture->stream, 0, 0);
	block_kit_written(&fixture->stream, 5 * (uint64_t)BLOCK);
	start(fixture, "", "");
	fixture->options.progress = NULL;
	assert_runs(fixture);
	char hex[SHA256_HEX_SIZE];
	digest_hex(fixture->result.sha256, SHA256_LEN, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(fixture->result.n_blocks, 0);
}

/* More blocks than there are buffers, and progress while it waits for the child. */
static void a_larger_one(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->stream, 0, 0);
	for (uint32_t i = 0; i < 100; i++)
		block_kit_block(&fixture->stream, 11 * i, (uint8_t)i, BLOCK);
	block_kit_written(&fixture->stream, 1200 * (uint64_t)BLOCK);
	start(fixture, "sleep 1.3", "");
	fixture->options.connections = 8;
	assert_runs(fixture);
	assert_int_equal(fixture->result.n_blocks, 100);
	for (unsigned i = 0; i < MAX_INDEX; i++)
		assert_int_equal(fixture->ebs.puts[i], i % 11 == 0 && i < 1100);
	/* before the first block, and at the end */
	assert_true(fixture->n_progress >= 2);
}

/* --- going on --- */

static void goes_on_from_the_record(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_state(fixture);

	assert_int_equal(upload_state_begin(upload, SNAPSHOT, false, 60, &fixture->err), 0);
	put_whole_image(fixture);
	start(fixture, "", "");
	fixture->options.connections = 2;
	fixture->ebs.rules[20] = (struct rule){ .status = 400, .code = "ValidationException", .times = ANY_TIME };
	assert_fails(fixture, ERROR_AWS, "block 20: ");
	upload_state_close(upload);
	unsigned before = 0;
	for (unsigned i = 0; i < MAX_INDEX; i++)
		before += fixture->ebs.puts[i];
	/* all before block 20, but for the one that was beside it */
	assert_in_range(before, 9, 19);

	memset(fixture->ebs.rules, 0, sizeof(fixture->ebs.rules));
	upload = open_state(fixture);
	assert_int_equal(upload_state_count(upload), before);
	start(fixture, "", "");
	assert_runs(fixture);
	assert_int_equal(fixture->result.n_blocks, IMAGE_BLOCKS);
	assert_int_equal(fixture->result.n_resumed, before);
	assert_image_sum(fixture);
	assert_int_equal(fixture->progress.written + fixture->progress.skipped, IMAGE_SIZE);
	assert_in_range(fixture->progress.written, 0, IMAGE_SIZE - before * (uint64_t)BLOCK);
	for (unsigned i = 0; i < MAX_INDEX; i++)
		assert_int_equal(fixture->ebs.puts[i], i == 40 || (i < 38 && i % 2 == 0));
	upload_state_close(upload);

	/* and all of it: nothing is sent again */
	upload = open_state(fixture);
	unsigned n_puts = fixture->ebs.n_puts;
	start(fixture, "", "");
	assert_runs(fixture);
	assert_int_equal(fixture->result.n_resumed, IMAGE_BLOCKS);
	assert_int_equal(fixture->result.most_at_once, 0);
	assert_int_equal(fixture->ebs.n_puts, n_puts);
	assert_image_sum(fixture);
	upload_state_remove(upload);
}

/* A block that is recorded with another digest is sent again: then it is as the image has it. */
static void another_digest_is_sent_again(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_state(fixture);
	const uint8_t wrong[SHA256_LEN] = { 1 };

	assert_int_equal(upload_state_begin(upload, SNAPSHOT, false, 60, &fixture->err), 0);
	assert_int_equal(upload_state_add(upload, 4, wrong, &fixture->err), 0);
	upload_state_close(upload);
	upload = open_state(fixture);
	put_whole_image(fixture);
	start(fixture, "", "");
	assert_runs(fixture);
	assert_int_equal(fixture->result.n_resumed, 0);
	assert_int_equal(fixture->ebs.puts[4], 1);
	upload_state_close(upload);
	upload = open_state(fixture);
	assert_false(upload_state_has(upload, 4, wrong));
	assert_int_equal(upload_state_count(upload), IMAGE_BLOCKS);
	upload_state_close(upload);
}

static void blocks_that_the_image_does_not_have(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_state(fixture);
	const uint8_t sum[SHA256_LEN] = { 1 };

	assert_int_equal(upload_state_begin(upload, SNAPSHOT, false, 60, &fixture->err), 0);
	assert_int_equal(upload_state_add(upload, 3, sum, &fixture->err), 0);
	upload_state_close(upload);
	upload = open_state(fixture);
	put_whole_image(fixture);
	start(fixture, "", "");
	assert_fails(fixture, ERROR_INTERNAL, "begins anew");
	assert_non_null(strstr(fixture->err.message, SNAPSHOT " has 1 blocks"));
	upload_state_close(upload);
}

/* The disk with the state is full: the upload goes on. */
static void what_cannot_be_recorded(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_state(fixture);
	struct rlimit before;

	assert_int_equal(upload_state_begin(upload, SNAPSHOT, false, 60, &fixture->err), 0);
	put_whole_image(fixture);
	start(fixture, "", "");
	fixture->log.fd = -1 - fixture->log.fd;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	const struct rlimit little = { 600, before.rlim_max };
	void (*was)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	int result = run(fixture);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, was);
	fixture->log.fd = -1 - fixture->log.fd;
	assert_int_equal(result, 0);
	assert_int_equal(fixture->result.n_blocks, IMAGE_BLOCKS);
	assert_image_sum(fixture);
	assert_int_equal(fixture->result.recording.kind, ERROR_IO);
	assert_non_null(strstr(fixture->result.recording.message, ".upload"));
	upload_state_close(upload);
	/* what was recorded before counts */
	upload = open_state(fixture);
	assert_in_range(upload_state_count(upload), 0, 8);
	upload_state_close(upload);
}

/* --- the end by failure --- */

static void the_first_failure_ends_it(void **state)
{
	struct fixture *fixture = *state;

	put_whole_image(fixture);
	start(fixture, "", "");
	fixture->options.connections = 4;
	for (unsigned i = 0; i < 3; i++)
		fixture->ebs.rules[2 * i] = (struct rule){ .times = ANY_TIME, .hang = true };
	/* the others are on their way, and would be for ever */
	fixture->ebs.rules[6] = (struct rule){ .status = 403, .code = "AccessDeniedException", .times = ANY_TIME, .wait_for = 3 };
	assert_fails(fixture, ERROR_AWS, "block 6: ");
	assert_non_null(strstr(fixture->err.message, "ebs:PutSnapshotBlock"));
	assert_string_equal(fixture->err.aws_code, "AccessDeniedException");
	assert_int_equal(fixture->ebs.cut_off, 3);
	assert_int_equal(fixture->ebs.n_puts, 4);
	assert_false(cancel_raised(&fixture->cancel));
	char text[20000] = "";
	assert_true(pread(fixture->log.fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "code=cancelled"));
}

static void a_failure_while_the_child_is_silent(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->stream, 0, 0);
	put_image(fixture, 0, 3);
	start(fixture, "", "exec sleep 1000");
	fixture->ebs.rules[4] = (struct rule){ .status = 403, .code = "AccessDeniedException", .times = 1 };
	assert_fails(fixture, ERROR_AWS, "block 4: ");
}

static void a_signal_cuts_all_off(void **state)
{
	struct fixture *fixture = *state;

	put_whole_image(fixture);
	start(fixture, "", "");
	fixture->options.connections = 3;
	for (unsigned i = 0; i < 2; i++)
		fixture->ebs.rules[2 * i] = (struct rule){ .times = ANY_TIME, .hang = true };
	fixture->ebs.rules[4] = (struct rule){ .times = 1, .signal = true, .wait_for = 2 };
	assert_fails(fixture, ERROR_CANCELLED, "stopped by signal 15");
	assert_int_equal(fixture->ebs.cut_off, 3);
	assert_true(cancel_raised(&fixture->cancel));
	assert_null(strstr(fixture->err.message, "block"));
}

static void a_signal_before_it_begins(void **state)
{
	struct fixture *fixture = *state;

	put_whole_image(fixture);
	start(fixture, "", "");
	cancel_raise(&fixture->cancel, SIGINT);
	assert_fails(fixture, ERROR_CANCELLED, "stopped by signal 2");
	assert_int_equal(fixture->ebs.n_puts, 0);
}

static void a_signal_while_the_child_is_silent(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->stream, 0, 0);
	put_image(fixture, 0, 1);
	start(fixture, "", "exec sleep 1000");
	fixture->ebs.rules[0] = (struct rule){ .times = 1, .signal = true };
	assert_fails(fixture, ERROR_CANCELLED, "stopped by signal 15");
}

/* All is read, and one block hangs. */
static void a_signal_while_the_last_ones_are_on_their_way(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->stream, 0, 0);
	put_image(fixture, 0, 2);
	block_kit_written(&fixture->stream, 3 * (uint64_t)BLOCK);
	start(fixture, "", "");
	fixture->ebs.rules[0] = (struct rule){ .times = 1, .hang = true };
	fixture->ebs.rules[2] = (struct rule){ .times = 1, .late_signal = true, .wait_for = 1 };
	assert_fails(fixture, ERROR_CANCELLED, "stopped by signal 15");
	assert_int_equal(fixture->ebs.cut_off, 2);
}

/* All blocks may be there: what counts is that the image was good to its end. */
static void the_image_is_bad_at_its_end(void **state)
{
	struct fixture *fixture = *state;

	block_kit_progress(&fixture->stream, 0, IMAGE_SIZE);
	put_image(fixture, 0, IMAGE_BLOCKS);
	block_kit_message(&fixture->stream, "{\"error\":{\"type\":\"image\",\"message\":\"the checksum is wrong\"}}");
	start(fixture, "", "");
	assert_fails(fixture, ERROR_IMAGE, "/images/one.tgz: onhost: the checksum is wrong");

	buf_reset(&fixture->stream);
	block_kit_progress(&fixture->stream, 0, IMAGE_SIZE);
	put_image(fixture, 0, IMAGE_BLOCKS);
	start(fixture, "", "exit 9");
	assert_fails(fixture, ERROR_IO, "/images/one.tgz: onhost exited with status 9");
}

/* --- what passes --- */

static void a_block_that_fails_and_then_does_not(void **state)
{
	struct fixture *fixture = *state;

	put_whole_image(fixture);
	start(fixture, "", "");
	fixture->ebs.rules[8] = (struct rule){ .status = 500, .code = "InternalServerException", .times = 2 };
	fixture->ebs.rules[36] = (struct rule){ .status = 503, .code = "ServiceUnavailable", .times = 1 };
	assert_runs(fixture);
	assert_int_equal(fixture->ebs.n_puts, IMAGE_BLOCKS + 3);
	assert_image_sum(fixture);
}

static void throttling_is_counted_and_slows_down(void **state)
{
	struct fixture *fixture = *state;

	put_whole_image(fixture);
	start(fixture, "", "");
	fixture->options.connections = 4;
	for (unsigned i = 0; i < MAX_INDEX; i++)
		fixture->ebs.rules[i] = (struct rule){ .status = 400, .code = "RequestThrottledException", .times = 1 };
	assert_runs(fixture);
	assert_int_equal(fixture->result.throttled, IMAGE_BLOCKS);
	assert_int_equal(fixture->ebs.most_late, 1);
	assert_image_sum(fixture);
}

static void not_known_everywhere_yet(void **state)
{
	struct fixture *fixture = *state;
	const struct rule unknown = { .status = 404, .code = "ResourceNotFoundException", .times = 3 };

	put_whole_image(fixture);
	start(fixture, "", "");
	fixture->options.just_started = true;
	fixture->options.connections = 4;
	fixture->ebs.rules[0] = fixture->ebs.rules[20] = unknown;
	assert_runs(fixture);
	assert_int_equal(fixture->ebs.n_puts, IMAGE_BLOCKS + 6);
	assert_image_sum(fixture);
	/* one that is older is gone */
	start(fixture, "", "");
	fixture->options.just_started = false;
	fixture->ebs.rules[0] = unknown;
	assert_fails(fixture, ERROR_AWS, "block 0: ");
	assert_string_equal(fixture->err.aws_code, "ResourceNotFoundException");
	assert_int_equal(fixture->ebs.rules[0].times, 2);
}

/* Memory that is not there is a failure that says so, or one buffer less. */
static void out_of_memory(void **state)
{
	struct fixture *fixture = *state;

	fixture->options.connections = 1;
	for (long allowed = 0; allowed < 6; allowed++) {
		put_whole_image(fixture);
		start(fixture, "", "");
		uint64_t size;
		assert_int_equal(image_blocks_size(fixture->blocks, &size, &fixture->err), 0);
		fail_alloc_after(allowed);
		int result = run(fixture);
		assert_true(fail_alloc_off());
		assert_int_equal(result, -1);
		assert_non_null(strstr(fixture->err.message, "out of memory"));
		assert_int_equal(fixture->err.kind, ERROR_NOMEM);
	}
}

#define UPLOADER_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UPLOADER_TEST(the_whole_image),
		UPLOADER_TEST(side_by_side),
		UPLOADER_TEST(an_empty_end_and_no_size),
		UPLOADER_TEST(a_larger_one),
		UPLOADER_TEST(goes_on_from_the_record),
		UPLOADER_TEST(another_digest_is_sent_again),
		UPLOADER_TEST(blocks_that_the_image_does_not_have),
		UPLOADER_TEST(what_cannot_be_recorded),
		UPLOADER_TEST(the_first_failure_ends_it),
		UPLOADER_TEST(a_failure_while_the_child_is_silent),
		UPLOADER_TEST(a_signal_cuts_all_off),
		UPLOADER_TEST(a_signal_before_it_begins),
		UPLOADER_TEST(a_signal_while_the_child_is_silent),
		UPLOADER_TEST(a_signal_while_the_last_ones_are_on_their_way),
		UPLOADER_TEST(the_image_is_bad_at_its_end),
		UPLOADER_TEST(a_block_that_fails_and_then_does_not),
		UPLOADER_TEST(throttling_is_counted_and_slows_down),
		UPLOADER_TEST(not_known_everywhere_yet),
		UPLOADER_TEST(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
