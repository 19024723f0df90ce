/* SPDX-License-Identifier: Apache-2.0 */
/* What is around the calls to AWS: where state is kept, the stemcell builder, the registry. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/imds.h"
#include "common/json_read.h"
#include "common/state_dir.h"
#include "cpi/builder/builder.h"
#include "cpi/check/checks.h"
#include "cpi/ec2/instances.h"
#include "cpi/methods/registry.h"

#define IDENTITY_PATH "/latest/dynamic/instance-identity/document"
#define IDENTITY_MAX ((size_t)64 * 1024)

/* --- state directory ---------------------------------------------------------------------------------------------- */

/* Rights say little about a full disk or one that is mounted read-only. */
static int try_file(struct arena *arena, const char *folder, struct error *err)
{
	char *path = arena_printf(arena, "%s/check-XXXXXX", folder);

	if (path == NULL)
		return error_nomem(err);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, ERROR_IO, errno, "cannot make a file in %s", folder);
	bool written = write(fd, "check\n", 6) == 6;
	int reason = errno;
	close(fd);
	unlink(path);
	return written ? 0 : error_errno(err, ERROR_IO, reason, "cannot write to a file in %s", folder);
}

void check_state_directory(struct check *check)
{
	const char *path;
	struct error why;

	if (state_dir_make(check->arena, NULL, &path, &why) != 0 || try_file(check->arena, path, &why) != 0)
		findings_failed(check->findings, "state directory",
				"set AWS_CPI_STATE_DIR, where cpi runs, to a folder that is its user's own and can be written: "
				"without it, what a killed call leaves behind cannot be found again",
				"%s", why.message);
	else
		findings_ok(check->findings, "state directory", "%s can be written", path);
}

/* --- builder ------------------------------------------------------------------------------------------------------ */

/* Whose instance this is; NULL where the metadata service does not say. */
static const char *account_of_instance(struct check *check)
{
	struct imds imds;
	const char *text;
	const struct json *document;

	if (imds_init(&imds, check->runtime, check->config->metadata_endpoint, NULL) != 0 ||
	    imds_get(&imds, IDENTITY_PATH, check->arena, &text, NULL, NULL) != 0 ||
	    json_parse(check->arena, text, strlen(text), IDENTITY_MAX, &document, NULL) != 0)
		return NULL;
	return json_text(json_get(document, "accountId"));
}

static const char *builder_advice(const struct check *check)
{
	switch (check->config->stemcell.builder) {
	case CONFIG_BUILDER_SSH:
		return "heavy stemcells need it, light ones do not: aws.stemcell.ssh must lead to an EC2 instance of the region "
		       "and account with onhost on it, and a user who may start that as root (docs/builders.md)";
	case CONFIG_BUILDER_DIRECT:
		return "heavy stemcells need it, light ones do not: onhost must be beside cpi, in PATH, or where "
		       "aws.stemcell.onhost_path says";
	default:
		return "heavy stemcells need it, light ones do not: run cpi on an EC2 instance of the region, with onhost "
		       "beside it (or aws.stemcell.onhost_path) and the right to start it as root; or let aws.stemcell.ssh name "
		       "such an instance (docs/builders.md)";
	}
}

enum comparison { SAME_ACCOUNT, OTHER_ACCOUNT, NOT_COMPARED };

/* This machine's metadata service says whose it is. */
static enum comparison compare_here(struct check *check, const struct builder_place *place)
{
	const char *account = account_of_instance(check);

	if (account == NULL || check->account == NULL)
		return NOT_COMPARED;
	if (strcmp(account, check->account) == 0)
		return SAME_ACCOUNT;
	findings_failed(check->findings, "builder",
			"use credentials of the instance's account, or run cpi on an instance of the credentials' "
			"account: a volume cannot be attached across accounts",
			"this instance (%s) belongs to account %s, the credentials to account %s", place->instance_id, account,
			check->account);
	return OTHER_ACCOUNT;
}

/* Another machine's cannot be asked from here: whether EC2 shows the instance to us. */
static enum comparison compare_elsewhere(struct check *check, const struct builder_place *place)
{
	struct instance *instance;

	if (check->account == NULL || instance_find(check->ec2, check->arena, place->instance_id, &instance, NULL) != 0)
		return NOT_COMPARED;
	if (instance != NULL)
		return SAME_ACCOUNT;
	findings_failed(check->findings, "builder",
			"use credentials of the instance's account, or let aws.stemcell.ssh name an instance of the credentials' "
			"account: a volume cannot be attached across accounts",
			"%s: account %s has no instance %s", place->how, check->account, place->instance_id);
	return OTHER_ACCOUNT;
}

static void tell_builder(struct check *check, const struct builder_place *place)
{
	bool fits = strcmp(place->release, CPI_VERSION) == 0;
	const char *other = fits ? "" : " (not cpi's version, but it speaks the same protocol)";

	if (place->direct) {
		findings_ok(check->findings, "builder", "%s, which is onhost %s", place->how, place->release);
		return;
	}
	enum comparison comparison = place->elsewhere ? compare_elsewhere(check, place) : compare_here(check, place);
	if (comparison == OTHER_ACCOUNT)
		return;
	findings_ok(check->findings, "builder", "%s: onhost %s%s answers, on %s in %s%s", place->how, place->release, other,
		    place->instance_id, place->availability_zone, comparison == SAME_ACCOUNT ? ", of the same account" : "");
}

void check_open_builder(struct check *check)
{
	check->has_builder = builder_open(check->runtime, check->config, check->arena, &check->builder, &check->place,
					  &check->no_builder) == 0;
	check->uploads = check->config->stemcell.builder == CONFIG_BUILDER_DIRECT || (check->has_builder && check->place.direct);
}

void check_builder(struct check *check)
{
	if (!check->has_builder)
		findings_failed(check->findings, "builder", builder_advice(check), "%s", check->no_builder.message);
	else
		tell_builder(check, &check->place);
	builder_close(check->builder);
}

/* --- registry ----------------------------------------------------------------------------------------------------- */

void check_registry(struct check *check)
{
	struct call call = {
		.runtime = check->runtime,
		.config = check->config,
		.arena = check->arena,
		.ec2 = check->ec2,
		.method = "check",
	};
	const char *endpoint;
	struct error why;

	if (check->config->registry_endpoint == NULL)
		return;
	if (registry_probe(&call, &endpoint, &why) == 0) {
		findings_ok(check->findings, "registry", "%s answers", endpoint);
		return;
	}
	bool refused = why.http_status == 401 || why.http_status == 403;
	findings_failed(check->findings, "registry",
			refused ? "correct registry.user and registry.password" :
				  "correct registry.endpoint, or start the registry; only stemcells of API version 1 need it",
			"%s", why.message);
}
