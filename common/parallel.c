/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take one task after the other, the caller among them. What the tasks share is theirs to guard. */
#include "common/parallel.h"

#include <pthread.h>
#include <signal.h>

struct crew {
	const struct parallel_task *tasks;
	size_t n_tasks;
	pthread_mutex_t lock; /* over what follows */
	size_t next;          /* task that nobody has taken yet */
	size_t failed;        /* the first in the list that failed; n_tasks: none */
	struct error failure; /* its error */
};

static const struct parallel_task *take(struct crew *crew)
{
	const struct parallel_task *task = NULL;

	pthread_mutex_lock(&crew->lock);
	if (crew->next < crew->n_tasks)
		task = &crew->tasks[crew->next++];
	pthread_mutex_unlock(&crew->lock);
	return task;
}

static void note_failure(struct crew *crew, size_t number, const struct error *failure)
{
	pthread_mutex_lock(&crew->lock);
	if (number < crew->failed) {
		crew->failed = number;
		crew->failure = *failure;
	}
	pthread_mutex_unlock(&crew->lock);
}

static void *work(void *self)
{
	struct crew *crew = self;
	const struct parallel_task *task;

	while ((task = take(crew)) != NULL) {
		struct error failure = { .kind = ERROR_NONE };
		if (task->run(task->self, &failure) != 0)
			note_failure(crew, (size_t)(task - crew->tasks), &failure);
	}
	return NULL;
}

/* As many as are wanted and can be had. Signals stay with the threads that were there before: main's handler must not
 * run, and a wait not be interrupted, in one of these. */
static size_t start(struct crew *crew, pthread_t *threads, size_t wanted)
{
	sigset_t all;
	sigset_t before;
	size_t started = 0;

	sigfillset(&all);
	if (wanted == 0 || pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return 0;
	while (started < wanted && pthread_create(&threads[started], NULL, work, crew) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

int parallel_run(const struct parallel_task *tasks, size_t n_tasks, struct error *err)
{
	struct crew crew = { .tasks = tasks, .n_tasks = n_tasks, .failed = n_tasks };
	pthread_t threads[PARALLEL_MAX - 1];
	size_t wanted = n_tasks < PARALLEL_MAX ? n_tasks : PARALLEL_MAX;

	if (pthread_mutex_init(&crew.lock, NULL) != 0)
		return error_set(err, ERROR_NOMEM, "cannot set up threads: out of memory");
	size_t started = start(&crew, threads, wanted == 0 ? 0 : wanted - 1);
	work(&crew);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&crew.lock);
	if (crew.failed == n_tasks)
		return 0;
	if (err != NULL)
		*err = crew.failure;
	return -1;
}
