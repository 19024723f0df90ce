/* SPDX-License-Identifier: Apache-2.0 */
/* The definitions of all worker actions as one line of JSON, an array, for what is made from them (actions_page.py). A tool; nothing
 * of it is shipped. */
#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/json_write.h"
#include "cpi/actions/worker_action.h"

#define MAX_DEFINITIONS ((size_t)1024 * 1024)

int main(void)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_DEFINITIONS);
	struct json_writer writer;
	size_t count;

	const struct worker_action *actions = worker_actions(&count);
	json_writer_init(&writer, &text);
	json_begin_array(&writer);
	for (size_t i = 0; i < count; i++)
		worker_action_define(&actions[i], &writer);
	json_end_array(&writer);
	if (text.failed || puts(buf_text(&text)) < 0 || fflush(stdout) != 0)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
