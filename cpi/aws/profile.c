/* SPDX-License-Identifier: Apache-2.0 */
/* Which files, which of their sections are profiles, and looking things up in them. The syntax is ini.c's. */
#include "cpi/aws/profile.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/io.h"
#include "cpi/aws/environment.h"
#include "cpi/aws/ini.h"

#define MAX_PATH ((size_t)16 * 1024)

/* --- paths --- */

/* NULL where nobody knows. */
static const char *find_home(struct arena *arena)
{
	const char *home = environment_get("HOME");
	struct passwd entry, *found = NULL;
	char text[4096];

	if (home != NULL)
		return home;
	if (getpwuid_r(getuid(), &entry, text, sizeof(text), &found) != 0 || found == NULL)
		return NULL;
	return arena_strdup(arena, found->pw_dir);
}

const char *profiles_expand(const char *path, struct arena *arena)
{
	const char *home = path[0] == '~' && (path[1] == '/' || path[1] == '\0') ? find_home(arena) : NULL;

	if (home == NULL)
		return arena_strdup(arena, path);
	size_t len = strlen(home);
	while (len > 0 && home[len - 1] == '/')
		len--;
	return arena_printf(arena, "%.*s%s", (int)len, home, path + 1);
}

/* $NAME and ${NAME}, as botocore takes them in the files' own names; one that is not set stays as it is. */
static const char *expand_variables(const char *path, struct arena *arena)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	CLEANUP_BUF struct buf out = BUF_INIT(MAX_PATH);

	while (*path != '\0') {
		bool braced = path[0] == '$' && path[1] == '{' && strchr(path, '}') != NULL;
		const char *name = path + (braced ? 2 : 1);
		size_t len = path[0] != '$' ? 0 : braced ? strcspn(name, "}") : strspn(name, word);
		const char *key = len == 0 ? NULL : arena_strndup(arena, name, len);
		const char *value = key == NULL ? NULL : getenv(key);
		size_t whole = (size_t)(name - path) + len + (braced ? 1 : 0);
		if (value != NULL)
			buf_str(&out, value);
		else
			buf_append(&out, path, len == 0 ? 1 : whole);
		path += len == 0 ? 1 : whole;
	}
	return out.failed ? NULL : arena_strdup(arena, buf_text(&out));
}

/* *ret_path is NULL where there is no home. */
static int find_path(const char *variable, const char *fallback, struct arena *arena, const char **ret_path,
		     struct error *err)
{
	const char *given = environment_get(variable);
	const char *path = given == NULL ? fallback : expand_variables(given, arena);

	path = path == NULL ? NULL : profiles_expand(path, arena);
	if (path == NULL)
		return error_nomem(err);
	*ret_path = given == NULL && path[0] == '~' ? NULL : path;
	return 0;
}

/* --- sections --- */

/* One word of a section's title, by the shell's rules for quotes and backslashes. false: there is none, or it does not
 * end. *text moves behind it. */
static bool next_word(const char **text, struct buf *word)
{
	const char *c = *text + strspn(*text, " \t\r\n");
	char quote = '\0';

	buf_reset(word);
	if (*c == '\0')
		return false;
	for (; *c != '\0' && (quote != '\0' || strchr(" \t\r\n", *c) == NULL); c++) {
		if (*c == '\\' && quote != '\'') {
			c++;
			if (*c == '\0')
				return false;
			if (quote == '"' && *c != '"' && *c != '\\')
				buf_char(word, '\\');
			buf_char(word, *c);
		} else if (quote == '\0' ? *c == '"' || *c == '\'' : *c == quote) {
			quote = quote == '\0' ? *c : '\0';
		} else {
			buf_char(word, *c);
		}
	}
	*text = c;
	return quote == '\0';
}

/* Exactly two words: the second is the name. */
static const char *second_word(const char *title, struct arena *arena, bool *ret_has_it)
{
	CLEANUP_BUF struct buf word = BUF_INIT(PROFILE_MAX_BYTES);

	*ret_has_it = false;
	for (unsigned i = 0; i < 2; i++) {
		if (!next_word(&title, &word))
			return NULL;
	}
	const char *name = word.failed ? NULL : arena_strndup(arena, buf_text(&word), word.len);
	*ret_has_it = title[strspn(title, " \t\r\n")] == '\0';
	return name;
}

static const char *kind_of(const char *title)
{
	static const char *const kinds[] = { "profile", "sso-session", "services" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(title, kinds[i], strlen(kinds[i])) == 0)
			return kinds[i];
	}
	return strcmp(title, "default") == 0 ? "profile" : NULL;
}

/* The config file's sections by kind and name. The list is in reverse, so that of two of the same name the later one,
 * which counts, comes first. */
static int name_sections(const struct profile_section *titled, struct arena *arena,
			 const struct profile_section **ret_named, struct error *err)
{
	const struct profile_section *named = NULL;

	for (; titled != NULL; titled = titled->next) {
		bool has_name = strcmp(titled->name, "default") == 0;
		const char *kind = kind_of(titled->name);
		const char *name = has_name || kind == NULL ? titled->name :
							      second_word(titled->name, arena, &has_name);
		if (kind == NULL || !has_name)
			continue;
		struct profile_section *section = arena_alloc(arena, sizeof(*section));
		if (section == NULL || name == NULL)
			return error_nomem(err);
		*section = (struct profile_section){ kind, name, titled->entries, named };
		named = section;
	}
	*ret_named = named;
	return 0;
}

/* The credentials file's: what stands between the brackets is the profile's name as it is. */
static int name_profiles(const struct profile_section *titled, struct arena *arena,
			 const struct profile_section **ret_named, struct error *err)
{
	const struct profile_section *named = NULL;

	for (; titled != NULL; titled = titled->next) {
		struct profile_section *section = arena_alloc(arena, sizeof(*section));
		if (section == NULL)
			return error_nomem(err);
		*section = (struct profile_section){ "profile", titled->name, titled->entries, named };
		named = section;
	}
	*ret_named = named;
	return 0;
}

/* --- reading --- */

static int read_sections(const char *path, struct arena *arena, const struct profile_section **ret_sections,
			 struct error *err)
{
	struct stat st;
	char *text;
	size_t len;

	/* also where a directory on the way is closed to us: another user's home is not our configuration */
	if (path == NULL || stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
		*ret_sections = NULL;
		return 0;
	}
	struct error why = { .kind = ERROR_NONE };
	if (io_read_file(path, PROFILE_MAX_BYTES, arena, &text, &len, &why) != 0) {
		if (err != NULL)
			*err = why;
	} else if (ini_parse(text, len, arena, ret_sections, &why) != 0) {
		if (err != NULL)
			*err = why;
		error_prefix(err, "%s", path);
	} else {
		return 0;
	}
	if (err != NULL && err->kind != ERROR_NOMEM)
		err->kind = ERROR_CONFIG;
	return -1;
}

int profiles_load(struct arena *arena, struct profiles *ret_profiles, struct error *err)
{
	struct profiles profiles = { .config = NULL };
	const struct profile_section *config, *credentials;

	if (find_path("AWS_CONFIG_FILE", "~/.aws/config", arena, &profiles.config_path, err) != 0 ||
	    find_path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", arena, &profiles.credentials_path, err) != 0)
		return -1;
	if (read_sections(profiles.config_path, arena, &config, err) != 0 ||
	    read_sections(profiles.credentials_path, arena, &credentials, err) != 0 ||
	    name_sections(config, arena, &profiles.config, err) != 0 ||
	    name_profiles(credentials, arena, &profiles.credentials, err) != 0)
		return error_prefix(err, "the AWS profiles cannot be read");
	profiles.active = environment_get("AWS_DEFAULT_PROFILE");
	if (profiles.active == NULL)
		profiles.active = environment_get("AWS_PROFILE");
	profiles.active_is_chosen = profiles.active != NULL;
	if (profiles.active == NULL)
		profiles.active = "default";
	*ret_profiles = profiles;
	return 0;
}

/* --- looking up --- */

static const struct profile_section *find_section(const struct profile_section *section, const char *kind,
						  const char *name)
{
	while (section != NULL && (strcmp(section->kind, kind) != 0 || strcmp(section->name, name) != 0))
		section = section->next;
	return section;
}

static const struct profile_entry *find_entry(const struct profile_section *section, const char *key)
{
	const struct profile_entry *entry = section == NULL ? NULL : section->entries;

	while (entry != NULL && strcmp(entry->key, key) != 0)
		entry = entry->next;
	return entry;
}

static const char *text_of(const struct profile_entry *entry)
{
	return entry == NULL || entry->nested != NULL || *entry->value == '\0' ? NULL : entry->value;
}

bool profiles_has(const struct profiles *profiles, const char *profile)
{
	return profiles != NULL && (find_section(profiles->config, "profile", profile) != NULL ||
				    find_section(profiles->credentials, "profile", profile) != NULL);
}

const char *profiles_get_config(const struct profiles *profiles, const char *profile, const char *key)
{
	return profiles_get_section(profiles, "profile", profile, key);
}

const char *profiles_get_credentials(const struct profiles *profiles, const char *profile, const char *key)
{
	if (profiles == NULL)
		return NULL;
	return text_of(find_entry(find_section(profiles->credentials, "profile", profile), key));
}

const char *profiles_get(const struct profiles *profiles, const char *profile, const char *key)
{
	if (profiles == NULL)
		return NULL;
	const struct profile_entry *entry =
		find_entry(find_section(profiles->credentials, "profile", profile), key);
	return entry != NULL ? text_of(entry) : profiles_get_config(profiles, profile, key);
}

bool profiles_has_section(const struct profiles *profiles, const char *kind, const char *name)
{
	return profiles != NULL && find_section(profiles->config, kind, name) != NULL;
}

const char *profiles_get_section(const struct profiles *profiles, const char *kind, const char *name, const char *key)
{
	return profiles == NULL ? NULL : text_of(find_entry(find_section(profiles->config, kind, name), key));
}

const char *profiles_get_nested(const struct profiles *profiles, const char *kind, const char *name, const char *key,
				const char *nested)
{
	if (profiles == NULL)
		return NULL;
	const struct profile_entry *entry = find_entry(find_section(profiles->config, kind, name), key);
	const struct profile_section below = { .entries = entry == NULL ? NULL : entry->nested };
	return text_of(find_entry(&below, nested));
}

const char *profiles_setting(const struct profiles *profiles, const char *variable, const char *key)
{
	const char *value = environment_get(variable);

	return value != NULL || profiles == NULL ? value : profiles_get(profiles, profiles->active, key);
}

bool profiles_switch(const struct profiles *profiles, const char *variable, const char *key)
{
	const char *value = profiles_setting(profiles, variable, key);

	return value != NULL && strcasecmp(value, "true") == 0;
}

const char *profiles_where(const struct profiles *profiles, const char *profile, struct arena *arena)
{
	bool in_config = find_section(profiles->config, "profile", profile) != NULL;
	bool in_credentials = find_section(profiles->credentials, "profile", profile) != NULL;
	const char *config = profiles->config_path == NULL ? "~/.aws/config" : profiles->config_path;
	const char *credentials = profiles->credentials_path == NULL ? "~/.aws/credentials" : profiles->credentials_path;

	if (in_config == in_credentials)
		return arena_printf(arena, "profile %s of %s and %s", profile, config, credentials);
	return arena_printf(arena, "profile %s of %s", profile, in_config ? config : credentials);
}
