/* SPDX-License-Identifier: Apache-2.0 */
/* The EC2 instance metadata service: version 2 (token, then GET), version 1 where the token call answers 403, 404 or
 * 405 or times out after IMDS_TOKEN_TIMEOUT_MS, unless AWS_EC2_METADATA_V1_DISABLED is true. Never through a proxy.
 * Facts: "Use IMDSv2", Amazon EC2 User Guide; the SDKs' reference guide for the variables. */
#ifndef COMMON_IMDS_H
#define COMMON_IMDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/runtime.h"

#define IMDS_TIMEOUT_MS 5000 /* METADATA_TIMEOUT of the original: for one whole exchange, token included; longer only by options */
#define IMDS_TOKEN_TIMEOUT_MS 1500
#define IMDS_MAX_ANSWER ((size_t)64 * 1024)

/* As the variables, or a profile's keys, say it. NULL: not said. */
struct imds_options {
	const char *endpoint; /* a URL */
	const char *mode;     /* "IPv4" or "IPv6", where there is no endpoint */
	const char *timeout;  /* whole seconds, of one try */
	const char *attempts; /* how often a request is tried, also where nobody answers */
	bool v1_disabled;
};

struct imds {
	struct runtime *runtime;
	char endpoint[512]; /* without a slash at the end */
	bool v1_disabled;
	bool disabled;      /* AWS_EC2_METADATA_DISABLED */
	int64_t timeout_ms; /* of one try; 0: IMDS_TOKEN_TIMEOUT_MS and IMDS_TIMEOUT_MS */
	unsigned attempts;  /* 0: three where the service is ill, one where nobody answers */
	char token[512];    /* "" : not asked yet, or version 1 */
	bool use_v1;
};

/* The endpoint: the argument if not NULL, else AWS_EC2_METADATA_SERVICE_ENDPOINT, else by
 * AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE (IPv4 unless "IPv6"). ERROR_CONFIG for one that is not an http(s) URL. */
int imds_init(struct imds *imds, struct runtime *runtime, const char *endpoint, struct error *err);
/* The same by options in place of the variables, AWS_EC2_METADATA_DISABLED excepted. ERROR_CONFIG also for what is not a
 * mode or a number. */
int imds_init_with(struct imds *imds, struct runtime *runtime, const struct imds_options *options, struct error *err);
/* GET of a path such as "/latest/meta-data/instance-id"; the text is in the arena. ERROR_METADATA says what to do: not on
 * EC2 (refused, no route, timed out), service switched off, hop limit. ret_found (may be NULL: then 404 is an error). */
int imds_get(struct imds *imds, const char *path, struct arena *arena, const char **ret_text, bool *ret_found,
	     struct error *err);

struct imds_identity {
	const char *instance_id;
	const char *region;
	const char *availability_zone;
	const char *instance_type;
	const char *architecture; /* "x86_64" or "arm64" */
};
/* From the instance identity document; every field is checked for form. All within IMDS_TIMEOUT_MS. */
int imds_identity(struct imds *imds, struct arena *arena, struct imds_identity *ret_identity, struct error *err);

#endif
