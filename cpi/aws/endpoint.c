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
#include "cpi/aws/profile.h"

#define DEFAULT_REGION "us-east-1"
#define MAX_URL 2048

struct partition {
	const char *name; /* as ARNs have it */
	const char *region_prefix;
	const char *suffix;
	const char *dualstack_suffix;
};

/* The last one takes all other regions. */
static const struct partition partitions[] = {
	{ "aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn" },
	{ "aws-us-gov", "us-gov-", "amazonaws.com", "api.aws" },
	{ "aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov" },
	{ "aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud" },
	{ "aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov" },
	{ "aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk" },
	{ "aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu" },
	{ "aws", "", "amazonaws.com", "api.aws" },
};
#define N_PARTITIONS (sizeof(partitions) / sizeof(partitions[0]))

/* What a service is called: in host names, in variables, in the files' "services" sections. */
struct service {
	const char *name;
	const char *host;
	const char *variable;
	const char *key;
	bool plain_in_govcloud; /* its ordinary host there is the FIPS one */
};

static const struct service services[] = {
	{ "ec2", "ec2", "AWS_ENDPOINT_URL_EC2", "ec2", true },
	{ "elasticloadbalancing", "elasticloadbalancing", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING",
	  "elastic_load_balancing", true },
	{ "elasticloadbalancingv2", "elasticloadbalancing", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
	  "elastic_load_balancing_v2", true },
	{ "sts", "sts", "AWS_ENDPOINT_URL_STS", "sts", true },
	{ "ebs", "ebs", "AWS_ENDPOINT_URL_EBS", "ebs", false },
	{ "sso", "portal.sso", "AWS_ENDPOINT_URL_SSO", "sso", true },
	{ "sso-oidc", "oidc", "AWS_ENDPOINT_URL_SSO_OIDC", "sso_oidc", true },
};

/* The regions that there were when STS had one endpoint for all: AWS_STS_REGIONAL_ENDPOINTS=legacy means these. */
static const char *const legacy_sts_regions[] = {
	"ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1",
	"eu-west-1",	  "eu-west-2",	"eu-west-3",	  "sa-east-1",	    "us-east-1",    "us-east-2",    "us-west-1",
	"us-west-2",
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

const char *endpoint_partition(const char *region)
{
	return partition_of(region)->name;
}

/* Only what can stand in a host name: a region with a slash or dot would send signed requests elsewhere. */
static int check_region(const char *region, struct error *err)
{
	size_t len = strlen(region);

	if (len == 0 || len > 63 || strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != len ||
	    region[0] == '-' || region[len - 1] == '-')
		return error_set(err, ERROR_CONFIG,
				 "'%s' is no AWS region: give one such as us-east-1 in aws.region (or where the region "
				 "comes from: AWS_REGION, AWS_DEFAULT_REGION, the AWS profile)",
				 region);
	return 0;
}

static const struct service *find_service(const char *name)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (strcmp(services[i].name, name) == 0)
			return &services[i];
	}
	return NULL;
}

/* --- what overrides the table --- */

/* The profile's "services" section, which must be there when it is named. */
static int find_in_section(const struct profiles *profiles, const struct service *service, struct arena *arena,
			   struct override *ret_override, struct error *err)
{
	const char *section = profiles_get(profiles, profiles->active, "services");
	const char *path = profiles->config_path;

	if (section == NULL)
		return 0;
	if (!profiles_has_section(profiles, "services", section))
		return error_set(err, ERROR_CONFIG,
				 "the profile %s names the section [services %s], which is not in %s: add it, or take "
				 "\"services\" out of the profile",
				 profiles->active, section, path == NULL ? "~/.aws/config" : path);
	if (profiles_get_section(profiles, "services", section, service->key) != NULL)
		return error_set(err, ERROR_CONFIG,
				 "%s in [services %s] of %s should have no value of its own, but indented lines below "
				 "it such as \"endpoint_url = https://…\"",
				 service->key, section, path);
	ret_override->url = profiles_get_nested(profiles, "services", section, service->key, "endpoint_url");
	ret_override->where = arena_printf(arena, "endpoint_url of %s in [services %s] of %s", service->key, section, path);
	return ret_override->where == NULL ? error_nomem(err) : 0;
}

static int find_in_profile(const struct profiles *profiles, const struct service *service, struct arena *arena,
			   struct override *ret_override, struct error *err)
{
	if (profiles == NULL)
		return 0;
	if (find_in_section(profiles, service, arena, ret_override, err) != 0)
		return -1;
	if (ret_override->url != NULL)
		return 0;
	ret_override->url = profiles_get(profiles, profiles->active, "endpoint_url");
	ret_override->where = arena_printf(arena, "endpoint_url of the profile %s", profiles->active);
	return ret_override->where == NULL ? error_nomem(err) : 0;
}

#define CONFIGURED 3 /* the first of the candidates */

/* url stays NULL where there is none. */
static int find_override(const struct aws_settings *settings, const struct service *service, struct arena *arena,
			 struct override *ret_override, struct error *err)
{
	bool is_balancer = strcmp(service->host, "elasticloadbalancing") == 0;
	const struct override candidates[] = {
		{ strcmp(service->name, "ec2") == 0 ? settings->ec2_endpoint : NULL, "aws.ec2_endpoint" },
		{ is_balancer ? settings->elb_endpoint : NULL, "aws.elb_endpoint" },
		{ strcmp(service->name, "ebs") == 0 ? settings->ebs_endpoint : NULL, "aws.ebs_endpoint" },
		{ environment_get(service->variable), service->variable },
		{ environment_get("AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL" },
	};
	bool ignored = profiles_switch(settings->profiles, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
				       "ignore_configured_endpoint_urls");

	for (size_t i = 0; i < (ignored ? CONFIGURED : sizeof(candidates) / sizeof(candidates[0])); i++) {
		if (candidates[i].url != NULL) {
			*ret_override = candidates[i];
			return 0;
		}
	}
	return ignored ? 0 : find_in_profile(settings->profiles, service, arena, ret_override, err);
}

/* --- URLs --- */

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

/* Not repeated where it may hold a password. */
static int no_endpoint(const char *url, const char *where, struct error *err)
{
	static const char wanted[] = "give a host name or an http or https URL without user, query and fragment";

	if (strpbrk(url, "@?") != NULL)
		return error_set(err, ERROR_CONFIG, "%s is no endpoint: %s", where, wanted);
	return error_set(err, ERROR_CONFIG, "%s is '%s', which is no endpoint: %s", where, url, wanted);
}

static int from_url(const char *url, const char *where, const char *region, struct arena *arena,
		    struct endpoint *ret_endpoint, struct error *err)
{
	struct url_parts parts;

	if (!split_url(url, &parts))
		return no_endpoint(url, where, err);
	if (region == NULL)
		region = region_of_host(arena, parts.authority, parts.host_len);
	struct endpoint endpoint = {
		.host = arena_strndup(arena, parts.authority, parts.authority_len),
		.source = where,
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

/* --- the table --- */

static int sts_is_legacy(const struct aws_settings *settings, bool *ret_legacy, struct error *err)
{
	const char *way = profiles_setting(settings->profiles, "AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints");

	if (way != NULL && strcmp(way, "legacy") != 0 && strcmp(way, "regional") != 0)
		return error_set(err, ERROR_CONFIG,
				 "AWS_STS_REGIONAL_ENDPOINTS, or sts_regional_endpoints of the profile, is '%s': it should "
				 "be regional or legacy",
				 way);
	*ret_legacy = way != NULL && strcmp(way, "legacy") == 0;
	return 0;
}

/* Whether this is STS and its one endpoint for all regions is wanted. */
static int wants_global(const struct aws_settings *settings, const struct service *service, bool *ret_global,
			struct error *err)
{
	bool legacy;

	*ret_global = false;
	if (strcmp(service->name, "sts") != 0 || settings->fips || settings->dualstack)
		return 0;
	if (sts_is_legacy(settings, &legacy, err) != 0)
		return -1;
	*ret_global = strcmp(settings->region, "aws-global") == 0;
	for (size_t i = 0; legacy && i < sizeof(legacy_sts_regions) / sizeof(legacy_sts_regions[0]); i++)
		*ret_global |= strcmp(settings->region, legacy_sts_regions[i]) == 0;
	return 0;
}

static int from_table(const struct aws_settings *settings, const struct service *service, struct arena *arena,
		      struct endpoint *ret_endpoint, struct error *err)
{
	const struct partition *partition = partition_of(settings->region);
	bool is_govcloud = strcmp(partition->region_prefix, "us-gov-") == 0;
	bool plain = !settings->fips || (is_govcloud && service->plain_in_govcloud && !settings->dualstack);
	bool global;

	if (wants_global(settings, service, &global, err) != 0)
		return -1;
	if (global)
		return from_url("sts.amazonaws.com", "the global endpoint", DEFAULT_REGION, arena, ret_endpoint, err);
	const char *host = arena_printf(arena, "%s%s.%s.%s", service->host, plain ? "" : "-fips", settings->region,
					settings->dualstack ? partition->dualstack_suffix : partition->suffix);
	if (host == NULL)
		return error_nomem(err);
	return from_url(host, "the region's endpoint", settings->region, arena, ret_endpoint, err);
}

int endpoint_find(const struct aws_settings *settings, const char *service_name, struct arena *arena,
		  struct endpoint *ret_endpoint, struct error *err)
{
	const struct service *service = find_service(service_name);
	struct override override = { .url = NULL };

	if (service == NULL)
		return error_set(err, ERROR_INTERNAL, "no endpoint is known of the service %s", service_name);
	if (settings->region != NULL && check_region(settings->region, err) != 0)
		return -1;
	if (find_override(settings, service, arena, &override, err) != 0)
		return -1;
	if (override.url != NULL)
		return from_url(override.url, override.where, settings->region, arena, ret_endpoint, err);
	if (settings->region == NULL)
		return error_set(err, ERROR_CONFIG,
				 "no region is configured: set aws.region, AWS_REGION in the environment, or region in "
				 "the AWS profile");
	return from_table(settings, service, arena, ret_endpoint, err);
}
