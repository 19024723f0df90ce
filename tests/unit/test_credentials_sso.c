/* SPDX-License-Identifier: Apache-2.0 */
/* Logins by IAM Identity Center: what the files say, the cached token and its refreshing, and the role's credentials, all against a
 * real server. The tokens' file names are SHA-1 sums made by another program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/source_kit.h"

#define SOURCE &credentials_sso
#define START_URL "https://acme.awsapps.com/start"
#define CACHE ".aws/sso/cache/"
#define OF_SESSION CACHE "0ad374308c5a4e22f723adf10145eafad7c4031c.json"
#define OF_URL CACHE "40169cea58ca6cbf23fb27b2542923fb5f524af0.json"
#define LOGIN "run `aws sso login --profile dev`"

#define ROLE "sso_account_id = 123456789012\nsso_role_name = Some/Role+1\n"
#define SESSION "[sso-session my-sso]\nsso_region = us-east-1\nsso_start_url = " START_URL "\n"
#define PROFILE "[profile dev]\nsso_session = my-sso\n" ROLE SESSION
#define OLDER "[profile dev]\nsso_region = us-east-1\nsso_start_url = " START_URL "\n" ROLE

#define TOKEN(expires_at)                                                                                              \
	"{\"startUrl\": \"" START_URL "\", \"region\": \"us-east-1\", \"accessToken\": \"hush-access\", \"expiresAt\": \"" \
	expires_at "\", \"clientId\": \"client\", \"clientSecret\": \"hush-client\", \"registrationExpiresAt\": " \
	"\"2026-03-01T00:00:00Z\", \"refreshToken\": \"hush-refresh\"}"
#define NEW_TOKEN                                                                                                      \
	"{\"accessToken\":\"hush-new-access\",\"expiresIn\":28800,\"refreshToken\":\"hush-new-refresh\",\"tokenType\":" \
	"\"Bearer\"}"
/* an hour from now */
#define CREDENTIALS                                                                                                    \
	"{\"roleCredentials\":{\"accessKeyId\":\"ASIASSO\",\"secretAccessKey\":\"hush/+secret\",\"sessionToken\":" \
	"\"hush-token\",\"expiration\":1767229200123}}"

static void script(struct source_kit *kit, struct source_answer answer)
{
	source_kit_script(kit, answer);
	setenv("AWS_ENDPOINT_URL_SSO", http_server_url(kit->server, ""), 1);
	setenv("AWS_ENDPOINT_URL_SSO_OIDC", http_server_url(kit->server, "/oidc"), 1);
}

static void expect_loaded(struct source_kit *kit)
{
	source_kit_expect_loaded(kit, SOURCE, "ASIASSO", "hush/+secret", "hush-token");
}

static void expect_request(struct source_kit *kit, unsigned number, const char *words)
{
	if (strstr(source_kit_request(kit, number), words) == NULL)
		fail_msg("'%s' is not in: %s", words, source_kit_request(kit, number));
}

/* --- the profile -------------------------------------------------------------------------------------------------- */

static void right(void **state)
{
	struct source_kit *kit = *state;

	source_kit_file(kit, ".aws/config", PROFILE);
	source_kit_file(kit, OF_SESSION, "%s", TOKEN("2026-01-01T00:15:00Z"));
	script(kit, (struct source_answer){ .body = CREDENTIALS });
	expect_loaded(kit);
	assert_int_equal(kit->credentials.expires_at, SOURCE_NOW + 3600);
	assert_string_equal(kit->credentials.account, "123456789012");
	assert_int_equal(source_kit_requests(kit), 1);
	expect_request(kit, 0, "GET /federation/credentials?role_name=Some%2FRole%2B1&account_id=123456789012 HTTP/1.1\r\n");
	expect_request(kit, 0, "\r\nx-amz-sso_bearer_token: hush-access\r\n");
	assert_null(strstr(source_kit_request(kit, 0), "Authorization"));
}

static void the_older_form(void **state)
{
	struct source_kit *kit = *state;

	source_kit_file(kit, ".aws/config", OLDER);
	/* as the AWS CLI once wrote times; and not refreshed before its end */
	source_kit_file(kit, OF_URL, "{\"startUrl\":\"" START_URL "\",\"region\":\"us-east-1\",\"accessToken\":"
			"\"hush-access\",\"expiresAt\":\"2026-01-01T00:00:01UTC\"}");
	script(kit, (struct source_answer){ .body = CREDENTIALS });
	expect_loaded(kit);
	expect_request(kit, 0, "\r\nx-amz-sso_bearer_token: hush-access\r\n");
	source_kit_file(kit, OF_URL, "%s", TOKEN("2026-01-01T00:00:00Z"));
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "the login has expired (a login without sso_session cannot be "
				"refreshed): " LOGIN);
	assert_int_equal(source_kit_requests(kit), 1);
}

static void absent(void **state)
{
	struct source_kit *kit = *state;

	source_kit_expect_absent(kit, SOURCE, "no sso_account_id and no sso_role_name in profile dev");
	source_kit_file(kit, ".aws/config", "[profile dev]\nsso_session = my-sso\n" SESSION);
	source_kit_expect_absent(kit, SOURCE, "no sso_account_id and no sso_role_name in profile dev");
	kit->context.profiles = NULL;
	source_kit_expect_absent(kit, SOURCE, "no sso_account_id");
}

static void incomplete(void **state)
{
	static const char *const rows[][2] = {
		{ "[profile dev]\nsso_role_name = r\n", "sso_account_id is missing: add it" },
		{ "[profile dev]\nsso_account_id = 1\n", "sso_role_name is missing: add it" },
		{ "[profile dev]\n" ROLE, "sso_start_url is missing" },
		{ "[profile dev]\n" ROLE "sso_start_url = x\n", "sso_region is missing" },
		{ "[profile dev]\nsso_session = none\n" ROLE, "there is no section [sso-session none]" },
		{ "[profile dev]\nsso_session = s\n" ROLE "[sso-session s]\nsso_start_url = x\n",
		  "sso_region is missing there and in its sso_session" },
		{ "[profile dev]\nsso_session = s\nsso_region = us-west-2\n" ROLE "[sso-session s]\nsso_start_url = x\n"
		  "sso_region = us-east-1\n", "different values for sso_region" },
		{ "[profile dev]\nsso_session = s\nsso_start_url = y\n" ROLE "[sso-session s]\nsso_start_url = x\n"
		  "sso_region = us-east-1\n", "different values for sso_start_url" },
	};
	struct source_kit *kit = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		source_kit_file(kit, ".aws/config", "%s", rows[i][0]);
		source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, rows[i][1]);
		assert_non_null(strstr(kit->err.message, "profile dev"));
		assert_non_null(strstr(kit->err.message, "/.aws/config"));
	}
	/* values that agree, or that only the session has, are right */
	source_kit_file(kit, ".aws/config", PROFILE "sso_account_id = 123456789012\nsso_role_name = Some/Role+1\n");
	source_kit_file(kit, OF_SESSION, "%s", TOKEN("2026-01-01T01:00:00Z"));
	script(kit, (struct source_answer){ .body = CREDENTIALS });
	expect_loaded(kit);
	unsetenv("AWS_ENDPOINT_URL_SSO");
	source_kit_file(kit, ".aws/config", "[profile dev]\nsso_session = my-sso\n" ROLE "[sso-session my-sso]\n"
			"sso_region = evil.example/x\nsso_start_url = " START_URL "\n");
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "sso_region of profile dev");
}

/* --- the token ---------------------------------------------------------------------------------------------------- */

static void bad_tokens(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" }, { "hush", "" }, { "[]", ": accessToken is missing" },
		{ "{\"accessToken\":\"hush\"}", ": expiresAt is missing" },
		{ "{\"accessToken\":[\"hush\"]}", ": accessToken is not a text" },
		{ "{\"expiresAt\":\"2026-01-01T01:00:00Z\"}", ": accessToken is missing" },
		{ "{\"accessToken\":\"hush\",\"expiresAt\":17}", ": expiresAt is not a text" },
		{ "{\"accessToken\":\"hush\",\"expiresAt\":\"hu\"}", ": expiresAt is not a time" },
	};
	struct source_kit *kit = *state;

	source_kit_file(kit, ".aws/config", PROFILE);
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "nobody has logged in yet");
	assert_non_null(strstr(kit->err.message, OF_SESSION));
	assert_non_null(strstr(kit->err.message, LOGIN));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		source_kit_file(kit, OF_SESSION, "%s", rows[i][0]);
		source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "the login's token cannot be read: ");
		assert_non_null(strstr(kit->err.message, OF_SESSION));
		assert_non_null(strstr(kit->err.message, rows[i][1]));
		assert_non_null(strstr(kit->err.message, LOGIN));
	}
}

static unsigned files_in_cache(struct source_kit *kit)
{
	char path[200];
	unsigned count = 0;

	snprintf(path, sizeof(path), "%s/" CACHE, kit->home);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void refreshed(void **state)
{
	struct source_kit *kit = *state;
	struct stat st;
	char path[200];

	source_kit_file(kit, ".aws/config", PROFILE);
	source_kit_file(kit, OF_SESSION, "%s", TOKEN("2026-01-01T00:14:59Z"));
	script(kit, (struct source_answer){ .body = NEW_TOKEN });
	source_kit_then(kit, (struct source_answer){ .body = CREDENTIALS, .header = "x-amzn-RequestId: id-1\r\n" });
	expect_loaded(kit);
	assert_non_null(strstr(source_kit_log(kit), ": aws-call action=CreateToken start=2026-01-01T00:00:00.000Z duration_ms="));
	assert_non_null(strstr(source_kit_log(kit), " attempts=1 wait_ms=0 status=200 aws_request_id=id-1 for=\"credentials\"\n"));
	expect_request(kit, 0, "POST /oidc/token HTTP/1.1\r\n");
	expect_request(kit, 0, "\r\nContent-Type: application/json\r\n");
	expect_request(kit, 0, "{\"grantType\":\"refresh_token\",\"clientId\":\"client\",\"clientSecret\":\"hush-client\","
		       "\"refreshToken\":\"hush-refresh\"}");
	expect_request(kit, 1, "\r\nx-amz-sso_bearer_token: hush-new-access\r\n");
	assert_string_equal(source_kit_read(kit, OF_SESSION),
			    "{\"startUrl\":\"" START_URL "\",\"region\":\"us-east-1\",\"accessToken\":\"hush-new-access\","
			    "\"expiresAt\":\"2026-01-01T08:00:00Z\",\"clientId\":\"client\",\"clientSecret\":\"hush-client\","
			    "\"registrationExpiresAt\":\"2026-03-01T00:00:00Z\",\"refreshToken\":\"hush-new-refresh\"}");
	snprintf(path, sizeof(path), "%s/" OF_SESSION, kit->home);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(files_in_cache(kit), 1);
	char logged[] = "hush-access hush-refresh hush-client hush-new-access hush-new-refresh hush-token hush/+secret";
	log_redact(&kit->log, logged, sizeof(logged));
	assert_null(strstr(logged, "hush"));
	/* and then it is taken as it is */
	script(kit, (struct source_answer){ .body = CREDENTIALS });
	expect_loaded(kit);
	assert_int_equal(source_kit_requests(kit), 1);
	/* an answer without a refresh token leaves none */
	source_kit_file(kit, OF_SESSION, "%s", TOKEN("2025-01-01T00:00:00Z"));
	script(kit, (struct source_answer){ .body = "{\"accessToken\":\"hush-new-access\",\"expiresIn\":60}" });
	source_kit_then(kit, (struct source_answer){ .body = CREDENTIALS });
	expect_loaded(kit);
	assert_null(strstr(source_kit_read(kit, OF_SESSION), "refreshToken"));
	assert_non_null(strstr(source_kit_read(kit, OF_SESSION), "\"expiresAt\":\"2026-01-01T00:01:00Z\""));
}

/* What keeps a token from being refreshed: it is used while it lasts, and then the login is asked for. */
static void not_refreshed(void **state)
{
#define ROW_BODY(extra) "{\"accessToken\":\"hush-access\",\"expiresAt\":\"%s\"" extra "}"
#define CLIENT ",\"clientId\":\"c\",\"clientSecret\":\"hush\""
#define REGISTERED ",\"registrationExpiresAt\":\"2026-03-01T00:00:00Z\""
	static const struct {
		const char *token; /* %s: its end */
		struct source_answer answer;
		const char *why;
	} rows[] = {
		{ ROW_BODY(CLIENT REGISTERED), { 0 }, "came without a refresh token" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" REGISTERED), { 0 }, "came without a refresh token" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT), { 0 }, "came without a refresh token" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT ",\"registrationExpiresAt\":\"2026-01-01T00:00:00Z\""), { 0 },
		  "registration has expired" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT ",\"registrationExpiresAt\":\"hu\""), { 0 },
		  "registrationExpiresAt is not a time" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT REGISTERED),
		  { .status = 400, .body = "{\"error\":\"invalid_grant\",\"error_description\":\"hush\"}" },
		  "HTTP status 400 (invalid_grant)" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT REGISTERED),
		  { .status = 400, .body = "{}", .header = "x-amzn-ErrorType: InvalidGrantException:http://x/\r\n" },
		  "HTTP status 400 (InvalidGrantException)" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT REGISTERED), { .status = 500, .body = "" }, "HTTP status 500" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT REGISTERED), { .way = SOURCE_RESETS }, "(CreateToken)" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT REGISTERED), { .body = "hush" }, "not a JSON object" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT REGISTERED), { .body = "{\"expiresIn\":1}" },
		  "accessToken is missing" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT REGISTERED), { .body = "{\"accessToken\":\"hush\"}" },
		  "expiresIn is not a number" },
		{ ROW_BODY(",\"refreshToken\":\"hush\"" CLIENT REGISTERED),
		  { .body = "{\"accessToken\":\"hush\",\"expiresIn\":-1}" }, "expiresIn is not a number" },
	};
	struct source_kit *kit = *state;

	source_kit_file(kit, ".aws/config", PROFILE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[1000];
		const char *format = rows[i].token;
		size_t before = (size_t)(strstr(format, "%s") - format);
		snprintf(text, sizeof(text), "%.*s2026-01-01T00:00:00Z%s", (int)before, format, format + before + 2);
		source_kit_file(kit, OF_SESSION, "%s", text);
		struct source_answer answer = rows[i].answer;
		if (answer.body == NULL)
			answer.body = "";
		script(kit, answer);
		source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, rows[i].why);
		assert_non_null(strstr(kit->err.message, "the login has expired ("));
		assert_non_null(strstr(kit->err.message, LOGIN));

		snprintf(text, sizeof(text), "%.*s2026-01-01T00:00:01Z%s", (int)before, format, format + before + 2);
		source_kit_file(kit, OF_SESSION, "%s", text);
		unsigned asked = source_kit_requests(kit);
		script(kit, answer);
		for (unsigned more = 1; more < asked; more++)
			source_kit_then(kit, answer);
		if (asked > 0)
			source_kit_then(kit, (struct source_answer){ .body = CREDENTIALS });
		else
			script(kit, (struct source_answer){ .body = CREDENTIALS });
		expect_loaded(kit);
		expect_request(kit, asked, "\r\nx-amz-sso_bearer_token: hush-access\r\n");
	}
}

/* --- others at the same file -------------------------------------------------------------------------------------- */

static struct source_kit *hooked;
static int (*real_perform)(void *self, const struct http_request *request, const struct cancel *cancel,
			   struct arena *arena, struct http_response *ret_response, struct error *err);
static void (*before_token)(struct source_kit *kit);

static int perform(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		   struct http_response *ret_response, struct error *err)
{
	if (strstr(request->url, "/token") != NULL)
		before_token(hooked);
	return real_perform(self, request, cancel, arena, ret_response, err);
}

static void hook(struct source_kit *kit, void (*function)(struct source_kit *kit))
{
	hooked = kit;
	before_token = function;
	real_perform = kit->http.perform;
	kit->http.perform = perform;
}

static void refresh_meanwhile(struct source_kit *kit)
{
	source_kit_file(kit, OF_SESSION, "{\"accessToken\":\"hush-others\",\"expiresAt\":\"2026-01-01T08:00:00Z\"}");
}

static void somebody_else_was_faster(void **state)
{
	struct source_kit *kit = *state;

	source_kit_file(kit, ".aws/config", PROFILE);
	source_kit_file(kit, OF_SESSION, "%s", TOKEN("2026-01-01T00:00:00Z"));
	hook(kit, refresh_meanwhile);
	script(kit, (struct source_answer){ .status = 400, .body = "{\"error\":\"invalid_grant\"}" });
	source_kit_then(kit, (struct source_answer){ .body = CREDENTIALS });
	expect_loaded(kit);
	expect_request(kit, 1, "\r\nx-amz-sso_bearer_token: hush-others\r\n");
}

/* A folder in the file's place cannot be replaced. */
static void put_folder_there(struct source_kit *kit)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/" OF_SESSION, kit->home);
	assert_int_equal(unlink(path), 0);
	source_kit_file(kit, OF_SESSION "/x", "%s", "");
}

static void cannot_be_saved(void **state)
{
	struct source_kit *kit = *state;

	source_kit_file(kit, ".aws/config", PROFILE);
	source_kit_file(kit, OF_SESSION, "%s", TOKEN("2026-01-01T00:00:00Z"));
	hook(kit, put_folder_there);
	script(kit, (struct source_answer){ .body = NEW_TOKEN });
	source_kit_then(kit, (struct source_answer){ .body = CREDENTIALS });
	expect_loaded(kit);
	expect_request(kit, 1, "\r\nx-amz-sso_bearer_token: hush-new-access\r\n");
	assert_non_null(strstr(source_kit_log(kit), "cannot be kept for other programs: cannot write "));
	assert_int_equal(files_in_cache(kit), 1); /* the folder, and nothing half-written */
}

/* --- the role's credentials --------------------------------------------------------------------------------------- */

static void with_login(struct source_kit *kit)
{
	source_kit_file(kit, ".aws/config", PROFILE);
	source_kit_file(kit, OF_SESSION, "%s", TOKEN("2026-01-01T08:00:00Z"));
}

static void refusals(void **state)
{
	static const struct {
		int status;
		const char *header;
		enum error_kind kind;
		const char *words;
		unsigned requests;
	} rows[] = {
		{ 401, "x-amzn-ErrorType: UnauthorizedException\r\n", ERROR_CONFIG,
		  "HTTP status 401 (UnauthorizedException): the login has ended, or was ended: " LOGIN, 1 },
		{ 403, "x-amzn-ErrorType: ForbiddenException\r\n", ERROR_CONFIG,
		  "(ForbiddenException): whoever has logged in may not use role Some/Role+1 in account 123456789012", 1 },
		{ 404, NULL, ERROR_CONFIG, "HTTP status 404: there is no role Some/Role+1 in account 123456789012", 1 },
		{ 400, NULL, ERROR_CONFIG, "check sso_role_name, sso_account_id and sso_region", 1 },
		{ 429, "x-amzn-ErrorType: TooManyRequestsException\r\n", ERROR_NETWORK, "(TooManyRequestsException): try again", 3 },
		{ 500, NULL, ERROR_NETWORK, "HTTP status 500: try again", 3 },
	};
	struct source_kit *kit = *state;

	with_login(kit);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script(kit, (struct source_answer){ .status = rows[i].status, .header = rows[i].header,
						    .body = "{\"message\":\"hush\"}" });
		source_kit_expect_error(kit, SOURCE, rows[i].kind, rows[i].words);
		assert_int_equal(kit->err.http_status, rows[i].status);
		assert_non_null(strstr(kit->err.message, "profile dev of "));
		assert_int_equal(source_kit_requests(kit), rows[i].requests);
	}
	assert_non_null(strstr(source_kit_log(kit), " status=401 aws_request_id= code=UnauthorizedException for=\"credentials\""));
	assert_non_null(strstr(source_kit_log(kit), " attempts=3 "));
	assert_non_null(strstr(source_kit_log(kit), " status=500 aws_request_id= code=aws for=\"credentials\""));
}

static void malformed(void **state)
{
#define ROLE_CREDENTIALS(rest) "{\"roleCredentials\":{" rest "}}"
#define KEYS "\"accessKeyId\":\"A\",\"secretAccessKey\":\"hush\",\"sessionToken\":\"hush\""
	static const char *const rows[][2] = {
		{ "{}", ": roleCredentials is missing" },
		{ "{\"roleCredentials\":[]}", ": roleCredentials is missing" },
		{ ROLE_CREDENTIALS(""), ": accessKeyId is missing" },
		{ ROLE_CREDENTIALS("\"accessKeyId\":1"), ": accessKeyId is not a text" },
		{ ROLE_CREDENTIALS("\"accessKeyId\":\"A\""), ": secretAccessKey is missing" },
		{ ROLE_CREDENTIALS("\"accessKeyId\":\"A\",\"secretAccessKey\":\"hush\""), ": sessionToken is missing" },
		{ ROLE_CREDENTIALS(KEYS), ": expiration is missing" },
		{ ROLE_CREDENTIALS(KEYS ",\"expiration\":\"2026-01-01T06:00:00Z\""), ": expiration is not a number" },
		{ ROLE_CREDENTIALS(KEYS ",\"expiration\":0"), ": expiration is not a number" },
		{ ROLE_CREDENTIALS(KEYS ",\"expiration\":1.5e12"), ": expiration is not a number" },
		{ ROLE_CREDENTIALS(KEYS ",\"expiration\":1767225590000"), "expired already, 10 s ago" },
	};
	struct source_kit *kit = *state;

	with_login(kit);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script(kit, (struct source_answer){ .body = rows[i][0] });
		source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, rows[i][1]);
		assert_non_null(strstr(kit->err.message, "(GetRoleCredentials)"));
	}
}

static void troubles(void **state)
{
	static const struct source_answer passing[] = {
		{ .way = SOURCE_RESETS }, { .way = SOURCE_CUTS, .body = CREDENTIALS }, { .status = 503, .body = "" },
		{ .way = SOURCE_HANGS },
	};
	struct source_kit *kit = *state;

	with_login(kit);
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		script(kit, passing[i]);
		source_kit_then(kit, (struct source_answer){ .body = CREDENTIALS });
		expect_loaded(kit);
	}
	script(kit, (struct source_answer){ .way = SOURCE_HANGS });
	source_kit_expect_error(kit, SOURCE, ERROR_TIMEOUT, "no answer in time");
	http_server_stop(kit->server);
	kit->server = NULL;
	source_kit_expect_error(kit, SOURCE, ERROR_NETWORK, "refused");
	static char body[70000];
	memset(body, ' ', sizeof(body) - 1);
	script(kit, (struct source_answer){ .body = body });
	source_kit_expect_error(kit, SOURCE, ERROR_TOO_BIG, "larger than 65536 bytes");
}

static void a_signal_ends_it(void **state)
{
	struct source_kit *kit = *state;

	with_login(kit);
	script(kit, (struct source_answer){ .way = SOURCE_SIGNALS });
	source_kit_expect_error(kit, SOURCE, ERROR_CANCELLED, "stopped by signal 15");
	cancel_clear(&kit->cancel);
	/* also while refreshing a token, whether it still lasts or not */
	static const char *const ends[] = { TOKEN("2026-01-01T00:10:00Z"), TOKEN("2025-01-01T00:00:00Z") };
	for (size_t i = 0; i < 2; i++) {
		source_kit_file(kit, OF_SESSION, "%s", ends[i]);
		script(kit, (struct source_answer){ .way = SOURCE_SIGNALS });
		source_kit_expect_error(kit, SOURCE, ERROR_CANCELLED, "stopped by signal 15");
		assert_int_equal(source_kit_requests(kit), 1);
		cancel_clear(&kit->cancel);
	}
}

static int answer_at_once(void *self, const struct http_request *request, const struct cancel *cancel,
			  struct arena *arena, struct http_response *ret_response, struct error *err)
{
	const char *body = strstr(request->url, "/token") != NULL ? NEW_TOKEN : CREDENTIALS;

	(void)self;
	(void)cancel;
	(void)arena;
	(void)err;
	*ret_response = (struct http_response){ .status = 200, .body = body, .body_len = strlen(body) };
	return 0;
}

static void no_memory(void **state)
{
	struct source_kit *kit = *state;
	bool loaded = false;

	source_kit_file(kit, ".aws/config", PROFILE);
	assert_int_equal(profiles_load(kit->arena, &kit->profiles, NULL), 0);
	kit->http.perform = answer_at_once;
	for (size_t room = 0; room < 20000 && !loaded; room += 64) {
		struct arena *small CLEANUP_ARENA = arena_new(room);
		struct error err = { 0 };
		source_kit_file(kit, OF_SESSION, "%s", TOKEN("2026-01-01T00:00:00Z"));
		kit->context.arena = small;
		loaded = credentials_sso.load(&kit->context, &kit->credentials, &kit->found, kit->why,
					      sizeof(kit->why), &err) == 0;
		if (!loaded && err.kind != ERROR_NOMEM)
			fail_msg("%zu: %s", room, err.message);
		log_forget_secrets(&kit->log, small);
	}
	assert_true(loaded);
	kit->context.arena = kit->arena;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(right),	     SOURCE_TEST(the_older_form), SOURCE_TEST(absent),
		SOURCE_TEST(incomplete),     SOURCE_TEST(bad_tokens),	  SOURCE_TEST(refreshed),
		SOURCE_TEST(not_refreshed),  SOURCE_TEST(somebody_else_was_faster),
		SOURCE_TEST(cannot_be_saved), SOURCE_TEST(refusals),	  SOURCE_TEST(malformed),
		SOURCE_TEST(troubles),	     SOURCE_TEST(a_signal_ends_it), SOURCE_TEST(no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
