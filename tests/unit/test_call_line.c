/* SPDX-License-Identifier: Apache-2.0 */
/* The log's line of a call to AWS: its form, and values that try to break it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "cpi/aws/call_line.h"

static void logged(const struct call_line *line, char text[5000])
{
	struct clock clock;
	struct log log;

	clock_system(&clock);
	log_init(&log, memfd_create("log", MFD_CLOEXEC), LOG_LEVEL_INFO, &clock);
	call_line_log(&log, line);
	ssize_t len = pread(log.fd, text, 4999, 0);
	assert_true(len > 0);
	text[len] = '\0';
	close(log.fd);
}

static void forms(void **state)
{
	static const struct {
		struct call_line line;
		const char *text;
	} rows[] = {
		{ { .action = "DescribeVolumes", .start_us = INT64_C(1767225600123456), .duration_ms = 42, .attempts = 1,
		    .status = 200, .request_id = "id-1", .purpose = "volume vol-1" },
		  "INFO -- : aws-call action=DescribeVolumes start=2026-01-01T00:00:00.123Z duration_ms=42 attempts=1 wait_ms=0 "
		  "status=200 aws_request_id=id-1 for=\"volume vol-1\"\n" },
		{ { .action = "RunInstances", .start_us = 1000, .duration_ms = 5000, .attempts = 4, .wait_ms = 4000,
		    .status = 503, .request_id = "", .throttled = 2, .throttle_ms = 3000, .code = "RequestLimitExceeded" },
		  "start=1970-01-01T00:00:00.001Z duration_ms=5000 attempts=4 wait_ms=4000 status=503 aws_request_id= throttled=2 "
		  "throttle_ms=3000 code=RequestLimitExceeded for=\"\"\n" },
		{ { .action = "A", .request_id = "a b", .code = "q\"\\=", .purpose = "x\ny\"z" },
		  "aws_request_id=\"a b\" code=\"q\\\"\\\\=\" for=\"x y\\\"z\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[5000];
		logged(&rows[i].line, text);
		if (strstr(text, rows[i].text) == NULL)
			fail_msg("%s", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(forms) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
