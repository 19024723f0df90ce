/* SPDX-License-Identifier: Apache-2.0 */
/* The table of partitions, and what overrides it. Whether there is such a region, or such a service in it, is left to
 * DNS and AWS: tables of those would be out of date. */
#include "cpi/aws/endpoint.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/parse.h"
#include "cpi/aws/environment.h"

#define DEFAULT_REGION "us-east-1"
#define MAX_URL 2048

struct partition {
	const char *region_prefix;
	const char *suffix;
	const char *dualstack_suffix;
};

/* The last one takes all other regions. */
static const struct partition partitions[] = {
	{ "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn" },
	{ "us-gov-", "amazonaws.com", "api.aws" },
	{ "us-iso-", "c2s.ic.gov", "api.aws.ic.gov" },
	{ "us-isob-", "sc2s.sgov.gov", "api.aws.scloud" },
	{ "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov" },
	{ "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk" },
	{ "eusc-", "amazonaws.eu", "api.amazonwebservices.eu" },
	{ "", "amazonaws.com", "api.aws" },
};
#define N_PARTITIONS (sizeof(partitions) / sizeof(partitions[0]))

/* Which variable overrides which service. */
static const struct {
	const char *service;
	const char *variable;
} variables[] = {
	{ "ec2", "AWS_ENDPOINT_URL_EC2" },
	{ "elasticloadbalancing", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING" },
	{ "elasticloadbalancingv2", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2" },
	{ "sts", "AWS_ENDPOINT_URL_STS" },
	{ "ebs", "AWS_ENDPOINT_URL_EBS" },
};

/* An endpoint that somebody gave, and where, for messages. */
struct override {
	const char *url;
	const char *where;
};

static const struct partition *partition_of(const char *region)
{
	size_t i = 0;

	while (strncmp(region, partitions[i].region_prefix, strlen(partitions[i].region_prefix)) != 0)
		i++;
	return &partitions[i];
}

/* Only what can stand in a host name: a region with a slash or dot would send signed requests elsewhere. */
static int check_region(const char *region, struct error *err)
{
	size_t len = strlen(region);

	if (len == 0 || len > 63 || strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != len ||
	    region[0] == '-' || region[len - 1] == '-')
		return error_set(err, ERROR_CONFIG, "'%s' is no AWS region: give one such as us-east-1 in aws.region",
				 region);
	return 0;
}

/* Two services under one host name: only the variables tell them apart. */
static const char *host_name_of(const char *service)
{
	return strcmp(service, "elasticloadbalancingv2") == 0 ? "elasticloadbalancing" : service;
}

static struct override find_override(const struct aws_settings *settings, const char *service)
{
	if (strcmp(service, "ec2") == 0 && settings->ec2_endpoint != NULL)
		return (struct override){ settings->ec2_endpoint, "aws.ec2_endpoint" };
	if (strcmp(host_name_of(service), "elasticloadbalancing") == 0 && settings->elb_endpoint != NULL)
		return (struct override){ settings->elb_endpoint, "aws.elb_endpoint" };
	if (environment_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return (struct override){ NULL, NULL };
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *url =
			strcmp(service, variables[i].service) == 0 ? environment_get(variables[i].variable) : NULL;
		if (url != NULL)
			return (struct override){ url, variables[i].variable };
	}
	return (struct override){ environment_get("AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL" };
}

/* Two hyphens or more between letters, and a number at the end: us-east-1, us-gov-west-1. */
static bool looks_like_region(const char *label, size_t len)
{
	size_t hyphens = 0;

	if (len < 6 || label[len - 1] < '0' || label[len - 1] > '9' || label[0] < 'a' || label[0] > 'z')
		return false;
	for (size_t i = 0; i < len; i++) {
		bool alphanumeric = (label[i] >= 'a' && label[i] <= 'z') || (label[i] >= '0' && label[i] <= '9');
		if (label[i] == '-')
			hyphens++;
		else if (!alphanumeric)
			return false;
	}
	return hyphens >= 2 && strncmp(label, "vpce-", 5) != 0;
}

static bool ends_with_domain(const char *host, size_t len, const char *domain)
{
	size_t suffix = strlen(domain);

	return len > suffix && host[len - suffix - 1] == '.' && strncasecmp(host + len - suffix, domain, suffix) == 0;
}

/* The region that an AWS host name holds (ec2.eu-west-1.amazonaws.com, a VPC endpoint's name …); else NULL. */
static const char *region_of_host(struct arena *arena, const char *host, size_t len)
{
	bool of_aws = false;

	for (size_t i = 0; i < N_PARTITIONS && !of_aws; i++)
		of_aws = ends_with_domain(host, len, partitions[i].suffix) ||
			 ends_with_domain(host, len, partitions[i].dualstack_suffix);
	while (of_aws && len > 0) {
		size_t start = len;
		while (start > 0 && host[start - 1] != '.')
			start--;
		if (looks_like_region(host + start, len - start))
			return arena_strndup(arena, host + start, len - start);
		len = start > 0 ? start - 1 : 0;
	}
	return NULL;
}

struct url_parts {
	bool http; /* without TLS */
	const char *authority;
	size_t authority_len;
	size_t host_len; /* of authority, the port left out */
	const char *port; /* NULL: the scheme's own */
	size_t port_len;
	const char *path; /* may be "" */
};

static bool split_authority(struct url_parts *parts)
{
	const char *authority = parts->authority;
	const char *end = authority + parts->authority_len;
	const char *host_end = authority;

	if (*authority == '[') {
		const char *bracket = memchr(authority, ']', parts->authority_len);
		if (bracket == NULL || bracket == authority + 1 ||
		    strspn(authority + 1, "0123456789abcdefABCDEF:.") != (size_t)(bracket - authority - 1))
			return false;
		host_end = bracket + 1;
	} else {
		host_end += strspn(authority, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
		if (host_end == authority)
			return false;
	}
	parts->host_len = (size_t)(host_end - authority);
	if (host_end == end)
		return true;
	parts->port = host_end + 1;
	parts->port_len = (size_t)(end - parts->port);
	return *host_end == ':' && parts->port_len >= 1 && parts->port_len <= 5 &&
	       strspn(parts->port, "0123456789") == parts->port_len;
}

static bool split_url(const char *url, struct url_parts *ret_parts)
{
	struct url_parts parts = { .authority = url };

	if (strlen(url) > MAX_URL || strpbrk(url, "?#@\\\"<>") != NULL)
		return false;
	for (const char *c = url; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~')
			return false;
	}
	if (strncasecmp(url, "https://", 8) == 0) {
		parts.authority = url + 8;
	} else if (strncasecmp(url, "http://", 7) == 0) {
		parts.authority = url + 7;
		parts.http = true;
	}
	parts.authority_len = strcspn(parts.authority, "/");
	parts.path = parts.authority + parts.authority_len;
	if (!split_authority(&parts))
		return false;
	if (parts.port != NULL && parts.port_len == (parts.http ? 2 : 3) &&
	    strncmp(parts.port, parts.http ? "80" : "443", parts.port_len) == 0)
		parts.authority_len = parts.host_len;
	*ret_parts = parts;
	return true;
}

static int from_url(const char *url, const char *where, const char *region, struct arena *arena,
		    struct endpoint *ret_endpoint, struct error *err)
{
	struct url_parts parts;

	if (!split_url(url, &parts))
		return error_set(err, ERROR_CONFIG,
				 "%s is '%s', which is no endpoint: give a host name or an http or https URL "
				 "without user, query and fragment",
				 where, url);
	if (region == NULL)
		region = region_of_host(arena, parts.authority, parts.host_len);
	struct endpoint endpoint = {
		.host = arena_strndup(arena, parts.authority, parts.authority_len),
		.path = arena_strdup(arena, *parts.path == '\0' ? "/" : parts.path),
		.region = arena_strdup(arena, region == NULL ? DEFAULT_REGION : region),
	};
	if (endpoint.host == NULL || endpoint.path == NULL || endpoint.region == NULL)
		return error_nomem(err);
	endpoint.url = arena_printf(arena, "%s://%s%s", parts.http ? "http" : "https", endpoint.host, endpoint.path);
	if (endpoint.url == NULL)
		return error_nomem(err);
	*ret_endpoint = endpoint;
	return 0;
}

int endpoint_find(const struct aws_settings *settings, const char *service, struct arena *arena,
		  struct endpoint *ret_endpoint, struct error *err)
{
	const char *region = settings->region;

	if (region != NULL && check_region(region, err) != 0)
		return -1;
	struct override override = find_override(settings, service);
	if (override.url != NULL)
		return from_url(override.url, override.where, region, arena, ret_endpoint, err);
	if (region == NULL)
		return error_set(err, ERROR_CONFIG,
				 "no region is configured: set aws.region, or AWS_REGION in the environment");
	const struct partition *partition = partition_of(region);
	const char *host = arena_printf(arena, "%s.%s.%s", host_name_of(service), region,
					settings->dualstack ? partition->dualstack_suffix : partition->suffix);
	if (host == NULL)
		return error_nomem(err);
	return from_url(host, "the region's endpoint", region, arena, ret_endpoint, err);
}
