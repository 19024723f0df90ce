/* SPDX-License-Identifier: Apache-2.0 */
/* A host of the shared library, for what Python would get in the way of: many threads, loading and unloading, and what a call
 * leaves behind in the process. A test's tool; nothing of it is shipped.
 *
 *   threads LIBRARY SETTINGS REGION REGION THREADS ROUNDS   each thread works in one of the two regions
 *   host LIBRARY SETTINGS                                   signals, mask, descriptors, threads and children: before and after
 *   cycles LIBRARY SETTINGS OTHER TIMES EVERY               loads, calls, unloads; every so often with the other settings;
 *                                                           prints {"bytes", "mappings"} after the tenth time and at the end
 * What is not as it should be is one line on standard error, and exit status 1. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "cpi/cpi_aws.h"

#define MAX_THREADS 64
#define WARM_UP 10

struct library {
	void *handle;
	__typeof__(cpi_aws_default_settings) *default_settings;
	__typeof__(cpi_aws_list_actions) *list_actions;
	__typeof__(cpi_aws_action_definition) *action_definition;
	__typeof__(cpi_aws_execute) *execute;
	__typeof__(cpi_aws_free) *free;
};

static void load(const char *path, struct library *library)
{
	library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library->handle == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		exit(EXIT_FAILURE);
	}
	*(void **)&library->default_settings = dlsym(library->handle, "cpi_aws_default_settings");
	*(void **)&library->list_actions = dlsym(library->handle, "cpi_aws_list_actions");
	*(void **)&library->action_definition = dlsym(library->handle, "cpi_aws_action_definition");
	*(void **)&library->execute = dlsym(library->handle, "cpi_aws_execute");
	*(void **)&library->free = dlsym(library->handle, "cpi_aws_free");
}

/* --- threads --- */

struct worker {
	const struct library *library;
	const char *settings;
	const char *region;
	unsigned number;
	unsigned rounds;
	bool failed;
};

static bool begins(const char *text, const char *with)
{
	return text != NULL && strncmp(text, with, strlen(with)) == 0;
}

/* Runs it; says so where the answer does not begin and go on as it should. id (may be NULL) gets the member of that name. */
static bool expect(const struct worker *worker, const char *action, const char *parameters, const char *beginning,
		   const char *part, char id[64])
{
	char *answer = worker->library->execute(worker->settings, action, parameters);
	bool fine = begins(answer, beginning) && strstr(answer, part) != NULL;
	const char *at = fine && id != NULL ? strstr(answer, "\"id\":\"") : NULL;

	if (!fine || (id != NULL && (at == NULL || sscanf(at, "\"id\":\"%63[^\"]\"", id) != 1))) {
		fprintf(stderr, "thread %u: %s %s: %s\n", worker->number, action, parameters, answer);
		fine = false;
	}
	worker->library->free(answer);
	return fine;
}

#define GOOD "{\"success\":true"
#define BAD "{\"success\":false"

static bool work_once(const struct worker *worker)
{
	char *definition = worker->library->action_definition("create_volume");
	char *list = worker->library->list_actions();
	bool known = begins(definition, "{\"name\":\"create_volume\"") && begins(list, "[\"test_install\"");
	char volume[64], snapshot[64], text[256];

	worker->library->free(definition);
	worker->library->free(list);
	snprintf(text, sizeof(text), "{\"size_gb\":1,\"availability_zone\":\"%sa\",\"region\":\"%s\"}", worker->region,
		 worker->region);
	if (!known || !expect(worker, "create_volume", text, GOOD, "vol-", volume))
		return false;
	snprintf(text, sizeof(text), "{\"volume_id\":\"%s\",\"snapshot_name\":\"of %u\",\"region\":\"%s\"}", volume,
		 worker->number, worker->region);
	if (!expect(worker, "create_snapshot", text, GOOD, "snap-", snapshot))
		return false;
	snprintf(text, sizeof(text), "{\"region\":\"%s\"}", worker->region);
	if (!expect(worker, "test_install", text, GOOD, "\"arn\":", NULL) ||
	    !expect(worker, "get_volumes", text, GOOD, volume, NULL) ||
	    !expect(worker, "list_workers", text, GOOD, "\"workers\":[", NULL) ||
	    !expect(worker, "list_workers", "{\"regoin\":\"\"}", BAD, "Did you mean region?", NULL))
		return false;
	snprintf(text, sizeof(text), "{\"snapshot_id\":\"%s\",\"region\":\"%s\"}", snapshot, worker->region);
	if (!expect(worker, "delete_snapshot", text, GOOD, "", NULL) ||
	    !expect(worker, "has_snapshot", text, GOOD, "\"exists\":false", NULL))
		return false;
	snprintf(text, sizeof(text), "{\"volume_id\":\"%s\",\"region\":\"%s\"}", volume, worker->region);
	return expect(worker, "has_volume", text, GOOD, "\"exists\":true", NULL) &&
	       expect(worker, "delete_volume", text, GOOD, "", NULL) &&
	       expect(worker, "delete_volume", text, BAD, "\"code\":\"InvalidVolume.NotFound\"", NULL);
}

static void *work(void *self)
{
	struct worker *worker = self;

	for (unsigned i = 0; i < worker->rounds && !worker->failed; i++)
		worker->failed = !work_once(worker);
	return NULL;
}

static int run_threads(char **arguments)
{
	static struct worker workers[MAX_THREADS];
	pthread_t threads[MAX_THREADS];
	struct library library;
	unsigned count = (unsigned)strtoul(arguments[4], NULL, 10);
	bool failed = count == 0 || count > MAX_THREADS;

	load(arguments[0], &library);
	for (unsigned i = 0; i < count && !failed; i++) {
		workers[i] = (struct worker){ &library, arguments[1], arguments[2 + i % 2], i,
					      (unsigned)strtoul(arguments[5], NULL, 10), false };
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			return EXIT_FAILURE;
	}
	for (unsigned i = 0; i < count && !failed; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < count; i++)
		failed = failed || workers[i].failed;
	dlclose(library.handle);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- what a call leaves behind --- */

struct host_state {
	struct sigaction actions[NSIG];
	sigset_t mask;
	char descriptors[4096]; /* their numbers */
	char tasks[4096];
};

static void read_names(const char *folder, char *names, size_t size)
{
	CLEANUP_DIR DIR *dir = opendir(folder);
	size_t len = 0;

	names[0] = '\0';
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL && len < size;)
		len += (size_t)snprintf(names + len, size - len, "%s ", entry->d_name);
}

static void look_at_host(struct host_state *state)
{
	memset(state, 0, sizeof(*state));
	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, NULL, &state->actions[signal]);
	pthread_sigmask(SIG_SETMASK, NULL, &state->mask);
	read_names("/proc/self/fd", state->descriptors, sizeof(state->descriptors));
	read_names("/proc/self/task", state->tasks, sizeof(state->tasks));
}

static bool same_signals(const struct host_state *before, const struct host_state *after)
{
	for (int signal = 1; signal < NSIG; signal++) {
		if (before->actions[signal].sa_handler != after->actions[signal].sa_handler ||
		    before->actions[signal].sa_flags != after->actions[signal].sa_flags ||
		    sigismember(&before->mask, signal) != sigismember(&after->mask, signal)) {
			fprintf(stderr, "signal %d is not as it was\n", signal);
			return false;
		}
	}
	return true;
}

static bool same_text(const char *what, const char *before, const char *after)
{
	if (strcmp(before, after) != 0)
		fprintf(stderr, "%s: %s became %s\n", what, before, after);
	return strcmp(before, after) == 0;
}

static void *tell_task(void *ret_task)
{
	*(pid_t *)ret_task = gettid();
	return NULL;
}

/* ThreadSanitizer has a thread of its own from the first one of ours on. That one is on show a moment longer than it lives. */
static void make_a_thread(void)
{
	pthread_t thread;
	pid_t task;
	char path[64];

	if (pthread_create(&thread, NULL, tell_task, &task) != 0)
		return;
	pthread_join(thread, NULL);
	snprintf(path, sizeof(path), "/proc/self/task/%ld", (long)task);
	while (access(path, F_OK) == 0)
		usleep(10000);
}

/* A thread that was waited for is on show a moment longer. */
static void look_when_settled(const struct host_state *before, struct host_state *state)
{
	for (int tries = 0; tries < 6000; tries++) {
		look_at_host(state);
		if (strcmp(before->tasks, state->tasks) == 0)
			return;
		usleep(10000);
	}
}

/* SIGPIPE as a program has it that never heard of it; a mask that is not empty. */
static int run_host(char **arguments)
{
	static struct host_state before, after;
	struct worker worker = { .settings = arguments[1], .region = "us-east-1" };
	struct library library;
	sigset_t mask;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	load(arguments[0], &library);
	worker.library = &library;
	make_a_thread();
	look_at_host(&before);
	bool fine = work_once(&worker);
	look_when_settled(&before, &after);
	fine = fine && same_signals(&before, &after) && same_text("descriptors", before.descriptors, after.descriptors) &&
	       same_text("threads", before.tasks, after.tasks);
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
		fprintf(stderr, "there is a child\n");
		fine = false;
	}
	dlclose(library.handle);
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- loading and unloading --- */

/* What is in use, not what the allocator has put by. A sanitizer's allocator has its own count. */
static size_t bytes_in_use(void)
{
	size_t (*sanitizers)(void);

	*(void **)&sanitizers = dlsym(RTLD_DEFAULT, "__sanitizer_get_current_allocated_bytes");
	if (sanitizers != NULL)
		return sanitizers();
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

/* Files that are mapped: of anonymous mappings the allocators make what they like. */
static unsigned count_mappings(void)
{
	CLEANUP_FILE FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096];
	unsigned count = 0;

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
		count += strchr(line, '/') != NULL;
	return count;
}

static int run_cycles(char **arguments)
{
	unsigned long times = strtoul(arguments[3], NULL, 10), every = strtoul(arguments[4], NULL, 10);
	struct library library;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (unsigned long i = 1; i <= times; i++) {
		load(arguments[0], &library);
		bool other = i % every == 0;
		char *answer = library.execute(arguments[other ? 2 : 1], "has_volume", "{\"volume_id\":\"vol-00000000000000000\"}");
		if (!begins(answer, other ? GOOD ",\"exists\":false" : BAD ",\"error\":{\"type\":\"Bosh::Clouds::CloudError\"")) {
			fprintf(stderr, "the %lu. time: %s\n", i, answer);
			return EXIT_FAILURE;
		}
		library.free(answer);
		dlclose(library.handle);
		if (i == WARM_UP || i == times)
			printf("{\"bytes\": %zu, \"mappings\": %u}\n", bytes_in_use(), count_mappings());
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc == 8 && strcmp(argv[1], "threads") == 0)
		return run_threads(argv + 2);
	if (argc == 4 && strcmp(argv[1], "host") == 0)
		return run_host(argv + 2);
	if (argc == 7 && strcmp(argv[1], "cycles") == 0)
		return run_cycles(argv + 2);
	fprintf(stderr, "usage: see the beginning of tests/tools/library_driver.c\n");
	return 2;
}
