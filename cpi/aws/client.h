/* SPDX-License-Identifier: Apache-2.0 */
/* One signed call to an AWS Query API: endpoint, credentials, signature, sending, retries, and the error that came
 * back. Knows services and actions by name only. Several threads may call with one client at the same time, each with
 * parameters of its own. */
#ifndef CPI_AWS_CLIENT_H
#define CPI_AWS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/runtime.h"
#include "cpi/aws/xml.h"

struct profiles;

/* What the configuration says, as far as this folder reads it. All texts are borrowed from the configuration; NULL: not
 * said. */
struct aws_settings {
	const char *region;       /* resolved: parameter or context, configuration, environment … */
	const char *ec2_endpoint; /* with or without a scheme */
	const char *elb_endpoint;
	const char *credentials_source; /* "static" or "env_or_profile" */
	const char *access_key_id;
	const char *secret_access_key;
	const char *session_token;
	const char *role_arn;
	const char *ca_file; /* BOSH_CA_CERT_FILE, else AWS_CA_BUNDLE, else the profile's ca_bundle; NULL: the system's */
	bool dualstack;
	bool fips;
	const struct profiles *profiles; /* the shared files, for endpoints and credentials; NULL: not read */
	unsigned max_retries; /* attempts after the first */
};

struct aws_client;

/* Looks nothing up yet: credentials are found at the first call. settings must outlive the client. */
int aws_client_new(struct runtime *runtime, const struct aws_settings *settings, struct aws_client **ret_client,
		   struct error *err);
struct credentials;
/* A client for the calls that credentials come from: signs with these alone; NULL: does not sign. They must outlive it. It
 * shares no throttling with others. */
int aws_client_new_as(struct runtime *runtime, const struct aws_settings *settings,
		      const struct credentials *credentials, struct aws_client **ret_client, struct error *err);
void aws_client_free(struct aws_client *client);
struct runtime *aws_client_runtime(struct aws_client *client);
/* How often so far AWS has put off one of this client's calls because the account asks too much. */
unsigned aws_client_throttles(struct aws_client *client);

/* Names of the service as the signature has it, and its API version. */
struct aws_service {
	const char *name;     /* "ec2", "sts", "elasticloadbalancing" */
	const char *version;  /* "2016-11-15" */
	const char *endpoint; /* endpoint_find's name for it, where that differs ("elasticloadbalancingv2") */
};

/* Parameters of a Query call, percent-encoded as they are added. */
struct aws_params {
	struct buf body; /* BUF_INIT(…) by aws_params_init */
};
void aws_params_init(struct aws_params *params);
void aws_params_free(struct aws_params *params);
/* A NULL value is left out. */
void aws_params_add(struct aws_params *params, const char *name, const char *value);
void aws_params_addf(struct aws_params *params, const char *value, const char *name_format, ...)
	__attribute__((format(printf, 3, 4)));

struct aws_call {
	const struct aws_service *service;
	const char *action;
	struct aws_params *params;
	const char *purpose;  /* what it is for: "volume vol-…"; in the log's aws-call line */
	bool created_by_us;   /* Invalid*.NotFound is eventual consistency: retried for a while */
	bool once;            /* a second attempt is not worth the wait */
	/* After a lost answer to a call that has no client token (may be NULL): 1 when the lookup shows that the call
	 * took effect (the call then counts as done with an empty answer), 0 when it did not, -1 error. */
	int (*settle)(void *self, struct error *err);
	void *settle_self;
};

/* 0 and the root element of a 2xx answer, whose tree is in the arena (NULL when settle said 1); or -1: ERROR_AWS with
 * code, message, action and request id (of a denial also what was denied to whom, where we may have that decoded);
 * ERROR_NETWORK or ERROR_TIMEOUT when the retries are used up; ERROR_INVALID when
 * what comes is not this action's XML, time and again; ERROR_TOO_BIG over XML_MAX_BYTES; ERROR_CANCELLED; ERROR_CONFIG
 * for credentials or endpoint. */
int aws_call(struct aws_client *client, const struct aws_call *call, struct arena *arena,
	     const struct xml_node **ret_root, struct error *err);

/* The first access key's id and where it came from ("environment", "configuration"), for cpi check. */
int aws_client_identity(struct aws_client *client, const char **ret_access_key_id, const char **ret_source,
			struct error *err);
/* The endpoint's URL for a service, for cpi check. */
int aws_client_endpoint(struct aws_client *client, const char *service, struct arena *arena, const char **ret_url,
			struct error *err);

#endif
