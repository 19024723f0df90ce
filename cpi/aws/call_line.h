/* SPDX-License-Identifier: Apache-2.0 */
/* The one line that each call to AWS leaves in the log, and that `cpi timeline` reads. */
#ifndef CPI_AWS_CALL_LINE_H
#define CPI_AWS_CALL_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"

struct call_line {
	const char *action;      /* "DescribeVolumes" */
	int64_t start_us;        /* since 1970 */
	int64_t duration_ms;     /* with all attempts and waits */
	unsigned attempts;
	int64_t wait_ms;         /* of it: between the attempts */
	int status;              /* HTTP's, of the last answer; 0: none came */
	const char *request_id;  /* AWS's; "" where there is none */
	unsigned throttled;      /* attempts that AWS refused for their number */
	int64_t throttle_ms;     /* waited for that */
	const char *code;        /* of a failure; NULL after a success */
	const char *purpose;     /* NULL: not said */
	bool quiet;              /* at the level debug */
};

/* At the level info unless it is quiet, in logfmt, behind "aws-call". Values of any content; the last ones are cut when it gets too long. */
void call_line_log(struct log *log, const struct call_line *line);

#endif
