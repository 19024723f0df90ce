/* SPDX-License-Identifier: Apache-2.0 */
/* The service's own protocol is common/imds.c's business; this is what onhost makes of its answers. */
#include "onhost/metadata.h"

#include <string.h>
#include <sys/utsname.h>

#include "common/imds.h"
#include "common/json_write.h"

#define ARENA_MAX ((size_t)1024 * 1024)

static int ask(struct runtime *runtime, struct arena *arena, struct imds_identity *ret_identity, struct error *err)
{
	struct imds imds;

	if (imds_init(&imds, runtime, NULL, err) != 0)
		return -1;
	return imds_identity(&imds, arena, ret_identity, err);
}

/* In EC2's words. */
static const char *machine(struct arena *arena)
{
	struct utsname name;

	if (uname(&name) != 0)
		return arena_strdup(arena, "");
	return arena_strdup(arena, strcmp(name.machine, "aarch64") == 0 ? "arm64" : name.machine);
}

int metadata_hello(struct runtime *runtime, struct arena *arena, struct onhost_hello_ok *ret_hello, struct error *err)
{
	struct imds_identity identity = { .instance_id = "", .region = "", .availability_zone = "" };
	struct error why = { .kind = ERROR_NONE };
	const char *architecture = machine(arena);

	if (ask(runtime, arena, &identity, &why) != 0 &&
	    (why.kind == ERROR_CANCELLED || why.kind == ERROR_NOMEM || cancel_raised(runtime->cancel))) {
		*err = why;
		return -1;
	}
	const char *trouble = arena_strdup(arena, why.kind == ERROR_NONE ? "" : why.message);
	if (architecture == NULL || trouble == NULL)
		return error_nomem(err);
	ret_hello->instance_id = identity.instance_id;
	ret_hello->region = identity.region;
	ret_hello->availability_zone = identity.availability_zone;
	ret_hello->architecture = architecture;
	ret_hello->metadata_error = trouble;
	return 0;
}

int metadata_print(struct runtime *runtime, struct buf *out, struct error *err)
{
	struct arena *arena CLEANUP_ARENA = arena_new(ARENA_MAX);
	struct imds_identity identity;
	struct json_writer writer;

	if (arena == NULL)
		return error_nomem(err);
	if (ask(runtime, arena, &identity, err) != 0)
		return -1;
	json_writer_init(&writer, out);
	json_begin_object(&writer);
	json_member_string(&writer, "instance_id", identity.instance_id);
	json_member_string(&writer, "region", identity.region);
	json_member_string(&writer, "availability_zone", identity.availability_zone);
	json_member_string(&writer, "instance_type", identity.instance_type);
	json_member_string(&writer, "architecture", identity.architecture);
	json_end_object(&writer);
	buf_char(out, '\n');
	return buf_check(out, "the metadata", err);
}
