/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the builder and checks that it can serve: an EC2 instance in the right region. Starting it is local.c's, talking to
 * it session.c's. */
#include "cpi/builder/builder.h"

#include <string.h>

#include "cpi/builder/local.h"
#include "cpi/builder/session.h"

struct builder {
	struct builder_session session;
	struct arena *arena; /* the caller's */
};

#define WHERE_ELSE                                                                                                     \
	"this version builds stemcells on the EC2 instance that it runs on (aws.stemcell.builder local or auto); run it "   \
	"there, or use a light stemcell"

static int check_choice(const struct config *config, struct error *err)
{
	switch (config->stemcell.builder) {
	case CONFIG_BUILDER_AUTO:
	case CONFIG_BUILDER_LOCAL:
		return 0;
	case CONFIG_BUILDER_SSH:
		return error_set(err, ERROR_CONFIG, "aws.stemcell.builder: ssh is not supported yet; %s", WHERE_ELSE);
	case CONFIG_BUILDER_DIRECT:
		return error_set(err, ERROR_CONFIG, "aws.stemcell.builder: direct is not supported yet; %s", WHERE_ELSE);
	}
	return error_set(err, ERROR_INTERNAL, "unknown builder %d", (int)config->stemcell.builder);
}

static int check_place(const struct config *config, const struct onhost_hello_ok *hello, struct error *err)
{
	const char *region = config->aws.region;

	if (hello->metadata_error[0] != '\0')
		return error_set(err, ERROR_CLOUD, "this machine does not look like an EC2 instance (%s); %s",
				 hello->metadata_error, WHERE_ELSE);
	if (hello->instance_id[0] == '\0' || hello->availability_zone[0] == '\0')
		return error_set(err, ERROR_PROTOCOL, "onhost names no instance or zone; install cpi and onhost from one release");
	if (region != NULL && hello->region[0] != '\0' && strcmp(region, hello->region) != 0)
		return error_set(err, ERROR_CONFIG,
				 "this instance (%s) is in region %s, aws.region is %s: a volume cannot be attached across regions; "
				 "correct aws.region, or run this on an instance in %s",
				 hello->instance_id, hello->region, region, region);
	return 0;
}

int builder_open(struct runtime *runtime, const struct config *config, struct arena *arena, struct builder **ret_builder,
		 struct builder_place *ret_place, struct error *err)
{
	struct onhost_hello_ok hello;
	struct local_command command;
	struct builder *builder;

	if (check_choice(config, err) != 0 || local_command(config, arena, &command, err) != 0)
		return -1;
	builder = calloc(1, sizeof(*builder));
	if (builder == NULL)
		return error_nomem(err);
	builder->arena = arena;
	if (builder_session_open(&builder->session, runtime, command.argv, err) != 0 ||
	    builder_session_hello(&builder->session, arena, &hello, err) != 0) {
		builder_close(builder);
		return error_prefix(err, "cannot use the local stemcell builder (%s%s)", command.how, command.advice);
	}
	if (check_place(config, &hello, err) != 0) {
		builder_close(builder);
		return -1;
	}
	*ret_place = (struct builder_place){
		.instance_id = hello.instance_id,
		.region = hello.region,
		.availability_zone = hello.availability_zone,
		.release = hello.release,
		.how = command.how,
	};
	*ret_builder = builder;
	return 0;
}

void builder_close(struct builder *builder)
{
	if (builder == NULL)
		return;
	builder_session_close(&builder->session);
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
