/* SPDX-License-Identifier: Apache-2.0 */
/* The way to AWS: which hosts are asked and who said so, whether they answer, and what time it is there. */
#include <string.h>

#include "common/http.h"
#include "common/parallel.h"
#include "common/parse.h"
#include "cpi/aws/endpoint.h"
#include "cpi/check/checks.h"

#define PROBE_TIMEOUT_MS 10000
#define PROBE_MAX_BYTES ((size_t)1024 * 1024)
/* AWS refuses signatures that are more than five minutes off */
#define MAX_SKEW_S 240

enum { EC2, BALANCERS, TARGET_GROUPS, STS, EBS, N_PROBES };

struct probe {
	struct check *check;
	const char *service;
	const char *name;
	const char *without; /* what can do without it; NULL: nothing */
	bool left_out;       /* not needed, or asked already under another name */
	bool no_endpoint;
	struct endpoint endpoint;
	struct http_response response;
	int64_t asked_us; /* our clock around the exchange */
	int64_t answered_us;
	bool answers;
	struct error why;
};

/* An unsigned request: whatever is answered shows that name, way, proxy and certificate are right. */
static int ask(void *self, struct error *err)
{
	struct probe *probe = self;
	struct runtime *runtime = probe->check->runtime;
	const struct clock *clock = runtime->clock;
	const struct http_request request = {
		.method = "GET",
		.url = probe->endpoint.url,
		.max_answer = PROBE_MAX_BYTES,
		.connect_timeout_ms = PROBE_TIMEOUT_MS,
		.timeout_ms = PROBE_TIMEOUT_MS,
		.ca_file = probe->check->config->aws.ca_file,
	};

	(void)err;
	if (probe->left_out || probe->no_endpoint)
		return 0;
	probe->asked_us = clock->wall_us(clock->self);
	probe->answers = runtime->http->perform(runtime->http->self, &request, runtime->cancel, probe->check->arena,
						&probe->response, &probe->why) == 0;
	probe->answered_us = clock->wall_us(clock->self);
	return 0;
}

static void tell(const struct probe *probe)
{
	struct findings *findings = probe->check->findings;
	const char *url = probe->endpoint.url;

	if (probe->left_out)
		return;
	if (probe->no_endpoint) {
		findings_failed(findings, probe->name, "set aws.region, or correct the endpoint that is named", "%s",
				probe->why.message);
		return;
	}
	if (probe->answers) {
		bool tls = strncmp(url, "https:", 6) == 0;
		findings_ok(findings, probe->name, "%s, %s, answers%s", url, probe->endpoint.source,
			    tls ? "; its certificate is verified" : "; without TLS");
		return;
	}
	const char *advice = "check region and endpoint, name resolution, proxy variables, and the CA file "
			     "(BOSH_CA_CERT_FILE, AWS_CA_BUNDLE)";
	if (probe->without == NULL)
		findings_failed(findings, probe->name, advice, "%s, %s, does not answer: %s", url, probe->endpoint.source,
				probe->why.message);
	else
		findings_unknown(findings, probe->name, advice, "%s, %s, does not answer (%s): %s", url,
				 probe->endpoint.source, probe->without, probe->why.message);
}

/* The Date header counts whole seconds and was written at some moment of the exchange: only what is outside of both is
 * a difference. */
static void check_clock(struct check *check, const struct probe *probe)
{
	int64_t there;

	if (!probe->answers || !parse_http_date(http_header_value(&probe->response, "Date"), &there)) {
		findings_unknown(check->findings, "clock", "compare this machine's clock (date -u) with a true one",
				 "no endpoint told the time");
		return;
	}
	int64_t behind = there - probe->answered_us / 1000000;
	int64_t ahead = probe->asked_us / 1000000 - there - 1;
	int64_t off = behind > 0 ? behind : ahead > 0 ? ahead : 0;
	const char *direction = behind > 0 ? "behind" : "ahead of";
	if (off > MAX_SKEW_S)
		findings_failed(check->findings, "clock",
				"set this machine's clock (NTP): AWS refuses calls that are over five minutes off",
				"%lld s %s AWS's", (long long)off, direction);
	else if (off > 0)
		findings_ok(check->findings, "clock", "%lld s %s AWS's, which is near enough", (long long)off, direction);
	else
		findings_ok(check->findings, "clock", "agrees with AWS's to the second");
}

static void find(struct check *check, struct probe *probe)
{
	probe->check = check;
	probe->no_endpoint = !probe->left_out && endpoint_find(&check->config->aws, probe->service, check->arena,
							       &probe->endpoint, &probe->why) != 0;
}

static bool is_same(const struct probe *one, const struct probe *other)
{
	return !one->no_endpoint && !other->no_endpoint && strcmp(one->endpoint.url, other->endpoint.url) == 0;
}

int check_endpoints(struct check *check)
{
	const char *balanced = "VMs in no load balancer can do without it";
	bool has_role = check->config->aws.role_arn != NULL;
	struct probe probes[N_PROBES] = {
		[EC2] = { .service = "ec2", .name = "EC2 endpoint" },
		[BALANCERS] = { .service = "elasticloadbalancing", .name = "load balancer endpoint", .without = balanced },
		[TARGET_GROUPS] = { .service = "elasticloadbalancingv2", .name = "target group endpoint", .without = balanced },
		[STS] = { .service = "sts", .name = "STS endpoint", .without = has_role ? NULL : "needed for roles alone" },
		[EBS] = { .service = "ebs",
			  .name = "EBS direct endpoint",
			  .left_out = !check->uploads },
	};
	struct parallel_task tasks[N_PROBES];
	struct error why;

	for (size_t i = 0; i < N_PROBES; i++) {
		find(check, &probes[i]);
		tasks[i] = (struct parallel_task){ ask, &probes[i] };
	}
	probes[TARGET_GROUPS].left_out = is_same(&probes[BALANCERS], &probes[TARGET_GROUPS]);
	if (parallel_run(tasks, N_PROBES, &why) != 0) {
		check->findings->incomplete = true;
		return -1;
	}
	for (size_t i = 0; i < N_PROBES; i++)
		tell(&probes[i]);
	check->balancers_answer = probes[BALANCERS].answers;
	check->target_groups_answer = probes[probes[TARGET_GROUPS].left_out ? BALANCERS : TARGET_GROUPS].answers;
	check->sts_answers = probes[STS].answers;
	check->ebs_answers = probes[EBS].answers;
	check_clock(check, &probes[EC2]);
	return probes[EC2].answers ? 0 : -1;
}
