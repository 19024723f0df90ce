/* SPDX-License-Identifier: Apache-2.0 */
/* Which interfaces a VM's networks become, in which order, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "cpi/methods/nic_plan.h"
#include "tests/unit/vm_kit.h"

#define CLOUD "'cloud_properties':{'subnet':'subnet-1'}"
#define CLOUD_2 "'cloud_properties':{'subnet':'subnet-2'}"
#define DEFAULT_GROUPS "'default_security_groups':['default-2','default-1']"

/* "group subnet ipv4 ipv6 ipv4_prefix ipv6_prefix", "-" for NULL; "/" between interfaces. */
static void describe(const struct nic_plan *plan, struct buf *text)
{
	for (size_t i = 0; i < plan->n_nics; i++) {
		const struct nic *nic = &plan->nics[i];
		const char *parts[] = { nic->group, nic->subnet, nic->ipv4, nic->ipv6, nic->ipv4_prefix, nic->ipv6_prefix };
		buf_str(text, i == 0 ? "" : " / ");
		for (size_t j = 0; j < sizeof(parts) / sizeof(parts[0]); j++)
			buf_printf(text, "%s%s", j == 0 ? "" : " ", parts[j] == NULL ? "-" : parts[j]);
		assert_string_equal(nic->mac, "");
	}
}

static void test_interfaces(void **state)
{
	static const struct {
		const char *networks, *wanted;
		bool simple;
	} table[] = {
		{ "'d':{'type':'dynamic'," CLOUD "}", "d subnet-1 - - - -", true },
		{ "'m':{'ip':'10.0.0.5'," CLOUD "}", "m subnet-1 10.0.0.5 - - -", true },
		{ "'m':{'ip':'2600:1f18::5'," CLOUD "}", "m subnet-1 - 2600:1f18::5 - -", true },
		{ "'m':{'ip':'10.0.0.5','prefix':'32'," CLOUD "}", "m subnet-1 10.0.0.5 - - -", true },
		{ "'m':{'ip':'10.0.0.5'," CLOUD "},'v':{'type':'vip','ip':'1.2.3.4'}", "m subnet-1 10.0.0.5 - - -", true },
		/* the dynamic one comes last, wherever it stands; a second gets none */
		{ "'d':{'type':'dynamic'," CLOUD "},'m':{'ip':'10.0.0.5'," CLOUD_2 "},'e':{'type':'dynamic'," CLOUD "}",
		  "m subnet-2 10.0.0.5 - - - / d subnet-1 - - - -", false },
		{ "'d':{'type':'dynamic'," CLOUD "},'e':{'type':'dynamic'," CLOUD "}", "d subnet-1 - - - -", false },
		/* dual stack */
		{ "'a':{'ip':'10.0.0.5','nic_group':1," CLOUD "},'b':{'ip':'2600:1f18::5','prefix':128,'nic_group':1," CLOUD "}",
		  "1 subnet-1 10.0.0.5 2600:1f18::5 - -", false },
		{ "'a':{'ip':'10.0.0.5','nic_group':'g'," CLOUD "},'p':{'ip':'10.0.1.16','prefix':'28','nic_group':'g'," CLOUD "},"
		  "'q':{'ip':'2600:1f18::','prefix':'80','nic_group':'g'," CLOUD "}",
		  "g subnet-1 10.0.0.5 - 10.0.1.16/28 2600:1f18::/80", false },
		/* the first of each kind counts, and one subnet will do for all */
		{ "'a':{'ip':'10.0.0.5','nic_group':'g'},'b':{'ip':'10.0.0.6','nic_group':'g'," CLOUD "}",
		  "g subnet-1 10.0.0.5 - - -", false },
		{ "'a':{'ip':'10.0.0.5'," CLOUD "},'b':{'ip':'10.0.0.6'," CLOUD "},'c':{'nic_group':'a'}",
		  "a subnet-1 10.0.0.5 - - - / b subnet-1 10.0.0.6 - - -", false },
		/* a dynamic network that is called as a group is */
		{ "'x':{'ip':'10.0.0.5','nic_group':'d'," CLOUD "},'d':{'type':'dynamic'," CLOUD_2 "}",
		  "d subnet-1 10.0.0.5 - - - / d subnet-2 - - - -", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		CLEANUP_BUF struct buf text = BUF_INIT(4096);
		const struct vm_spec spec = vm_kit_spec(arena, "", table[i].networks, DEFAULT_GROUPS);
		struct nic_plan plan;
		struct error err = { 0 };
		if (nic_plan_make(&spec, arena, &plan, &err) != 0)
			fail_msg("%s: %s", table[i].networks, err.message);
		describe(&plan, &text);
		assert_string_equal(buf_text(&text), table[i].wanted);
		assert_int_equal(plan.simple, table[i].simple);
	}
}

static void test_nic_of_network(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
	const struct vm_spec spec =
		vm_kit_spec(arena, "",
			    "'x':{'ip':'10.0.0.5','nic_group':'d'," CLOUD "},'d':{'type':'dynamic'," CLOUD_2 "},"
			    "'e':{'type':'dynamic'," CLOUD "},'v':{'type':'vip','ip':'1.2.3.4','nic_group':'d'},"
			    "'y':{'nic_group':'d'}", DEFAULT_GROUPS);
	struct nic_plan plan;
	struct error err;

	(void)state;
	assert_int_equal(nic_plan_make(&spec, arena, &plan, &err), 0);
	assert_int_equal(plan.n_nics, 2);
	assert_ptr_equal(nic_plan_of(&plan, &spec.networks[0]), &plan.nics[0]);
	assert_ptr_equal(nic_plan_of(&plan, &spec.networks[1]), &plan.nics[1]);
	assert_null(nic_plan_of(&plan, &spec.networks[2]));
	assert_null(nic_plan_of(&plan, &spec.networks[3]));
	assert_ptr_equal(nic_plan_of(&plan, &spec.networks[4]), &plan.nics[0]);
}

static void test_vip(void **state)
{
	static const struct {
		const char *vip;
		size_t nic;
	} table[] = {
		{ "'ip':'1.2.3.4'", 0 },
		{ "'ip':'1.2.3.4','nic_group':'b'", 1 },
		{ "'ip':'1.2.3.4','nic_group':'nobody'", 0 },
		/* dynamic networks are in no group */
		{ "'ip':'1.2.3.4','nic_group':'d'", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const struct vm_spec spec = vm_kit_spec(
			arena, "",
			arena_printf(arena, "'v':{'type':'vip',%s},'a':{'ip':'10.0.0.5'," CLOUD "},'b':{'ip':'10.0.0.6'," CLOUD "},"
					    "'d':{'type':'dynamic'," CLOUD "}", table[i].vip),
			DEFAULT_GROUPS);
		struct nic_plan plan;
		struct error err;
		assert_int_equal(nic_plan_make(&spec, arena, &plan, &err), 0);
		assert_ptr_equal(plan.vip, &spec.networks[0]);
		assert_int_equal(plan.vip_nic, table[i].nic);
	}
}

/* The VM type's, else the union over all networks (a vip too), else the configuration's. */
static void test_security_groups(void **state)
{
	static const struct {
		const char *vm, *a, *b, *wanted;
	} table[] = {
		{ "'security_groups':['z','y']", "'security_groups':['n']", "", "z y" },
		{ "'security_groups':[]", "'security_groups':['n','m']", "'security_groups':['m','b']", "b m n" },
		{ "", "", "'security_groups':['b']", "b" },
		{ "", "", "", "default-2 default-1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const struct vm_spec spec = vm_kit_spec(
			arena, table[i].vm,
			arena_printf(arena, "'a':{'type':'dynamic','cloud_properties':{'subnet':'subnet-1'%s%s}},"
					    "'b':{'type':'vip','ip':'1.2.3.4','cloud_properties':{%s}}",
				     table[i].a[0] == '\0' ? "" : ",", table[i].a, table[i].b),
			DEFAULT_GROUPS);
		struct nic_plan plan;
		struct error err;
		assert_int_equal(nic_plan_make(&spec, arena, &plan, &err), 0);
		vm_kit_expect_names(plan.security_groups, table[i].wanted);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *networks, *aws, *says;
	} table[] = {
		{ "", DEFAULT_GROUPS, "no manual or dynamic network" },
		{ "'v':{'type':'vip','ip':'1.2.3.4'}", DEFAULT_GROUPS, "no manual or dynamic network" },
		{ "'d':{'type':'dynamic'," CLOUD "}", "",
		  "Missing security groups. See http://bosh.io/docs/aws-cpi.html for the list of supported properties." },
		{ "'d':{'type':'dynamic'," CLOUD "},'v':{'type':'vip','ip':'1.2.3.4'},'w':{'type':'vip','ip':'1.2.3.5'}",
		  DEFAULT_GROUPS, "More than one vip network for 'w'" },
		{ "'d':{'type':'dynamic'," CLOUD "},'v':{'type':'vip'}", DEFAULT_GROUPS, "No IP provided for vip network 'v'" },
		{ "'d':{'type':'dynamic'," CLOUD "},'v':{'type':'vip','ip':'::1'}", DEFAULT_GROUPS, "vip network 'v' is not IPv4" },
		{ "'d':{'type':'dynamic'}", DEFAULT_GROUPS,
		  "Networks in nic_group 'd' have different subnet ids:  or probably none of them have any subnet id defined. All "
		  "networks in a nic_group must have the same subnet_id." },
		{ "'m':{'ip':'10.0.0.5'}", DEFAULT_GROUPS, "Networks in nic_group 'm' have different subnet ids:  or probably" },
		{ "'a':{'ip':'10.0.0.5','nic_group':'g'," CLOUD "},'b':{'ip':'::1','nic_group':'g'," CLOUD_2 "}", DEFAULT_GROUPS,
		  "Networks in nic_group 'g' have different subnet ids: subnet-1, subnet-2 or probably" },
		{ "'m':{'ip':'10.0.0.16','prefix':'28'," CLOUD "}", DEFAULT_GROUPS,
		  "Could not find a single ip address for nic group 'm' and a prefix network can only be a secondary network." },
		{ "'m':{" CLOUD "}", DEFAULT_GROUPS, "Could not find a single ip address for nic group 'm'" },
		{ "'m':{'ip':'10.0.0.300'," CLOUD "}", DEFAULT_GROUPS, "'10.0.0.300' of network 'm'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(VM_KIT_ARENA);
		const struct vm_spec spec = vm_kit_spec(arena, "", table[i].networks, table[i].aws);
		struct nic_plan plan = { .n_nics = 77 };
		struct error err = { 0 };
		if (nic_plan_make(&spec, arena, &plan, &err) != -1)
			fail_msg("accepted: %s", table[i].networks);
		if (err.kind != ERROR_CLOUD || strstr(err.message, table[i].says) == NULL)
			fail_msg("%s gave %s: %s", table[i].networks, error_kind_name(err.kind), err.message);
		assert_int_equal(plan.n_nics, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces),      cmocka_unit_test(test_nic_of_network), cmocka_unit_test(test_vip),
		cmocka_unit_test(test_security_groups), cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
