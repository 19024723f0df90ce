/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints: partitions, dual-stack, FIPS, overrides of configuration, variables and profiles and their order, what is no
 * endpoint, regions out of host names. All regions and services are compared with botocore's by an integration test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/aws/endpoint.h"
#include "cpi/aws/profile.h"

static const char *const variables[] = { "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS",
					 "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING",
					 "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
					 "AWS_ENDPOINT_URL_EBS",
					 "AWS_ENDPOINT_URL_SSO",
					 "AWS_ENDPOINT_URL_SSO_OIDC",
					 "AWS_STS_REGIONAL_ENDPOINTS",
					 "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" };

static int clean_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return 0;
}

static void expect(const struct aws_settings *settings, const char *service, const char *url, const char *host,
		   const char *region)
{
	struct arena *arena CLEANUP_ARENA = arena_new(100000);
	struct endpoint endpoint;
	struct error err;

	if (endpoint_find(settings, service, arena, &endpoint, &err) != 0)
		fail_msg("%s: %s", url, err.message);
	assert_string_equal(endpoint.url, url);
	assert_string_equal(endpoint.host, host);
	assert_string_equal(endpoint.region, region);
	assert_string_equal(endpoint.path, strchr(strstr(url, "//") + 2, '/'));
}

static void expect_error_of(const struct aws_settings *settings, const char *service, const char *in_message)
{
	struct arena *arena CLEANUP_ARENA = arena_new(100000);
	struct endpoint endpoint;
	struct error err;

	assert_int_equal(endpoint_find(settings, service, arena, &endpoint, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	if (strstr(err.message, in_message) == NULL)
		fail_msg("'%s' is not in: %s", in_message, err.message);
	if (strstr(err.message, "SECRET") != NULL)
		fail_msg("a secret is in: %s", err.message);
}

static void expect_error(const struct aws_settings *settings, const char *in_message)
{
	expect_error_of(settings, "ec2", in_message);
}

static void expect_host(const struct aws_settings *settings, const char *service, const char *host, const char *region)
{
	char url[200];

	snprintf(url, sizeof(url), "https://%s/", host);
	expect(settings, service, url, host, region);
}

static void test_partitions(void **state)
{
	(void)state;
	static const struct {
		const char *region;
		const char *host;
		const char *dualstack;
	} rows[] = {
		{ "us-east-1", "ec2.us-east-1.amazonaws.com", "ec2.us-east-1.api.aws" },
		{ "ap-southeast-7", "ec2.ap-southeast-7.amazonaws.com", "ec2.ap-southeast-7.api.aws" },
		{ "xx-newland-1", "ec2.xx-newland-1.amazonaws.com", "ec2.xx-newland-1.api.aws" },
		{ "cn-north-1", "ec2.cn-north-1.amazonaws.com.cn", "ec2.cn-north-1.api.amazonwebservices.com.cn" },
		{ "us-gov-west-1", "ec2.us-gov-west-1.amazonaws.com", "ec2.us-gov-west-1.api.aws" },
		{ "us-iso-east-1", "ec2.us-iso-east-1.c2s.ic.gov", "ec2.us-iso-east-1.api.aws.ic.gov" },
		{ "us-isob-east-1", "ec2.us-isob-east-1.sc2s.sgov.gov", "ec2.us-isob-east-1.api.aws.scloud" },
		{ "us-isof-south-1", "ec2.us-isof-south-1.csp.hci.ic.gov", "ec2.us-isof-south-1.api.aws.hci.ic.gov" },
		{ "eu-isoe-west-1", "ec2.eu-isoe-west-1.cloud.adc-e.uk", "ec2.eu-isoe-west-1.api.cloud-aws.adc-e.uk" },
		{ "eusc-de-east-1", "ec2.eusc-de-east-1.amazonaws.eu", "ec2.eusc-de-east-1.api.amazonwebservices.eu" },
	};
	char url[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct aws_settings settings = { .region = rows[i].region };
		snprintf(url, sizeof(url), "https://%s/", rows[i].host);
		expect(&settings, "ec2", url, rows[i].host, rows[i].region);
		settings.dualstack = true;
		snprintf(url, sizeof(url), "https://%s/", rows[i].dualstack);
		expect(&settings, "ec2", url, rows[i].dualstack, rows[i].region);
	}
	struct aws_settings settings = { .region = "eu-west-1" };
	expect(&settings, "sts", "https://sts.eu-west-1.amazonaws.com/", "sts.eu-west-1.amazonaws.com", "eu-west-1");
	expect(&settings, "elasticloadbalancing", "https://elasticloadbalancing.eu-west-1.amazonaws.com/",
	       "elasticloadbalancing.eu-west-1.amazonaws.com", "eu-west-1");
	expect(&settings, "elasticloadbalancingv2", "https://elasticloadbalancing.eu-west-1.amazonaws.com/",
	       "elasticloadbalancing.eu-west-1.amazonaws.com", "eu-west-1");
}

static void test_forms_of_overrides(void **state)
{
	(void)state;
	static const struct {
		const char *given;
		const char *url;
		const char *host;
	} rows[] = {
		{ "ec2.example.com", "https://ec2.example.com/", "ec2.example.com" },
		{ "https://ec2.example.com", "https://ec2.example.com/", "ec2.example.com" },
		{ "HTTPS://Ec2.example.com/", "https://Ec2.example.com/", "Ec2.example.com" },
		{ "http://127.0.0.1:5000", "http://127.0.0.1:5000/", "127.0.0.1:5000" },
		{ "https://h:443/x/", "https://h/x/", "h" },
		{ "http://h:80", "http://h/", "h" },
		{ "http://h:443", "http://h:443/", "h:443" },
		{ "https://h:80", "https://h:80/", "h:80" },
		{ "http://[::1]:5000/moto", "http://[::1]:5000/moto", "[::1]:5000" },
		{ "https://[fe80::1]", "https://[fe80::1]/", "[fe80::1]" },
		{ "localhost:8080/a/b", "https://localhost:8080/a/b", "localhost:8080" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct aws_settings settings = { .region = "eu-west-1", .ec2_endpoint = rows[i].given };
		expect(&settings, "ec2", rows[i].url, rows[i].host, "eu-west-1");
	}
}

static void test_no_endpoints(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"https://",
		"http:///x",
		"ftp://h",
		"https://user:SECRET@h",
		"https://h?token=SECRET",
		"https://h?a=b",
		"https://h#f",
		"https://h:",
		"https://h:x",
		"https://h:123456",
		"https://h 2",
		"h\tx",
		"https://[::1",
		"https://[]",
		"https://[evil]",
		"https://h:80:80",
		"https://h\\x",
		"https://h/\n",
		"https://h\xC3\xBC",
		"https://h/\xC3\xBC",
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct aws_settings settings = { .region = "eu-west-1", .ec2_endpoint = rows[i] };
		expect_error(&settings, "aws.ec2_endpoint");
	}
}

static void test_order_of_overrides(void **state)
{
	(void)state;
	struct aws_settings settings = { .region = "eu-west-1" };

	setenv("AWS_ENDPOINT_URL", "http://all:1", 1);
	expect(&settings, "ec2", "http://all:1/", "all:1", "eu-west-1");
	expect(&settings, "sts", "http://all:1/", "all:1", "eu-west-1");
	setenv("AWS_ENDPOINT_URL_EC2", "http://ec2:2", 1);
	expect(&settings, "ec2", "http://ec2:2/", "ec2:2", "eu-west-1");
	expect(&settings, "sts", "http://all:1/", "all:1", "eu-west-1");
	setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING", "http://classic:5", 1);
	setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://v2:6", 1);
	expect(&settings, "elasticloadbalancing", "http://classic:5/", "classic:5", "eu-west-1");
	expect(&settings, "elasticloadbalancingv2", "http://v2:6/", "v2:6", "eu-west-1");
	setenv("AWS_ENDPOINT_URL_EC2", "", 1);
	expect(&settings, "ec2", "http://all:1/", "all:1", "eu-west-1");
	settings.ec2_endpoint = "http://configured:3";
	settings.elb_endpoint = "http://elb:4";
	expect(&settings, "ec2", "http://configured:3/", "configured:3", "eu-west-1");
	expect(&settings, "elasticloadbalancing", "http://elb:4/", "elb:4", "eu-west-1");
	expect(&settings, "elasticloadbalancingv2", "http://elb:4/", "elb:4", "eu-west-1");
	settings.ec2_endpoint = NULL;
	setenv("AWS_ENDPOINT_URL_EC2", "http://ec2:2", 1);
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE", 1);
	expect(&settings, "ec2", "https://ec2.eu-west-1.amazonaws.com/", "ec2.eu-west-1.amazonaws.com", "eu-west-1");
	expect(&settings, "elasticloadbalancing", "http://elb:4/", "elb:4", "eu-west-1");
	settings.ebs_endpoint = "ebs:7";
	expect(&settings, "ebs", "https://ebs:7/", "ebs:7", "eu-west-1");
	expect(&settings, "sts", "https://sts.eu-west-1.amazonaws.com/", "sts.eu-west-1.amazonaws.com", "eu-west-1");
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "no", 1);
	setenv("AWS_ENDPOINT_URL_EC2", "http://a b", 1);
	expect_error(&settings, "AWS_ENDPOINT_URL_EC2");
}

static void test_region_of_the_host(void **state)
{
	(void)state;
	static const struct {
		const char *endpoint;
		const char *region;
	} rows[] = {
		{ "ec2.eu-west-1.amazonaws.com", "eu-west-1" },
		{ "https://eu-central-1.ec2.amazonaws.com:443/", "eu-central-1" },
		{ "vpce-0123-abc-us-east-2a.ec2.us-west-2.vpce.amazonaws.com", "us-west-2" },
		{ "ec2.us-gov-west-1.api.aws", "us-gov-west-1" },
		{ "ec2.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1" },
		{ "ec2.amazonaws.com", "us-east-1" },
		{ "http://127.0.0.1:5000", "us-east-1" },
		{ "ec2.eu-west-1.example.com", "us-east-1" },
		{ "eu-west-1.evilamazonaws.com", "us-east-1" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *arena CLEANUP_ARENA = arena_new(100000);
		struct aws_settings settings = { .ec2_endpoint = rows[i].endpoint };
		struct endpoint endpoint;
		assert_int_equal(endpoint_find(&settings, "ec2", arena, &endpoint, NULL), 0);
		assert_string_equal(endpoint.region, rows[i].region);
	}
}

static void test_regions(void **state)
{
	(void)state;
	static const char *const bad[] = { "",
					   "us east 1",
					   "us-east-1.evil.com/",
					   "US-EAST-1",
					   "-a",
					   "a-",
					   "a/b",
					   "a#",
					   "a@b",
					   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct aws_settings settings = { .region = NULL };

	expect_error(&settings, "aws.region");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		settings.region = bad[i];
		expect_error(&settings, "no AWS region");
	}
}

static void test_fips(void **state)
{
	(void)state;
	struct aws_settings settings = { .region = "us-east-1", .fips = true };

	expect_host(&settings, "ec2", "ec2-fips.us-east-1.amazonaws.com", "us-east-1");
	expect_host(&settings, "elasticloadbalancingv2", "elasticloadbalancing-fips.us-east-1.amazonaws.com", "us-east-1");
	expect_host(&settings, "sso", "portal.sso-fips.us-east-1.amazonaws.com", "us-east-1");
	expect_host(&settings, "sso-oidc", "oidc-fips.us-east-1.amazonaws.com", "us-east-1");
	settings.region = "us-gov-east-1";
	expect_host(&settings, "ec2", "ec2.us-gov-east-1.amazonaws.com", "us-gov-east-1");
	expect_host(&settings, "ebs", "ebs-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1");
	settings.dualstack = true;
	expect_host(&settings, "ec2", "ec2-fips.us-gov-east-1.api.aws", "us-gov-east-1");
	settings.region = "us-east-1";
	expect_host(&settings, "sts", "sts-fips.us-east-1.api.aws", "us-east-1");
	settings.ec2_endpoint = "http://given";
	expect(&settings, "ec2", "http://given/", "given", "us-east-1");
}

static void test_single_sign_on(void **state)
{
	(void)state;
	struct aws_settings settings = { .region = "eu-west-1" };

	expect_host(&settings, "sso", "portal.sso.eu-west-1.amazonaws.com", "eu-west-1");
	expect_host(&settings, "sso-oidc", "oidc.eu-west-1.amazonaws.com", "eu-west-1");
	setenv("AWS_ENDPOINT_URL_SSO", "http://s:1", 1);
	setenv("AWS_ENDPOINT_URL_SSO_OIDC", "http://o:2", 1);
	expect(&settings, "sso", "http://s:1/", "s:1", "eu-west-1");
	expect(&settings, "sso-oidc", "http://o:2/", "o:2", "eu-west-1");
}

static void test_sts_of_old(void **state)
{
	(void)state;
	struct aws_settings settings = { .region = "eu-west-1" };

	setenv("AWS_STS_REGIONAL_ENDPOINTS", "regional", 1);
	expect_host(&settings, "sts", "sts.eu-west-1.amazonaws.com", "eu-west-1");
	setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy", 1);
	expect_host(&settings, "sts", "sts.amazonaws.com", "us-east-1");
	expect_host(&settings, "ec2", "ec2.eu-west-1.amazonaws.com", "eu-west-1");
	settings.dualstack = true;
	expect_host(&settings, "sts", "sts.eu-west-1.api.aws", "eu-west-1");
	settings = (struct aws_settings){ .region = "us-west-2", .fips = true };
	expect_host(&settings, "sts", "sts-fips.us-west-2.amazonaws.com", "us-west-2");
	/* a region that came later, and another partition's */
	settings = (struct aws_settings){ .region = "eu-south-1" };
	expect_host(&settings, "sts", "sts.eu-south-1.amazonaws.com", "eu-south-1");
	settings.region = "cn-north-1";
	expect_host(&settings, "sts", "sts.cn-north-1.amazonaws.com.cn", "cn-north-1");
	setenv("AWS_ENDPOINT_URL_STS", "http://s:1", 1);
	expect(&settings, "sts", "http://s:1/", "s:1", "cn-north-1");
	unsetenv("AWS_ENDPOINT_URL_STS");
	setenv("AWS_STS_REGIONAL_ENDPOINTS", "Legacy", 1);
	expect_error_of(&settings, "sts", "AWS_STS_REGIONAL_ENDPOINTS");
	expect_host(&settings, "ec2", "ec2.cn-north-1.amazonaws.com.cn", "cn-north-1");
}

/* Files as profile.c would give them: profile "p" with these entries, and [services s] with ec2 below. */
static const struct profile_entry nested = { .key = "endpoint_url", .value = "http://section:1" };
static const struct profile_entry flat = { .key = "ebs", .value = "http://flat" };
static const struct profile_entry of_ec2 = { .key = "ec2", .value = "", .nested = &nested, .next = &flat };
static const struct profile_section services = { .kind = "services", .name = "s", .entries = &of_ec2 };

static void test_profile(void **state)
{
	(void)state;
	struct profile_entry ignore = { .key = "ignore_configured_endpoint_urls", .value = "false" };
	struct profile_entry url = { .key = "endpoint_url", .value = "http://profile:2", .next = &ignore };
	struct profile_entry section = { .key = "services", .value = "s", .next = &url };
	struct profile_section profile = { "profile", "p", &section, &services };
	struct profiles profiles = { .config_path = "/c", .config = &profile, .active = "p" };
	struct aws_settings settings = { .region = "eu-west-1", .profiles = &profiles };

	expect(&settings, "ec2", "http://section:1/", "section:1", "eu-west-1");
	expect(&settings, "sts", "http://profile:2/", "profile:2", "eu-west-1");
	expect_error_of(&settings, "ebs", "ebs in [services s] of /c");
	setenv("AWS_ENDPOINT_URL", "http://all:3", 1);
	expect(&settings, "ec2", "http://all:3/", "all:3", "eu-west-1");
	expect(&settings, "ebs", "http://all:3/", "all:3", "eu-west-1");
	unsetenv("AWS_ENDPOINT_URL");
	ignore.value = "True";
	expect_host(&settings, "ec2", "ec2.eu-west-1.amazonaws.com", "eu-west-1");
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false", 1);
	expect(&settings, "ec2", "http://section:1/", "section:1", "eu-west-1");
	section.value = "missing";
	expect_error(&settings, "[services missing], which is not in /c");
	settings.ec2_endpoint = "http://configured:4";
	expect(&settings, "ec2", "http://configured:4/", "configured:4", "eu-west-1");
	settings.ec2_endpoint = NULL;
	section.value = "";
	url.value = "https://SECRET@profile";
	expect_error(&settings, "endpoint_url of the profile p is no endpoint");
	url.value = "nonsense\n";
	expect_error(&settings, "endpoint_url of the profile p is 'nonsense");
	profiles.active = "other";
	expect_host(&settings, "ec2", "ec2.eu-west-1.amazonaws.com", "eu-west-1");
}

static void test_profile_of_sts(void **state)
{
	(void)state;
	struct profile_entry way = { .key = "sts_regional_endpoints", .value = "legacy" };
	struct profile_section profile = { .kind = "profile", .name = "p", .entries = &way };
	struct profiles profiles = { .config = &profile, .active = "p" };
	struct aws_settings settings = { .region = "eu-west-1", .profiles = &profiles };

	expect_host(&settings, "sts", "sts.amazonaws.com", "us-east-1");
	setenv("AWS_STS_REGIONAL_ENDPOINTS", "regional", 1);
	expect_host(&settings, "sts", "sts.eu-west-1.amazonaws.com", "eu-west-1");
	unsetenv("AWS_STS_REGIONAL_ENDPOINTS");
	way.value = "global";
	expect_error_of(&settings, "sts", "sts_regional_endpoints");
}

static void test_unknown_service(void **state)
{
	(void)state;
	struct arena *arena CLEANUP_ARENA = arena_new(100000);
	struct aws_settings settings = { .region = "eu-west-1" };
	struct endpoint endpoint;
	struct error err;

	assert_int_equal(endpoint_find(&settings, "s3", arena, &endpoint, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
}

static void test_no_memory(void **state)
{
	(void)state;
	struct profile_entry section = { .key = "services", .value = "s" };
	struct profile_section profile = { "profile", "p", &section, &services };
	struct profiles profiles = { .config_path = "/c", .config = &profile, .active = "p" };
	struct aws_settings settings = { .region = "eu-west-1", .profiles = &profiles };
	static const char *const names[] = { "ec2", "sts" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int result = -1;
		for (size_t size = 1; result != 0; size += 8) {
			struct arena *arena CLEANUP_ARENA = arena_new(size);
			struct endpoint endpoint;
			struct error err = { .kind = ERROR_NONE };
			result = endpoint_find(&settings, names[i], arena, &endpoint, &err);
			assert_int_equal(err.kind, result == 0 ? ERROR_NONE : ERROR_NOMEM);
			assert_true(size < 10000);
		}
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, clean_environment, clean_environment)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_partitions),	   TEST(test_forms_of_overrides), TEST(test_no_endpoints),
		TEST(test_order_of_overrides), TEST(test_region_of_the_host), TEST(test_regions),
		TEST(test_fips),	   TEST(test_single_sign_on),	  TEST(test_sts_of_old),
		TEST(test_profile),	   TEST(test_profile_of_sts),	  TEST(test_unknown_service),
		TEST(test_no_memory),
	};
	return cmocka_run_group_tests(tests, clean_environment, NULL);
}
