/* SPDX-License-Identifier: Apache-2.0 */
/* AMIs: RegisterImage, DeregisterImage, CopyImage, DescribeImages, and waits on their states. */
#ifndef CPI_EC2_IMAGES_H
#define CPI_EC2_IMAGES_H

#include "cpi/ec2/client.h"
#include "cpi/ec2/wait.h"

struct image_mapping {
	const char *device_name;  /* "/dev/xvda" */
	const char *virtual_name; /* "ephemeral0", else NULL */
	const char *snapshot_id;  /* NULL for instance storage */
	uint64_t volume_size_gib; /* 0: not said */
	const char *volume_type;  /* NULL: not said */
	bool encrypted;
	bool delete_on_termination; /* read from answers; sent when snapshot_id is */
};

struct image_register_request {
	const char *name; /* unique in the account and region */
	const char *description;
	const char *architecture;        /* "x86_64", "arm64"; NULL: not said */
	const char *virtualization_type; /* "hvm"; NULL for paravirtual, which EC2 takes as its default */
	const char *root_device_name;
	const char *kernel_id;     /* paravirtual only */
	const char *boot_mode;     /* NULL: not said */
	const char *sriov_support; /* "simple" or NULL */
	bool ena_support;
	const struct image_mapping *mappings;
	size_t n_mappings;
	struct ec2_tags tags;
};

struct image {
	const char *id;
	const char *name;
	const char *description;
	const char *state; /* pending, available, invalid, deregistered, transient, failed, error */
	const char *state_reason;
	const char *architecture;
	const char *root_device_name;
	const char *virtualization_type;
	const char *location; /* for kernel images */
	const struct image_mapping *mappings;
	size_t n_mappings;
	struct ec2_tags tags;
};

/* EC2 takes no client token: InvalidAMIName.Duplicate after a lost answer leads to the image of that name, if it is
 * ours. */
int image_register(struct ec2_client *ec2, struct arena *arena, const struct image_register_request *request,
		   const char **ret_image_id, struct error *err);
/* Gone already counts as success. */
int image_deregister(struct ec2_client *ec2, const char *image_id, bool *ret_existed, struct error *err);

struct image_copy_request {
	const char *source_region;
	const char *source_image_id;
	const char *name;
	const char *description;
	bool encrypted;
	const char *kms_key_id;
	const char *client_token;
	struct ec2_tags tags; /* on the image and its snapshots */
};
int image_copy(struct ec2_client *ec2, struct arena *arena, const struct image_copy_request *request,
	       const char **ret_image_id, struct error *err);

/* By ids (ERROR_AWS InvalidAMIID.NotFound when one is missing) or filters; deprecated ones included; paged to the end.
 * owner: "self", "amazon" or NULL. */
int image_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids ids, struct ec2_filters filters,
		   const char *owner, struct image **ret_images, size_t *ret_count, struct error *err);
/* One by its id; *ret_image NULL where EC2 knows none. */
int image_find(struct ec2_client *ec2, struct arena *arena, const char *image_id, struct image **ret_image,
	       struct error *err);
int image_wait_available(struct ec2_client *ec2, const char *image_id, const struct wait_options *wait,
			 struct error *err);
/* Until it is not described any more, or is "deregistered". */
int image_wait_deregistered(struct ec2_client *ec2, const char *image_id, const struct wait_options *wait,
			    struct error *err);

#endif
