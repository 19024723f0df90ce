/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the builder and checks that it can serve: an EC2 instance in the right region, where an attached volume shows up. How
 * it is started is local.c's and ssh.c's, talking to it session.c's. */
#include "cpi/builder/builder.h"

#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/process.h"
#include "cpi/builder/local.h"
#include "cpi/builder/session.h"
#include "cpi/builder/ssh.h"

struct builder {
	struct builder_command command;
	struct builder_session session;
	struct ssh *ssh;     /* NULL: local */
	struct arena *arena; /* the caller's */
};

/* What all ways to one have in common. */
struct opening {
	struct runtime *runtime;
	const struct config *config;
	struct arena *arena;
};

#define VERSION_MAX ((size_t)4096)
#define VERSION_TIMEOUT_MS 30000

#define WHERE_ELSE                                                                                                     \
	"run this on an EC2 instance of the region, let aws.stemcell.ssh name one that onhost is installed on, or set "    \
	"aws.stemcell.builder to direct (docs/builders.md)"

/* --- one builder -------------------------------------------------------------------------------------------------- */

static int check_place(const struct config *config, const char *machine, const struct onhost_hello_ok *hello,
		       struct error *err)
{
	const char *region = config->aws.region;

	if (hello->metadata_error[0] != '\0')
		return error_set(err, ERROR_CLOUD, "%s does not look like an EC2 instance (%s); %s", machine,
				 hello->metadata_error, WHERE_ELSE);
	if (hello->instance_id[0] == '\0' || hello->availability_zone[0] == '\0')
		return error_set(err, ERROR_PROTOCOL, "onhost names no instance or zone; install cpi and onhost from one release");
	if (region != NULL && hello->region[0] != '\0' && strcmp(region, hello->region) != 0)
		return error_set(err, ERROR_CONFIG,
				 "%s (%s) is in region %s, aws.region is %s: a volume cannot be attached across regions; "
				 "correct aws.region, or build on an instance in %s",
				 machine, hello->instance_id, hello->region, region, region);
	if (hello->devices_error[0] != '\0')
		return error_set(err, ERROR_CLOUD, "a volume that is attached to %s would not show up (%s); %s", machine,
				 hello->devices_error, WHERE_ELSE);
	return 0;
}

static int ask(struct builder *builder, const struct opening *opening, struct builder_place *ret_place, struct error *err)
{
	const struct builder_command *command = &builder->command;
	struct onhost_hello_ok hello;

	if (builder_session_open(&builder->session, opening->runtime, command, err) != 0 ||
	    builder_session_hello(&builder->session, opening->arena, &hello, err) != 0)
		return error_prefix(err, "cannot use the %s stemcell builder (%s%s)", command->name, command->how, command->advice);
	if (check_place(opening->config, command->machine, &hello, err) != 0)
		return -1;
	*ret_place = (struct builder_place){
		.instance_id = hello.instance_id,
		.region = hello.region,
		.availability_zone = hello.availability_zone,
		.release = hello.release,
		.elsewhere = builder->ssh != NULL,
	};
	return 0;
}

/* The local one, or ssh. *ret_place's how is the caller's. */
static int open_one(const struct opening *opening, bool by_ssh, struct builder **ret_builder,
		    struct builder_place *ret_place, struct error *err)
{
	struct builder *builder = calloc(1, sizeof(*builder));

	if (builder == NULL)
		return error_nomem(err);
	builder->arena = opening->arena;
	int failed = by_ssh ? ssh_open(opening->runtime, opening->config, opening->arena, &builder->ssh, &builder->command, err) :
			      local_command(opening->config, opening->arena, &builder->command, err);
	if (failed != 0 || ask(builder, opening, ret_place, err) != 0) {
		builder_close(builder);
		return -1;
	}
	*ret_builder = builder;
	return 0;
}

static int tell_how(const struct opening *opening, struct builder **builder, const char *why, struct builder_place *place,
		    struct error *err)
{
	const struct builder_command *command = &(*builder)->command;

	place->how = arena_printf(opening->arena, "%s%s: %s", command->name, why, command->how);
	if (place->how != NULL)
		return 0;
	builder_close(STEAL(*builder));
	return error_nomem(err);
}

/* --- none: direct -------------------------------------------------------------------------------------------------- */

/* "onhost 1.2.3\n" */
static int read_release(const struct opening *opening, const char *onhost, const char **ret_release, struct error *err)
{
	char *argv[] = { (char *)(uintptr_t)onhost, (char *)(uintptr_t)"--version", NULL };
	const struct process_manner manner = builder_manner(false);
	CLEANUP_BUF struct buf out = BUF_INIT(VERSION_MAX);
	struct process_result result;

	if (process_run(argv, &manner, opening->runtime->clock, opening->runtime->cancel, VERSION_TIMEOUT_MS, &out, &result, err) != 0)
		return error_prefix(err, "cannot ask %s for its version", onhost);
	const char *text = buf_text(&out);
	if (result.status != 0 || strncmp(text, "onhost ", 7) != 0)
		return error_set(err, ERROR_CONFIG, "%s does not say that it is onhost; install cpi and onhost from one release, or "
				 "correct aws.stemcell.onhost_path", onhost);
	const char *release = arena_strndup(opening->arena, text + 7, strcspn(text + 7, "\n"));
	if (release == NULL)
		return error_nomem(err);
	/* the stream of blocks has no version of its own */
	if (strcmp(release, CPI_VERSION) != 0)
		return error_set(err, ERROR_CONFIG, "%s is version %.40s and cpi is version " CPI_VERSION ": install both from one "
				 "release", onhost, release);
	*ret_release = release;
	return 0;
}

static int open_direct(const struct opening *opening, const char *why, struct builder_place *ret_place, struct error *err)
{
	struct builder_place place = { .direct = true };

	if (local_onhost(opening->config, opening->arena, &place.onhost_path, err) != 0 ||
	    read_release(opening, place.onhost_path, &place.release, err) != 0)
		return -1;
	place.how = arena_printf(opening->arena, "direct%s: through the EBS direct APIs, unpacked by %s", why, place.onhost_path);
	if (place.how == NULL)
		return error_nomem(err);
	*ret_place = place;
	return 0;
}

int builder_direct(struct runtime *runtime, const struct config *config, struct arena *arena, struct builder_place *ret_place,
		   struct error *err)
{
	const struct opening opening = { .runtime = runtime, .config = config, .arena = arena };

	return open_direct(&opening, "", ret_place, err);
}

/* --- the choice --------------------------------------------------------------------------------------------------- */

static int open_auto(const struct opening *opening, struct builder **ret_builder, struct builder_place *ret_place,
		     struct error *err)
{
	const char *why = ", as aws.stemcell.builder is auto and this instance can build";
	bool has_ssh = opening->config->stemcell.ssh.host != NULL;
	struct error not_local = { .kind = ERROR_NONE };

	if (open_one(opening, false, ret_builder, ret_place, &not_local) == 0)
		return tell_how(opening, ret_builder, why, ret_place, err);
	if (not_local.kind == ERROR_CANCELLED || not_local.kind == ERROR_NOMEM) {
		if (err != NULL)
			*err = not_local;
		return -1;
	}
	why = arena_printf(opening->arena, ", as aws.stemcell.builder is auto, this machine cannot build (%s)%s", not_local.message,
			   has_ssh ? "" : " and no aws.stemcell.ssh is configured");
	if (why == NULL)
		return error_nomem(err);
	int result = has_ssh ? open_one(opening, true, ret_builder, ret_place, err) :
			       open_direct(opening, why, ret_place, err);
	if (result != 0)
		return error_prefix(err, "aws.stemcell.builder is auto, and this machine cannot build (%s)", not_local.message);
	return has_ssh ? tell_how(opening, ret_builder, why, ret_place, err) : 0;
}

int builder_open(struct runtime *runtime, const struct config *config, struct arena *arena, struct builder **ret_builder,
		 struct builder_place *ret_place, struct error *err)
{
	const struct opening opening = { .runtime = runtime, .config = config, .arena = arena };
	enum config_builder choice = config->stemcell.builder;

	*ret_builder = NULL;
	if (choice == CONFIG_BUILDER_AUTO)
		return open_auto(&opening, ret_builder, ret_place, err);
	if (choice == CONFIG_BUILDER_DIRECT)
		return open_direct(&opening, "", ret_place, err);
	if (open_one(&opening, choice == CONFIG_BUILDER_SSH, ret_builder, ret_place, err) != 0)
		return -1;
	return tell_how(&opening, ret_builder, "", ret_place, err);
}

void builder_close(struct builder *builder)
{
	if (builder == NULL)
		return;
	builder_session_close(&builder->session);
	ssh_close(builder->ssh);
	free(builder);
}

int builder_write(struct builder *builder, const struct builder_image *image, struct onhost_written *ret_written,
		  struct error *err)
{
	const struct onhost_write write = {
		.volume_id = image->volume_id,
		.device_name = image->device_name,
		.size_mib = image->size_mib,
		.fresh = true,
		.encrypted = image->encrypted,
		.skip_zero_blocks = image->skip_zero_blocks,
		.device_timeout_ms = image->device_timeout_ms,
	};
	const struct builder_session_image sent = {
		.fd = image->fd,
		.path = image->path,
		.ready = image->ready,
		.progress = image->progress,
		.self = image->self,
	};

	return builder_session_write(&builder->session, builder->arena, &write, &sent, ret_written, err);
}
