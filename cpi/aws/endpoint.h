/* SPDX-License-Identifier: Apache-2.0 */
/* Where a service is: from region and settings to a URL and the region to sign for. Looks nothing up in the network.
 * Fact: botocore's partitions.json for the suffixes; "Service-specific endpoints", SDKs and Tools Reference Guide. */
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
};

/* The endpoint of a service ("ec2", "elasticloadbalancing", "elasticloadbalancingv2", "sts", "ebs"). The first that is
 * there: ec2_endpoint, or elb_endpoint for both kinds of load balancers; AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL
 * (neither when AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true); the region's partition. An endpoint without a region: the
 * one in its host name, else us-east-1. Texts are in the arena. ERROR_CONFIG names what is wrong: no region, a region or
 * URL that cannot be one. */
int endpoint_find(const struct aws_settings *settings, const char *service, struct arena *arena,
		  struct endpoint *ret_endpoint, struct error *err);

#endif
