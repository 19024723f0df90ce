/* SPDX-License-Identifier: Apache-2.0 */
/* A call of create_vm on a scripted AWS, for the tests of its parts, and the answers that they script. */
#ifndef TESTS_UNIT_CREATE_KIT_H
#define TESTS_UNIT_CREATE_KIT_H

#include "cpi/methods/call.h"
#include "tests/unit/fake_ec2.h"

#define CREATE_KIT_ANSWER(action, inner) "<" action "Response" FAKE_EC2_START inner "</" action "Response>"
#define CREATE_KIT_INSTANCE(state, more)                                                                               \
	"<instancesSet><item><instanceId>i-1</instanceId><instanceState><name>" state "</name></instanceState>" more      \
	"</item></instancesSet>"
#define CREATE_KIT_RUN CREATE_KIT_ANSWER("RunInstances", CREATE_KIT_INSTANCE("pending", ""))
#define CREATE_KIT_INSTANCES(state, more)                                                                              \
	CREATE_KIT_ANSWER("DescribeInstances", "<reservationSet><item>" CREATE_KIT_INSTANCE(state, more) "</item></reservationSet>")
#define CREATE_KIT_DYING(reason)                                                                                       \
	CREATE_KIT_INSTANCES("shutting-down", "<stateReason><message>" reason "</message></stateReason>")
#define CREATE_KIT_NICS(items)                                                                                         \
	CREATE_KIT_ANSWER("DescribeNetworkInterfaces", "<networkInterfaceSet>" items "</networkInterfaceSet>")
#define CREATE_KIT_NIC(id, status, more)                                                                               \
	"<item><networkInterfaceId>" id "</networkInterfaceId><status>" status "</status>" more "</item>"

struct create_kit {
	struct fake_aws *aws;
	struct config config;
	struct call call;
	struct error err;
};

/* A test whose *state is a struct create_kit. No journal is kept. */
#define CREATE_KIT_TEST(function) cmocka_unit_test_setup_teardown(function, create_kit_begin, create_kit_end)
int create_kit_begin(void **state);
int create_kit_end(void **state);

/* For one row of a table after the other. */
struct create_kit *create_kit_open(void);
void create_kit_close(struct create_kit *kit);

/* The call failed with that kind and a message that has the text. */
void create_kit_expect(const struct create_kit *kit, enum error_kind kind, bool retryable, const char *text);
bool create_kit_logged(const struct create_kit *kit, const char *text);
/* Undoing finds nothing to ask for. */
void create_kit_nothing_left(struct create_kit *kit);
/* How many requests of that action there were. */
unsigned create_kit_count(const struct create_kit *kit, const char *action);

#endif
