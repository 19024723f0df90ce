/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the checks, and where their findings go. What is looked at is check/'s. */
#include "cpi/check.h"

#include "common/io.h"
#include "cpi/check/checks.h"

#define OUTPUT_MAX ((size_t)1024 * 1024)

static int check_configuration(struct setup *setup, const char *path, struct findings *findings)
{
	struct error why;

	if (setup_config(setup, path, NULL, &why) != 0 || setup_aws(setup, &why) != 0) {
		findings_failed(findings, "configuration",
				"correct what is named; the other checks need a right configuration first", "%s", why.message);
		return -1;
	}
	if (path == NULL)
		findings_ok(findings, "configuration", "no file: region and credentials come from the environment");
	else
		findings_ok(findings, "configuration", "%s is valid", path);
	return 0;
}

/* What one check needs to make sense is asked by the ones before. */
static void check_all(struct setup *setup, const char *path, struct findings *findings)
{
	struct check check = {
		.runtime = setup->runtime,
		.config = &setup->config,
		.ec2 = &setup->ec2,
		.arena = setup->arena,
		.findings = findings,
	};

	if (check_configuration(setup, path, findings) != 0)
		return;
	check_open_builder(&check);
	check_state_directory(&check);
	check_region(&check);
	bool has_credentials = check_credentials(&check) == 0;
	bool has_endpoint = check_endpoints(&check) == 0;
	if (has_credentials)
		check_identity(&check);
	if (has_credentials && has_endpoint && check_ec2(&check) == 0) {
		check_permissions(&check);
		check_load_balancers(&check);
		check_ebs_direct(&check);
	}
	check_builder(&check);
	check_registry(&check);
}

int check_run(struct setup *setup, const struct check_options *options, bool *ret_fine, struct error *err)
{
	CLEANUP_BUF struct buf out = BUF_INIT(OUTPUT_MAX);
	struct findings findings = { .arena = setup->arena, .log = setup->runtime->log };

	check_all(setup, options->config_path, &findings);
	if (cancel_check(setup->runtime->cancel, err) != 0)
		return -1;
	if (findings.incomplete)
		return error_nomem(err);
	if (options->json)
		findings_write_json(&findings, &out);
	else
		findings_write_lines(&findings, findings_style(options->terminal), &out);
	if (buf_check(&out, "the list of findings", err) != 0 ||
	    io_write_all(options->out_fd, out.data, out.len, "standard output", err) != 0)
		return -1;
	*ret_fine = findings_are_fine(&findings);
	return 0;
}
