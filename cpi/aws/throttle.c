/* SPDX-License-Identifier: Apache-2.0 */
/* Which bucket of which scope an attempt belongs to, and where that is kept: in the file, or in this process alone. Turns and
 * rates are token_bucket.c's. */
#include "cpi/aws/throttle.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/state_dir.h"
#include "cpi/aws/throttle_file.h"

#define FOLDER "throttle"
#define SCOPE_BYTES 16 /* of the hash, in the file's name */

/* What this process knows of a scope, where there is no file. */
struct own {
	char scope[2 * SCOPE_BYTES + 1];
	struct throttle_table table;
	struct own *next;
};

struct throttle {
	struct runtime *runtime;
	struct arena *arena;
	const char *folder;
	pthread_mutex_t lock; /* over all below, and over files: locks of network file systems are the process's */
	bool alone;           /* the file cannot be used */
	struct own *own;
};

/* A scope's table while it is looked at. */
struct visit {
	struct throttle *throttle;
	char scope[2 * SCOPE_BYTES + 1];
	char path[4096];
	int fd; /* -1: this process's own */
	struct throttle_table *table;
	struct throttle_table read;
	bool changed;
};

int throttle_new(struct runtime *runtime, struct throttle **ret_throttle, struct error *err)
{
	struct throttle *throttle = calloc(1, sizeof(*throttle));

	if (throttle == NULL)
		return error_nomem(err);
	throttle->runtime = runtime;
	throttle->arena = arena_new(16384);
	if (throttle->arena == NULL || state_dir_find(throttle->arena, FOLDER, &throttle->folder, NULL) != 0) {
		arena_free(throttle->arena);
		free(throttle);
		return error_nomem(err);
	}
	pthread_mutex_init(&throttle->lock, NULL);
	*ret_throttle = throttle;
	return 0;
}

void throttle_free(struct throttle *throttle)
{
	if (throttle == NULL)
		return;
	while (throttle->own != NULL) {
		struct own *own = throttle->own;
		throttle->own = own->next;
		free(own);
	}
	pthread_mutex_destroy(&throttle->lock);
	arena_free(throttle->arena);
	free(throttle);
}

bool throttle_is_filtered(const char *body)
{
	return strstr(body, "&Filter.") != NULL || strstr(body, "&MaxResults=") != NULL ||
	       strstr(body, "&NextToken=") != NULL;
}

/* --- the table --- */

static int64_t now_us(const struct throttle *throttle)
{
	const struct clock *clock = throttle->runtime->clock;

	/* not the monotonic clock: a container may have one of its own, and the file outlives a reboot */
	return clock->wall_us(clock->self);
}

static int name_scope(const struct throttle_scope *scope, char ret_name[2 * SCOPE_BYTES + 1])
{
	const char *const parts[] = { scope->account, scope->region, scope->endpoint_host };
	struct digest *digest;
	uint8_t sum[SHA256_LEN];
	int result = 0;

	if (digest_new(&digest, NULL) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *part = parts[i] == NULL ? "" : parts[i];
		if (digest_update(digest, part, strlen(part) + 1, NULL) != 0)
			result = -1;
	}
	if (result == 0)
		result = digest_finish(digest, sum, NULL);
	digest_free(digest);
	if (result == 0)
		digest_hex(sum, SCOPE_BYTES, ret_name);
	return result;
}

/* From now on this process learns for itself. */
static void go_alone(struct throttle *throttle, const struct error *why)
{
	throttle->alone = true;
	log_debug(throttle->runtime->log,
		  "what is learnt of AWS's request limits stays in this process, because it cannot be shared: %s",
		  why->message);
}

static struct throttle_table *own_table(struct throttle *throttle, const char *scope, bool create)
{
	for (struct own *own = throttle->own; own != NULL; own = own->next) {
		if (strcmp(own->scope, scope) == 0)
			return &own->table;
	}
	struct own *own = create ? calloc(1, sizeof(*own)) : NULL;
	if (own == NULL)
		return NULL;
	memcpy(own->scope, scope, sizeof(own->scope));
	own->next = throttle->own;
	throttle->own = own;
	return &own->table;
}

static int make_folder(struct throttle *throttle, struct error *err)
{
	struct arena *arena CLEANUP_ARENA = arena_new(16384);
	const char *folder;

	if (arena == NULL)
		return error_nomem(err);
	if (state_dir_make(arena, FOLDER, &folder, err) != 0)
		return -1;
	throttle_file_sweep(throttle->folder, now_us(throttle) / 1000000);
	return 0;
}

static int open_file(struct visit *visit, bool create, enum throttle_opened *ret_opened, struct error *err)
{
	int len = snprintf(visit->path, sizeof(visit->path), "%s/%s.buckets", visit->throttle->folder, visit->scope);

	if (len < 0 || (size_t)len >= sizeof(visit->path))
		return error_set(err, ERROR_IO, "the path of the state directory is too long");
	if (throttle_file_open(visit->path, false, ret_opened, &visit->fd, &visit->read, err) != 0)
		return -1;
	if (*ret_opened != THROTTLE_FILE_NONE || !create)
		return 0;
	return make_folder(visit->throttle, err) != 0 ?
		       -1 :
		       throttle_file_open(visit->path, true, ret_opened, &visit->fd, &visit->read, err);
}

/* true: visit->table is there, until leave. */
static bool enter(struct throttle *throttle, const struct throttle_scope *scope, bool create, struct visit *visit)
{
	enum throttle_opened opened = THROTTLE_FILE_BUSY;
	struct error why = { 0 };

	visit->throttle = throttle;
	visit->fd = -1;
	visit->table = NULL;
	visit->changed = false;
	if (name_scope(scope, visit->scope) != 0)
		return false;
	pthread_mutex_lock(&throttle->lock);
	if (!throttle->alone && open_file(visit, create, &opened, &why) != 0)
		go_alone(throttle, &why);
	if (throttle->alone)
		visit->table = own_table(throttle, visit->scope, create);
	else if (opened == THROTTLE_FILE_OPEN)
		visit->table = &visit->read;
	if (visit->table == NULL)
		pthread_mutex_unlock(&throttle->lock);
	return visit->table != NULL;
}

static void leave(struct visit *visit)
{
	struct error why = { 0 };

	if (visit->fd >= 0) {
		if (visit->changed && throttle_file_write(visit->fd, visit->path, visit->table, &why) != 0)
			go_alone(visit->throttle, &why);
		close(visit->fd);
	}
	pthread_mutex_unlock(&visit->throttle->lock);
}

/* --- the bucket --- */

struct which {
	char name[THROTTLE_NAME_SIZE];
	int64_t depth;
	int64_t rate;
};

static struct which which_bucket(const struct throttle_scope *scope)
{
	bool unfiltered = !scope->filtered && token_bucket_is_split(scope->action);
	struct which which;

	token_bucket_published(scope->action, scope->filtered, &which.depth, &which.rate);
	snprintf(which.name, sizeof(which.name), "%s%s", scope->action, unfiltered ? ".all" : "");
	return which;
}

/* As it is by now; NULL where nothing is known of it, or nothing any more. */
static struct throttle_entry *find_entry(struct visit *visit, const struct which *which)
{
	struct throttle_table *table = visit->table;
	const int64_t now = now_us(visit->throttle);

	for (size_t i = 0; i < table->count; i++) {
		struct throttle_entry *entry = &table->entries[i];
		if (strcmp(entry->name, which->name) != 0)
			continue;
		if (token_bucket_advance(&entry->bucket, which->depth, now))
			return entry;
		*entry = table->entries[--table->count];
		visit->changed = true;
		return NULL;
	}
	return NULL;
}

/* Where another action's bucket lies about that must be full, it goes too, so that the file does. */
static void forget_full_ones(struct visit *visit)
{
	struct throttle_table *table = visit->table;
	const int64_t now = now_us(visit->throttle);

	for (size_t i = table->count; i-- > 0;) {
		const char *name = table->entries[i].name;
		size_t len = strcspn(name, ".");
		struct throttle_scope scope = { .filtered = name[len] == '\0' };
		char action[THROTTLE_NAME_SIZE];
		snprintf(action, sizeof(action), "%.*s", (int)len, name);
		scope.action = action;
		const struct which which = which_bucket(&scope);
		if (token_bucket_advance(&table->entries[i].bucket, which.depth, now))
			continue;
		table->entries[i] = table->entries[--table->count];
		visit->changed = true;
	}
}

int64_t throttle_turn(struct throttle *throttle, const struct throttle_scope *scope, struct throttle_ticket *ticket)
{
	struct visit visit;
	int64_t wait_ms = 0;

	if (!enter(throttle, scope, false, &visit))
		return 0;
	const struct which which = which_bucket(scope);
	struct throttle_entry *entry = find_entry(&visit, &which);
	if (entry != NULL) {
		wait_ms = token_bucket_turn(&entry->bucket, ticket);
		visit.changed = true;
	}
	if (visit.changed)
		forget_full_ones(&visit);
	leave(&visit);
	return wait_ms;
}

bool throttle_refused(struct throttle *throttle, const struct throttle_scope *scope,
		      const struct throttle_ticket *ticket)
{
	struct visit visit;

	if (!enter(throttle, scope, true, &visit))
		return false;
	const struct which which = which_bucket(scope);
	struct throttle_table *table = visit.table;
	struct throttle_entry *entry = find_entry(&visit, &which);
	if (entry != NULL) {
		token_bucket_refused(&entry->bucket, which.rate, ticket);
	} else if (table->count < THROTTLE_MAX_BUCKETS) {
		entry = &table->entries[table->count++];
		memcpy(entry->name, which.name, sizeof(entry->name));
		token_bucket_open(&entry->bucket, which.rate, now_us(throttle));
	}
	if (entry != NULL)
		log_debug(throttle->runtime->log, "%s: calls take turns now, about %.2f a second", which.name,
			  (double)entry->bucket.rate / 1e6);
	visit.changed = true;
	leave(&visit);
	return entry != NULL && !throttle->alone;
}

void throttle_taken(struct throttle *throttle, const struct throttle_scope *scope,
		    const struct throttle_ticket *ticket)
{
	struct visit visit;

	/* nothing is learnt from others, and this is what every call costs */
	if (!ticket->waited || !enter(throttle, scope, false, &visit))
		return;
	const struct which which = which_bucket(scope);
	struct throttle_entry *entry = find_entry(&visit, &which);
	if (entry != NULL) {
		token_bucket_taken(&entry->bucket, which.rate, ticket);
		visit.changed = true;
	}
	leave(&visit);
}
