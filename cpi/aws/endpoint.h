/* SPDX-License-Identifier: Apache-2.0 */
/* Where a service is: from region and settings to a URL and the region to sign for. Looks nothing up in the network.
 * Fact: botocore's partitions.json and endpoint rule sets; "Service-specific endpoints", SDKs and Tools Reference
 * Guide. */
#ifndef CPI_AWS_ENDPOINT_H
#define CPI_AWS_ENDPOINT_H

#include "common/arena.h"
#include "common/error.h"
#include "cpi/aws/client.h"

struct endpoint {
	const char *url;    /* "https://ec2.us-east-1.amazonaws.com/", with a path, without a query */
	const char *host;   /* as the Host header has it: with the port unless it is the scheme's own */
	const char *path;   /* the URL's, at least "/" */
	const char *region; /* to sign for */
	const char *source; /* who said so, for people: "aws.ec2_endpoint", "AWS_ENDPOINT_URL", "the region's endpoint" */
};

/* The endpoint of a service ("ec2", "elasticloadbalancing", "elasticloadbalancingv2", "sts", "ebs", "sso", "sso-oidc").
 * The first that is there:
 * 1. ec2_endpoint, ebs_endpoint, or elb_endpoint for both kinds of load balancers;
 * 2. AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL;
 * 3. of the active profile, endpoint_url of the service in its "services" section, its own endpoint_url (2 and 3 not when
 *    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS or the profile's ignore_configured_endpoint_urls is true);
 * 4. the region's partition: with settings->dualstack its names for that, with settings->fips the host with "-fips" (in
 *    GovCloud the ordinary one, but for EBS and dual-stack). All partitions know both; where AWS has put up no such host,
 *    its name is not found. STS with AWS_STS_REGIONAL_ENDPOINTS or the profile's sts_regional_endpoints = legacy: in the
 *    regions of old sts.amazonaws.com, signed for us-east-1, unless dualstack or fips.
 * An endpoint without a region: the one in its host name, else us-east-1. Texts are in the arena. ERROR_CONFIG names what
 * is wrong and where it stands: no region, a region or URL that cannot be one, a "services" section that is not there. */
int endpoint_find(const struct aws_settings *settings, const char *service, struct arena *arena,
		  struct endpoint *ret_endpoint, struct error *err);

/* The partition of a region, as ARNs have it: "aws", "aws-cn"; of one that is not known, "aws". A literal. */
const char *endpoint_partition(const char *region);

#endif
