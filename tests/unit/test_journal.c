/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's files: what is on the disk after each call, who may take them, and what broken ones lead to. */
#include "cpi/methods/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "tests/unit/fail_alloc.h"

static const struct journal_header header = {
	.method = "create_stemcell",
	.director_uuid = "director-1",
	.request_id = "cpi-1",
	.endpoint = "https://ec2.eu-west-1.amazonaws.com/",
	.access_key_id = "AKIA1",
};

struct fixture {
	char folder[64];
	char directory[96];
	struct clock clock;
	struct arena *arena;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/test_journal.XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	snprintf(fixture->directory, sizeof(fixture->directory), "%s/deep/er/journal", fixture->folder);
	char base[96];
	snprintf(base, sizeof(base), "%s/deep/er", fixture->folder);
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", base, 1), 0);
	clock_system(&fixture->clock);
	fixture->arena = arena_new(8 * 1024 * 1024);
	assert_non_null(fixture->arena);
	*state = fixture;
	return 0;
}

static void remove_tree(const char *path)
{
	CLEANUP_DIR DIR *dir = opendir(path);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		char child[4096];
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		if (unlink(child) != 0)
			remove_tree(child);
	}
	rmdir(path);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	remove_tree(fixture->folder);
	arena_free(fixture->arena);
	free(fixture);
	unsetenv("AWS_CPI_STATE_DIR");
	return 0;
}

static struct journal *open_one(struct fixture *fixture)
{
	struct journal *journal = NULL;
	struct error err = { 0 };

	assert_int_equal(journal_open(&fixture->clock, &header, &journal, &err), 0);
	return journal;
}

static struct journal *claim(const char *path)
{
	struct journal *journal = NULL;
	enum journal_claim got = JOURNAL_GONE;
	struct error err = { 0 };

	assert_int_equal(journal_claim(path, &got, &journal, &err), 0);
	assert_int_equal(got, JOURNAL_CLAIMED);
	return journal;
}

/* --- writing and reading --- */

static void intend(struct journal *journal, unsigned number, const char *kind, const char *id)
{
	char token[32], tag_value[64];
	struct error err = { 0 };

	snprintf(token, sizeof(token), "token-%u", number);
	snprintf(tag_value, sizeof(tag_value), "director-1/cpi-1/%u-a", number);
	const struct journal_entry entry = { .number = number, .kind = kind, .token = token, .tag_value = tag_value, .id = id };
	assert_int_equal(journal_intend(journal, &entry, &err), 0);
}

static void test_round_trip(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = open_one(fixture);
	char *path = arena_strdup(fixture->arena, journal_path(journal));
	struct journal_record record;
	struct error err = { 0 };

	intend(journal, 1, "volume", NULL);
	assert_int_equal(journal_created(journal, 1, "vol-1", &err), 0);
	intend(journal, 2, "snapshot", NULL);
	intend(journal, 3, "route", "rtb-1 10.0.0.0/8 i-1");
	assert_int_equal(journal_settled(journal, 1, &err), 0);
	journal_close(journal);

	journal = claim(path);
	assert_int_equal(journal_read(journal, fixture->arena, &record, &err), 0);
	assert_string_equal(record.header.method, header.method);
	assert_string_equal(record.header.director_uuid, header.director_uuid);
	assert_string_equal(record.header.request_id, header.request_id);
	assert_string_equal(record.header.endpoint, header.endpoint);
	assert_string_equal(record.header.access_key_id, header.access_key_id);
	assert_int_equal(record.pid, getpid());
	assert_true(record.started > 1700000000);
	assert_false(record.answering);
	assert_int_equal(record.n_entries, 3);
	assert_string_equal(record.entries[0].kind, "volume");
	assert_string_equal(record.entries[0].id, "vol-1");
	assert_true(record.entries[0].settled);
	assert_string_equal(record.entries[1].token, "token-2");
	assert_string_equal(record.entries[1].tag_value, "director-1/cpi-1/2-a");
	assert_null(record.entries[1].id);
	assert_false(record.entries[1].settled);
	assert_string_equal(record.entries[2].kind, "route");
	assert_string_equal(record.entries[2].id, "rtb-1 10.0.0.0/8 i-1");
	assert_string_equal(record.entries[2].tag_value, "director-1/cpi-1/3-a");

	/* whoever claimed it can go on writing */
	assert_int_equal(journal_answering(journal, &err), 0);
	assert_int_equal(journal_read(journal, fixture->arena, &record, &err), 0);
	assert_true(record.answering);
	journal_remove(journal);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_unknown_endpoint_and_key(void **state)
{
	struct fixture *fixture = *state;
	const struct journal_header bare = { .method = "m", .director_uuid = "d", .request_id = "r" };
	struct journal_record record;
	struct journal *journal;
	struct error err = { 0 };

	assert_int_equal(journal_open(&fixture->clock, &bare, &journal, &err), 0);
	assert_int_equal(journal_read(journal, fixture->arena, &record, &err), 0);
	assert_null(record.header.endpoint);
	assert_null(record.header.access_key_id);
	assert_int_equal(record.n_entries, 0);
	journal_remove(journal);
}

static void test_permissions(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = open_one(fixture);
	struct stat st;

	assert_int_equal(stat(journal_path(journal), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(fixture->directory, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	journal_remove(journal);
}

/* --- the lock --- */

static void test_live_one_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = open_one(fixture);
	enum journal_claim got = JOURNAL_GONE;
	struct journal *other = NULL;
	struct error err = { 0 };

	assert_int_equal(journal_claim(journal_path(journal), &got, &other, &err), 0);
	assert_int_equal(got, JOURNAL_LIVE);
	assert_null(other);
	journal_remove(journal);
}

static void test_killed_process_lets_go(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = open_one(fixture);
	char *path = arena_strdup(fixture->arena, journal_path(journal));
	int pipe_ends[2];
	int status;

	/* a child that has the journal open only by exec's grace would keep the lock: it is closed on exec */
	assert_int_equal(pipe(pipe_ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_ends[0], STDIN_FILENO);
		close(pipe_ends[1]);
		execlp("cat", "cat", (char *)NULL);
		_exit(127);
	}
	close(pipe_ends[0]);
	journal_close(journal);
	journal = NULL;
	for (int i = 0; i < 500 && journal == NULL; i++) {
		enum journal_claim got;
		assert_int_equal(journal_claim(path, &got, &journal, NULL), 0);
		if (got != JOURNAL_CLAIMED)
			usleep(10000); /* until the child has reached exec */
	}
	assert_non_null(journal);
	journal_remove(journal);
	close(pipe_ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void test_gone(void **state)
{
	struct fixture *fixture = *state;
	char *path = arena_printf(fixture->arena, "%s/none.jsonl", fixture->folder);
	enum journal_claim got = JOURNAL_LIVE;
	struct journal *journal = NULL;
	struct error err = { 0 };

	assert_int_equal(journal_claim(path, &got, &journal, &err), 0);
	assert_int_equal(got, JOURNAL_GONE);
	assert_null(journal);
}

static void test_a_link_is_not_followed(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = open_one(fixture);
	char *link_path = arena_printf(fixture->arena, "%s/link.jsonl", fixture->directory);
	enum journal_claim got;
	struct journal *other = NULL;
	struct error err = { 0 };

	assert_int_equal(symlink(journal_path(journal), link_path), 0);
	assert_int_equal(journal_claim(link_path, &got, &other, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	journal_remove(journal);
}

/* --- the directory --- */

static void test_directory_order(void **state)
{
	struct fixture *fixture = *state;
	const char *path = NULL;
	struct error err = { 0 };
	char *home = arena_strdup(fixture->arena, getenv("HOME") != NULL ? getenv("HOME") : "/root");
	char wanted[64];

	unsetenv("AWS_CPI_STATE_DIR");
	setenv("XDG_STATE_HOME", "/x", 1);
	assert_int_equal(journal_directory(fixture->arena, &path, &err), 0);
	assert_string_equal(path, "/x/aws-cpi/journal");
	setenv("XDG_STATE_HOME", "relative", 1); /* as the specification says: to be ignored */
	setenv("HOME", "/h", 1);
	assert_int_equal(journal_directory(fixture->arena, &path, &err), 0);
	assert_string_equal(path, "/h/.local/state/aws-cpi/journal");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	setenv("TMPDIR", "/t", 1);
	assert_int_equal(journal_directory(fixture->arena, &path, &err), 0);
	snprintf(wanted, sizeof(wanted), "/t/aws-cpi-%lu/journal", (unsigned long)geteuid());
	assert_string_equal(path, wanted);
	unsetenv("TMPDIR");
	assert_int_equal(journal_directory(fixture->arena, &path, &err), 0);
	snprintf(wanted, sizeof(wanted), "/tmp/aws-cpi-%lu/journal", (unsigned long)geteuid());
	assert_string_equal(path, wanted);
	setenv("HOME", home, 1);
}

static void test_directory_that_others_can_write_to(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = open_one(fixture);
	struct error err = { 0 };
	const char *const *names;
	size_t count;

	journal_remove(journal);
	assert_int_equal(chmod(fixture->directory, 0777), 0);
	assert_int_equal(journal_open(&fixture->clock, &header, &journal, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, "writable for others"));
	assert_int_equal(journal_list(fixture->arena, fixture->directory, &names, &count, &err), -1);
}

static void test_no_directory_to_be_had(void **state)
{
	struct fixture *fixture = *state;
	char *file = arena_printf(fixture->arena, "%s/file", fixture->folder);
	struct journal *journal = NULL;
	struct error err = { 0 };

	CLEANUP_FD int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	setenv("AWS_CPI_STATE_DIR", file, 1);
	assert_int_equal(journal_open(&fixture->clock, &header, &journal, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, file));
	assert_null(journal);
}

static void test_list(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journals[40];
	const char *const *names;
	size_t count;
	struct error err = { 0 };

	assert_int_equal(journal_list(fixture->arena, fixture->directory, &names, &count, &err), 0);
	assert_int_equal(count, 0);
	for (size_t i = 0; i < 40; i++)
		journals[i] = open_one(fixture);
	char *other = arena_printf(fixture->arena, "%s/notes.txt", fixture->directory);
	int fd = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(journal_list(fixture->arena, fixture->directory, &names, &count, &err), 0);
	assert_int_equal(count, 40);
	for (size_t i = 1; i < count; i++)
		assert_true(strcmp(names[i - 1], names[i]) < 0);
	for (size_t i = 0; i < 40; i++)
		journal_remove(journals[i]);
}

/* --- broken files --- */

static char *write_file(struct fixture *fixture, const char *text)
{
	struct journal *journal = open_one(fixture);
	char *path = arena_strdup(fixture->arena, journal_path(journal));

	journal_close(journal);
	CLEANUP_FD int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, strlen(text), path, NULL), 0);
	return path;
}

#define HEADER "{\"journal\":1,\"pid\":1,\"started\":1,\"method\":\"m\",\"director\":\"d\",\"request\":\"r\"}\n"
#define INTEND "{\"intend\":1,\"kind\":\"volume\",\"token\":\"t\",\"tag\":\"d/r/1\"}\n"

static void test_cut_line_is_left_out(void **state)
{
	struct fixture *fixture = *state;
	char *path = write_file(fixture, HEADER INTEND "{\"created\":1,\"id\":\"vol-");
	struct journal *journal = claim(path);
	struct journal_record record;
	struct error err = { 0 };

	assert_int_equal(journal_read(journal, fixture->arena, &record, &err), 0);
	assert_int_equal(record.n_entries, 1);
	assert_null(record.entries[0].id);
	/* and does not spoil what is written behind it */
	assert_int_equal(journal_settled(journal, 1, &err), 0);
	assert_int_equal(journal_read(journal, fixture->arena, &record, &err), 0);
	assert_true(record.entries[0].settled);
	journal_remove(journal);
}

static void test_nothing_but_a_cut_header(void **state)
{
	struct fixture *fixture = *state;
	static const char *const texts[] = { "", "{\"journal\":1,\"pi" };

	for (size_t i = 0; i < 2; i++) {
		struct journal *journal = claim(write_file(fixture, texts[i]));
		struct journal_record record;
		struct error err = { 0 };
		assert_int_equal(journal_read(journal, fixture->arena, &record, &err), 0);
		assert_int_equal(record.n_entries, 0);
		assert_string_equal(record.header.method, "");
		journal_remove(journal);
	}
}

static void test_broken_lines(void **state)
{
	struct fixture *fixture = *state;
	static const char *const texts[] = {
		"\n",
		"[]\n",
		"{\"journal\":2,\"pid\":1,\"started\":1,\"method\":\"m\",\"director\":\"d\",\"request\":\"r\"}\n",
		"{\"journal\":1,\"pid\":1,\"started\":1,\"method\":\"m\",\"director\":\"d\"}\n",
		HEADER "{}\n",
		HEADER "not JSON\n",
		HEADER "{\"created\":1,\"id\":\"vol-1\"}\n",
		HEADER "{\"settled\":1}\n",
		HEADER "{\"intend\":1,\"kind\":\"volume\"}\n",
		HEADER "{\"intend\":-1,\"kind\":\"volume\",\"tag\":\"x\"}\n",
		HEADER INTEND "{\"created\":1}\n",
		HEADER INTEND HEADER,
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct journal *journal = claim(write_file(fixture, texts[i]));
		struct journal_record record;
		struct error err = { 0 };
		assert_int_equal(journal_read(journal, fixture->arena, &record, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
		assert_non_null(strstr(err.message, journal_path(journal)));
		journal_remove(journal);
	}
}

static void test_disk_full(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal;
	struct error err = { 0 };

	/* a journal whose descriptor is /dev/full's: each write fails with ENOSPC */
	if (access("/dev/full", W_OK) != 0)
		skip();
	journal = open_one(fixture);
	CLEANUP_FD int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	/* the first member is the descriptor */
	int ours;
	memcpy(&ours, journal, sizeof(ours));
	assert_true(dup2(fd, ours) == ours);
	const struct journal_entry entry = { .number = 1, .kind = "volume", .token = "t", .tag_value = "d/r/1" };
	assert_int_equal(journal_intend(journal, &entry, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	/* a line after a half one would not be read as what it is */
	assert_int_equal(journal_created(journal, 1, "vol-1", &err), -1);
	assert_non_null(strstr(err.message, "before"));
	journal_remove(journal);
}

static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;

	for (long n = 0; n < 200; n++) {
		struct journal *journal = NULL;
		struct error err = { 0 };
		fail_alloc_after(n);
		int result = journal_open(&fixture->clock, &header, &journal, &err);
		bool failed = fail_alloc_off();
		if (result == 0) {
			journal_remove(journal);
			if (!failed)
				break;
			continue;
		}
		assert_true(failed);
		assert_null(journal);
		/* and nothing lies about */
		const char *const *names;
		size_t count;
		assert_int_equal(journal_list(fixture->arena, fixture->directory, &names, &count, &err), 0);
		assert_int_equal(count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_round_trip),
		TEST(test_unknown_endpoint_and_key),
		TEST(test_permissions),
		TEST(test_live_one_is_left_alone),
		TEST(test_killed_process_lets_go),
		TEST(test_gone),
		TEST(test_a_link_is_not_followed),
		TEST(test_directory_order),
		TEST(test_directory_that_others_can_write_to),
		TEST(test_no_directory_to_be_had),
		TEST(test_list),
		TEST(test_cut_line_is_left_out),
		TEST(test_nothing_but_a_cut_header),
		TEST(test_broken_lines),
		TEST(test_disk_full),
		TEST(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
