/* SPDX-License-Identifier: Apache-2.0 */
/* create_vm's arguments for tests of what plans a VM. JSON is written with ' for ". What cannot be read fails the test. */
#ifndef TESTS_UNIT_VM_KIT_H
#define TESTS_UNIT_VM_KIT_H

#include "cpi/rpc/vm_args.h"

#define VM_KIT_ARENA ((size_t)32 * 1024 * 1024)

const struct json *vm_kit_json(struct arena *arena, const char *text);
/* A configuration whose aws has these members ("'default_key_name':'k'"). */
struct config vm_kit_config(struct arena *arena, const char *aws);
/* A spec of members of cloud_properties (behind instance_type m5.large and availability_zone us-east-1a) and of
 * networks. aws as above. */
struct vm_spec vm_kit_spec(struct arena *arena, const char *cloud_properties, const char *networks, const char *aws);
/* The names, one behind the other with a blank between. */
void vm_kit_expect_names(struct ec2_ids names, const char *wanted);

#endif
