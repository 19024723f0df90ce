/* SPDX-License-Identifier: Apache-2.0 */
/* The instance identity document: what an instance is, in a form that can be relied on. */
#include "common/imds.h"

#include <ctype.h>
#include <string.h>

#include "common/json_read.h"
#include "common/parse.h"

#define IDENTITY_PATH "/latest/dynamic/instance-identity/document"

/* Lower-case words as AWS makes them. */
static bool has_form(const char *text, const char *others)
{
	if (text == NULL || text[0] == '\0' || strlen(text) > 64)
		return false;
	for (; *text != '\0'; text++) {
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && strchr(others, *text) == NULL)
			return false;
	}
	return true;
}

static int bad_field(const struct imds *imds, const char *field, struct error *err)
{
	return error_set(err, ERROR_METADATA, "instance metadata service at %s: the instance identity document has no "
			 "proper %s. Is this the metadata service of an EC2 instance?", imds->endpoint, field);
}

static int read_identity(const struct imds *imds, const struct json *root, struct imds_identity *ret_identity,
			 struct error *err)
{
	struct imds_identity identity = {
		.instance_id = json_text(json_get(root, "instanceId")),
		.region = json_text(json_get(root, "region")),
		.availability_zone = json_text(json_get(root, "availabilityZone")),
		.instance_type = json_text(json_get(root, "instanceType")),
		.architecture = json_text(json_get(root, "architecture")),
	};

	if (identity.instance_id == NULL || !parse_aws_id(identity.instance_id, "i-"))
		return bad_field(imds, "instanceId", err);
	if (!has_form(identity.region, "-"))
		return bad_field(imds, "region", err);
	if (!has_form(identity.availability_zone, "-"))
		return bad_field(imds, "availabilityZone", err);
	if (!has_form(identity.instance_type, "-."))
		return bad_field(imds, "instanceType", err);
	if (!has_form(identity.architecture, "_"))
		return bad_field(imds, "architecture", err);
	*ret_identity = identity;
	return 0;
}

int imds_identity(struct imds *imds, struct arena *arena, struct imds_identity *ret_identity, struct error *err)
{
	const char *text = "";
	const struct json *root;

	if (imds_get(imds, IDENTITY_PATH, arena, &text, NULL, err) != 0)
		return -1;
	if (json_parse(arena, text, strlen(text), IMDS_MAX_ANSWER, &root, err) != 0) {
		error_prefix(err, "instance metadata service at %s: the instance identity document", imds->endpoint);
		if (err != NULL && err->kind == ERROR_INVALID)
			err->kind = ERROR_METADATA;
		return -1;
	}
	return read_identity(imds, root, ret_identity, err);
}
