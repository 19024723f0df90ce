/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/create_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/methods/undo.h"

struct create_kit *create_kit_open(void)
{
	struct create_kit *kit = calloc(1, sizeof(*kit));
	void *aws;

	assert_non_null(kit);
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", "/dev/null/nowhere", 1), 0);
	fake_ec2_begin(&aws);
	kit->aws = aws;
	kit->call = (struct call){
		.runtime = &kit->aws->runtime,
		.config = &kit->config,
		.arena = arena_new((size_t)32 * 1024 * 1024),
		.ec2 = &kit->aws->ec2,
		.method = "create_vm",
		.api_version = 2,
		.stemcell_api_version = 2,
	};
	assert_int_equal(undo_new(&kit->aws->runtime, &kit->aws->ec2, "director", "cpi-1", "create_vm", &kit->call.undo, NULL),
			 0);
	return kit;
}

void create_kit_close(struct create_kit *kit)
{
	void *aws = kit->aws;

	undo_free(kit->call.undo);
	arena_free(kit->call.arena);
	fake_ec2_end(&aws);
	unsetenv("AWS_CPI_STATE_DIR");
	free(kit);
}

int create_kit_begin(void **state)
{
	*state = create_kit_open();
	return 0;
}

int create_kit_end(void **state)
{
	create_kit_close(*state);
	return 0;
}

void create_kit_expect(const struct create_kit *kit, enum error_kind kind, bool retryable, const char *text)
{
	if (strstr(kit->err.message, text) == NULL)
		fail_msg("no '%s' in: %s", text, kit->err.message);
	assert_string_equal(error_kind_name(kit->err.kind), error_kind_name(kind));
	assert_int_equal(kit->err.retryable, retryable);
}

bool create_kit_logged(const struct create_kit *kit, const char *text)
{
	char log[256 * 1024];

	fake_aws_log(kit->aws, log, sizeof(log));
	return strstr(log, text) != NULL;
}

void create_kit_nothing_left(struct create_kit *kit)
{
	unsigned before = kit->aws->n_requests;

	undo_run(kit->call.undo, NULL);
	assert_int_equal(kit->aws->n_requests, before);
}

unsigned create_kit_count(const struct create_kit *kit, const char *action)
{
	char start[100];
	unsigned count = 0;

	snprintf(start, sizeof(start), "Action=%s&", action);
	for (unsigned i = 0; i < kit->aws->n_requests; i++)
		count += strncmp(kit->aws->bodies[i], start, strlen(start)) == 0;
	return count;
}
