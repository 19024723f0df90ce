/* SPDX-License-Identifier: Apache-2.0 */
/* The disks of a new VM: the incumbent's rules one by one, for EC2 and for the agent, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "cpi/methods/block_devices.h"
#include "tests/unit/vm_kit.h"

#define ROOT "/dev/xvda gp3 delete"
#define NETWORKS "'d':{'type':'dynamic','cloud_properties':{'subnet':'subnet-1'}}"

static const struct image_mapping own_mappings[] = {
	{ .device_name = "/dev/xvda", .snapshot_id = "snap-1" },
	{ .device_name = "/dev/sdb", .virtual_name = "ephemeral0" },
};
static const struct image own_image = {
	.root_device_name = "/dev/xvda",
	.virtualization_type = "hvm",
	.mappings = own_mappings,
	.n_mappings = 2,
};

/* "NAME SIZE TYPE iops=… throughput=… encrypted key=… delete" of each, what is not said left out. */
static void describe(const struct block_devices *devices, struct buf *text)
{
	for (size_t i = 0; i < devices->n_disks; i++) {
		const struct instance_disk *disk = &devices->disks[i];
		buf_printf(text, "%s%s", i == 0 ? "" : ", ", disk->device_name);
		if (disk->virtual_name != NULL)
			buf_printf(text, " %s", disk->virtual_name);
		if (disk->size_gib != 0)
			buf_printf(text, " %d", (int)disk->size_gib);
		if (disk->type != NULL)
			buf_printf(text, " %s", disk->type);
		if (disk->iops != 0)
			buf_printf(text, " iops=%d", (int)disk->iops);
		if (disk->throughput_mibs != 0)
			buf_printf(text, " throughput=%d", (int)disk->throughput_mibs);
		if (disk->encrypted)
			buf_str(text, " encrypted");
		if (disk->kms_key_id != NULL)
			buf_printf(text, " key=%s", disk->kms_key_id);
		if (disk->delete_on_termination)
			buf_str(text, " delete");
	}
}

/* What the agent is told: "SYSTEM EPHEMERAL RAW …". */
static void describe_agent(const struct block_devices *devices, struct buf *text)
{
	buf_printf(text, "%s %s", devices->system_path, devices->ephemeral_path == NULL ? "-" : devices->ephemeral_path);
	for (size_t i = 0; i < devices->n_raw; i++)
		buf_printf(text, " %s", devices->raw_paths[i]);
}

static int plan(struct arena *arena, const char *properties, const struct image *image, struct block_devices *ret_devices,
		struct error *err)
{
	const struct vm_spec spec = vm_kit_spec(arena, properties, NETWORKS, "");
	struct instance_facts facts;

	instance_facts_built_in(spec.instance_type, &facts);
	return block_devices_plan(&spec, image, &facts, arena, ret_devices, err);
}

static void expect(const char *properties, const struct image *image, const char *disks, const char *agent)
{
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
	CLEANUP_BUF struct buf text = BUF_INIT(4096), agent_text = BUF_INIT(4096);
	struct block_devices devices;
	struct error err = { 0 };

	if (plan(arena, properties, image, &devices, &err) != 0)
		fail_msg("%s: %s", properties, err.message);
	describe(&devices, &text);
	if (strcmp(buf_text(&text), disks) != 0)
		fail_msg("%s gave: %s", properties, buf_text(&text));
	describe_agent(&devices, &agent_text);
	assert_string_equal(buf_text(&agent_text), agent);
}

static void test_disks(void **state)
{
	static const struct {
		const char *properties, *disks, *agent;
	} table[] = {
		/* without a size: the fixed table's, else 10 GiB, also where newer types have storage */
		{ "'instance_type':'t2.small'", "/dev/sdb 10 gp3 delete, " ROOT, "/dev/xvda /dev/sdb" },
		{ "'instance_type':'m3.xlarge'", "/dev/sdb 40 gp3 delete, " ROOT, "/dev/xvda /dev/sdb" },
		{ "'instance_type':'c5d.large'", "/dev/sdb 10 gp3 delete, " ROOT, "/dev/xvda /dev/sdb" },
		{ "'instance_type':'i3.4xlarge'", "/dev/sdb 1900 gp3 delete, " ROOT, "/dev/xvda /dev/sdb" },
		{ "'instance_type':'z99.xlarge'", "/dev/sdb 10 gp3 delete, " ROOT, "/dev/xvda /dev/sdb" },
		/* MiB are rounded up */
		{ "'ephemeral_disk':{'size':1}", "/dev/sdb 1 gp3 delete, " ROOT, "/dev/xvda /dev/sdb" },
		{ "'ephemeral_disk':{'size':1024}", "/dev/sdb 1 gp3 delete, " ROOT, "/dev/xvda /dev/sdb" },
		{ "'ephemeral_disk':{'size':1025}", "/dev/sdb 2 gp3 delete, " ROOT, "/dev/xvda /dev/sdb" },
		{ "'ephemeral_disk':{'size':4000,'type':'io1','iops':123}", "/dev/sdb 4 io1 iops=123 delete, " ROOT,
		  "/dev/xvda /dev/sdb" },
		{ "'ephemeral_disk':{'type':'gp3','iops':4000,'throughput':300}",
		  "/dev/sdb 10 gp3 iops=4000 throughput=300 delete, " ROOT, "/dev/xvda /dev/sdb" },
		{ "'ephemeral_disk':{'encrypted':true,'kms_key_arn':'arn'}", "/dev/sdb 10 gp3 encrypted key=arn delete, " ROOT,
		  "/dev/xvda /dev/sdb" },
		{ "'ephemeral_disk':{'use_root_disk':true}", ROOT, "/dev/xvda -" },
		{ "'ephemeral_disk':{'use_root_disk':true},'raw_instance_storage':true,'instance_type':'m3.xlarge'", ROOT,
		  "/dev/xvda -" },
		{ "'ephemeral_disk':{'use_instance_storage':true},'instance_type':'m3.xlarge'", "/dev/sdb ephemeral0, " ROOT,
		  "/dev/xvda /dev/sdb" },
		/* raw storage: mapped by name, or NVMe, which EC2 attaches by itself; the ephemeral disk is as without it */
		{ "'raw_instance_storage':true,'instance_type':'m3.xlarge'",
		  "/dev/sdb 40 gp3 delete, /dev/xvdba ephemeral0, /dev/xvdbb ephemeral1, " ROOT,
		  "/dev/xvda /dev/sdb /dev/xvdba /dev/xvdbb" },
		{ "'raw_instance_storage':true,'instance_type':'i3.4xlarge','ephemeral_disk':{'size':4000}",
		  "/dev/sdb 4 gp3 delete, " ROOT, "/dev/xvda /dev/sdb /dev/nvme0n1 /dev/nvme1n1" },
		{ "'raw_instance_storage':true,'instance_type':'m5d.4xlarge'", "/dev/sdb 10 gp3 delete, " ROOT,
		  "/dev/xvda /dev/sdb /dev/nvme0n1 /dev/nvme1n1" },
		/* root: always there, always deleted with the VM; iops and throughput only where the type has them */
		{ "'root_disk':{'size':43008.0},'ephemeral_disk':{'use_root_disk':true}", "/dev/xvda 42 gp3 delete", "/dev/xvda -" },
		{ "'root_disk':{'size':0},'ephemeral_disk':{'use_root_disk':true}", ROOT, "/dev/xvda -" },
		{ "'root_disk':{'type':'io1','iops':1000,'throughput':5},'ephemeral_disk':{'use_root_disk':true}",
		  "/dev/xvda io1 iops=1000 delete", "/dev/xvda -" },
		{ "'root_disk':{'type':'io2','iops':1000},'ephemeral_disk':{'use_root_disk':true}", "/dev/xvda io2 iops=1000 delete",
		  "/dev/xvda -" },
		{ "'root_disk':{'iops':4000,'throughput':200},'ephemeral_disk':{'use_root_disk':true}",
		  "/dev/xvda gp3 iops=4000 throughput=200 delete", "/dev/xvda -" },
		{ "'root_disk':{'type':'gp2','iops':4000,'throughput':200},'ephemeral_disk':{'use_root_disk':true}",
		  "/dev/xvda gp2 delete", "/dev/xvda -" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		expect(table[i].properties, &own_image, table[i].disks, table[i].agent);
}

static void test_root_name(void **state)
{
	static const struct {
		const char *root, *virtualization, *first, *second, *wanted;
	} table[] = {
		{ "/dev/sda1", "hvm", "/dev/sda", "/dev/sda1", "/dev/sda1" },
		{ "/dev/sda1", "hvm", "/dev/sdb", "/dev/sda", "/dev/sda" },
		{ "/dev/sda", "hvm", "/dev/sda1", "/dev/sdb", "/dev/xvda" },
		{ "/dev/sda1", "paravirtual", "/dev/xvda", "/dev/sdb", "/dev/sda" },
		{ "/dev/sda1", "hvm", "", "/dev/sdb", "/dev/xvda" },
		{ "", "hvm", "", "", "/dev/xvda" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const struct image_mapping mappings[] = { { .device_name = table[i].first }, { .device_name = table[i].second } };
		const struct image image = {
			.root_device_name = table[i].root,
			.virtualization_type = table[i].virtualization,
			.mappings = mappings,
			.n_mappings = 2,
		};
		struct block_devices devices;
		struct error err;
		assert_int_equal(plan(arena, "", &image, &devices, &err), 0);
		assert_string_equal(devices.disks[devices.n_disks - 1].device_name, table[i].wanted);
		assert_string_equal(devices.system_path, table[i].root);
	}
}

static void test_paravirtual(void **state)
{
	struct image image = own_image;

	(void)state;
	image.virtualization_type = "paravirtual";
	image.root_device_name = "/dev/sda1";
	expect("'raw_instance_storage':true,'instance_type':'m3.xlarge'", &image,
	       "/dev/sdb 40 gp3 delete, /dev/sdc ephemeral0, /dev/sdd ephemeral1, /dev/sda gp3 delete",
	       "/dev/sda1 /dev/sdb /dev/sdc /dev/sdd");
}

static void test_many_raw_disks(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
	struct block_devices devices;
	struct error err;

	(void)state;
	assert_int_equal(plan(arena, "'raw_instance_storage':true,'instance_type':'d2.8xlarge'", &own_image, &devices, &err), 0);
	assert_int_equal(devices.n_disks, 26);
	assert_int_equal(devices.n_raw, 24);
	assert_string_equal(devices.raw_paths[23], "/dev/xvdbx");
	assert_string_equal(devices.disks[24].virtual_name, "ephemeral23");
}

static void test_refused(void **state)
{
	static const struct {
		const char *properties, *says;
	} table[] = {
		{ "'instance_type':'t2.small','raw_instance_storage':true",
		  "raw_instance_storage requested for instance type 't2.small' that does not have instance storage" },
		{ "'instance_type':'t2.small','ephemeral_disk':{'use_instance_storage':true}",
		  "use_instance_storage requested for instance type 't2.small' that does not have instance storage" },
		{ "'instance_type':'m3.medium','ephemeral_disk':{'use_instance_storage':true},'raw_instance_storage':true",
		  "ephemeral_disk.use_instance_storage and raw_instance_storage cannot both be true" },
		{ "'instance_type':'m3.medium','ephemeral_disk':{'use_instance_storage':true,'size':512}",
		  "use_instance_storage cannot be combined with additional ephemeral_disk properties" },
		{ "'instance_type':'m3.medium','ephemeral_disk':{'use_instance_storage':true,'type':'gp3'}", "cannot be combined" },
		{ "'instance_type':'m3.medium','ephemeral_disk':{'use_instance_storage':true,'iops':1}", "cannot be combined" },
		{ "'instance_type':'m3.medium','ephemeral_disk':{'use_instance_storage':true,'encrypted':true}", "cannot be combined" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		struct block_devices devices = { .n_disks = 77 };
		struct error err = { 0 };
		if (plan(arena, table[i].properties, &own_image, &devices, &err) != -1)
			fail_msg("accepted: %s", table[i].properties);
		if (err.kind != ERROR_CLOUD || strstr(err.message, table[i].says) == NULL)
			fail_msg("%s gave %s: %s", table[i].properties, error_kind_name(err.kind), err.message);
		assert_int_equal(devices.n_disks, 77);
	}
}

static void test_hint(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
	const struct instance_facts nitro = { .ebs_is_nvme = true }, xen = { .ebs_is_nvme = false };

	(void)state;
	assert_string_equal(block_devices_hint(&nitro, "vol-0123456789abcdef0", "/dev/sdf", arena),
			    "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0");
	assert_string_equal(block_devices_hint(&nitro, "odd", "/dev/sdf", arena),
			    "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_odd");
	assert_string_equal(block_devices_hint(&xen, "vol-0123456789abcdef0", "/dev/sdf", arena), "/dev/sdf");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disks),          cmocka_unit_test(test_root_name), cmocka_unit_test(test_paravirtual),
		cmocka_unit_test(test_many_raw_disks), cmocka_unit_test(test_refused),   cmocka_unit_test(test_hint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
