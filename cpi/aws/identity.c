/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials in use, and when they are loaded again. Where they come from is credentials/; when a refusal means a
 * wrong clock or an expired session is client.c's. */
#include "cpi/aws/identity.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/log.h"

#define IDENTITY_ARENA ((size_t)4 * 1024 * 1024)
#define CLOCK_SKEW_S 240 /* AWS refuses from five minutes on */

struct identity {
	struct runtime *runtime;
	const struct aws_settings *settings;
	struct arena *arena; /* credentials, for as long as the identity lives: the log refers to them */
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t loaded;
	struct identity_use current;
	bool has_credentials;
	bool loading; /* a thread is at it, without the lock */
	bool load_failed; /* the last time; with its error */
	struct error failure;
};

int identity_new(struct runtime *runtime, const struct aws_settings *settings, struct identity **ret_identity,
		 struct error *err)
{
	struct identity *identity = calloc(1, sizeof(*identity));
	struct arena *arena = arena_new(IDENTITY_ARENA);

	if (identity == NULL || arena == NULL || pthread_mutex_init(&identity->lock, NULL) != 0) {
		arena_free(arena);
		free(identity);
		return error_nomem(err);
	}
	if (pthread_cond_init(&identity->loaded, NULL) != 0) {
		pthread_mutex_destroy(&identity->lock);
		arena_free(arena);
		free(identity);
		return error_nomem(err);
	}
	identity->runtime = runtime;
	identity->settings = settings;
	identity->arena = arena;
	*ret_identity = identity;
	return 0;
}

void identity_free(struct identity *identity)
{
	if (identity == NULL)
		return;
	log_forget_secrets(identity->runtime->log, identity->arena);
	pthread_cond_destroy(&identity->loaded);
	pthread_mutex_destroy(&identity->lock);
	arena_free(identity->arena);
	free(identity);
}

int64_t identity_now_s(const struct identity *identity, const struct identity_use *use)
{
	const struct clock *clock = identity->runtime->clock;

	return clock->wall_us(clock->self) / 1000000 + use->clock_offset_s;
}

static bool must_load(const struct identity *identity)
{
	const struct identity_use *current = &identity->current;

	return !identity->has_credentials ||
	       credentials_expiring(&current->credentials, identity_now_s(identity, current));
}

/* Under the lock, and without it while the sources are asked. */
static void load(struct identity *identity)
{
	struct credentials_context context = {
		.runtime = identity->runtime,
		.settings = identity->settings,
		.arena = identity->arena,
	};
	struct error failure = { .kind = ERROR_NONE };
	struct credentials fresh;

	identity->loading = true;
	pthread_mutex_unlock(&identity->lock);
	int result = credentials_load(&context, &fresh, &failure);
	pthread_mutex_lock(&identity->lock);
	identity->loading = false;
	identity->load_failed = result != 0;
	if (result == 0) {
		identity->current.credentials = fresh;
		identity->current.generation++;
		identity->has_credentials = true;
	} else {
		identity->failure = failure;
	}
	pthread_cond_broadcast(&identity->loaded);
}

/* Also after a load that failed: what has not expired is good enough, and it is tried again at the next call. */
static bool is_usable(const struct identity *identity)
{
	const struct identity_use *current = &identity->current;

	return identity->has_credentials &&
	       (!identity->load_failed || current->credentials.expires_at == 0 ||
		current->credentials.expires_at > identity_now_s(identity, current));
}

int identity_get(struct identity *identity, struct identity_use *ret_use, struct error *err)
{
	pthread_mutex_lock(&identity->lock);
	if (identity->loading) {
		/* its outcome is ours too: asking a source that just failed would only take its time once more */
		while (identity->loading)
			pthread_cond_wait(&identity->loaded, &identity->lock);
	} else if (must_load(identity)) {
		load(identity);
	}
	bool usable = is_usable(identity);
	if (usable)
		*ret_use = identity->current;
	else if (err != NULL)
		*err = identity->failure;
	pthread_mutex_unlock(&identity->lock);
	return usable ? 0 : -1;
}

bool identity_repair_clock(struct identity *identity, const struct identity_use *use, int64_t date)
{
	int64_t off = date - identity_now_s(identity, use);

	if (date == 0 || (off <= CLOCK_SKEW_S && off >= -CLOCK_SKEW_S))
		return false;
	pthread_mutex_lock(&identity->lock);
	bool first = identity->current.clock_offset_s == use->clock_offset_s;
	if (first)
		identity->current.clock_offset_s += off;
	pthread_mutex_unlock(&identity->lock);
	if (first)
		log_debug(identity->runtime->log,
			  "this machine's clock is %lld s off AWS's: signing with AWS's time", (long long)-off);
	return true;
}

bool identity_renew(struct identity *identity, const struct identity_use *use)
{
	if (use->credentials.expires_at == 0)
		return false;
	pthread_mutex_lock(&identity->lock);
	if (identity->current.generation == use->generation)
		identity->current.credentials.expires_at = 1;
	pthread_mutex_unlock(&identity->lock);
	return true;
}
