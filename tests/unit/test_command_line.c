/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: commands and files of the same name, options in any place, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpi/command_line.h"

#define MAX_WORDS 16

/* Splits at blanks; the words live in line. */
static int parse(char *line, struct command_line *ret_line, struct error *err)
{
	static char program[] = "cpi";
	static char *words[MAX_WORDS];
	int count = 0;
	char *rest = line;

	words[count++] = program;
	for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
		assert_true(count < MAX_WORDS);
		if (word[0] != '\0')
			words[count++] = word;
	}
	return command_line_parse(count, words, ret_line, err);
}

struct good {
	const char *line;
	enum command command;
	const char *config;
};

static void test_accepted(void **state)
{
	static const struct good table[] = {
		{ "", COMMAND_SERVE, NULL },
		{ "cpi.json", COMMAND_SERVE, "cpi.json" },
		{ "--config cpi.json", COMMAND_SERVE, "cpi.json" },
		{ "--config=cpi.json", COMMAND_SERVE, "cpi.json" },
		{ "check", COMMAND_CHECK, NULL },
		{ "./check", COMMAND_SERVE, "./check" },
		{ "check check", COMMAND_CHECK, "check" },
		{ "check cpi.json", COMMAND_CHECK, "cpi.json" },
		{ "check --config cpi.json --json", COMMAND_CHECK, "cpi.json" },
		{ "--json check cpi.json", COMMAND_CHECK, "cpi.json" },
		{ "--config cpi.json check", COMMAND_CHECK, "cpi.json" },
		{ "policy", COMMAND_POLICY, NULL },
		{ "policy cpi.json --only vm --without=elb --region r --kms-key k --role x", COMMAND_POLICY, "cpi.json" },
		{ "policy --list --json --config cpi.json", COMMAND_POLICY, "cpi.json" },
		{ "help policy", COMMAND_HELP, NULL },
		{ "sweep cpi.json", COMMAND_SWEEP, "cpi.json" },
		{ "timeline", COMMAND_TIMELINE, NULL },
		{ "timeline log --svg", COMMAND_TIMELINE, NULL },
		{ "./timeline", COMMAND_SERVE, "./timeline" },
		{ "upload-image root.img", COMMAND_UPLOAD_IMAGE, NULL },
		{ "upload-image --config cpi.json root.img", COMMAND_UPLOAD_IMAGE, "cpi.json" },
		{ "-- -odd.json", COMMAND_SERVE, "-odd.json" },
		{ "--help", COMMAND_HELP, NULL },
		{ "check cpi.json --help", COMMAND_HELP, NULL },
		{ "-h", COMMAND_HELP, NULL },
		{ "help", COMMAND_HELP, NULL },
		{ "help sweep", COMMAND_HELP, NULL },
		{ "--version", COMMAND_VERSION, NULL },
		{ "list_workers", COMMAND_ACTION, NULL },
		{ "list-workers --json", COMMAND_ACTION, NULL },
		{ "--config cpi.json list_workers", COMMAND_ACTION, "cpi.json" },
		{ "--config list_workers list_workers", COMMAND_ACTION, "list_workers" },
		{ "./list_workers", COMMAND_SERVE, "./list_workers" },
		{ "get_worker --worker-id cpi.json --config c.json", COMMAND_ACTION, "c.json" },
		{ "call info", COMMAND_CALL, NULL },
		{ "call --config cpi.json info", COMMAND_CALL, "cpi.json" },
		{ "list_workers --help", COMMAND_HELP, NULL },
		{ "get_worker --worker-id --help", COMMAND_HELP, NULL },
		{ "list_workers --version", COMMAND_VERSION, NULL },
		{ "help list_workers", COMMAND_HELP, NULL },
		{ "complete --config", COMMAND_COMPLETE, NULL },
		{ "no/such/file", COMMAND_SERVE, "no/such/file" },
		{ "version", COMMAND_VERSION, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct command_line got;
		struct error err = { 0 };
		char line[128];
		snprintf(line, sizeof(line), "%s", table[i].line);
		if (parse(line, &got, &err) != 0)
			fail_msg("'%s': %s", table[i].line, err.message);
		assert_int_equal(got.command, table[i].command);
		if (table[i].config == NULL)
			assert_null(got.config);
		else
			assert_string_equal(got.config, table[i].config);
	}
}

static void test_refused(void **state)
{
	static const char *const table[][2] = {
		{ "a.json b.json", "b.json" },
		{ "check a.json b.json", "b.json" },
		{ "check --config a.json b.json", "b.json" },
		{ "--jsn", "no option --jsn" },
		{ "-x", "no option -x" },
		{ "--config", "needs a value" },
		{ "--config=", "needs a value" },
		{ "check --json=yes", "takes no value" },
		{ "cpi.json --json", "--json does not go with this command" },
		{ "check --delete", "--delete does not go" },
		{ "check --svg", "--svg does not go" },
		{ "sweep a.json --slowest 3", "--slowest does not go" },
		{ "timeline --config a.json", "--config does not go" },
		{ "timeline --request", "needs a value" },
		{ "timeline a.log b.log", "b.log" },
		{ "upload-image", "needs an IMAGE" },
		{ "upload-image a.img b.img", "b.img" },
		{ "upload-image a.img --size", "needs a value" },
		{ "upload-image a.img --delete", "--delete does not go" },
		{ "check --register", "--register does not go" },
		{ "sweep --tag a=b", "--tag does not go" },
		{ "sweep --only vm", "--only does not go" },
		{ "policy --delete", "--delete does not go" },
		{ "sweep a.json --by-tag", "go together" },
		{ "sweep a.json --director x", "go together" },
		{ "list_worker", "no command or file list_worker; did you mean list_workers?" },
		{ "get_wroker --worker-id x", "did you mean get_worker?" },
		{ "swep a.json", "did you mean sweep?" },
		{ "help list_worker", "no command list_worker; did you mean list_workers?" },
		{ "nothing-like-it", "no command or file nothing-like-it" },
		{ "check --jsno", "no option --jsno; did you mean --json?" },
		{ "check --region x", "--region does not go" },
		{ "call", "needs a METHOD" },
		{ "call info --json", "--json does not go" },
		{ "list_workers --region", "--region needs a value" },
		{ "list_workers --config=", "--config needs a value" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct command_line got = { .n_ids = 77 };
		struct error err = { 0 };
		char line[128];
		snprintf(line, sizeof(line), "%s", table[i][0]);
		assert_int_equal(parse(line, &got, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
		if (strstr(err.message, table[i][1]) == NULL)
			fail_msg("'%s' gave: %s", table[i][0], err.message);
		assert_int_equal(got.n_ids, 77);
	}
}

static void test_sweep(void **state)
{
	struct command_line got;
	struct error err;
	char line[] = "sweep --delete cpi.json vol-1 --by-tag --director=uuid snap-2";

	(void)state;
	assert_int_equal(parse(line, &got, &err), 0);
	assert_true(got.delete);
	assert_true(got.by_tag);
	assert_string_equal(got.director_uuid, "uuid");
	assert_int_equal(got.n_ids, 2);
	assert_string_equal(got.ids[0], "vol-1");
	assert_string_equal(got.ids[1], "snap-2");

	char with_option[] = "sweep --config cpi.json vol-1";
	assert_int_equal(parse(with_option, &got, &err), 0);
	assert_false(got.delete);
	assert_int_equal(got.n_ids, 1);
	assert_string_equal(got.ids[0], "vol-1");
}

static void test_upload_image(void **state)
{
	struct command_line got;
	struct error err;
	char line[] = "upload-image --tag a=b x.img --name=N --register --tag c= --size 3 --connections 8";
	char rest[] = "upload-image x.img --encrypted --kms-key K --skip-zero-blocks --no-resume --json";

	(void)state;
	assert_int_equal(parse(line, &got, &err), 0);
	assert_string_equal(got.upload.image, "x.img");
	assert_string_equal(got.upload.name, "N");
	assert_string_equal(got.upload.size, "3");
	assert_string_equal(got.upload.connections, "8");
	assert_true(got.upload.make_ami);
	assert_int_equal(got.upload.n_tags, 2);
	assert_string_equal(got.upload.tags[0], "a=b");
	assert_string_equal(got.upload.tags[1], "c=");
	assert_false(got.upload.encrypted || got.upload.skip_zero_blocks || got.upload.no_resume || got.json);

	assert_int_equal(parse(rest, &got, &err), 0);
	assert_string_equal(got.upload.kms_key, "K");
	assert_true(got.upload.encrypted && got.upload.skip_zero_blocks && got.upload.no_resume && got.json);
	assert_null(got.upload.size);
}

static void test_action(void **state)
{
	struct command_line got;
	struct error err;
	char line[] = "--region r1 set-worker-metadata --worker_id=i-1 --key k --value -v --profile p --tail --json extra";
	const char *const options[] = { "--worker_id=i-1", "--key", "--value", "--tail" };
	const char *const values[] = { "i-1", "k", "-v", NULL };

	(void)state;
	assert_int_equal(parse(line, &got, &err), 0);
	assert_string_equal(got.action->name, "set_worker_metadata");
	assert_string_equal(got.region, "r1");
	assert_string_equal(got.profile, "p");
	assert_true(got.json);
	assert_int_equal(got.n_parameters, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(got.parameters[i].option, options[i]);
		assert_int_equal(got.parameters[i].option_len, strcspn(options[i], "="));
		if (values[i] == NULL)
			assert_null(got.parameters[i].value);
		else
			assert_string_equal(got.parameters[i].value, values[i]);
	}
	assert_int_equal(got.n_arguments, 1);
	assert_string_equal(got.arguments[0], "extra");
}

static void test_too_many_parameters(void **state)
{
	char program[] = "cpi", action[] = "list_workers", option[] = "--x=y";
	char *words[COMMAND_MAX_PARAMETERS + 3] = { program, action };
	struct command_line got;
	struct error err;

	(void)state;
	for (size_t i = 2; i < COMMAND_MAX_PARAMETERS + 3; i++)
		words[i] = option;
	assert_int_equal(command_line_parse(COMMAND_MAX_PARAMETERS + 2, words, &got, &err), 0);
	assert_int_equal(got.n_parameters, COMMAND_MAX_PARAMETERS);
	assert_int_equal(command_line_parse(COMMAND_MAX_PARAMETERS + 3, words, &got, &err), -1);
	assert_non_null(strstr(err.message, "one option too many"));
}

static void test_call(void **state)
{
	struct command_line got;
	struct error err;
	char line[] = "call attach_disk --api-version 2 i-1 --region=r --profile p -- -2";

	(void)state;
	assert_int_equal(parse(line, &got, &err), 0);
	assert_string_equal(got.method, "attach_disk");
	assert_string_equal(got.api_version, "2");
	assert_string_equal(got.region, "r");
	assert_string_equal(got.profile, "p");
	assert_int_equal(got.n_arguments, 2);
	assert_string_equal(got.arguments[0], "i-1");
	assert_string_equal(got.arguments[1], "-2");
}

struct topic {
	const char *line;
	enum command topic;
	const char *action;
};

static void test_topics(void **state)
{
	static const struct topic table[] = {
		{ "help", COMMAND_SERVE, NULL },
		{ "--help", COMMAND_SERVE, NULL },
		{ "cpi.json --help", COMMAND_SERVE, NULL },
		{ "help call", COMMAND_CALL, NULL },
		{ "call x --help", COMMAND_CALL, NULL },
		{ "help get-worker", COMMAND_ACTION, "get_worker" },
		{ "get_worker -h", COMMAND_ACTION, "get_worker" },
		{ "--help get_worker", COMMAND_ACTION, "get_worker" },
		{ "version --help", COMMAND_SERVE, NULL },
		{ "check --help", COMMAND_CHECK, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct command_line got;
		struct error err;
		char line[128];
		snprintf(line, sizeof(line), "%s", table[i].line);
		assert_int_equal(parse(line, &got, &err), 0);
		assert_int_equal(got.command, COMMAND_HELP);
		assert_int_equal(got.topic, table[i].topic);
		assert_string_equal(got.action == NULL ? "" : got.action->name, table[i].action == NULL ? "" : table[i].action);
	}
}

static void test_same(void **state)
{
	(void)state;
	assert_true(command_line_same("get_worker", "get-worker", 10));
	assert_true(command_line_same("--worker-id", "--worker_id=x", 11));
	assert_false(command_line_same("get_worker", "get_worke", 9));
	assert_false(command_line_same("get_worke", "get_worker", 10));
	assert_false(command_line_same("get_worker", "getxworker", 10));
	assert_true(command_line_same("", "", 0));
}

static void test_completion_words(void **state)
{
	struct command_line got;
	struct error err;
	char line[] = "complete check --nonsense -- --help";

	(void)state;
	assert_int_equal(parse(line, &got, &err), 0);
	assert_int_equal(got.command, COMMAND_COMPLETE);
	assert_int_equal(got.n_arguments, 4);
	assert_string_equal(got.arguments[1], "--nonsense");
}

static void test_timeline(void **state)
{
	struct command_line got;
	struct error err;
	char line[] = "timeline --request cpi-1 --slowest=7 --json -";

	(void)state;
	assert_int_equal(parse(line, &got, &err), 0);
	assert_string_equal(got.log, "-");
	assert_string_equal(got.request_id, "cpi-1");
	assert_string_equal(got.slowest, "7");
	assert_true(got.json);
	assert_false(got.svg);

	char without[] = "timeline --svg";
	assert_int_equal(parse(without, &got, &err), 0);
	assert_null(got.log);
	assert_null(got.request_id);
	assert_true(got.svg);
}

static void test_help_names_the_commands(void **state)
{
	(void)state;
	assert_non_null(strstr(command_line_help(), "cpi check"));
	assert_non_null(strstr(command_line_help(), "cpi sweep"));
	assert_non_null(strstr(command_line_help(), "cpi timeline"));
	assert_non_null(strstr(command_line_help(), "cpi ACTION"));
	assert_non_null(strstr(command_line_help(), "cpi call"));
	assert_non_null(strstr(command_line_help(), "standard input"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_action),
		cmocka_unit_test(test_too_many_parameters),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_topics),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_completion_words),
		cmocka_unit_test(test_timeline),
		cmocka_unit_test(test_upload_image),
		cmocka_unit_test(test_help_names_the_commands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
