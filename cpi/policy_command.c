/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/policy_command.h"

#include "common/io.h"
#include "cpi/policy/document.h"
#include "cpi/policy/feature_list.h"

#define OUTPUT_MAX ((size_t)256 * 1024)

void policy_command_help(struct buf *out)
{
	buf_str(out,
		"usage: cpi policy [CONFIG] [--only FEATURES | --with FEATURES] [--without FEATURES]\n"
		"                  [--role ROLE] [--kms-key ARN] [--region REGION]\n"
		"       cpi policy --list [CONFIG] [--json]\n"
		"\n"
		"Prints the least IAM policy, as JSON, for what the configuration uses. Asks nobody: it needs no credentials and\n"
		"no network. Without more it is for all that the Director may ask for with this configuration. The configuration\n"
		"does not say which cloud properties (load balancers, elastic IPs, routes, spot …) a deployment has: leave out\n"
		"what yours do not use.\n"
		"\n"
		"  --list               the features: which are in the policy, what uses them, their actions\n"
		"  --only FEATURES      these and no others; names with commas between them\n"
		"  --with FEATURES      these too: worker (the worker actions), denial (AWS's reasons in clear), …\n"
		"  --without FEATURES   without these\n"
		"  --role ROLE          the role, by ARN or name, that VMs get with their instance profile; may be passed on alone\n"
		"  --kms-key ARN        the key of disks and AMIs, where it is not the configuration's\n"
		"  --region REGION      the only region, where it is not the configuration's\n"
		"\n"
		"With aws.role_arn, the statement Role is for whom the credentials belong to, and the others are for the role:\n"
		"--only role prints the one, --without role the others.\n"
		"\n"
		"AWS takes policies of 6144 characters (spaces not counted) for users and roles alike; this one is shorter.\n"
		"The features are explained in docs/policy.md.\n");
}

int policy_command_run(struct setup *setup, const struct command_line *line, int out_fd, struct error *err)
{
	CLEANUP_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	const struct policy_choice choice = {
		.only = line->policy.only,
		.with = line->policy.with,
		.without = line->policy.without,
		.role = line->policy.role,
		.kms_key = line->upload.kms_key,
		.region = line->region,
	};
	struct policy_selection selection;

	if (setup_config(setup, line->config, NULL, err) != 0 ||
	    policy_select(&setup->config, &choice, setup->arena, &selection, err) != 0)
		return -1;
	if (!line->policy.list)
		policy_document_write(&selection, &out);
	else if (line->json)
		feature_list_json(&selection, &out);
	else
		feature_list_write(&selection, &out);
	if (buf_check(&out, "the policy", err) != 0)
		return -1;
	return io_write_all(out_fd, out.data, out.len, "standard output", err);
}
