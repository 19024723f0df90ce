/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: the incumbent's cpi.json (cloud.properties.{aws,agent,registry,debug,stemcell}), the request's
 * context over it (shallowly over aws), and what the environment adds. Read once, checked once, then plain values. */
#ifndef CPI_CONFIG_H
#define CPI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/json_read.h"
#include "cpi/aws/client.h"

#define CONFIG_MAX_BYTES ((size_t)8 * 1024 * 1024)
#define CONFIG_API_VERSION_MAX 3
#define CONFIG_UPLOAD_CONNECTIONS_MAX 64
#define CONFIG_DEFAULT_MAX_RETRIES 2 /* DEFAULT_MAX_RETRIES of the original, when the file has none */

enum config_builder { CONFIG_BUILDER_AUTO, CONFIG_BUILDER_LOCAL, CONFIG_BUILDER_SSH, CONFIG_BUILDER_DIRECT };

/* aws.stemcell.ssh: the machine that builds stemcells, where it is another one. Checked (config_ssh.c): none of these can
 * be taken for an option or be read by a shell. */
struct config_ssh {
	const char *host;             /* a name, an address, or an alias of ~/.ssh/config; NULL: none is configured */
	const char *user;             /* NULL: ssh's choice, as with port 0 */
	int port;
	const char *private_key;      /* its text, a secret; NULL, or private_key_file is */
	const char *private_key_file; /* a path from the root */
	const char *host_key;         /* lines of known_hosts, with or without host names in front; NULL: the user's own files */
	const char *onhost_path;      /* over there; "onhost" when nothing is said */
};

struct config_stemcell {
	enum config_builder builder;
	struct config_ssh ssh;
	const char *onhost_path; /* NULL: found beside cpi, else in PATH */
	bool skip_zero_blocks;
	unsigned upload_connections;   /* of the EBS direct APIs; 0: uploader.h's default */
	bool lab;                      /* tests only: onhost takes the lab's devices */
	const char *lab_devices;       /* tests only: stands for /dev/disk/by-id where there are no loop devices */
	const struct json *properties; /* an object or NULL: override the stemcell's cloud properties; our own keys
					* (builder, ssh, onhost_path …) are not to be taken from it */
};

struct config {
	struct aws_settings aws;
	/* where aws.region comes from, for people ("aws.region of the configuration", "AWS_REGION", "profile dev of …");
	 * NULL as long as there is none: setup_aws looks further than config_build */
	const char *region_source;
	const char *metadata_endpoint; /* NULL: the SDKs' variables, then the well-known address */
	bool encrypted;
	const char *kms_key_arn; /* NULL: the account's default key */
	bool fast_path_delete;   /* delete_vm and delete_disk do not wait */
	bool describe_instance_types; /* enable_describe_instance_types; true unless the file says false */
	struct config_stemcell stemcell;
	int api_version; /* the highest that info offers: debug.cpi.api_version lowers it */
	double time_scale; /* debug.cpi.time_scale, 1.0 by default */
	/* all of aws, context merged in: a new VM's defaults (default_security_groups, default_key_name,
	 * default_iam_instance_profile, metadata_options, instance_types_fallback) are read from it by cpi/rpc/vm_args */
	const struct json *aws_properties;
	const char *worker_ami;   /* aws.worker_ami: create_worker's where none is given; NULL: none */
	const struct json *agent; /* NULL: none */
	/* of the registry; all NULL where none is configured */
	const char *registry_endpoint;
	const char *registry_user;
	const char *registry_password;
};

/* Reads and parses the file. ERROR_CONFIG names it. */
int config_read(const char *path, struct arena *arena, const struct json **ret_root, struct error *err);
/* root may be NULL (no file: region and credentials come from the environment alone), and so may context. Everything
 * in *ret_config lives as long as root, context, the environment and the arena. ERROR_CONFIG names the property, what
 * it is and what it should be. */
int config_build(const struct json *root, const struct json *context, struct arena *arena, struct config *ret_config,
		 struct error *err);
/* What a call to AWS needs on top of that, and info does not: a region (by now setup_aws has looked everywhere) or both
 * endpoints, and credentials that fit their source. The incumbent's checks and texts ("missing configuration parameters >
 * aws:region, or aws:ec2_endpoint and aws:elb_endpoint" …). */
int config_require_aws(const struct config *config, struct error *err);

#endif
