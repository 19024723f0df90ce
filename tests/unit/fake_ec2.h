/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of typed EC2 calls do alike, on a scripted AWS (fake_aws.h). */
#ifndef TESTS_UNIT_FAKE_EC2_H
#define TESTS_UNIT_FAKE_EC2_H

#include "tests/unit/fake_aws.h"

#define FAKE_NO_IDS ((struct ec2_ids){ NULL, 0 })
#define FAKE_NO_FILTERS ((struct ec2_filters){ NULL, 0 })
/* What EC2's answers begin with, behind their name. */
#define FAKE_EC2_START                                                                                                 \
	" xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</"        \
	"requestId>"
/* The answer of an action that gives nothing back. */
#define FAKE_EC2_RETURN(action) "<" action "Response" FAKE_EC2_START "<return>true</return></" action "Response>"

/* A test and its own struct fake_aws in *state. */
#define FAKE_EC2_TEST(function) cmocka_unit_test_setup_teardown(function, fake_ec2_begin, fake_ec2_end)
int fake_ec2_begin(void **state);
int fake_ec2_end(void **state);

/* The next request must be this action, and is answered so. */
void fake_ec2_say(struct fake_aws *fake, const char *action, const char *body);
/* … with status 400 and that code. */
void fake_ec2_refuse(struct fake_aws *fake, const char *action, const char *code);
/* … not at all, although it took effect. */
void fake_ec2_lose(struct fake_aws *fake, const char *action);

#endif
