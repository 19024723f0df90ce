/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: started, described, waited for, ended. What they are made of is the methods' to say. */
#ifndef CPI_EC2_INSTANCES_H
#define CPI_EC2_INSTANCES_H

#include "cpi/ec2/client.h"
#include "cpi/ec2/wait.h"

struct instance_mapping {
	const char *device_name;
	const char *volume_id; /* "" for instance storage */
	const char *status;
	bool delete_on_termination;
};

/* A network interface as the instance shows it. */
struct instance_interface {
	const char *id;
	const char *attachment_id;
	const char *mac_address;
	uint64_t device_index;
	bool delete_on_termination;
};

struct instance {
	const char *id;
	const char *state; /* pending, running, shutting-down, terminated, stopping, stopped */
	const char *state_reason; /* "Server.InsufficientInstanceCapacity: …", "" where EC2 gives none */
	const char *type;
	const char *image_id;
	const char *availability_zone;
	const char *architecture;
	const char *vpc_id;
	const char *subnet_id;
	const char *public_ip;  /* "" where it has none */
	const char *private_ip;
	const struct instance_mapping *mappings;
	size_t n_mappings;
	const struct instance_interface *interfaces;
	size_t n_interfaces;
	struct ec2_tags tags;
};

/* By ids (ERROR_AWS InvalidInstanceID.NotFound when one is missing; never paged then) or filters, paged to the end. */
int instance_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		      struct instance **ret_instances, size_t *ret_count, struct error *err);
/* One by its id; *ret_instance NULL where EC2 knows none. A terminated one is known for about an hour. */
int instance_find(struct ec2_client *ec2, struct arena *arena, const char *instance_id, struct instance **ret_instance,
		  struct error *err);
/* A state that an instance does not come back from: shutting-down, terminated. */
bool instance_is_ending(const char *state);

/* One block device mapping of RunInstances. */
struct instance_disk {
	const char *device_name;
	const char *virtual_name; /* "ephemeral0": instance storage, and nothing below counts; else NULL */
	uint64_t size_gib;        /* 0: as large as the AMI's */
	const char *type;         /* NULL: not said */
	uint64_t iops;            /* 0: not said */
	uint64_t throughput_mibs; /* 0: not said */
	bool encrypted;           /* false: not said */
	const char *kms_key_id;   /* NULL: not said */
	bool delete_on_termination; /* always said for EBS */
};

/* An interface that exists already. */
struct instance_own_interface {
	const char *id;
};

/* An interface that EC2 makes with the instance, deleted with it. */
struct instance_new_interface {
	const char *subnet_id;
	const char *private_ip; /* NULL: EC2 picks one */
	const char *ipv6;       /* NULL: none */
	struct ec2_ids security_group_ids;
	bool public_ip; /* AssociatePublicIpAddress, always said */
};

/* "http_tokens" → HttpTokens … : AWS's own names and values, in the order given. */
struct instance_metadata_option {
	const char *name;
	const char *value;
};

struct instance_run_request {
	const char *image_id;
	const char *type;
	const char *key_name;             /* NULL: none */
	const char *iam_instance_profile; /* a name, or an ARN; NULL: none */
	const char *user_data;            /* as it is; it is sent in base64 */
	size_t user_data_len;
	const char *availability_zone; /* NULL: not said */
	const char *placement_group;   /* NULL: none */
	const char *tenancy;           /* "dedicated", "host"; NULL: not said */
	const struct instance_disk *disks;
	size_t n_disks;
	/* one of the two: */
	const struct instance_new_interface *new_interface;
	const struct instance_own_interface *own_interfaces; /* device indexes in order */
	size_t n_own_interfaces;
	const struct instance_metadata_option *metadata_options;
	size_t n_metadata_options;
	const char *spot_max_price; /* NULL: on demand; else a one-time spot request that ends by termination */
	const char *client_token;   /* at most 64 ASCII characters; required */
	struct ec2_tags tags;       /* on the instance and its volumes, and on new_interface */
};

/* Exactly one. ERROR_AWS with InsufficientInstanceCapacity and its like is not retried. Another try, be it with other
 * parameters or because the instance has died, needs a client token of its own: EC2 answers an old one with
 * IdempotentParameterMismatch or IdempotentInstanceTerminated. */
int instance_run(struct ec2_client *ec2, struct arena *arena, const struct instance_run_request *request,
		 struct instance *ret_instance, struct error *err);
/* Gone already counts as success: *ret_existed (may be NULL) tells whether EC2 knew it, and *err holds its refusal then. */
int instance_terminate(struct ec2_client *ec2, const char *instance_id, bool *ret_existed, struct error *err);
int instance_reboot(struct ec2_client *ec2, const char *instance_id, struct error *err);
int instance_start(struct ec2_client *ec2, const char *instance_id, struct error *err);
/* Of a new instance with one interface; for more than one EC2 wants it done interface by interface. */
int instance_disable_source_dest_check(struct ec2_client *ec2, const char *instance_id, struct error *err);

/* Until it is running, or is not going to be (shutting-down, terminated, stopping, stopped): its state tells which. A
 * time-out is ERROR_TIMEOUT. *ret_instance lives in the arena. */
int instance_wait_running(struct ec2_client *ec2, struct arena *arena, const char *instance_id,
			  const struct wait_options *wait, struct instance *ret_instance, struct error *err);
/* Until terminated, or unknown. */
int instance_wait_terminated(struct ec2_client *ec2, const char *instance_id, const struct wait_options *wait,
			     struct error *err);

#endif
