/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_aws.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t monotonic_ms(void *self)
{
	struct fake_aws *fake = self;

	pthread_mutex_lock(&fake->lock);
	int64_t now = fake->now_ms;
	pthread_mutex_unlock(&fake->lock);
	return now;
}

static int64_t wall_us(void *self)
{
	return FAKE_NOW * 1000000 + monotonic_ms(self) * 1000;
}

static int sleep_ms(void *self, int64_t ms, const struct cancel *cancel, struct error *err)
{
	struct fake_aws *fake = self;

	if (cancel_check(cancel, err) != 0)
		return -1;
	pthread_mutex_lock(&fake->lock);
	fake->now_ms += ms;
	pthread_mutex_unlock(&fake->lock);
	return 0;
}

static char *copy(const char *text)
{
	return text == NULL ? NULL : strdup(text);
}

static const char *header_of(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	}
	return NULL;
}

static char *head_of(const struct http_request *request)
{
	char *head = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&head, &size);

	assert_non_null(out);
	fprintf(out, "%s %s\n", request->method, request->url);
	for (size_t i = 0; i < request->n_headers; i++)
		fprintf(out, "%s: %s\n", request->headers[i].name, request->headers[i].value);
	assert_int_equal(fclose(out), 0);
	return head;
}

static void record(struct fake_aws *fake, const struct http_request *request)
{
	unsigned i = fake->n_requests++;

	assert_true(i < FAKE_MAX);
	fake->bodies[i] = strndup(request->body == NULL ? "" : request->body, request->body_len);
	fake->authorizations[i] = copy(header_of(request, "Authorization"));
	fake->dates[i] = copy(header_of(request, "X-Amz-Date"));
	fake->heads[i] = head_of(request);
	fake->body_lens[i] = request->body_len;
	free(fake->url);
	fake->url = copy(request->url);
	fake->times[i] = fake->now_ms;
}

static int answer(const struct fake_answer *script, struct arena *arena, struct http_response *ret_response)
{
	struct http_header *headers = arena_array(arena, 4, sizeof(*headers));
	size_t count = 0;

	if (script->date != NULL)
		headers[count++] = (struct http_header){ "Date", script->date };
	if (script->retry_after != NULL)
		headers[count++] = (struct http_header){ "Retry-After", script->retry_after };
	if (script->request_id != NULL)
		headers[count++] = (struct http_header){ "x-amzn-RequestId", script->request_id };
	if (script->header.name != NULL)
		headers[count++] = script->header;
	const char *body = script->body == NULL ? "" : script->body;
	*ret_response = (struct http_response){
		.status = script->status == 0 ? 200 : script->status,
		.headers = headers,
		.n_headers = count,
		.body = body,
		.body_len = strlen(body),
	};
	return 0;
}

static int fail_as(struct error *err, enum error_kind kind, bool retryable, const char *message)
{
	error_set(err, kind, "%s", message);
	err->retryable = retryable;
	return -1;
}

static bool is_action(const struct fake_aws *fake, unsigned number, const char *action)
{
	const char *body = fake->bodies[number];
	char start[100];

	if (strchr(action, ' ') != NULL)
		return strncmp(fake->heads[number], action, strlen(action)) == 0;
	snprintf(start, sizeof(start), "Action=%s&Version=", action);
	return strncmp(body, start, strlen(start)) == 0;
}

static unsigned first_unused(const struct fake_aws *fake, unsigned number)
{
	unsigned i = 0;

	while (i < fake->n_script && (fake->used[i] || (fake->script[i].action != NULL &&
							!is_action(fake, number, fake->script[i].action))))
		i++;
	return i;
}

static const struct fake_answer *next_answer(struct fake_aws *fake, const struct http_request *request)
{
	unsigned number = fake->n_requests;

	record(fake, request);
	const char *body = fake->bodies[number];
	unsigned i = fake->any_order ? first_unused(fake, number) : number;
	if (i >= fake->n_script && !(fake->repeat_last && fake->n_script > 0))
		fail_msg("request %u is beyond the script: %s", number, body);
	if (i >= fake->n_script)
		i = fake->n_script - 1;
	fake->used[i] = true;
	if (fake->script[i].action != NULL && !is_action(fake, number, fake->script[i].action))
		fail_msg("request %u is not %s: %s", number, fake->script[i].action, body);
	fake->now_ms += 1;
	return &fake->script[i];
}

static int perform(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		   struct http_response *ret_response, struct error *err)
{
	struct fake_aws *fake = self;

	pthread_mutex_lock(&fake->lock);
	const struct fake_answer *script = next_answer(fake, request);
	if (script->way == FAKE_HANG)
		fake->now_ms += request->timeout_ms;
	pthread_mutex_unlock(&fake->lock);
	switch (script->way) {
	case FAKE_REFUSED:
		return fail_as(err, ERROR_NETWORK, true, "connection refused");
	case FAKE_CUT:
		return fail_as(err, ERROR_NETWORK, true, "the answer ended too early");
	case FAKE_HANG:
		return fail_as(err, ERROR_TIMEOUT, true, "no answer in time");
	case FAKE_TLS:
		return fail_as(err, ERROR_NETWORK, false, "the certificate is not trusted");
	case FAKE_SIGNAL:
		cancel_raise(&fake->cancel, SIGTERM);
		return cancel_check(cancel, err);
	default:
		return answer(script, arena, ret_response);
	}
}

static void no_close(void *self)
{
	(void)self;
}

void fake_aws_open(struct fake_aws *fake)
{
	*fake = (struct fake_aws){ 0 };
	/* what is learnt of throttling stays in the test */
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", "/dev/null/nowhere", 0), 0);
	pthread_mutex_init(&fake->lock, NULL);
	fake->clock = (struct clock){
		.monotonic_ms = monotonic_ms,
		.wall_us = wall_us,
		.sleep_ms = sleep_ms,
		.self = fake,
		.scale = 1.0,
	};
	fake->http = (struct http_transport){ .perform = perform, .close = no_close, .self = fake };
	log_init(&fake->log, memfd_create("log", MFD_CLOEXEC), LOG_LEVEL_DEBUG, &fake->clock);
	assert_int_equal(cancel_open(&fake->cancel, NULL), 0);
	fake->runtime = (struct runtime){ &fake->log, &fake->clock, &fake->cancel, &fake->http };
	fake->settings = (struct aws_settings){
		.region = "eu-west-1",
		.credentials_source = "static",
		.access_key_id = "AKIDEXAMPLE",
		.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
		.max_retries = 2,
	};
	assert_int_equal(aws_client_new(&fake->runtime, &fake->settings, &fake->client, NULL), 0);
	fake->ec2.aws = fake->client;
}

void fake_aws_close(struct fake_aws *fake)
{
	if (!fake->repeat_last)
		assert_int_equal(fake->n_requests, fake->n_script);
	for (unsigned i = 0; i < fake->n_requests; i++) {
		free(fake->bodies[i]);
		free(fake->authorizations[i]);
		free(fake->dates[i]);
		free(fake->heads[i]);
	}
	free(fake->url);
	aws_client_free(fake->client);
	assert_int_equal(fake->log.n_secrets, 0);
	cancel_close(&fake->cancel);
	close(fake->log.fd);
	pthread_mutex_destroy(&fake->lock);
}

void fake_aws_script(struct fake_aws *fake, struct fake_answer next)
{
	assert_true(fake->n_script < FAKE_MAX);
	fake->script[fake->n_script++] = next;
}

const char *fake_aws_error(const char *code, const char *message)
{
	static char texts[FAKE_MAX][512];
	static unsigned n_texts;
	char *text = texts[n_texts++ % FAKE_MAX];

	snprintf(text, sizeof(texts[0]),
		 "<?xml version=\"1.0\" "
		 "encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>%s</Code><Message>%s</Message>"
		 "</Error></Errors><RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>",
		 code, message);
	return text;
}

bool fake_aws_sent(const struct fake_aws *fake, unsigned i, const char *parameter)
{
	char wanted[512];
	char with_end[4096];

	assert_true(i < fake->n_requests);
	snprintf(wanted, sizeof(wanted), "&%s&", parameter);
	snprintf(with_end, sizeof(with_end), "&%s&", fake->bodies[i]);
	return strstr(with_end, wanted) != NULL;
}

unsigned fake_aws_find(const struct fake_aws *fake, const char *action, unsigned nth)
{
	for (unsigned i = 0; i < fake->n_requests; i++) {
		if (is_action(fake, i, action) && nth-- == 0)
			return i;
	}
	fail_msg("no such request: %s", action);
	return 0;
}

void fake_aws_log(const struct fake_aws *fake, char *text, size_t size)
{
	ssize_t len = pread(fake->log.fd, text, size - 1, 0);

	assert_true(len >= 0);
	text[len] = '\0';
}
