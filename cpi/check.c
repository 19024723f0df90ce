/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/check.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/http.h"
#include "common/io.h"
#include "common/json_write.h"
#include "common/parse.h"
#include "cpi/aws/client.h"
#include "cpi/builder/builder.h"
#include "cpi/ec2/volumes.h"

#define MAX_FINDINGS 16
#define OUTPUT_MAX ((size_t)256 * 1024)
#define PROBE_TIMEOUT_MS 10000
#define PROBE_MAX_BYTES ((size_t)1024 * 1024)
/* AWS refuses signatures that are more than five minutes off */
#define MAX_SKEW_S 240

struct finding {
	const char *name;
	const char *text;
	const char *advice; /* NULL: all is well */
};

struct check {
	struct setup *setup;
	struct finding findings[MAX_FINDINGS];
	size_t n_findings;
	bool out_of_memory;
};

static void add(struct check *check, const char *name, const char *advice, const char *text)
{
	/* redaction may make a text longer */
	size_t size = text == NULL ? 0 : strlen(text) * 2 + 64;
	char *copy = text == NULL ? NULL : arena_alloc(check->setup->arena, size);

	if (copy == NULL || check->n_findings == MAX_FINDINGS) {
		check->out_of_memory = true;
		return;
	}
	memcpy(copy, text, strlen(text) + 1);
	log_redact(check->setup->runtime->log, copy, size);
	check->findings[check->n_findings++] =
		(struct finding){ .name = name, .text = copy, .advice = advice };
}

/* --- the single checks --- */

static int check_configuration(struct check *check, const char *path)
{
	struct error why;

	if (setup_config(check->setup, path, NULL, &why) != 0 || setup_aws(check->setup, &why) != 0) {
		add(check, "configuration",
		    "correct what is named; the other checks need a right configuration first", why.message);
		return -1;
	}
	add(check, "configuration", NULL,
	    path == NULL ? "no file: region and credentials come from the environment" :
			   arena_printf(check->setup->arena, "%s is valid", path));
	return 0;
}

static const char *credentials_advice(const struct config *config)
{
	if (strcmp(config->aws.credentials_source, "static") == 0)
		return "set aws.access_key_id and aws.secret_access_key, or aws.credentials_source to env_or_profile";
	return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where cpi runs, or give the machine a role";
}

static int check_credentials(struct check *check)
{
	const char *id, *source;
	struct error why;

	if (aws_client_identity(check->setup->aws, &id, &source, &why) != 0) {
		add(check, "credentials", credentials_advice(&check->setup->config), why.message);
		return -1;
	}
	size_t len = strlen(id);
	const char *shown = len <= 8 ? id : id + len - 4;
	add(check, "credentials", NULL,
	    arena_printf(check->setup->arena, "found in %s: access key %s%s", source, len <= 8 ? "" : "…", shown));
	return 0;
}

static void check_region(struct check *check)
{
	const char *region = check->setup->config.aws.region;

	add(check, "region", NULL, region == NULL ? "not set: both endpoints are, so it is not needed" : region);
}

static void check_clock(struct check *check, const struct http_response *response)
{
	const struct clock *clock = check->setup->runtime->clock;
	const char *date = http_header_value(response, "Date");
	int64_t there;

	if (date == NULL || !parse_http_date(date, &there))
		return;
	long long off = (long long)(clock->wall_us(clock->self) / 1000000 - there);
	const char *text = off == 0 ? "agrees with the endpoint's" :
				      arena_printf(check->setup->arena, "%lld s %s the endpoint's", off < 0 ? -off : off,
						   off < 0 ? "behind" : "ahead of");
	bool wrong = off > MAX_SKEW_S || off < -MAX_SKEW_S;
	add(check, "clock",
	    wrong ? "set this machine's clock (NTP): AWS refuses calls that are over five minutes off" : NULL, text);
}

/* An unsigned request: whatever is answered shows that name, way, proxy and certificate are right. */
static int check_endpoint(struct check *check)
{
	struct http_response response;
	struct error why;
	const char *url;

	if (aws_client_endpoint(check->setup->aws, "ec2", check->setup->arena, &url, &why) != 0) {
		add(check, "endpoint", "set aws.region or aws.ec2_endpoint", why.message);
		return -1;
	}
	struct http_request request = {
		.method = "GET",
		.url = url,
		.max_answer = PROBE_MAX_BYTES,
		.connect_timeout_ms = PROBE_TIMEOUT_MS,
		.timeout_ms = PROBE_TIMEOUT_MS,
		.ca_file = check->setup->config.aws.ca_file,
	};
	struct runtime *runtime = check->setup->runtime;
	if (runtime->http->perform(runtime->http->self, &request, runtime->cancel, check->setup->arena, &response,
				   &why) != 0) {
		(void)error_prefix(&why, "%s does not answer", url);
		add(check, "endpoint",
		    "check region and endpoint, name resolution, proxy variables, and the CA file (BOSH_CA_CERT_FILE, "
		    "AWS_CA_BUNDLE)",
		    why.message);
		return -1;
	}
	add(check, "endpoint", NULL, arena_printf(check->setup->arena, "%s answers", url));
	check_clock(check, &response);
	return 0;
}

static const char *call_advice(const struct error *why)
{
	static const struct {
		const char *code;
		const char *advice;
	} by_code[] = {
		{ "UnauthorizedOperation", "give the user or role the CPI's policy; ec2:DescribeVolumes is missing" },
		{ "AuthFailure", "the access key is unknown or its secret is wrong: check both, and the region" },
		{ "SignatureDoesNotMatch", "the secret access key is wrong" },
		{ "InvalidClientTokenId", "the access key is unknown: check it, and the region" },
		{ "RequestExpired", "set this machine's clock, or renew the session token" },
		{ "ExpiredToken", "renew the session token" },
		{ "OptInRequired", "enable the region for the account" },
	};

	for (size_t i = 0; i < sizeof(by_code) / sizeof(by_code[0]); i++) {
		if (strcmp(by_code[i].code, why->aws_code) == 0)
			return by_code[i].advice;
	}
	return "see the message; with CPI_LOG_LEVEL=debug the log says more";
}

/* A filter that nothing matches: the cheapest answer, and never an error for an id that is not there. */
static void check_call(struct check *check)
{
	static const char *const none[] = { "vol-00000000000000000" };
	static const struct ec2_filter filter = { .name = "volume-id", .values = none, .n_values = 1 };
	const struct ec2_filters filters = { .items = &filter, .count = 1 };
	struct volume *volumes;
	size_t count;
	struct error why;

	if (volume_describe(&check->setup->ec2, check->setup->arena, (struct ec2_ids){ 0 }, filters, &volumes, &count,
			    &why) != 0)
		add(check, "EC2", call_advice(&why), why.message);
	else
		add(check, "EC2", NULL, "DescribeVolumes works");
}

static void check_builder(struct check *check)
{
	const struct setup *setup = check->setup;
	struct builder *builder = NULL;
	struct builder_place place;
	struct error why;

	if (builder_open(setup->runtime, &setup->config, setup->arena, &builder, &place, &why) != 0)
		add(check, "builder",
		    "heavy stemcells need it, light ones do not: run cpi on an EC2 instance of the region, with onhost "
		    "beside it (or aws.stemcell.onhost_path) and the right to start it as root",
		    why.message);
	else
		add(check, "builder", NULL,
		    arena_printf(setup->arena, "%s: onhost %s answers, on %s in %s", place.how, place.release,
				 place.instance_id, place.availability_zone));
	builder_close(builder);
}

static int check_all(struct check *check, const char *path)
{
	if (check_configuration(check, path) != 0)
		return check->out_of_memory ? -1 : 0;
	check_region(check);
	bool has_credentials = check_credentials(check) == 0;
	bool has_endpoint = check_endpoint(check) == 0;
	if (has_credentials && has_endpoint)
		check_call(check);
	check_builder(check);
	return check->out_of_memory ? -1 : 0;
}

/* --- telling --- */

static bool is_fine(const struct check *check)
{
	for (size_t i = 0; i < check->n_findings; i++) {
		if (check->findings[i].advice != NULL)
			return false;
	}
	return true;
}

static void write_json(const struct check *check, struct buf *out)
{
	struct json_writer writer;

	json_writer_init(&writer, out);
	json_begin_object(&writer);
	json_member_boolean(&writer, "ok", is_fine(check));
	json_key(&writer, "checks");
	json_begin_array(&writer);
	for (size_t i = 0; i < check->n_findings; i++) {
		const struct finding *finding = &check->findings[i];
		json_begin_object(&writer);
		json_member_string(&writer, "name", finding->name);
		json_member_boolean(&writer, "ok", finding->advice == NULL);
		json_member_string(&writer, "text", finding->text);
		json_member_string(&writer, "advice", finding->advice);
		json_end_object(&writer);
	}
	json_end_array(&writer);
	json_end_object(&writer);
	buf_char(out, '\n');
}

/* A text may repeat foreign bytes: none of them may move a terminal's cursor. */
static void put_line(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_char(out, (unsigned char)*text < 0x20 || *text == 0x7F ? ' ' : *text);
}

static void write_lines(const struct check *check, bool terminal, struct buf *out)
{
	for (size_t i = 0; i < check->n_findings; i++) {
		const struct finding *finding = &check->findings[i];
		bool fine = finding->advice == NULL;
		if (terminal)
			buf_str(out, fine ? "\033[32m✔\033[0m " : "\033[31m✘\033[0m ");
		else
			buf_str(out, fine ? "ok    " : "WRONG ");
		buf_printf(out, "%s: ", finding->name);
		put_line(out, finding->text);
		if (!fine)
			buf_printf(out, "\n%sto do: %s", terminal ? "  " : "      ", finding->advice);
		buf_char(out, '\n');
	}
}

int check_run(struct setup *setup, const struct check_options *options, bool *ret_fine, struct error *err)
{
	CLEANUP_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct check check = { .setup = setup };

	if (check_all(&check, options->config_path) != 0)
		return error_nomem(err);
	if (options->json)
		write_json(&check, &out);
	else
		write_lines(&check, options->terminal, &out);
	if (buf_check(&out, "the list of findings", err) != 0 ||
	    io_write_all(options->out_fd, out.data, out.len, "standard output", err) != 0)
		return -1;
	*ret_fine = is_fine(&check);
	return 0;
}
