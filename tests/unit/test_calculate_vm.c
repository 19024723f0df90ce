/* SPDX-License-Identifier: Apache-2.0 */
/* calculate_vm_cloud_properties: the incumbent's answers, what lies beyond its list, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "cpi/methods/calculate_vm.h"
#include "cpi/rpc/vm_size_calls.h"
#include "tests/unit/vm_kit.h"

static void test_types(void **state)
{
	static const struct {
		double cpu, ram_mib;
		const char *type;
	} table[] = {
		/* of the incumbent's own tests */
		{ 1, 128, "t2.nano" },
		{ 2, 8192, "m5.large" },
		{ 8, 12288, "c5.2xlarge" },
		{ 32, 64, "c5.9xlarge" },
		/* each of its types is the answer to what it has */
		{ 0, 0, "t2.nano" },
		{ 1, 512, "t2.nano" },
		{ 1, 513, "t2.micro" },
		{ 1, 1024, "t2.micro" },
		{ 1, 2048, "t2.small" },
		{ 1, 2049, "c5.large" },
		{ 2, 4096, "c5.large" },
		{ 2, 16384, "r5.large" },
		{ 4, 8192, "c5.xlarge" },
		{ 4, 16384, "m5.xlarge" },
		{ 4, 32768, "r5.xlarge" },
		{ 8, 16384, "c5.2xlarge" },
		{ 8, 32768, "m5.2xlarge" },
		{ 8, 65536, "r5.2xlarge" },
		{ 16, 32768, "c5.4xlarge" },
		{ 16, 65536, "m5.4xlarge" },
		{ 16, 131072, "r5.4xlarge" },
		{ 36, 73728, "c5.9xlarge" },
		{ 32, 131072, "m5.8xlarge" },
		{ 32, 262144, "r5.8xlarge" },
		{ 48, 98304, "c5.12xlarge" },
		{ 48, 196608, "m5.12xlarge" },
		{ 48, 393216, "r5.12xlarge" },
		{ 64, 262144, "m5.16xlarge" },
		{ 64, 524288, "r5.16xlarge" },
		/* order, not size: less RAM than c5.12xlarge has, and more CPU */
		{ 49, 1, "m5.16xlarge" },
		{ 1, 524288, "r5.16xlarge" },
		/* beyond it */
		{ 65, 1, "c7i.24xlarge" },
		{ 96, 393216, "m7i.24xlarge" },
		{ 1, 524289, "r7i.24xlarge" },
		{ 192, 1, "c7i.48xlarge" },
		{ 192, 1572864, "r7i.48xlarge" },
		{ 1, 3145728, "x2iedn.24xlarge" },
		{ 384, 3145728, "r8i.96xlarge" },
		{ 385, 1, "u7i-6tb.112xlarge" },
		{ 896, 33554432, "u7in-32tb.224xlarge" },
		{ 1.5, 0.5, "c5.large" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct calculate_vm_request request = { table[i].cpu, table[i].ram_mib };
		const char *type = NULL;
		struct error err = { 0 };
		if (calculate_vm_type(&request, &type, &err) != 0)
			fail_msg("%g CPU, %g RAM: %s", table[i].cpu, table[i].ram_mib, err.message);
		if (strcmp(type, table[i].type) != 0)
			fail_msg("%g CPU, %g RAM gave %s", table[i].cpu, table[i].ram_mib, type);
	}
}

static void test_too_large(void **state)
{
	static const struct calculate_vm_request table[] = { { 3200, 102400 }, { 897, 1 }, { 1, 33554433 } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *type = "untouched";
		struct error err = { 0 };
		assert_int_equal(calculate_vm_type(&table[i], &type, &err), -1);
		assert_int_equal(err.kind, ERROR_CLOUD);
		assert_non_null(strstr(err.message, "Unable to meet requested VM requirements: "));
		assert_non_null(strstr(err.message, "'u7in-32tb.224xlarge': 896 CPU, 33554432 RAM"));
		assert_string_equal(type, "untouched");
	}
}

static int answer(struct arena *arena, const char *arguments, struct buf *out, struct error *err)
{
	struct call call = { .arena = arena };
	struct json_writer writer;

	json_writer_init(&writer, out);
	return vm_size_calls_calculate(&call, vm_kit_json(arena, arguments), &writer, err);
}

static void test_answer(void **state)
{
	static const struct {
		const char *arguments, *wanted;
	} table[] = {
		{ "[{'cpu':2,'ram':8192,'ephemeral_disk_size':32768}]",
		  "{\"instance_type\":\"m5.large\",\"ephemeral_disk\":{\"size\":32768}}" },
		{ "[{'cpu':2.0,'ram':1e3,'ephemeral_disk_size':10240.0,'more':true}]",
		  "{\"instance_type\":\"c5.large\",\"ephemeral_disk\":{\"size\":10240.0}}" },
		/* in Ruby 0 is something */
		{ "[{'cpu':0,'ram':0,'ephemeral_disk_size':0}]",
		  "{\"instance_type\":\"t2.nano\",\"ephemeral_disk\":{\"size\":0}}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		CLEANUP_BUF struct buf text = BUF_INIT(4096);
		struct error err = { 0 };
		if (answer(arena, table[i].arguments, &text, &err) != 0)
			fail_msg("%s", err.message);
		assert_string_equal(buf_text(&text), table[i].wanted);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *arguments;
		enum error_kind kind;
		const char *says;
	} table[] = {
		{ "[{}]", ERROR_CLOUD, "Missing VM cloud properties: 'cpu', 'ram', 'ephemeral_disk_size'" },
		{ "[{'cpu':1,'ram':null,'ephemeral_disk_size':1}]", ERROR_CLOUD, "Missing VM cloud properties: 'ram'" },
		{ "[{'ram':1,'ephemeral_disk_size':false}]", ERROR_CLOUD, "properties: 'cpu', 'ephemeral_disk_size'" },
		{ "[null]", ERROR_INVALID_CALL, "null as vm_resources" },
		{ "[[]]", ERROR_INVALID_CALL, "an array as vm_resources" },
		{ "[{'cpu':'1','ram':1,'ephemeral_disk_size':1}]", ERROR_INVALID_CALL, "a string as vm_resources.cpu" },
		{ "[{'cpu':1,'ram':true,'ephemeral_disk_size':1}]", ERROR_INVALID_CALL, "true as vm_resources.ram" },
		{ "[{'cpu':1,'ram':1,'ephemeral_disk_size':{}}]", ERROR_INVALID_CALL, "vm_resources.ephemeral_disk_size" },
		{ "[{'cpu':-1,'ram':1,'ephemeral_disk_size':1}]", ERROR_CLOUD, "vm_resources.cpu is less than 0" },
		{ "[{'cpu':1000,'ram':1,'ephemeral_disk_size':1}]", ERROR_CLOUD, "Unable to meet requested VM requirements: 1000 CPU, 1 RAM" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		CLEANUP_BUF struct buf text = BUF_INIT(4096);
		struct error err = { 0 };
		if (answer(arena, table[i].arguments, &text, &err) != -1)
			fail_msg("accepted: %s", table[i].arguments);
		if (err.kind != table[i].kind || strstr(err.message, table[i].says) == NULL)
			fail_msg("%s gave %s: %s", table[i].arguments, error_kind_name(err.kind), err.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
