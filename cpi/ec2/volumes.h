/* SPDX-License-Identifier: Apache-2.0 */
/* EBS volumes: CreateVolume, AttachVolume, DetachVolume, DeleteVolume, DescribeVolumes, and waits on their states. */
#ifndef CPI_EC2_VOLUMES_H
#define CPI_EC2_VOLUMES_H

#include "cpi/ec2/client.h"
#include "cpi/ec2/wait.h"

struct volume_create_request {
	uint64_t size_gib;
	const char *availability_zone;
	const char *type;         /* "gp3" …; NULL: EC2's default */
	const char *snapshot_id;  /* NULL: an empty volume */
	bool encrypted;           /* false: not said, so the account's default counts */
	const char *kms_key_id;   /* NULL: the account's default key */
	uint64_t iops;            /* 0: not said */
	uint64_t throughput_mibs; /* 0: not said */
	const char *client_token; /* at most 64 ASCII characters; required */
	struct ec2_tags tags;
};

struct volume_attachment {
	const char *instance_id;
	const char *device;
	const char *state; /* attaching, attached, detaching, busy */
	bool delete_on_termination;
};

struct volume {
	const char *id;
	const char *state; /* creating, available, in-use, deleting, deleted, error */
	const char *type;
	const char *availability_zone;
	const char *snapshot_id;
	uint64_t size_gib;
	uint64_t iops;            /* 0: the type has none */
	uint64_t throughput_mibs; /* 0: the type has none */
	bool encrypted;
	const char *kms_key_id; /* "" when it is not encrypted */
	const struct volume_attachment *attachments;
	size_t n_attachments;
	struct ec2_tags tags;
};

int volume_create(struct ec2_client *ec2, struct arena *arena, const struct volume_create_request *request,
		  struct volume *ret_volume, struct error *err);
/* A volume that is attached to that instance under that name already counts as success (a lost answer's repetition). */
int volume_attach(struct ec2_client *ec2, const char *volume_id, const char *instance_id, const char *device,
		  struct error *err);
/* Not attached any more, or gone, counts as success. instance_id may be NULL. */
int volume_detach(struct ec2_client *ec2, const char *volume_id, const char *instance_id, bool force,
		  struct error *err);
/* The same, where what is not attached is an error: EC2's. */
int volume_detach_attached(struct ec2_client *ec2, const char *volume_id, struct error *err);
/* Gone already counts as success: *ret_existed (may be NULL) tells, and *err holds EC2's refusal then. */
int volume_delete(struct ec2_client *ec2, const char *volume_id, bool *ret_existed, struct error *err);
/* By ids (ERROR_AWS InvalidVolume.NotFound when one is missing) or filters; paged to the end. */
int volume_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		    struct volume **ret_volumes, size_t *ret_count, struct error *err);
/* One by its id; *ret_volume NULL where EC2 knows none. */
int volume_find(struct ec2_client *ec2, struct arena *arena, const char *volume_id, struct volume **ret_volume,
		struct error *err);
/* Its attachment to that instance (NULL: to any), in whatever state but detached; NULL where there is none. */
const struct volume_attachment *volume_attachment_to(const struct volume *volume, const char *instance_id);

/* Until state "available". just_created: NotFound is not the answer yet. */
int volume_wait_available(struct ec2_client *ec2, const char *volume_id, const struct wait_options *wait,
			  struct error *err);
/* Until the attachment to that instance is "attached". */
int volume_wait_attached(struct ec2_client *ec2, const char *volume_id, const char *instance_id,
			 const struct wait_options *wait, struct error *err);
/* Until there is no attachment (or no volume). */
int volume_wait_detached(struct ec2_client *ec2, const char *volume_id, const struct wait_options *wait,
			 struct error *err);
int volume_wait_deleted(struct ec2_client *ec2, const char *volume_id, const struct wait_options *wait,
			struct error *err);

#endif
