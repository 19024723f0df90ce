/* SPDX-License-Identifier: Apache-2.0 */
/* What a command needs before it can work, brought up step by step, so that a call that needs little takes little time:
 * configuration, HTTP, the AWS client. */
#ifndef CPI_SETUP_H
#define CPI_SETUP_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/http.h"
#include "common/runtime.h"
#include "cpi/aws/profile.h"
#include "cpi/config.h"
#include "cpi/ec2/client.h"

/* What is said beside the configuration, and goes before it. All of it may be NULL. */
struct setup_choice {
	const struct json *root;    /* the configuration itself, where it is in no file */
	const char *region;         /* a parameter's */
	const char *profile;        /* a person's: credentials are this profile's, whatever configuration and environment hold */
	const char *profile_source; /* what names it, for messages; NULL: "--profile" */
	const char *default_region; /* where neither configuration nor environment nor profile has one; then the instance metadata
				     * are not asked for it */
};

/* Starts as { .runtime = …, .clock = …, .arena = … }, ends with setup_close; each step may be left out together with
 * all behind it. */
struct setup {
	struct runtime *runtime; /* its http is NULL until setup_http */
	struct clock *clock;     /* runtime's; the configuration may scale it */
	struct arena *arena;     /* outlives setup and the log */
	struct setup_choice choice;
	struct config config;
	struct profiles profiles; /* the files that the AWS tools share; empty until setup_aws */
	struct http_transport http;
	bool http_is_open;
	struct aws_client *aws;
	struct ec2_client ec2;
};

/* Reads the file (NULL: choice.root, which may be NULL too: none), puts context (may be NULL) over it, and tells the log what is secret in both. */
int setup_config(struct setup *setup, const char *path, const struct json *context, struct error *err);
/* Opens runtime->http. Nothing is sent. */
int setup_http(struct setup *setup, struct error *err);
/* Reads the files that the AWS tools share and takes from them what nothing above them says: region (then the instance
 * metadata's), ca_bundle, dual-stack and FIPS endpoints. Checks that region and credentials are configured, opens HTTP,
 * makes the client. Where the region comes from is config.region_source, and one debug line. Only a region that nobody
 * else knows costs a request, to the instance metadata service; nothing else is sent, no credentials are looked for yet.
 * ERROR_CONFIG as profiles_load and config_require_aws. */
int setup_aws(struct setup *setup, struct error *err);
void setup_close(struct setup *setup);

#endif
