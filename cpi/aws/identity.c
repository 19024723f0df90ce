/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials in use, and when they are loaded again. Where they come from is credentials/; when a refusal means a
 * wrong clock or an expired session is client.c's. */
#include "cpi/aws/identity.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define IDENTITY_ARENA ((size_t)4 * 1024 * 1024)
#define LOAD_ARENA ((size_t)4 * 1024 * 1024)
#define CLOCK_SKEW_S 240 /* AWS refuses from five minutes on */
#define LOAD_AGAIN_MS 60000

struct identity {
	struct runtime *runtime;
	const struct aws_settings *settings;
	struct arena *arena; /* credentials, for as long as the identity lives: the log refers to them */
	bool fixed; /* never loaded */
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t loaded;
	struct identity_use current;
	bool has_credentials;
	bool refused; /* AWS takes the current ones for expired */
	bool loading; /* a thread is at it, without the lock */
	bool load_failed; /* the last time; with its error */
	int64_t load_again_ms; /* not before then, for what can still be used */
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

int identity_new_fixed(struct runtime *runtime, const struct aws_settings *settings,
		       const struct credentials *credentials, struct identity **ret_identity, struct error *err)
{
	struct identity *identity;

	if (identity_new(runtime, settings, &identity, err) != 0)
		return -1;
	identity->fixed = true;
	if (credentials != NULL)
		identity->current.credentials = *credentials;
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

static bool has_expired(const struct identity *identity)
{
	int64_t expires_at = identity->current.credentials.expires_at;

	return expires_at != 0 && expires_at <= identity_now_s(identity, &identity->current);
}

static bool must_load(const struct identity *identity)
{
	const struct credentials *credentials = &identity->current.credentials;
	const struct clock *clock = identity->runtime->clock;

	if (identity->fixed)
		return false;
	if (!identity->has_credentials || identity->refused)
		return true;
	if (!credentials_expiring(credentials, identity_now_s(identity, &identity->current)))
		return false;
	if (has_expired(identity) && !credentials->stay_in_use)
		return true;
	return clock->monotonic_ms(clock->self) >= identity->load_again_ms;
}

/* Also after a load that failed: what has not expired is good enough. */
static bool is_usable(const struct identity *identity)
{
	if (identity->fixed)
		return true;
	if (!identity->has_credentials || !identity->load_failed)
		return identity->has_credentials;
	return !identity->refused && (!has_expired(identity) || identity->current.credentials.stay_in_use);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static bool is_same(const char *one, const char *other)
{
	return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* What is loaded again and again is not kept again and again. */
static const char *keep_text(const struct identity *identity, const char *fresh, const char *current)
{
	return is_same(fresh, current) ? current : arena_strdup(identity->arena, fresh);
}

static int keep(struct identity *identity, const struct credentials *fresh, struct error *err)
{
	const struct credentials *current = &identity->current.credentials;
	struct credentials kept = {
		.access_key_id = keep_text(identity, fresh->access_key_id, current->access_key_id),
		.secret_access_key = keep_text(identity, fresh->secret_access_key, current->secret_access_key),
		.session_token = keep_text(identity, fresh->session_token, current->session_token),
		.source = keep_text(identity, fresh->source, current->source),
		.account = keep_text(identity, fresh->account, current->account),
		.expires_at = fresh->expires_at,
		.stay_in_use = fresh->stay_in_use,
	};

	if (!is_same(kept.access_key_id, fresh->access_key_id) ||
	    !is_same(kept.secret_access_key, fresh->secret_access_key) ||
	    !is_same(kept.session_token, fresh->session_token) || !is_same(kept.source, fresh->source) ||
	    !is_same(kept.account, fresh->account))
		return error_nomem(err);
	log_add_secret(identity->runtime->log, kept.secret_access_key);
	log_add_secret(identity->runtime->log, kept.session_token);
	identity->current.credentials = kept;
	identity->current.generation++;
	identity->has_credentials = true;
	identity->refused = false;
	return 0;
}

static int ask(const struct identity *identity, struct arena *arena, struct credentials *ret_credentials,
	       struct error *err)
{
	struct credentials_context context = {
		.runtime = identity->runtime,
		.settings = identity->settings,
		.profiles = identity->settings->profiles,
		.arena = arena,
	};

	return arena == NULL ? error_nomem(err) : credentials_load(&context, ret_credentials, err);
}

static void note_failure(const struct identity *identity)
{
	const char *source = identity->current.credentials.source;

	if (!is_usable(identity))
		return;
	if (has_expired(identity))
		log_warn(identity->runtime->log,
			 "the AWS credentials from %s have expired and stay in use, because there are no newer ones: %s", source,
			 identity->failure.message);
	else
		log_debug(identity->runtime->log, "the AWS credentials from %s could not be renewed yet: %s", source,
			  identity->failure.message);
}

/* Under the lock, and without it while the sources are asked. */
static void load(struct identity *identity)
{
	struct arena *arena CLEANUP_ARENA = arena_new(LOAD_ARENA);
	const struct runtime *runtime = identity->runtime;
	struct error failure = { .kind = ERROR_NONE };
	struct credentials fresh;

	identity->loading = true;
	pthread_mutex_unlock(&identity->lock);
	int result = ask(identity, arena, &fresh, &failure);
	pthread_mutex_lock(&identity->lock);
	identity->loading = false;
	if (result == 0)
		result = keep(identity, &fresh, &failure);
	/* what the sources saw on their way goes with the arena, also out of the message */
	log_redact(runtime->log, failure.message, sizeof(failure.message));
	if (arena != NULL)
		log_forget_secrets(runtime->log, arena);
	identity->load_failed = result != 0;
	identity->load_again_ms = runtime->clock->monotonic_ms(runtime->clock->self) + LOAD_AGAIN_MS;
	if (result != 0) {
		identity->failure = failure;
		note_failure(identity);
	}
	pthread_cond_broadcast(&identity->loaded);
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
	if (identity->fixed || use->credentials.expires_at == 0)
		return false;
	pthread_mutex_lock(&identity->lock);
	if (identity->current.generation == use->generation)
		identity->refused = true;
	pthread_mutex_unlock(&identity->lock);
	return true;
}
