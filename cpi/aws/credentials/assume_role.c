/* SPDX-License-Identifier: Apache-2.0 */
/* A profile's role_arn. The way from the profile to keys is found first, so that a loop or a missing part is named
 * before any call; then the roles are assumed, the innermost first. */
#include "cpi/aws/credentials/credentials.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/parse.h"
#include "cpi/aws/sts.h"

#define MAX_ROLES 32

/* Profiles whose roles lie on the way, the wanted one first. */
struct way {
	const struct credentials_context *context;
	const char *profiles[MAX_ROLES];
	size_t count;
	const char *source_profile; /* the last one's, or else … */
	const struct credentials_source *source; /* … its credential_source */
};

static const char *get(const struct way *way, const char *profile, const char *key)
{
	return profiles_get(way->context->profiles, profile, key);
}

static const char *where(const struct way *way, const char *profile)
{
	const char *text = profiles_where(way->context->profiles, profile, way->context->arena);

	return text == NULL ? profile : text;
}

/* With a token file it is web_identity.c's. */
static bool has_role(const struct way *way, const char *profile)
{
	return get(way, profile, "role_arn") != NULL && get(way, profile, "web_identity_token_file") == NULL;
}

static bool has_keys(const struct way *way, const char *profile)
{
	return get(way, profile, "aws_access_key_id") != NULL || get(way, profile, "aws_secret_access_key") != NULL;
}

static const struct credentials_source *source_by_name(const char *name)
{
	static const struct {
		const char *name;
		const struct credentials_source *source;
	} sources[] = {
		{ "Environment", &credentials_environment },
		{ "Ec2InstanceMetadata", &credentials_instance_metadata },
		{ "EcsContainer", &credentials_container },
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (strcmp(name, sources[i].name) == 0)
			return sources[i].source;
	}
	return NULL;
}

static int check_role(const struct way *way, const char *profile, struct error *err)
{
	bool has_profile = get(way, profile, "source_profile") != NULL;
	const char *named = get(way, profile, "credential_source");

	if (has_profile && named != NULL)
		return error_set(err, ERROR_CONFIG, "%s has source_profile and credential_source: keep one of them",
				 where(way, profile));
	if (!has_profile && named == NULL)
		return error_set(err, ERROR_CONFIG,
				 "%s has role_arn, but says not with which credentials it is assumed: add source_profile or "
				 "credential_source",
				 where(way, profile));
	if (named != NULL && source_by_name(named) == NULL)
		return error_set(err, ERROR_CONFIG,
				 "credential_source of %s is '%s': it must be Environment, Ec2InstanceMetadata or "
				 "EcsContainer",
				 where(way, profile), named);
	if (get(way, profile, "mfa_serial") != NULL)
		return error_set(err, ERROR_CONFIG,
				 "%s has mfa_serial, and cpi cannot ask anybody for the code: get a session where one can be "
				 "typed in, and give its keys and token in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
				 "AWS_SESSION_TOKEN, or use a role without",
				 where(way, profile));
	return 0;
}

/* A profile may name itself for its own keys. */
static int check_source_profile(const struct way *way, const char *profile, const char *source, struct error *err)
{
	if (!profiles_has(way->context->profiles, source))
		return error_set(err, ERROR_CONFIG, "source_profile of %s is '%s', which does not exist: correct it",
				 where(way, profile), source);
	for (size_t i = 0; i < way->count; i++) {
		bool is_own = strcmp(source, profile) == 0 && has_keys(way, source);
		if (strcmp(source, way->profiles[i]) == 0 && !is_own)
			return error_set(err, ERROR_CONFIG,
					 "source_profile of %s is '%s', which needs %s itself: one of them must have keys or "
					 "another source",
					 where(way, profile), source, profile);
	}
	return 0;
}

/* Until there is a profile with keys, or without a role. */
static int find_way(struct way *way, struct error *err)
{
	const char *profile = way->context->profile;

	for (;;) {
		if (way->count == MAX_ROLES)
			return error_set(err, ERROR_CONFIG, "over %d profiles are chained by source_profile: shorten that",
					 MAX_ROLES);
		way->profiles[way->count++] = profile;
		if (check_role(way, profile, err) != 0)
			return -1;
		const char *named = get(way, profile, "credential_source");
		if (named != NULL) {
			way->source = source_by_name(named);
			return 0;
		}
		const char *source = get(way, profile, "source_profile");
		if (check_source_profile(way, profile, source, err) != 0)
			return -1;
		if (has_keys(way, source) || !has_role(way, source)) {
			way->source_profile = source;
			return 0;
		}
		profile = source;
	}
}

/* What the innermost role is assumed with. */
static int load_base(const struct way *way, struct credentials *ret_credentials, struct error *err)
{
	const char *last = way->profiles[way->count - 1];
	struct credentials_context own = *way->context;
	enum credentials_found found;
	char why[512] = "";

	if (way->source == NULL)
		return credentials_of_profile(way->context, way->source_profile, ret_credentials, err);
	own.profile_only = false; /* the profile itself sends us to the environment */
	if (credentials_ask(&own, way->source, ret_credentials, &found, why, sizeof(why), err) != 0)
		return error_prefix(err, "credential_source of %s", where(way, last));
	if (found == CREDENTIALS_LOADED)
		return 0;
	return error_set(err, ERROR_CONFIG, "%s has credential_source = %s, and there are no credentials: %s",
			 where(way, last), get(way, last, "credential_source"), why);
}

/* As in botocore, a duration that is no number is not sent. */
static const char *duration_of(const struct way *way, const char *profile)
{
	const char *text = get(way, profile, "duration_seconds");
	uint64_t seconds;

	if (text == NULL || parse_u64(text, &seconds))
		return text;
	log_debug(way->context->runtime->log, "duration_seconds of %s is no number, and is not used",
		  where(way, profile));
	return NULL;
}

static int assume(const struct way *way, const char *profile, struct credentials *credentials, struct error *err)
{
	struct sts_role role = {
		.role_arn = get(way, profile, "role_arn"),
		.session_name = get(way, profile, "role_session_name"),
		.external_id = get(way, profile, "external_id"),
		.duration_seconds = duration_of(way, profile),
	};

	if (sts_assume_role(way->context, credentials, &role, credentials, err) != 0)
		return error_prefix(err, "%s", where(way, profile));
	credentials->source = arena_printf(way->context->arena, "role %s by profile %s", role.role_arn, profile);
	return credentials->source == NULL ? error_nomem(err) : 0;
}

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	struct way way = { .context = context };
	struct credentials credentials;

	if (!has_role(&way, context->profile)) {
		snprintf(why, why_size, "profile %s has no role_arn", context->profile);
		*ret_found = CREDENTIALS_ABSENT;
		return 0;
	}
	if (find_way(&way, err) != 0 || load_base(&way, &credentials, err) != 0)
		return -1;
	for (size_t i = way.count; i-- > 0;) {
		if (assume(&way, way.profiles[i], &credentials, err) != 0)
			return -1;
	}
	*ret_credentials = credentials;
	*ret_found = CREDENTIALS_LOADED;
	return 0;
}

const struct credentials_source credentials_assume_role = { "assumed role", load };
