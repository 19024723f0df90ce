/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to STS and their answers. Which role is assumed with what is credentials/'s. */
#include "cpi/aws/sts.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/log.h"
#include "common/parse.h"
#include "cpi/aws/retry.h"

#define ANSWER_ARENA ((size_t)4 * 1024 * 1024)
#define ACCOUNT_DIGITS 12

static const struct aws_service sts = { .name = "sts", .version = "2011-06-15" };

/* --- a role's credentials ----------------------------------------------------------------------------------------- */

struct assuming {
	const struct credentials_context *context;
	const struct credentials *source; /* NULL: not signed */
	const struct sts_role *role;
	const char *action;
};

static void client_cleanup(struct aws_client **client)
{
	aws_client_free(*client);
}

static void params_cleanup(struct aws_params *params)
{
	aws_params_free(params);
}

/* arn:aws:sts::123456789012:assumed-role/name/session. NULL where it is no such thing. */
static const char *account_of_arn(struct arena *arena, const char *arn)
{
	for (unsigned colons = 0; arn != NULL && colons < 4; colons++) {
		arn = strchr(arn, ':');
		arn = arn == NULL ? NULL : arn + 1;
	}
	if (arn == NULL || strspn(arn, "0123456789") != ACCOUNT_DIGITS || arn[ACCOUNT_DIGITS] != ':')
		return NULL;
	return arena_strndup(arena, arn, ACCOUNT_DIGITS);
}

static int fill_params(const struct assuming *assuming, struct aws_params *params, struct error *err)
{
	const struct sts_role *role = assuming->role;
	char made[sizeof("rsn-") + UUID_SIZE] = "rsn-";

	if (role->session_name == NULL && digest_uuid(made + strlen(made), err) != 0)
		return -1;
	aws_params_add(params, "RoleArn", role->role_arn);
	aws_params_add(params, "RoleSessionName", role->session_name == NULL ? made : role->session_name);
	aws_params_add(params, "ExternalId", role->external_id);
	aws_params_add(params, "DurationSeconds", role->duration_seconds);
	aws_params_add(params, "WebIdentityToken", role->web_identity_token);
	return 0;
}

static int read_credentials(const struct assuming *assuming, const struct xml_node *root,
			    struct credentials *ret_credentials, struct error *err)
{
	struct arena *arena = assuming->context->arena;
	char name[64];

	snprintf(name, sizeof(name), "%sResult", assuming->action);
	const struct xml_node *result = xml_child(root, name);
	const struct xml_node *node = xml_child(result, "Credentials");
	struct credentials credentials = {
		.access_key_id = arena_strdup(arena, xml_text(node, "AccessKeyId")),
		.secret_access_key = arena_strdup(arena, xml_text(node, "SecretAccessKey")),
		.session_token = arena_strdup(arena, xml_text(node, "SessionToken")),
		.account = account_of_arn(arena, xml_text(xml_child(result, "AssumedRoleUser"), "Arn")),
	};
	const char *expiration = xml_text(node, "Expiration");

	if (xml_text(node, "AccessKeyId") == NULL || xml_text(node, "SecretAccessKey") == NULL ||
	    xml_text(node, "SessionToken") == NULL || expiration == NULL ||
	    !parse_iso8601(expiration, &credentials.expires_at))
		return error_set(err, ERROR_INVALID,
				 "%s was answered without AccessKeyId, SecretAccessKey, SessionToken or Expiration: "
				 "check the endpoint of STS",
				 assuming->action);
	if (credentials.access_key_id == NULL || credentials.secret_access_key == NULL ||
	    credentials.session_token == NULL)
		return error_nomem(err);
	if (credentials_check(&credentials, "STS", err) != 0)
		return -1;
	*ret_credentials = credentials;
	return 0;
}

static int call_for_role(const struct assuming *assuming, struct aws_params *params,
			 struct credentials *ret_credentials, struct error *err)
{
	const struct credentials_context *context = assuming->context;
	struct aws_client *client CLEANUP(client_cleanup) = NULL;
	struct arena *scratch CLEANUP_ARENA = arena_new(ANSWER_ARENA);
	const struct xml_node *root;
	char purpose[256];

	if (scratch == NULL)
		return error_nomem(err);
	snprintf(purpose, sizeof(purpose), "role %s", assuming->role->role_arn);
	struct aws_call call = { .service = &sts, .action = assuming->action, .params = params, .purpose = purpose };
	if (aws_client_new_as(context->runtime, context->settings, assuming->source, &client, err) != 0 ||
	    aws_call(client, &call, scratch, &root, err) != 0)
		return -1;
	return read_credentials(assuming, root, ret_credentials, err);
}

/* What to look at, by who says no. */
static int explain(const struct assuming *assuming, struct error *err)
{
	const char *role = assuming->role->role_arn;
	const char *source = assuming->source == NULL ? "the web identity's token" : assuming->source->source;

	if (err == NULL || err->kind != ERROR_AWS || !retry_is_denied(err->aws_code))
		return error_prefix(err, "role %s, to be assumed with %s", role, source);
	return error_prefix(err,
			    "role %s may not be assumed with %s (check the role's trust policy%s)",
			    role, source,
			    assuming->source == NULL ? ", and that it names this identity provider" :
						       " with its conditions, and that the caller's own policies allow "
						       "sts:AssumeRole on it");
}

static int assume(const struct assuming *assuming, struct credentials *ret_credentials, struct error *err)
{
	const struct credentials_context *context = assuming->context;
	const char *text = arena_printf(context->arena, "role %s by %s", assuming->role->role_arn,
					assuming->source == NULL ? "web identity" : assuming->source->source);
	struct aws_params params CLEANUP(params_cleanup);
	struct credentials credentials;

	aws_params_init(&params);
	if (text == NULL)
		return error_nomem(err);
	if (fill_params(assuming, &params, err) != 0 || call_for_role(assuming, &params, &credentials, err) != 0)
		return explain(assuming, err);
	log_add_secret(context->runtime->log, credentials.secret_access_key);
	log_add_secret(context->runtime->log, credentials.session_token);
	credentials.source = text;
	*ret_credentials = credentials;
	return 0;
}

int sts_assume_role(const struct credentials_context *context, const struct credentials *source,
		    const struct sts_role *role, struct credentials *ret_credentials, struct error *err)
{
	struct sts_role asked = *role;
	struct assuming assuming = { context, source, &asked, "AssumeRole" };

	asked.web_identity_token = NULL;
	return assume(&assuming, ret_credentials, err);
}

int sts_assume_role_with_web_identity(const struct credentials_context *context, const struct sts_role *role,
				      struct credentials *ret_credentials, struct error *err)
{
	struct sts_role asked = *role;
	struct assuming assuming = { context, NULL, &asked, "AssumeRoleWithWebIdentity" };

	asked.external_id = NULL;
	return assume(&assuming, ret_credentials, err);
}

/* --- who we are, and why not -------------------------------------------------------------------------------------- */

int sts_get_caller_identity(struct aws_client *client, struct arena *arena, struct sts_identity *ret_identity,
			    struct error *err)
{
	struct aws_call call = { .service = &sts, .action = "GetCallerIdentity", .purpose = "who we are" };
	const struct xml_node *root;

	if (aws_call(client, &call, arena, &root, err) != 0)
		return -1;
	const struct xml_node *result = xml_child(root, "GetCallerIdentityResult");
	struct sts_identity identity = {
		.account = xml_text(result, "Account"),
		.arn = xml_text(result, "Arn"),
		.user_id = xml_text(result, "UserId"),
	};
	if (identity.account == NULL || identity.arn == NULL || identity.user_id == NULL)
		return error_set(err, ERROR_INVALID,
				 "GetCallerIdentity was answered without Account, Arn or UserId: check the endpoint of "
				 "STS");
	*ret_identity = identity;
	return 0;
}

int sts_decode_authorization_message(struct aws_client *client, const char *encoded, struct arena *arena,
				     const char **ret_json, struct error *err)
{
	struct aws_params params CLEANUP(params_cleanup);
	const struct xml_node *root;

	aws_params_init(&params);
	aws_params_add(&params, "EncodedMessage", encoded);
	struct aws_call call = {
		.service = &sts,
		.action = "DecodeAuthorizationMessage",
		.params = &params,
		.purpose = "why a call was denied",
		.once = true,
	};
	if (aws_call(client, &call, arena, &root, err) != 0)
		return -1;
	const char *json = xml_text(xml_child(root, "DecodeAuthorizationMessageResult"), "DecodedMessage");
	if (json == NULL)
		return error_set(err, ERROR_INVALID, "DecodeAuthorizationMessage was answered without DecodedMessage");
	*ret_json = json;
	return 0;
}
