/* SPDX-License-Identifier: Apache-2.0 */
/* What a VM shall be: create_vm's arguments, with the configuration's defaults already in them, as plain values. Made by
 * cpi/rpc/vm_args. Texts live as long as request and configuration. Sizes are MiB, as the manifest has them. */
#ifndef CPI_METHODS_VM_SPEC_H
#define CPI_METHODS_VM_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json_read.h"
#include "cpi/ec2/client.h"
#include "cpi/ec2/instances.h"

enum vm_network_type { VM_NETWORK_MANUAL, VM_NETWORK_DYNAMIC, VM_NETWORK_VIP };

struct vm_network {
	const char *name;
	enum vm_network_type type;
	const char *ip;        /* NULL: not given */
	const char *prefix;    /* length of it, as decimal digits; NULL: not given */
	const char *subnet;    /* cloud_properties.subnet; NULL: not given */
	const char *nic_group; /* manual: the network's own name where none is given; vip: NULL where none is given */
	bool has_dns;
	const struct json *settings;     /* all of it, for the agent */
	struct ec2_ids security_groups;  /* cloud_properties.security_groups: names or ids */
};

struct vm_disk {
	bool specified;           /* there is an object with anything in it */
	uint64_t size_mib;        /* 0: not said */
	const char *type;         /* NULL: gp3 */
	uint64_t iops;            /* 0: not said */
	uint64_t throughput_mibs; /* 0: not said */
};

struct vm_ephemeral_disk {
	struct vm_disk disk;
	bool use_instance_storage;
	bool use_root_disk;
	bool encrypted;           /* the disk's, else the configuration's */
	const char *kms_key_arn;  /* the same; NULL: the account's default key */
};

struct vm_route {
	const char *table_id;
	const char *destination;
};

struct vm_spec {
	const char *agent_id;
	const char *stemcell_cid; /* with " light" cut off */
	/* cloud_properties */
	const char *instance_type;
	struct ec2_ids further_types; /* tried in order where EC2 has no capacity: instance_types_fallback */
	const char *availability_zone;
	struct ec2_ids security_groups; /* the VM type's own; none: count 0 */
	const char *key_name;
	const char *iam_instance_profile;
	const char *placement_group;
	const char *tenancy; /* NULL for default */
	const char *spot_max_price; /* NULL: on demand */
	bool spot_ondemand_fallback;
	bool auto_assign_public_ip;
	bool source_dest_check;
	bool raw_instance_storage;
	struct vm_disk root_disk;
	struct vm_ephemeral_disk ephemeral_disk;
	struct ec2_ids elbs;          /* names */
	struct ec2_ids target_groups; /* names or ARNs */
	const struct vm_route *routes;
	size_t n_routes;
	const struct instance_metadata_option *metadata_options; /* the configuration's with the VM's over them */
	size_t n_metadata_options;
	struct ec2_tags tags; /* env.bosh.tags with cloud_properties.tags over them */
	/* networks, in the request's order */
	const struct vm_network *networks;
	size_t n_networks;
	struct ec2_ids disk_cids;
	const struct json *env; /* an object; NULL: none given */
	/* the configuration's */
	struct ec2_ids default_security_groups;
};

#endif
