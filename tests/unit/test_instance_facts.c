/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about instance types: the built-in list, EC2's answers, and which of the two counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/methods/instance_catalog.h"
#include "cpi/methods/instance_facts.h"
#include "tests/unit/fake_ec2.h"

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)
#define DESCRIBE "DescribeInstanceTypes"

#define STORAGE(gb, count, nvme)                                                                                       \
	"<instanceStorageInfo><disks><item><sizeInGB>" gb "</sizeInGB><count>" count "</count></item></disks><nvmeSupport>" nvme \
	"</nvmeSupport></instanceStorageInfo>"
#define TYPE(name, architecture, nvme, attachments, more)                                                              \
	"<item><instanceType>" name "</instanceType><processorInfo><supportedArchitectures><item>" architecture        \
	"</item></supportedArchitectures></processorInfo><ebsInfo><nvmeSupport>" nvme "</nvmeSupport>" attachments     \
	"</ebsInfo>" more "</item>"
#define ATTACHMENTS(n, kind)                                                                                           \
	"<maximumEbsAttachments>" n "</maximumEbsAttachments><attachmentLimitType>" kind "</attachmentLimitType>"
#define ANSWER(types)                                                                                                  \
	"<DescribeInstanceTypesResponse" FAKE_EC2_START "<instanceTypeSet>" types "</instanceTypeSet></DescribeInstanceTypesResponse>"

/* --- the list --- */

static void test_built_in(void **state)
{
	static const struct {
		const char *type;
		bool ebs_is_nvme, storage_is_nvme, is_arm;
		uint64_t storage_disks, max_volumes;
		bool known;
	} table[] = {
		{ "m5.large", true, false, false, 0, 27, true },
		{ "t3.micro", true, false, false, 0, 27, true },
		{ "m3.xlarge", false, false, false, 2, 39, true },
		{ "t2.small", false, false, false, 0, 39, true },
		{ "d2.8xlarge", false, false, false, 24, 39, true },
		{ "i3.4xlarge", false, true, false, 2, 39, true },
		{ "i3.metal", true, false, false, 0, 31, true },
		{ "i3en.24xlarge", true, true, false, 8, 19, true },
		{ "m5d.large", true, true, false, 1, 26, true },
		{ "c6id.metal", true, true, false, 4, 31, true },
		{ "d3en.12xlarge", true, true, false, 24, 3, true },
		{ "r5b.large", true, false, false, 0, 27, true },
		{ "a1.medium", true, false, true, 0, 27, true },
		{ "m6g.large", true, false, true, 0, 27, true },
		{ "x2gd.medium", true, true, true, 1, 26, true },
		{ "im4gn.16xlarge", true, true, true, 4, 23, true },
		{ "g5g.xlarge", true, false, true, 0, 27, true },
		{ "g4dn.metal", true, true, false, 2, 31, true },
		{ "mac1.metal", true, false, false, 0, 31, true },
		{ "mac2.metal", true, false, true, 0, 31, true },
		/* from generation 7 on (Graviton: 8) volumes have a limit of their own, by size */
		{ "m7g.16xlarge", true, false, true, 0, 27, true },
		{ "m7i.large", true, false, false, 0, 32, true },
		{ "m7i-flex.16xlarge", true, false, false, 0, 48, true },
		{ "m7a.24xlarge", true, false, false, 0, 64, true },
		{ "r8i.32xlarge", true, false, false, 0, 88, true },
		{ "r7iz.metal-16xl", true, false, false, 0, 39, true },
		{ "c8g.48xlarge", true, false, true, 0, 128, true },
		{ "i8g.metal-48xl", true, true, true, 12, 64, true },
		{ "i7ie.18xlarge", true, true, false, 6, 48, true },
		{ "m8gd.12xlarge", true, true, true, 3, 32, true },
		{ "g6.48xlarge", true, true, false, 8, 128, true },
		{ "u-6tb1.112xlarge", true, false, false, 0, 27, true },
		{ "hpc7a.96xlarge", true, false, false, 0, 27, true },
		/* not in it: the newest generations by their names, anything else Nitro */
		{ "m9xd.large", true, false, false, 0, 32, false },
		{ "z99g.24xlarge", true, false, true, 0, 64, false },
		{ "unspecified", true, false, false, 0, 27, false },
		{ "", true, false, false, 0, 27, false },
		{ "m5.", true, false, false, 0, 27, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct instance_facts facts;
		char got[128], wanted[128];
		instance_facts_built_in(table[i].type, &facts);
		snprintf(got, sizeof(got), "%s nvme %d %d arm %d disks %d volumes %d known %d", facts.type, facts.ebs_is_nvme,
			 facts.storage_is_nvme, facts.is_arm, (int)facts.storage_disks, (int)facts.max_volumes, facts.known);
		snprintf(wanted, sizeof(wanted), "%s nvme %d %d arm %d disks %d volumes %d known %d", table[i].type,
			 table[i].ebs_is_nvme, table[i].storage_is_nvme, table[i].is_arm, (int)table[i].storage_disks,
			 (int)table[i].max_volumes, table[i].known);
		assert_string_equal(got, wanted);
	}
}

/* Storage is found in the fixed rows and beyond them, also where a family is in both. */
static void test_storage_sizes(void **state)
{
	static const struct {
		const char *type;
		uint64_t size, disks;
	} table[] = {
		{ "m3.medium", 4, 1 },      { "m6id.metal", 1900, 4 },   { "i4i.12xlarge", 3750, 3 }, { "c5ad.4xlarge", 300, 2 },
		{ "z1d.6xlarge", 900, 1 },  { "r8id.96xlarge", 3800, 6 }, { "p4d.24xlarge", 1000, 8 }, { "x1e.xlarge", 120, 1 },
		{ "x8aedz.metal-24xl", 3800, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct instance_catalog_storage storage;
		assert_true(instance_catalog_storage(table[i].type, &storage));
		assert_int_equal(storage.size, table[i].size);
		assert_int_equal(storage.disks, table[i].disks);
	}
}

static void test_fixed_table(void **state)
{
	static const struct {
		const char *type;
		uint64_t gib, disks;
	} table[] = {
		{ "m1.small", 160, 1 },      { "c1.xlarge", 420, 4 },   { "cc2.8xlarge", 840, 4 },  { "cg1.4xlarge", 840, 2 },
		{ "m2.4xlarge", 840, 2 },    { "cr1.8xlarge", 120, 2 }, { "hi1.4xlarge", 1024, 2 }, { "hs1.8xlarge", 2000, 24 },
		{ "m3.large", 32, 1 },       { "c3.8xlarge", 320, 2 },  { "r3.large", 32, 1 },      { "g2.8xlarge", 120, 2 },
		{ "i2.8xlarge", 800, 8 },    { "i3.large", 475, 1 },    { "i3en.3xlarge", 7500, 1 }, { "i4i.xlarge", 937, 1 },
		{ "d2.xlarge", 2000, 3 },    { "x1.32xlarge", 1920, 2 }, { "m6id.large", 118, 1 },  { "m6idn.12xlarge", 1425, 2 },
		{ "c6id.24xlarge", 1425, 4 }, { "r6id.32xlarge", 1900, 4 }, { "r6idn.2xlarge", 474, 1 },
	};
	static const char *const absent[] = { "m5.large", "m5d.large", "i4i.12xlarge", "m6id.metal", "m3", "m3.", "", "3.large" };
	uint64_t gib = 7, disks = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_false(instance_facts_table(absent[i], &gib, &disks));
	assert_int_equal(gib + disks, 14);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_true(instance_facts_table(table[i].type, &gib, &disks));
		assert_int_equal(gib, table[i].gib);
		assert_int_equal(disks, table[i].disks);
	}
}

/* --- EC2's word --- */

static struct arena *arena;
static struct config config;

static struct call call_of(struct fake_aws *fake)
{
	config = (struct config){ .describe_instance_types = true };
	return (struct call){ .runtime = &fake->runtime, .config = &config, .arena = arena, .ec2 = &fake->ec2 };
}

static int begin(void **state)
{
	arena = arena_new(ARENA_BYTES);
	return fake_ec2_begin(state);
}

static int end(void **state)
{
	arena_free(arena);
	return fake_ec2_end(state);
}

static void test_answers(void **state)
{
	struct fake_aws *fake = *state;
	struct call call = call_of(fake);
	static const char *const names[] = { "i3.large", "m6id.large", "odd.large", "z9.large" };
	struct instance_facts facts[4];
	struct error err = { 0 };

	/* not in the order that was asked for */
	fake_ec2_say(fake, DESCRIBE,
		     ANSWER(TYPE("m6id.large", "x86_64", "required", ATTACHMENTS("26", "shared"), STORAGE("118", "1", "required"))
			    TYPE("i3.large", "x86_64", "supported", "", STORAGE("475", "1", "required"))
			    TYPE("z9.large", "arm64", "required", ATTACHMENTS("32", "dedicated"), "")
			    TYPE("odd.large", "x86_64", "unsupported", ATTACHMENTS("39", "shared"), STORAGE("2", "3", "unsupported"))));
	if (instance_facts_find(&call, (struct ec2_ids){ names, 4 }, facts, &err) != 0)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(facts[i].type, names[i]);
		assert_true(facts[i].known);
		assert_int_equal(facts[i].is_arm, i == 3);
	}
	assert_false(facts[0].ebs_is_nvme);
	assert_true(facts[0].storage_is_nvme);
	assert_int_equal(facts[0].storage_disks, 1);
	assert_int_equal(facts[0].storage_disk_mib, 452995); /* 475 GB */
	assert_int_equal(facts[0].max_volumes, 39); /* EC2 said nothing */
	assert_true(facts[1].ebs_is_nvme && facts[1].storage_is_nvme);
	assert_int_equal(facts[1].max_volumes, 26);
	assert_false(facts[2].ebs_is_nvme || facts[2].storage_is_nvme);
	assert_int_equal(facts[2].storage_disks, 3);
	assert_int_equal(facts[2].max_volumes, 39);
	assert_true(facts[3].ebs_is_nvme);
	assert_int_equal(facts[3].storage_disks, 0);
	assert_int_equal(facts[3].max_volumes, 32);
}

static void test_switched_off(void **state)
{
	struct fake_aws *fake = *state;
	struct call call = call_of(fake);
	static const char *const names[] = { "i3.large", "m77i.large" };
	struct instance_facts facts[2];
	struct error err;
	char log[4096];

	config.describe_instance_types = false;
	assert_int_equal(instance_facts_find(&call, (struct ec2_ids){ names, 2 }, facts, &err), 0);
	assert_int_equal(fake->n_requests, 0);
	assert_true(facts[0].known && facts[0].storage_is_nvme);
	assert_false(facts[1].known);
	assert_true(facts[1].ebs_is_nvme);
	fake_aws_log(fake, log, sizeof(log));
	assert_non_null(strstr(log, "m77i.large"));
	assert_null(strstr(log, "i3.large"));
}

static void test_not_allowed(void **state)
{
	struct fake_aws *fake = *state;
	struct call call = call_of(fake);
	static const char *const name = "m3.xlarge";
	struct instance_facts facts;
	struct error err;
	char log[4096];

	fake_ec2_refuse(fake, DESCRIBE, "UnauthorizedOperation");
	assert_int_equal(instance_facts_find(&call, (struct ec2_ids){ &name, 1 }, &facts, &err), 0);
	assert_false(facts.ebs_is_nvme);
	assert_int_equal(facts.storage_disks, 2);
	fake_aws_log(fake, log, sizeof(log));
	assert_non_null(strstr(log, "ec2:DescribeInstanceTypes is not allowed"));
}

static void test_unknown(void **state)
{
	struct fake_aws *fake = *state;
	struct call call = call_of(fake);
	static const char *const names[] = { "m5.large", "m5.lrge" };
	struct instance_facts facts[2] = { { .type = "untouched" } };
	struct error err = { 0 };

	fake_aws_script(fake, (struct fake_answer){ .action = DESCRIBE, .status = 400,
						    .body = fake_aws_error("InvalidInstanceType",
									   "The following supplied instance types do not exist: [m5.lrge]") });
	assert_int_equal(instance_facts_find(&call, (struct ec2_ids){ names, 2 }, facts, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_non_null(strstr(err.message, "do not exist: [m5.lrge]"));

	fake_ec2_refuse(fake, DESCRIBE, "InvalidInstanceType");
	assert_int_equal(instance_facts_find(&call, (struct ec2_ids){ names + 1, 1 }, facts, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_non_null(strstr(err.message, "EC2 does not know the instance type 'm5.lrge'"));

	fake_ec2_say(fake, DESCRIBE, ANSWER(TYPE("m5.large", "x86_64", "required", "", "")));
	assert_int_equal(instance_facts_find(&call, (struct ec2_ids){ names, 2 }, facts, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_non_null(strstr(err.message, "'m5.lrge'"));
	assert_string_equal(facts[0].type, "untouched");
}

static void test_other_errors(void **state)
{
	struct fake_aws *fake = *state;
	struct call call = call_of(fake);
	static const char *const name = "m5.large";
	struct instance_facts facts;
	struct error err = { 0 };

	fake_ec2_refuse(fake, DESCRIBE, "InvalidParameterCombination");
	assert_int_equal(instance_facts_find(&call, (struct ec2_ids){ &name, 1 }, &facts, &err), -1);
	assert_int_equal(err.kind, ERROR_AWS);
	assert_non_null(strstr(err.message, "cannot find out what instance type 'm5.large' can do"));
}

#define WITH_EC2(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_built_in), cmocka_unit_test(test_storage_sizes), cmocka_unit_test(test_fixed_table),
		WITH_EC2(test_answers),          WITH_EC2(test_switched_off),          WITH_EC2(test_not_allowed),
		WITH_EC2(test_unknown),          WITH_EC2(test_other_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
