/* SPDX-License-Identifier: Apache-2.0 */
/* The watch for block devices, as far as it goes without one arriving: tests/integration/test_nvme_guest.py has those. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "onhost/udev.h"
#include "tests/unit/tree.h"

/* What it logs with that folder for /run. */
static void watch(const char *run, char *text, size_t size)
{
	const struct device_paths paths = { .run = run };
	struct udev_watch watch = UDEV_WATCH_INIT;
	struct clock clock;
	struct log log;
	int pair[2];

	assert_int_equal(pipe(pair), 0);
	clock_system(&clock);
	log_init(&log, pair[1], LOG_LEVEL_DEBUG, &clock);
	udev_watch_open(&paths, &log, &watch);
	close(pair[1]);
	ssize_t got = read(pair[0], text, size - 1);
	close(pair[0]);
	assert_true(got > 0);
	text[got] = '\0';

	assert_int_equal(udev_watch_fd(&watch) >= 0, watch.monitor != NULL);
	if (watch.monitor != NULL)
		udev_watch_drain(&watch); /* nothing is there, and it does not wait */
	udev_watch_close(&watch);
	assert_int_equal(udev_watch_fd(&watch), -1);
	udev_watch_close(&watch);
}

static void test_whose_events(void **state)
{
	struct tree tree;
	char run[96];
	char text[512];

	(void)state;
	tree_make(&tree);
	tree_path(&tree, "run", run, sizeof(run));
	watch(run, text, sizeof(text));
	assert_non_null(strstr(text, "watching for block devices: "));
	/* where there is no netlink there are none */
	assert_true(strstr(text, ": kernel events") != NULL || strstr(text, ": no events") != NULL);
	tree_file(&tree, "", "run/udev/control");
	watch(run, text, sizeof(text));
	assert_true(strstr(text, ": udev events") != NULL || strstr(text, ": no events") != NULL);
	tree_remove(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_whose_events) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
