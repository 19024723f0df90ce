/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/aws/region.h"

#include "common/log.h"
#include "cpi/aws/metadata.h"

/* Not on EC2 is an answer here, not an error. */
static int ask_instance(struct runtime *runtime, const struct profiles *profiles, const char *metadata_endpoint,
			struct arena *arena, const char **ret_region, struct error *err)
{
	struct imds_identity identity;
	struct imds imds;
	struct error why;

	if (metadata_open(&imds, runtime, profiles, metadata_endpoint, &why) == 0 &&
	    imds_identity(&imds, arena, &identity, &why) == 0) {
		*ret_region = identity.region;
		return 0;
	}
	if (why.kind == ERROR_CANCELLED || why.kind == ERROR_NOMEM) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	log_debug(runtime->log, "no region from the instance metadata: %s", why.message);
	return 0;
}

int region_find(struct runtime *runtime, const struct profiles *profiles, const char *metadata_endpoint,
		bool ask_metadata, struct arena *arena, const char **ret_region, const char **ret_source,
		struct error *err)
{
	const char *region = profiles == NULL ? NULL : profiles_get(profiles, profiles->active, "region");
	const char *source = "the instance metadata";

	if (region != NULL) {
		source = profiles_where(profiles, profiles->active, arena);
		if (source == NULL)
			return error_nomem(err);
	} else if (ask_metadata && ask_instance(runtime, profiles, metadata_endpoint, arena, &region, err) != 0) {
		return -1;
	}
	*ret_region = region;
	*ret_source = region == NULL ? NULL : source;
	return 0;
}
