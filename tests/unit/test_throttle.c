/* SPDX-License-Identifier: Apache-2.0 */
/* What processes share through the file: that nothing is slowed before a refusal, and how near all of them together come to
 * what the bucket allows afterwards. Files that are broken, foreign or not to be had; processes that die. */
#include "cpi/aws/throttle.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "cpi/aws/throttle_file.h"
#include "tests/unit/bucket_sim.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/fake_aws.h"
#include "tests/unit/tree.h"

static const struct throttle_scope create_volume = {
	.account = "123456789012",
	.region = "eu-west-1",
	.endpoint_host = "ec2.eu-west-1.amazonaws.com",
	.action = "CreateVolume",
};

struct fixture {
	struct tree tree;
	struct fake_aws fake;
	struct throttle *throttle;
	struct throttle *other; /* as of another process */
	char path[128];         /* of the file, once there is one */
};

static struct throttle *new_throttle(struct fixture *fixture)
{
	struct throttle *throttle = NULL;

	assert_int_equal(throttle_new(&fixture->fake.runtime, &throttle, NULL), 0);
	return throttle;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char base[128];

	assert_non_null(fixture);
	tree_make(&fixture->tree);
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", tree_path(&fixture->tree, "state", base, sizeof(base)), 1), 0);
	fake_aws_open(&fixture->fake);
	fixture->throttle = new_throttle(fixture);
	fixture->other = new_throttle(fixture);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	throttle_free(fixture->throttle);
	throttle_free(fixture->other);
	fake_aws_close(&fixture->fake);
	tree_remove(&fixture->tree);
	free(fixture);
	unsetenv("AWS_CPI_STATE_DIR");
	return 0;
}

/* The number of files, and the path of the last one. */
static unsigned files(struct fixture *fixture)
{
	char folder[128];
	unsigned count = 0;

	tree_path(&fixture->tree, "state/throttle", folder, sizeof(folder));
	CLEANUP_DIR DIR *dir = opendir(folder);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		int len = snprintf(fixture->path, sizeof(fixture->path), "%s/%s", folder, entry->d_name);
		assert_true(len > 0 && (size_t)len < sizeof(fixture->path));
	}
	return count;
}

static int64_t turn(struct throttle *throttle, const struct throttle_scope *scope)
{
	struct throttle_ticket ticket = { 0 };

	return throttle_turn(throttle, scope, &ticket);
}

static bool refuse(struct throttle *throttle, const struct throttle_scope *scope)
{
	return throttle_refused(throttle, scope, &(struct throttle_ticket){ 0 });
}

static bool has_logged(struct fixture *fixture, const char *text)
{
	char log[65536];

	fake_aws_log(&fixture->fake, log, sizeof(log));
	return strstr(log, text) != NULL;
}

/* --- one after the other --- */

static void test_nothing_before_the_first_refusal(void **state)
{
	struct fixture *fixture = *state;
	char base[128];

	for (int i = 0; i < 1000; i++) {
		struct throttle_ticket ticket = { 0 };
		assert_int_equal(throttle_turn(fixture->throttle, &create_volume, &ticket), 0);
		throttle_taken(fixture->throttle, &create_volume, &ticket);
	}
	assert_int_equal(access(tree_path(&fixture->tree, "state", base, sizeof(base)), F_OK), -1);
}

/* Each of the EBS direct actions has its own, and EC2's are others. */
static void test_buckets_of_ebs(void **state)
{
	struct fixture *fixture = *state;
	struct throttle_scope put = create_volume;
	struct throttle_scope start = create_volume;

	put.endpoint_host = start.endpoint_host = "ebs.eu-west-1.amazonaws.com";
	put.action = "PutSnapshotBlock";
	start.action = "StartSnapshot";
	assert_true(refuse(fixture->throttle, &start));
	assert_in_range(turn(fixture->other, &start), 1, 101);
	assert_int_equal(turn(fixture->other, &put), 0);
	assert_int_equal(turn(fixture->other, &create_volume), 0);
	assert_true(refuse(fixture->throttle, &put));
	assert_in_range(turn(fixture->other, &put), 1, 2);
	assert_int_equal(turn(fixture->other, &create_volume), 0);
	assert_int_equal(files(fixture), 1);
}

static void test_others_wait_after_a_refusal(void **state)
{
	struct fixture *fixture = *state;
	struct throttle_ticket ticket = { 0 };
	struct stat st;

	assert_true(refuse(fixture->throttle, &create_volume));
	assert_int_equal(files(fixture), 1);
	assert_int_equal(stat(fixture->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_in_range(throttle_turn(fixture->other, &create_volume, &ticket), 200, 201);
	assert_in_range(turn(fixture->throttle, &create_volume), 400, 401);
	fixture->fake.now_ms += 200;
	assert_int_equal(throttle_turn(fixture->other, &create_volume, &ticket), 0);
	assert_true(ticket.waited);
}

static void test_a_bucket_of_its_own(void **state)
{
	struct fixture *fixture = *state;
	struct throttle_scope scope;

	refuse(fixture->throttle, &create_volume);
	assert_true(turn(fixture->other, &create_volume) > 0);
#define FREE(member, value)                                                                                            \
	scope = create_volume;                                                                                         \
	scope.member = (value);                                                                                        \
	assert_int_equal(turn(fixture->other, &scope), 0)
	FREE(account, "210987654321");
	FREE(account, NULL);
	FREE(region, "eu-west-2");
	FREE(endpoint_host, "localhost:4566");
	FREE(action, "DeleteVolume");
#undef FREE
	assert_int_equal(files(fixture), 1);
	/* a Describe call has another one with filters; what changes something has not */
	scope = create_volume;
	scope.filtered = true;
	assert_true(turn(fixture->other, &scope) > 0);
	scope.action = "DescribeVolumes";
	refuse(fixture->throttle, &scope);
	assert_in_range(turn(fixture->other, &scope), 50, 51);
	scope.filtered = false;
	assert_int_equal(turn(fixture->other, &scope), 0);
	refuse(fixture->throttle, &scope);
	assert_in_range(turn(fixture->other, &scope), 100, 101);
	assert_int_equal(files(fixture), 1);
	/* no two scopes are one because their parts run into each other */
	refuse(fixture->throttle, &(struct throttle_scope){ "1", "23", "4", "CreateTags", false });
	assert_int_equal(turn(fixture->other, &(struct throttle_scope){ "12", "3", "4", "CreateTags", false }), 0);
}

/* Opening the file once is what a call costs whose action nobody has been refused. */
static void test_cost_of_a_call(void **state)
{
	struct fixture *fixture = *state;
	struct throttle_scope scope = create_volume;
	struct throttle_ticket ticket = { 0 };
	struct inotify_event events[8];

	refuse(fixture->throttle, &create_volume);
	assert_int_equal(files(fixture), 1);
	CLEANUP_FD int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(watch, fixture->path, IN_OPEN | IN_MODIFY | IN_CLOSE) >= 0);
	scope.action = "DeleteVolume";
	assert_int_equal(throttle_turn(fixture->throttle, &scope, &ticket), 0);
	throttle_taken(fixture->throttle, &scope, &ticket);
	assert_int_equal(read(watch, events, sizeof(events)), 2 * sizeof(events[0]));
	assert_int_equal(events[0].mask, IN_OPEN);
	assert_int_equal(events[1].mask, IN_CLOSE_WRITE);
}

static void test_filtered(void **state)
{
	(void)state;
	assert_true(throttle_is_filtered("Action=DescribeVolumes&Version=2016-11-15&Filter.1.Name=tag"));
	assert_true(throttle_is_filtered("&MaxResults=1000"));
	assert_false(throttle_is_filtered("&VolumeId.1=vol-1"));
	assert_false(throttle_is_filtered("&Description=%26Filter.1"));
	assert_false(throttle_is_filtered(""));
}

static void test_gone_when_the_bucket_is_full(void **state)
{
	struct fixture *fixture = *state;
	struct throttle_scope copy = create_volume;

	copy.action = "CopyImage";
	refuse(fixture->throttle, &create_volume);
	refuse(fixture->throttle, &copy);
	fixture->fake.now_ms += 19000;
	assert_int_equal(turn(fixture->other, &create_volume), 0);
	assert_int_equal(files(fixture), 1);
	/* both, although nobody asks for the one any more */
	fixture->fake.now_ms += 100000;
	assert_int_equal(turn(fixture->other, &create_volume), 0);
	assert_int_equal(files(fixture), 0);
	assert_int_equal(turn(fixture->other, &create_volume), 0);
	assert_true(refuse(fixture->throttle, &create_volume));
	assert_in_range(turn(fixture->other, &create_volume), 200, 201);
}

static void test_more_actions_than_fit(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;

	for (int i = 0; i < 200; i++) {
		char action[80];
		struct throttle_scope scope = create_volume;
		snprintf(action, sizeof(action), "DescribeSomethingWithANameThatIsAsLongAsTheLongestOfThem%d", i);
		scope.action = action;
		assert_true(refuse(fixture->throttle, &scope) == (i < THROTTLE_MAX_BUCKETS));
	}
	assert_int_equal(files(fixture), 1);
	assert_int_equal(stat(fixture->path, &st), 0);
	assert_true(st.st_size < (off_t)THROTTLE_MAX_BYTES);
}

static void test_old_files_are_swept(void **state)
{
	struct fixture *fixture = *state;
	const int64_t day = 24 * 3600;
	static const struct {
		const char *name;
		int age;
		bool stays;
	} rows[] = {
		{ "0123456789abcdef0123456789abcdef.buckets", 2, false },
		{ "0123456789abcdef0123456789abcdee.buckets", 0, true },
		{ "notes", 2, true },
	};
	char path[128];

	/* what the folder needs to be taken for ours */
	refuse(fixture->throttle, &create_volume);
	assert_int_equal(files(fixture), 1);
	assert_int_equal(unlink(fixture->path), 0);
	for (size_t i = 0; i < 3; i++) {
		const struct timespec at = { .tv_sec = FAKE_NOW - rows[i].age * day };
		tree_file(&fixture->tree, "", "state/throttle/%s", rows[i].name);
		snprintf(path, sizeof(path), "%s/state/throttle/%s", fixture->tree.root, rows[i].name);
		assert_int_equal(utimensat(AT_FDCWD, path, (const struct timespec[]){ at, at }, 0), 0);
	}
	refuse(fixture->throttle, &create_volume);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/state/throttle/%s", fixture->tree.root, rows[i].name);
		assert_int_equal(access(path, F_OK), rows[i].stays ? 0 : -1);
	}
	assert_int_equal(files(fixture), 3);
}

/* --- files that are no such thing --- */

static void write_file(const char *path, const char *text, size_t len)
{
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, len, path, NULL), 0);
}

#define TOP "aws-cpi throttle 1\n"
#define NOW "1767225600000000" /* FAKE_NOW */
#define VALUES " 9 " NOW " 0 5 5000000 9 0 0 0 0 9\n"
#define LINE "CreateVolume" VALUES

static size_t too_many_lines(char *text, size_t size)
{
	size_t len = (size_t)snprintf(text, size, "%s", TOP);

	for (int i = 0; i <= THROTTLE_MAX_BUCKETS; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%d%s", i == 0 ? "CreateVolume" : "A", i, VALUES);
	return len + (size_t)snprintf(text + len, size - len, LINE "end\n");
}

static void test_what_is_no_table(void **state)
{
	struct fixture *fixture = *state;
	static const char *const texts[] = {
		"",
		"\n",
		"end\n",
		TOP,
		TOP LINE,
		TOP LINE "en",
		TOP LINE "end\nend\n",
		LINE "end\n",
		"aws-cpi throttle 2\n" LINE "end\n",
		TOP "CreateVolume 9 " NOW " 0 5 5000000 9 0 0 0 0\nend\n",
		TOP "CreateVolume 9 " NOW " 0 5 5000000 9 0 0 0 0 9 9\nend\n",
		TOP "CreateVolume 9 " NOW " 0 5 5000000  9 0 0 0 0 9\nend\n",
		TOP "CreateVolume 9 " NOW " 0 5 5e6 9 0 0 0 0 9\nend\n",
		TOP "CreateVolume 9 " NOW " 0 5 0 9 0 0 0 0 9\nend\n",
		TOP "CreateVolume 9 " NOW " 0 5 5000000 9 0 1 0 0 9\nend\n",
		TOP "CreateVolume 9 " NOW " 0 99999999999999999999 5000000 9 0 0 0 0 9\nend\n",
		TOP LINE VALUES "end\n",
		TOP LINE "../x" VALUES "end\n",
		TOP "\nend\n",
	};
	char large[THROTTLE_MAX_BYTES + 100];

	refuse(fixture->throttle, &create_volume);
	assert_int_equal(files(fixture), 1);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) + 3; i++) {
		const size_t k = i - sizeof(texts) / sizeof(texts[0]);
		size_t len = sizeof(large);
		memset(large, 'x', sizeof(large));
		if (i < sizeof(texts) / sizeof(texts[0]))
			len = (size_t)snprintf(large, sizeof(large), "%s", texts[i]);
		else if (k == 0)
			memcpy(large, TOP "Create\0Volume" VALUES "end\n", len = sizeof(TOP "Create0Volume" VALUES "end\n") - 1);
		else if (k == 1)
			len = too_many_lines(large, sizeof(large));
		write_file(fixture->path, large, len);
		/* nothing is known, nobody waits; and the next refusal begins anew */
		if (turn(fixture->other, &create_volume) != 0)
			fail_msg("text %zu was taken for a table", i);
		assert_true(refuse(fixture->throttle, &create_volume));
		assert_in_range(turn(fixture->other, &create_volume), 200, 201);
	}
	/* and what they were all made of is one */
	write_file(fixture->path, TOP LINE "end\n", strlen(TOP LINE "end\n"));
	assert_in_range(turn(fixture->other, &create_volume), 1000, 1000);
	assert_false(has_logged(fixture, "stays in this process"));
}

/* Whether this process learns for itself, and tells why. */
static void check_alone(struct fixture *fixture, const char *why)
{
	char log[65536];

	assert_false(refuse(fixture->throttle, &create_volume));
	assert_in_range(turn(fixture->throttle, &create_volume), 200, 201);
	fake_aws_log(&fixture->fake, log, sizeof(log));
	const char *said = strstr(log, "stays in this process");
	assert_non_null(said);
	if (strstr(said, why) == NULL)
		fail_msg("%s", said);
	/* once */
	refuse(fixture->throttle, &create_volume);
	fake_aws_log(&fixture->fake, log, sizeof(log));
	assert_null(strstr(strstr(log, "stays in this process") + 1, "stays in this process"));
	assert_int_equal(turn(fixture->other, &create_volume), 0);
	/* also of several accounts */
	struct throttle_scope scope = create_volume;
	scope.account = "2";
	assert_int_equal(turn(fixture->throttle, &scope), 0);
	assert_false(refuse(fixture->throttle, &scope));
	assert_true(turn(fixture->throttle, &scope) > 0);
}

static void test_no_state_directory(void **state)
{
	struct fixture *fixture = *state;

	tree_file(&fixture->tree, "", "state");
	check_alone(fixture, "Not a directory");
}

static void test_a_folder_of_others(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	tree_folder(&fixture->tree, "state/throttle");
	assert_int_equal(chmod(tree_path(&fixture->tree, "state/throttle", path, sizeof(path)), 0777), 0);
	check_alone(fixture, "writable for others");
}

static void put_in_place(struct fixture *fixture)
{
	refuse(fixture->throttle, &create_volume);
	assert_int_equal(files(fixture), 1);
}

static void test_a_file_that_others_can_write(void **state)
{
	struct fixture *fixture = *state;

	put_in_place(fixture);
	assert_int_equal(chmod(fixture->path, 0620), 0);
	check_alone(fixture, "not a file that this user alone can write to");
}

static void test_a_file_of_another_user(void **state)
{
	struct fixture *fixture = *state;

	if (geteuid() != 0)
		skip();
	put_in_place(fixture);
	assert_int_equal(chown(fixture->path, 12345, 0), 0);
	check_alone(fixture, "not a file that this user alone can write to");
}

static void test_a_link(void **state)
{
	struct fixture *fixture = *state;
	char victim[128];

	put_in_place(fixture);
	assert_int_equal(unlink(fixture->path), 0);
	tree_file(&fixture->tree, "precious", "victim");
	assert_int_equal(symlink(tree_path(&fixture->tree, "victim", victim, sizeof(victim)), fixture->path), 0);
	check_alone(fixture, "cannot open");
	char text[16] = "";
	CLEANUP_FILE FILE *file = fopen(victim, "re");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, sizeof(text), file), 8);
	assert_memory_equal(text, "precious", 8);
}

static void test_a_pipe(void **state)
{
	struct fixture *fixture = *state;

	put_in_place(fixture);
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(mkfifo(fixture->path, 0600), 0);
	check_alone(fixture, "not a file");
}

static void test_a_full_disk(void **state)
{
	struct fixture *fixture = *state;
	struct rlimit before;

	put_in_place(fixture);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	/* half of a table fits */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 40, before.rlim_max }), 0);
	bool shared = refuse(fixture->throttle, &create_volume);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_false(shared);
	assert_false(refuse(fixture->throttle, &create_volume));
	assert_true(turn(fixture->throttle, &create_volume) > 0);
}

/* --- processes --- */

static void test_a_process_that_dies_costs_its_turn(void **state)
{
	struct fixture *fixture = *state;
	struct throttle_ticket ticket = { 0 };

	refuse(fixture->throttle, &create_volume);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)turn(fixture->other, &create_volume);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_in_range(throttle_turn(fixture->other, &create_volume, &ticket), 400, 401);
	fixture->fake.now_ms += 400;
	assert_int_equal(throttle_turn(fixture->other, &create_volume, &ticket), 0);
}

static void test_a_process_that_keeps_the_file(void **state)
{
	struct fixture *fixture = *state;

	put_in_place(fixture);
	CLEANUP_FD int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	/* nobody waits for it, and nobody concludes that there is no file */
	assert_int_equal(turn(fixture->other, &create_volume), 0);
	assert_false(refuse(fixture->other, &create_volume));
	assert_int_equal(flock(fd, LOCK_UN), 0);
	assert_true(turn(fixture->other, &create_volume) > 0);
	assert_false(has_logged(fixture, "stays in this process"));
}

static void test_a_file_that_goes_while_one_waits_for_it(void **state)
{
	struct fixture *fixture = *state;
	int status;

	put_in_place(fixture);
	CLEANUP_FD int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(refuse(fixture->other, &create_volume) ? 0 : 1);
	usleep(100000); /* so that it has opened the file, as a rule */
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* what it has learnt is in a file that others find */
	assert_int_equal(files(fixture), 1);
	assert_true(turn(fixture->throttle, &create_volume) > 0);
}

#define CROWD 24
#define TICKETS_EACH 40

/* Each of them draws its tickets; none is drawn twice. */
static void draw(struct throttle *throttle)
{
	for (int i = 0; i < TICKETS_EACH; i++)
		(void)turn(throttle, &create_volume);
}

static int64_t tickets_given(struct fixture *fixture)
{
	enum throttle_opened opened;
	struct throttle_table table;
	int fd;

	assert_int_equal(files(fixture), 1);
	assert_int_equal(throttle_file_open(fixture->path, false, &opened, &fd, &table, NULL), 0);
	assert_int_equal(opened, THROTTLE_FILE_OPEN);
	close(fd);
	assert_int_equal(table.count, 1);
	return table.entries[0].bucket.given;
}

static void test_many_at_the_same_time(void **state)
{
	struct fixture *fixture = *state;
	pid_t pids[CROWD];
	int status;

	refuse(fixture->throttle, &create_volume);
	for (int i = 0; i < CROWD; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			draw(fixture->other);
			_exit(0);
		}
	}
	for (int i = 0; i < CROWD; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(tickets_given(fixture), CROWD * TICKETS_EACH);
}

static void *draw_in_thread(void *self)
{
	draw(self);
	return NULL;
}

static void test_many_threads(void **state)
{
	struct fixture *fixture = *state;
	pthread_t threads[8];

	refuse(fixture->throttle, &create_volume);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, draw_in_thread, fixture->throttle), 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(tickets_given(fixture), 8 * TICKETS_EACH);
}

/* --- a time of their own --- */

enum order { TURN, REFUSED, TAKEN };

struct command {
	enum order order;
	int64_t now;
};

struct worker {
	pid_t pid;
	int to;
	int from;
};

static _Noreturn void work(struct fixture *fixture, int in, int out)
{
	struct throttle_ticket ticket = { 0 };
	struct command command;

	while (read(in, &command, sizeof(command)) == sizeof(command)) {
		int64_t answer = 0;
		fixture->fake.now_ms = (command.now - BUCKET_SIM_START) / 1000;
		if (command.order == TURN) {
			answer = throttle_turn(fixture->other, &create_volume, &ticket);
		} else {
			(command.order == REFUSED ? (void)throttle_refused(fixture->other, &create_volume, &ticket) :
						    throttle_taken(fixture->other, &create_volume, &ticket));
			ticket = (struct throttle_ticket){ 0 };
		}
		if (write(out, &answer, sizeof(answer)) != sizeof(answer))
			_exit(1);
	}
	_exit(0);
}

static int64_t order(void *self, unsigned process, struct command command)
{
	struct worker *worker = &((struct worker *)self)[process];
	int64_t answer = -1;

	assert_int_equal(write(worker->to, &command, sizeof(command)), sizeof(command));
	assert_int_equal(read(worker->from, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

static int64_t order_turn(void *self, unsigned process, int64_t now)
{
	return order(self, process, (struct command){ TURN, now });
}

static void order_refused(void *self, unsigned process, int64_t now)
{
	(void)order(self, process, (struct command){ REFUSED, now });
}

static void order_taken(void *self, unsigned process, int64_t now)
{
	(void)order(self, process, (struct command){ TAKEN, now });
}

static struct bucket_outcome run_workers(struct fixture *fixture, const struct bucket_sim *sim)
{
	struct worker *workers = calloc(sim->processes, sizeof(*workers));
	const struct bucket_client client = { order_turn, order_refused, order_taken, workers };
	int there[2], back[2], status;

	assert_non_null(workers);
	for (unsigned i = 0; i < sim->processes; i++) {
		assert_int_equal(pipe2(there, O_CLOEXEC), 0);
		assert_int_equal(pipe2(back, O_CLOEXEC), 0);
		workers[i] = (struct worker){ fork(), there[1], back[0] };
		assert_true(workers[i].pid >= 0);
		if (workers[i].pid == 0) {
			for (unsigned k = 0; k <= i; k++)
				close(workers[k].to);
			work(fixture, there[0], back[1]);
		}
		close(there[0]);
		close(back[1]);
	}
	struct bucket_outcome outcome = bucket_sim_run(sim, &client);
	for (unsigned i = 0; i < sim->processes; i++) {
		close(workers[i].to);
		close(workers[i].from);
		assert_int_equal(waitpid(workers[i].pid, &status, 0), workers[i].pid);
		assert_int_equal(status, 0);
	}
	free(workers);
	return outcome;
}

static void test_many_before_one_bucket(void **state)
{
	struct fixture *fixture = *state;
	static const struct bucket_sim rows[] = {
		{ .processes = 200, .calls = 1, .depth = 100, .refill = 5, .start_s = 1, .taken_s = 0.1, .refused_s = 0.05 },
		{ .processes = 60, .calls = 3, .depth = 20, .refill = 2, .taken_s = 0.02, .refused_s = 0.02 },
		{ .processes = 100, .calls = 2, .depth = 50, .refill = 10, .taken_s = 0.02, .refused_s = 0.02 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bucket_outcome outcome = run_workers(fixture, &rows[i]);
		if (outcome.seconds > 1.3 * outcome.best_s || outcome.most_refused > 8)
			fail_msg("row %zu: %.1f s where %.1f s are possible, one was refused %u times", i, outcome.seconds,
				 outcome.best_s, outcome.most_refused);
		assert_int_equal(files(fixture), 1);
		assert_int_equal(unlink(fixture->path), 0);
	}
	const struct bucket_sim large = { .processes = 100, .calls = 2, .depth = 1000, .refill = 1, .taken_s = 0.1 };
	struct bucket_outcome outcome = run_workers(fixture, &large);
	assert_true(outcome.seconds < 0.4);
	assert_int_equal(files(fixture), 0);
}

/* Nobody is lost where nothing can be shared: each backs off by itself. */
static void test_many_that_share_nothing(void **state)
{
	struct fixture *fixture = *state;
	const struct bucket_sim sim = {
		.processes = 60, .calls = 1, .depth = 10, .refill = 2, .taken_s = 0.1, .refused_s = 0.05
	};

	tree_file(&fixture->tree, "", "state");
	struct bucket_outcome outcome = run_workers(fixture, &sim);
	assert_true(outcome.seconds < 3 * outcome.best_s);
	assert_true(outcome.most_refused < 60);
}

static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;

	for (long n = 0; n < 50; n++) {
		struct throttle *throttle = NULL;
		struct error err = { 0 };
		fail_alloc_after(n);
		int result = throttle_new(&fixture->fake.runtime, &throttle, &err);
		if (result == 0) {
			/* these cannot fail, whatever they make of it */
			(void)turn(throttle, &create_volume);
			(void)refuse(throttle, &create_volume);
			throttle_taken(throttle, &create_volume, &(struct throttle_ticket){ .waited = true });
		}
		bool failed = fail_alloc_off();
		throttle_free(throttle);
		if (result != 0)
			assert_int_equal(err.kind, ERROR_NOMEM);
		if (!failed)
			return;
	}
	fail_msg("memory never was enough");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_nothing_before_the_first_refusal),
		TEST(test_buckets_of_ebs),
		TEST(test_others_wait_after_a_refusal),
		TEST(test_a_bucket_of_its_own),
		TEST(test_cost_of_a_call),
		TEST(test_filtered),
		TEST(test_gone_when_the_bucket_is_full),
		TEST(test_more_actions_than_fit),
		TEST(test_old_files_are_swept),
		TEST(test_what_is_no_table),
		TEST(test_no_state_directory),
		TEST(test_a_folder_of_others),
		TEST(test_a_file_that_others_can_write),
		TEST(test_a_file_of_another_user),
		TEST(test_a_link),
		TEST(test_a_pipe),
		TEST(test_a_full_disk),
		TEST(test_a_process_that_dies_costs_its_turn),
		TEST(test_a_process_that_keeps_the_file),
		TEST(test_a_file_that_goes_while_one_waits_for_it),
		TEST(test_many_at_the_same_time),
		TEST(test_many_threads),
		TEST(test_many_before_one_bucket),
		TEST(test_many_that_share_nothing),
		TEST(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
