/* SPDX-License-Identifier: Apache-2.0 */
/* One signed call to an AWS API, Query or REST: endpoint, credentials, signature, sending, retries, and the error that came
 * back. Which services and actions there are says aws_actions.h, and no other is called. Several threads may call with one client at the same time, each with
 * parameters of its own. */
#ifndef CPI_AWS_CLIENT_H
#define CPI_AWS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/http.h"
#include "common/runtime.h"
#include "cpi/aws/xml.h"

struct profiles;

/* What the configuration says, as far as this folder reads it. All texts are borrowed from the configuration; NULL: not
 * said. */
struct aws_settings {
	const char *region;       /* resolved: parameter or context, configuration, environment … */
	const char *ec2_endpoint; /* with or without a scheme */
	const char *elb_endpoint;
	const char *ebs_endpoint; /* of the EBS direct APIs */
	const char *credentials_source; /* "static" or "env_or_profile" */
	const char *access_key_id;
	const char *secret_access_key;
	const char *session_token;
	const char *role_arn;
	const char *ca_file; /* BOSH_CA_CERT_FILE, else AWS_CA_BUNDLE, else the profile's ca_bundle; NULL: the system's */
	bool dualstack;
	bool fips;
	bool profile_is_chosen; /* by a person, for this call: keys of the environment do not count, as in botocore */
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
	struct aws_params *params; /* of a Query call */
	const char *purpose;  /* what it is for: "volume vol-…"; in the log's aws-call line */
	bool created_by_us;   /* Invalid*.NotFound is eventual consistency: retried for a while */
	bool once;            /* a second attempt is not worth the wait */
	bool quiet;           /* one of very many: its line is a debug one when the first attempt succeeds */
	int64_t unknown_ms;   /* how long NotFound is retried; 0: RETRY_NOT_FOUND_MS */
	/* After a lost answer to a call that has no client token (may be NULL): 1 when the lookup shows that the call
	 * took effect (the call then counts as done with an empty answer), 0 when it did not, -1 error. */
	int (*settle)(void *self, struct error *err);
	void *settle_self;
	unsigned *ret_throttled; /* attempts that AWS refused for their number, also of a call that failed; NULL: not wanted */
};

/* 0 and the root element of a 2xx answer, whose tree is in the arena (NULL when settle said 1); or -1: ERROR_AWS with
 * code, message, action and request id (of a denial also what was denied to whom, where we may have that decoded, and which
 * feature of `cpi policy` would allow it);
 * ERROR_NETWORK or ERROR_TIMEOUT when the retries are used up; ERROR_INVALID when
 * what comes is not this action's XML, time and again; ERROR_TOO_BIG over XML_MAX_BYTES; ERROR_CANCELLED; ERROR_CONFIG
 * for credentials or endpoint; ERROR_INTERNAL, and nothing is sent, for an action that aws_actions.c does not have. */
int aws_call(struct aws_client *client, const struct aws_call *call, struct arena *arena,
	     const struct xml_node **ret_root, struct error *err);

/* A call of a REST API. All pointers are borrowed until it returns. */
struct aws_rest_call {
	struct aws_call call;
	const char *method;
	const char *path;  /* under the endpoint's, percent-encoded: "/snapshots" */
	const char *query; /* likewise, without the "?"; NULL: none */
	const struct http_header *headers; /* at most 7; signed */
	size_t n_headers;
	const void *body; /* NULL: none */
	size_t body_len;
	const uint8_t *body_sha256; /* SHA256_LEN bytes; NULL: computed for each attempt where it is signed */
	bool unsigned_payload; /* over https the body is not part of the signature: for actions that say so */
	int64_t timeout_ms;    /* of the whole exchange, as long as something moves every minute; 0: 60 s */
	/* Reads a 2xx answer (also its headers), which is gone afterwards; NULL: nothing of it is wanted. -1: the attempt has
	 * failed, and is repeated where the error is retryable. Not called where settle said 1. */
	int (*read)(void *self, const struct http_response *response, struct error *err);
	void *read_self;
};

/* aws_call's attempts, errors and log line. */
int aws_call_rest(struct aws_client *client, const struct aws_rest_call *call, struct error *err);

/* The first access key's id and where it came from ("environment", "configuration"), for cpi check. */
int aws_client_identity(struct aws_client *client, const char **ret_access_key_id, const char **ret_source,
			struct error *err);
/* The endpoint's URL for a service, for cpi check. */
int aws_client_endpoint(struct aws_client *client, const char *service, struct arena *arena, const char **ret_url,
			struct error *err);

#endif
