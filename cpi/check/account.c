/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are to AWS: region, credentials, the identity behind them, and whether EC2 takes them. */
#include <string.h>

#include "cpi/aws/retry.h"
#include "cpi/aws/sts.h"
#include "cpi/check/checks.h"
#include "cpi/ec2/volumes.h"

void check_region(struct check *check)
{
	const struct config *config = check->config;

	if (config->aws.region == NULL)
		findings_ok(check->findings, "region",
			    "not set: both endpoints are, so that it is not needed; signed for the region in their names, "
			    "else for us-east-1");
	else if (config->region_source == NULL)
		findings_ok(check->findings, "region", "%s", config->aws.region);
	else
		findings_ok(check->findings, "region", "%s, from %s", config->aws.region, config->region_source);
}

static const char *credentials_advice(const struct check *check, const struct error *why)
{
	const char *advice = why->kind == ERROR_AWS ? check_call_advice(why) : NULL;

	if (ec2_is_denied(why))
		return "the role's trust policy has to name who assumes it, and that one needs sts:AssumeRole on the role; the "
		       "like holds for SSO and web identity";
	if (advice != NULL)
		return advice;
	if (why->kind == ERROR_NETWORK || why->kind == ERROR_TIMEOUT)
		return "the service that gives the credentials has to be reached: check names, routes and proxy variables, and "
		       "the lines on the endpoints";
	if (strcmp(check->config->aws.credentials_source, "static") == 0)
		return "correct what the message names: aws.access_key_id, secret_access_key, session_token or role_arn; or "
		       "set aws.credentials_source to env_or_profile";
	return "correct what the message names; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where cpi runs, or "
	       "AWS_PROFILE to a profile that has credentials, or give the machine a role";
}

int check_credentials(struct check *check)
{
	const char *id, *source;
	struct error why;

	if (aws_client_identity(check->ec2->aws, &id, &source, &why) != 0) {
		findings_failed(check->findings, "credentials", credentials_advice(check, &why), "%s", why.message);
		return -1;
	}
	size_t len = strlen(id);
	const char *shown = len <= 8 ? id : id + len - 4;
	findings_ok(check->findings, "credentials", "from %s: access key %s%s", source, len <= 8 ? "" : "…", shown);
	return 0;
}

void check_identity(struct check *check)
{
	struct sts_identity identity;
	struct error why;

	if (!check->sts_answers) {
		findings_unknown(check->findings, "identity", "see the line on the STS endpoint",
				 "not known: the STS endpoint does not answer");
		return;
	}
	if (sts_get_caller_identity(check->ec2->aws, check->arena, &identity, &why) == 0) {
		check->account = identity.account;
		findings_ok(check->findings, "identity",
			    "%s, account %s (sts:GetCallerIdentity; not tried: sts:DecodeAuthorizationMessage, which only "
			    "explains refusals)",
			    identity.arn, identity.account);
		return;
	}
	const char *advice = check_call_advice(&why);
	if (why.kind == ERROR_AWS && advice != NULL)
		findings_failed(check->findings, "identity", advice, "%s", why.message);
	else
		findings_unknown(check->findings, "identity",
				 advice != NULL ? advice :
						  "the CPI needs STS for roles alone; without a role, only this line is lost",
				 "%s", why.message);
}

const char *check_call_advice(const struct error *why)
{
	static const struct {
		const char *code;
		const char *advice;
	} by_code[] = {
		{ "AuthFailure", "the access key is unknown or its secret is wrong: check both, and the region" },
		{ "SignatureDoesNotMatch", "the secret access key is wrong" },
		{ "InvalidClientTokenId", "the access key is unknown: check it, and the region" },
		{ "InvalidAccessKeyId", "the access key is unknown: check it, and the region" },
		{ "UnrecognizedClientException", "the access key is unknown: check it, and the region" },
		{ "RequestExpired", "set this machine's clock, or renew the session token" },
		{ "RequestTimeTooSkewed", "set this machine's clock" },
		{ "ExpiredToken", "renew the session token" },
		{ "ExpiredTokenException", "renew the session token" },
		{ "OptInRequired", "enable the region or the service for the account" },
		{ "Blocked", "AWS has blocked the account: ask AWS Support" },
		{ "PendingVerification", "AWS is still verifying the account: wait, or ask AWS Support" },
	};

	for (size_t i = 0; i < sizeof(by_code) / sizeof(by_code[0]); i++) {
		if (strcmp(by_code[i].code, why->aws_code) == 0)
			return by_code[i].advice;
	}
	if (retry_is_denied(why->aws_code))
		return "give the user or role the CPI's policy; a service control policy or permissions boundary may refuse as "
		       "well";
	return NULL;
}

/* A filter that nothing matches: the cheapest answer, and never an error for an id that is not there. */
int check_ec2(struct check *check)
{
	static const char *const none[] = { "vol-00000000000000000" };
	static const struct ec2_filter filter = { .name = "volume-id", .values = none, .n_values = 1 };
	const struct ec2_filters filters = { .items = &filter, .count = 1 };
	struct volume *volumes;
	size_t count;
	struct error why;

	if (volume_describe(check->ec2, check->arena, (struct ec2_ids){ 0 }, filters, &volumes, &count, &why) == 0) {
		findings_ok(check->findings, "EC2", "DescribeVolumes works");
		return 0;
	}
	bool denied = ec2_is_denied(&why);
	const char *advice = denied ? "give the user or role the CPI's policy; ec2:DescribeVolumes is missing" :
				      check_call_advice(&why);
	findings_failed(check->findings, "EC2",
			advice != NULL ? advice : "see the message; with CPI_LOG_LEVEL=debug the log says more", "%s",
			why.message);
	return denied ? 0 : -1;
}
