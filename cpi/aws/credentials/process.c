/* SPDX-License-Identifier: Apache-2.0 */
/* A profile's credential_process: a program that prints credentials as JSON. It is run without a shell, with our
 * environment and without any input. What it prints, on either stream, and its arguments never get into a message.
 * Fact: "Process credential provider", AWS SDKs and Tools Reference Guide. */
#include <stdio.h>

#include "common/log.h"
#include "common/process.h"
#include "cpi/aws/credentials/credentials.h"
#include "cpi/aws/credentials/document.h"
#include "cpi/aws/credentials/shell_words.h"

#define KEY "credential_process"
#define MAX_OUTPUT ((size_t)64 * 1024)
#define TIMEOUT_MS 60000 /* some ask a person, by way of a browser */

/* One run. */
struct run {
	const struct credentials_context *context;
	const char *whose; /* "credential_process of profile dev of /home/me/.aws/config" */
	char **argv;
};

static int failed(const struct run *run, const struct process_result *result, struct error *err)
{
	char how[100];

	process_describe(result->status, how, sizeof(how));
	return error_set(err, ERROR_CONFIG, "%s: %s %s%s; run it by hand, as this user, to see why", run->whose,
			 run->argv[0], how, result->error_bytes == 0 ? "" :
			 " and wrote to its standard error what is not repeated here, as it may hold secrets");
}

static int not_run(const struct run *run, struct error *err, const struct error *failure)
{
	if (failure->kind == ERROR_TIMEOUT)
		return error_set(err, ERROR_TIMEOUT, "%s: %s has not ended within %d s and was stopped: does it wait for "
				 "input? It gets none here", run->whose, run->argv[0], TIMEOUT_MS / 1000);
	if (failure->kind == ERROR_TOO_BIG)
		return error_set(err, ERROR_CONFIG, "%s: %s prints more than %zu bytes: that are no credentials",
				 run->whose, run->argv[0], MAX_OUTPUT);
	if (err != NULL)
		*err = *failure;
	return failure->kind == ERROR_CANCELLED ? -1 : error_prefix(err, "%s", run->whose);
}

static int read_output(const struct run *run, const struct buf *out, struct credentials *ret_credentials,
		       struct error *err)
{
	const struct document document = {
		.whose = run->whose,
		.id = "AccessKeyId",
		.secret = "SecretAccessKey",
		.token = "SessionToken",
		.expiration = "Expiration",
		.account = "AccountId",
		.lasting = true,
	};
	const struct json *root;
	int64_t version = 0;

	if (json_parse(run->context->arena, buf_text(out), out->len, MAX_OUTPUT, &root, err) != 0) {
		if (err != NULL && err->kind == ERROR_INVALID)
			err->kind = ERROR_CONFIG;
		return error_prefix(err, "%s: what it prints", run->whose);
	}
	if (!json_int(json_get(root, "Version"), &version) || version != 1)
		return error_set(err, ERROR_CONFIG, "%s: what it prints must be a JSON object with \"Version\": 1, which "
				 "is the only one there is", run->whose);
	return document_read(run->context, root, &document, ret_credentials, err);
}

static int run_it(const struct run *run, struct credentials *ret_credentials, struct error *err)
{
	const struct runtime *runtime = run->context->runtime;
	struct buf out CLEANUP_BUF = BUF_INIT(MAX_OUTPUT);
	struct process_result result;
	struct error failure = { 0 };

	log_debug(runtime->log, "running %s, the %s", run->argv[0], run->whose);
	if (process_run(run->argv, NULL, runtime->clock, runtime->cancel, TIMEOUT_MS, &out, &result, &failure) != 0)
		return not_run(run, err, &failure);
	if (result.status != 0)
		return failed(run, &result, err);
	return read_output(run, &out, ret_credentials, err);
}

static int absent(enum credentials_found *ret_found, char *why, size_t why_size, const char *profile)
{
	snprintf(why, why_size, "no " KEY "%s%s", profile == NULL ? "" : " in profile ", profile == NULL ? "" : profile);
	*ret_found = CREDENTIALS_ABSENT;
	return 0;
}

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	struct credentials credentials = { 0 };
	struct run run = { .context = context };
	size_t count;

	if (context->profiles == NULL)
		return absent(ret_found, why, why_size, NULL);
	const char *command = profiles_get(context->profiles, context->profile, KEY);
	if (command == NULL)
		return absent(ret_found, why, why_size, context->profile);
	const char *where = profiles_where(context->profiles, context->profile, context->arena);
	run.whose = where == NULL ? NULL : arena_printf(context->arena, KEY " of %s", where);
	if (run.whose == NULL)
		return error_nomem(err);
	if (shell_words_split(command, context->arena, &run.argv, &count, err) != 0)
		return error_prefix(err, "%s", run.whose);
	if (run_it(&run, &credentials, err) != 0)
		return -1;
	const char *account = profiles_get(context->profiles, context->profile, "aws_account_id");
	if (credentials.account == NULL && account != NULL) {
		credentials.account = arena_strdup(context->arena, account);
		if (credentials.account == NULL)
			return error_nomem(err);
	}
	*ret_credentials = credentials;
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}

const struct credentials_source credentials_process = { "credential_process", load };
