/* SPDX-License-Identifier: Apache-2.0 */
/* Load balancers and target groups: two services, their wrapped answers, pages and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/load_balancers.h"
#include "tests/unit/fake_ec2.h"

#define META "<ResponseMetadata><RequestId>83c88b9d-12b7-11e3-8b82-87b12EXAMPLE</RequestId></ResponseMetadata>"
#define ANSWER(action, version, content)                                                                               \
	"<" action "Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/" version "/\"><" action "Result>"  \
	content "</" action "Result>" META "</" action "Response>"
#define BALANCER(name)                                                                                                 \
	"<member><SecurityGroups><member>sg-1</member></SecurityGroups><LoadBalancerName>" name "</LoadBalancerName>"  \
	"<Instances><member><InstanceId>i-0</InstanceId></member></Instances></member>"
#define BALANCERS(members, end)                                                                                        \
	ANSWER("DescribeLoadBalancers", "2012-06-01",                                                                  \
	       "<LoadBalancerDescriptions>" members "</LoadBalancerDescriptions>" end)
#define ARN(name) "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/" name "/73e2d6bc24d8a067"
#define GROUP(name)                                                                                                    \
	"<member><TargetGroupArn>" ARN(name) "</TargetGroupArn><TargetGroupName>" name "</TargetGroupName>"            \
	"<Matcher><HttpCode>200</HttpCode></Matcher><LoadBalancerArns><member>arn:x</member></LoadBalancerArns></member>"
#define GROUPS(members, end)                                                                                           \
	ANSWER("DescribeTargetGroups", "2015-12-01", "<TargetGroups>" members "</TargetGroups>" end)

static void refuse(struct fake_aws *fake, const char *action, const char *body)
{
	fake_aws_script(fake, (struct fake_answer){ .action = action, .status = 400, .body = body });
}

#define REFUSAL(code, message)                                                                                         \
	"<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/\"><Error><Type>Sender</Type>"\
	"<Code>" code "</Code><Message>" message "</Message></Error><RequestId>83c88b9d</RequestId></ErrorResponse>"

static struct ec2_ids list(const char *const *names, size_t count)
{
	return (struct ec2_ids){ names, count };
}

static void test_find(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const char *const names[] = { "web", "api" };
	struct ec2_ids found;

	fake_ec2_say(fake, "DescribeLoadBalancers", BALANCERS(BALANCER("api") BALANCER("web"), ""));
	assert_int_equal(load_balancer_find(&fake->ec2, arena, list(names, 2), &found, NULL), 0);
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeLoadBalancers&Version=2012-06-01&LoadBalancerNames.member.1=web"
			    "&LoadBalancerNames.member.2=api");
	assert_string_equal(fake->url, "https://elasticloadbalancing.eu-west-1.amazonaws.com/");
	assert_non_null(strstr(fake->authorizations[0], "/eu-west-1/elasticloadbalancing/aws4_request"));
	assert_int_equal(found.count, 2);
	assert_string_equal(found.items[0], "api");
	assert_string_equal(found.items[1], "web");
	/* no names: none, and not all that there are */
	assert_int_equal(load_balancer_find(&fake->ec2, arena, list(NULL, 0), &found, NULL), 0);
	assert_int_equal(found.count, 0);
}

static void test_find_where_some_are_missing(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const char *const names[] = { "web", "gone", "api" };
	static const char *const codes[] = { REFUSAL("LoadBalancerNotFound", "There is no ACTIVE Load Balancer named 'gone'"),
					     REFUSAL("AccessPointNotFound", "no") };
	struct ec2_ids found;
	struct error err;

	for (size_t i = 0; i < 2; i++) {
		unsigned first = fake->n_requests;
		refuse(fake, "DescribeLoadBalancers", codes[i]);
		fake_ec2_say(fake, "DescribeLoadBalancers",
			     BALANCERS(BALANCER("other") BALANCER("api"), "<NextMarker>m/2</NextMarker>"));
		fake_ec2_say(fake, "DescribeLoadBalancers", BALANCERS(BALANCER("web"), "<NextMarker/>"));
		assert_int_equal(load_balancer_find(&fake->ec2, arena, list(names, 3), &found, NULL), 0);
		assert_string_equal(fake->bodies[first + 1],
				    "Action=DescribeLoadBalancers&Version=2012-06-01&PageSize=400");
		assert_string_equal(fake->bodies[first + 2],
				    "Action=DescribeLoadBalancers&Version=2012-06-01&PageSize=400&Marker=m%2F2");
		assert_int_equal(found.count, 2);
		assert_string_equal(found.items[0], "web");
		assert_string_equal(found.items[1], "api");
	}
	refuse(fake, "DescribeLoadBalancers", REFUSAL("LoadBalancerNotFound", "no"));
	fake_ec2_say(fake, "DescribeLoadBalancers", BALANCERS("", ""));
	assert_int_equal(load_balancer_find(&fake->ec2, arena, list(names, 3), &found, NULL), 0);
	assert_int_equal(found.count, 0);
	refuse(fake, "DescribeLoadBalancers", REFUSAL("AccessDenied", "not authorized"));
	found.count = 7;
	assert_int_equal(load_balancer_find(&fake->ec2, arena, list(names, 3), &found, &err), -1);
	assert_string_equal(err.aws_code, "AccessDenied");
	assert_string_equal(err.aws_request_id, "83c88b9d");
	assert_non_null(strstr(err.message, "not authorized"));
	assert_int_equal(found.count, 7);
}

static void test_odd_answers(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const char *const names[] = { "web" };
	static const struct {
		const char *body;
		const char *message;
	} rows[] = {
		{ "<DescribeLoadBalancersResponse><LoadBalancerDescriptions/></DescribeLoadBalancersResponse>",
		  "lacks LoadBalancerDescriptions" },
		{ ANSWER("DescribeLoadBalancers", "2012-06-01", "<Other/>"), "lacks LoadBalancerDescriptions" },
		{ BALANCERS("<member><DNSName>x</DNSName></member>", ""), "lacks LoadBalancerName" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ec2_ids found;
		struct error err;
		fake_ec2_say(fake, "DescribeLoadBalancers", rows[i].body);
		assert_int_equal(load_balancer_find(&fake->ec2, arena, list(names, 1), &found, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
		if (strstr(err.message, rows[i].message) == NULL)
			fail_msg("%s", err.message);
	}
}

static void test_register(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	/* may simply be repeated */
	fake_ec2_lose(fake, "RegisterInstancesWithLoadBalancer");
	fake_ec2_say(fake, "RegisterInstancesWithLoadBalancer",
		     ANSWER("RegisterInstancesWithLoadBalancer", "2012-06-01",
			    "<Instances><member><InstanceId>i-1</InstanceId></member></Instances>"));
	assert_int_equal(load_balancer_register(&fake->ec2, "web", "i-1", NULL), 0);
	assert_string_equal(fake->bodies[1], "Action=RegisterInstancesWithLoadBalancer&Version=2012-06-01"
					     "&LoadBalancerName=web&Instances.member.1.InstanceId=i-1");
	refuse(fake, "RegisterInstancesWithLoadBalancer", REFUSAL("InvalidInstance", "Could not find EC2 instance i-1."));
	assert_int_equal(load_balancer_register(&fake->ec2, "web", "i-1", &err), -1);
	assert_string_equal(err.aws_code, "InvalidInstance");
}

static void test_target_groups(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const char *const names[] = { "web", "api" };
	static const char *const arns[] = { ARN("web") };
	struct target_group *groups;
	size_t count;
	struct error err;

	fake_ec2_say(fake, "DescribeTargetGroups", GROUPS(GROUP("web"), "<NextMarker>m2</NextMarker>"));
	fake_ec2_say(fake, "DescribeTargetGroups", GROUPS(GROUP("api"), ""));
	assert_int_equal(target_group_find(&fake->ec2, arena, list(names, 2), list(NULL, 0), &groups, &count, NULL), 0);
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeTargetGroups&Version=2015-12-01&Names.member.1=web&Names.member.2=api");
	assert_true(fake_aws_sent(fake, 1, "Marker=m2"));
	assert_int_equal(count, 2);
	assert_string_equal(groups[0].arn, ARN("web"));
	assert_string_equal(groups[0].name, "web");
	assert_string_equal(groups[1].name, "api");

	fake_ec2_say(fake, "DescribeTargetGroups", GROUPS(GROUP("web"), ""));
	assert_int_equal(target_group_find(&fake->ec2, arena, list(NULL, 0), list(arns, 1), &groups, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_non_null(strstr(fake->bodies[2], "&TargetGroupArns.member.1=arn%3Aaws%3Aelasticloadbalancing%3A"));
	assert_null(strstr(fake->bodies[2], "Names"));

	refuse(fake, "DescribeTargetGroups", REFUSAL("TargetGroupNotFound", "One or more target groups not found"));
	assert_int_equal(target_group_find(&fake->ec2, arena, list(names, 2), list(NULL, 0), &groups, &count, &err), -1);
	assert_string_equal(err.aws_code, "TargetGroupNotFound");
	assert_int_equal(target_group_find(&fake->ec2, arena, list(NULL, 0), list(NULL, 0), &groups, &count, NULL), 0);
	assert_int_equal(count, 0);
}

static void test_register_target(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	fake_ec2_say(fake, "RegisterTargets", ANSWER("RegisterTargets", "2015-12-01", ""));
	assert_int_equal(target_group_register(&fake->ec2, "arn:web", "i-1", NULL), 0);
	assert_string_equal(fake->bodies[0], "Action=RegisterTargets&Version=2015-12-01&TargetGroupArn=arn%3Aweb"
					     "&Targets.member.1.Id=i-1");
	refuse(fake, "RegisterTargets", REFUSAL("InvalidTarget", "The following targets are not in a running state"));
	assert_int_equal(target_group_register(&fake->ec2, "arn:web", "i-1", &err), -1);
	assert_string_equal(err.aws_code, "InvalidTarget");
}

/* Each service at its own address, where the environment says so. */
static void test_endpoints(void **state)
{
	struct fake_aws *fake = *state;

	setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://v2:1", 1);
	setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING", "http://classic:2", 1);
	fake_ec2_say(fake, "RegisterTargets", ANSWER("RegisterTargets", "2015-12-01", ""));
	assert_int_equal(target_group_register(&fake->ec2, "arn:web", "i-1", NULL), 0);
	assert_string_equal(fake->url, "http://v2:1/");
	fake_ec2_say(fake, "RegisterInstancesWithLoadBalancer", ANSWER("RegisterInstancesWithLoadBalancer", "2012-06-01", ""));
	assert_int_equal(load_balancer_register(&fake->ec2, "web", "i-1", NULL), 0);
	assert_string_equal(fake->url, "http://classic:2/");
	unsetenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2");
	unsetenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_find),
		FAKE_EC2_TEST(test_find_where_some_are_missing),
		FAKE_EC2_TEST(test_odd_answers),
		FAKE_EC2_TEST(test_register),
		FAKE_EC2_TEST(test_target_groups),
		FAKE_EC2_TEST(test_register_target),
		FAKE_EC2_TEST(test_endpoints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
