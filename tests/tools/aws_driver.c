/* SPDX-License-Identifier: Apache-2.0 */
/* What profiles and endpoints come out of given variables and files, as a filter, for comparing it with another implementation:
 * one line of JSON in, {"env": {…}, "want": "profiles" or "endpoint", "service": …, "config": path, "get":
 * [[profile, key] …]}, one line of JSON out. A test's tool; nothing of it is shipped. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "cpi/aws/endpoint.h"
#include "cpi/setup.h"
#include "tests/tools/lines.h"

#define MAX_LINE ((size_t)8 * 1024 * 1024)

static void set_environment(const struct json *env)
{
	clearenv();
	for (const struct json *variable = env == NULL ? NULL : env->child; variable != NULL; variable = variable->next)
		setenv(variable->key, json_text(variable), 1);
}

static bool is_first_entry(const struct profile_entry *list, const struct profile_entry *entry)
{
	while (strcmp(list->key, entry->key) != 0)
		list = list->next;
	return list == entry;
}

static void write_entries(struct json_writer *writer, const struct profile_entry *list)
{
	json_begin_object(writer);
	for (const struct profile_entry *entry = list; entry != NULL; entry = entry->next) {
		if (!is_first_entry(list, entry))
			continue;
		json_key(writer, entry->key);
		if (entry->nested != NULL)
			write_entries(writer, entry->nested);
		else
			json_string(writer, entry->value);
	}
	json_end_object(writer);
}

static bool is_first_section(const struct profile_section *list, const struct profile_section *section)
{
	while (strcmp(list->kind, section->kind) != 0 || strcmp(list->name, section->name) != 0)
		list = list->next;
	return list == section;
}

static void write_sections(struct json_writer *writer, const char *key, const char *kind,
			   const struct profile_section *list)
{
	json_key(writer, key);
	json_begin_object(writer);
	for (const struct profile_section *section = list; section != NULL; section = section->next) {
		if (strcmp(section->kind, kind) != 0 || !is_first_section(list, section))
			continue;
		json_key(writer, section->name);
		write_entries(writer, section->entries);
	}
	json_end_object(writer);
}

static int write_profiles(struct json_writer *writer, const struct json *get, struct arena *arena, struct error *err)
{
	struct profiles profiles;

	if (profiles_load(arena, &profiles, err) != 0)
		return -1;
	json_begin_object(writer);
	write_sections(writer, "config", "profile", profiles.config);
	write_sections(writer, "sso_sessions", "sso-session", profiles.config);
	write_sections(writer, "services", "services", profiles.config);
	write_sections(writer, "credentials", "profile", profiles.credentials);
	json_key(writer, "got");
	json_begin_array(writer);
	for (size_t i = 0; i < (get == NULL ? 0 : get->count); i++) {
		const struct json *pair = json_at(get, i);
		json_string(writer, profiles_get(&profiles, json_text(json_at(pair, 0)), json_text(json_at(pair, 1))));
	}
	json_end_array(writer);
	json_member_string(writer, "config_path", profiles.config_path);
	json_member_string(writer, "credentials_path", profiles.credentials_path);
	json_member_string(writer, "active", profiles.active);
	json_end_object(writer);
	return 0;
}

/* As cpi does it; config may be NULL. */
static int write_endpoint(struct json_writer *writer, const char *config, const char *service, struct arena *arena,
			  struct error *err)
{
	struct clock clock;
	struct log log;
	struct endpoint endpoint;

	clock_system(&clock);
	log_init(&log, -1, LOG_LEVEL_ERROR, &clock);
	struct runtime runtime = { .log = &log, .clock = &clock };
	struct setup setup = { .runtime = &runtime, .clock = &clock, .arena = arena };
	int result = setup_config(&setup, config, NULL, err) == 0 && setup_aws(&setup, err) == 0 ?
			     endpoint_find(&setup.config.aws, service, arena, &endpoint, err) :
			     -1;
	if (result == 0) {
		json_begin_object(writer);
		json_member_string(writer, "url", endpoint.url);
		json_member_string(writer, "host", endpoint.host);
		json_member_string(writer, "region", endpoint.region);
		json_member_string(writer, "region_source", setup.config.region_source);
		json_member_string(writer, "ca_file", setup.config.aws.ca_file);
		json_end_object(writer);
	}
	setup_close(&setup);
	return result;
}

static int answer_line(struct arena *arena, const char *line, size_t len, struct error *err)
{
	CLEANUP_BUF struct buf out = BUF_INIT(MAX_LINE);
	struct json_writer writer;
	const struct json *root;

	if (json_parse(arena, line, len, MAX_LINE, &root, err) != 0)
		return -1;
	const char *want = json_text(json_get(root, "want"));
	const char *service = json_text(json_get(root, "service"));
	struct error why = { .kind = ERROR_NONE };
	set_environment(json_get(root, "env"));
	json_writer_init(&writer, &out);
	int result = want != NULL && strcmp(want, "endpoint") == 0 && service != NULL ?
			     write_endpoint(&writer, json_text(json_get(root, "config")), service, arena, &why) :
			     write_profiles(&writer, json_get(root, "get"), arena, &why);
	if (result != 0) {
		json_begin_object(&writer);
		json_member_string(&writer, "error", why.message);
		json_member_string(&writer, "kind", error_kind_name(why.kind));
		json_end_object(&writer);
	}
	if (buf_check(&out, "the answer", err) != 0)
		return -1;
	puts(buf_text(&out));
	return 0;
}

int main(void)
{
	return lines_answer("aws_driver", 16 * MAX_LINE, answer_line);
}
