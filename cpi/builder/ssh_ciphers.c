/* SPDX-License-Identifier: Apache-2.0 */
/* ssh takes chacha20-poly1305 first, for processors without instructions for AES. EC2's have them, and so have nearly all that
 * run a Director: with AES-GCM both ends take about a third less CPU for the same bytes. What the user's or the system's
 * files say of it counts more, so ssh itself is asked what they say (`ssh -G` connects to nobody). */
#include "cpi/builder/ssh_ciphers.h"

#include <stdbool.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/process.h"
#include "cpi/builder/command.h"
#include "cpi/builder/ssh_command.h"

#define TIMEOUT_MS 10000
#define OUTPUT_MAX ((size_t)256 * 1024)
#define LIST_MAX ((size_t)4096)
#define KEY "ciphers "

static bool is_aes_gcm(const char *name, size_t len)
{
	static const char start[] = "aes";
	static const char end[] = "-gcm@openssh.com";

	return len > strlen(start) + strlen(end) && strncmp(name, start, strlen(start)) == 0 &&
	       strncmp(name + len - strlen(end), end, strlen(end)) == 0;
}

static void add_names(struct buf *list, const char *names, bool aes_gcm)
{
	for (size_t len; *names != '\0'; names += len + (names[len] == ',' ? 1 : 0)) {
		len = strcspn(names, ",");
		if (is_aes_gcm(names, len) != aes_gcm)
			continue;
		if (list->len > 0)
			buf_char(list, ',');
		buf_append(list, names, len);
	}
}

/* The value of the line of ciphers. */
static const char *find_list(const char *output, struct arena *arena)
{
	const char *at = strncmp(output, KEY, strlen(KEY)) == 0 ? output : strstr(output, "\n" KEY);

	if (at == NULL)
		return NULL;
	at = strchr(at, ' ') + 1;
	return arena_strndup(arena, at, strcspn(at, "\n"));
}

const char *ssh_ciphers_of(const char *configured, const char *built_in, struct arena *arena)
{
	CLEANUP_BUF struct buf list = BUF_INIT(LIST_MAX);
	const char *names = find_list(built_in, arena);
	const char *wanted = find_list(configured, arena);

	if (names == NULL || wanted == NULL || strcmp(names, wanted) != 0)
		return NULL;
	add_names(&list, names, true);
	if (list.len == 0)
		return NULL;
	add_names(&list, names, false);
	return list.failed ? NULL : arena_strndup(arena, list.data, list.len);
}

/* What `ssh -G` prints. NULL where it fails; it says why when it is to connect. */
static const char *ask(struct runtime *runtime, const struct builder_command *command, struct buf *out)
{
	const struct process_manner manner = builder_manner(true);
	struct process_result result;
	struct error err;

	if (process_run(command->argv, &manner, runtime->clock, runtime->cancel, TIMEOUT_MS, out, &result, &err) != 0) {
		log_debug(runtime->log, "ssh was not asked for its ciphers: %s", err.message);
		return NULL;
	}
	return result.status == 0 ? buf_text(out) : NULL;
}

const char *ssh_ciphers(struct runtime *runtime, const struct config_ssh *ssh, struct arena *arena)
{
	CLEANUP_BUF struct buf configured = BUF_INIT(OUTPUT_MAX);
	CLEANUP_BUF struct buf built_in = BUF_INIT(OUTPUT_MAX);
	struct builder_command with_files = { 0 }, without = { 0 };
	struct error err;

	builder_command_add(&with_files, "ssh");
	builder_command_add(&with_files, "-G");
	builder_command_add(&without, "ssh");
	builder_command_add(&without, "-G");
	builder_command_add(&without, "-F");
	builder_command_add(&without, "none");
	if (ssh_command_add_place(&with_files, ssh, arena, &err) != 0 || ssh_command_add_place(&without, ssh, arena, &err) != 0)
		return NULL;
	const char *theirs = ask(runtime, &with_files, &configured);
	const char *own = theirs == NULL ? NULL : ask(runtime, &without, &built_in);
	return own == NULL ? NULL : ssh_ciphers_of(theirs, own, arena);
}
