/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/secrets.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/json_write.h"
#include "common/url.h"
#include "cpi/actions/worker_action.h"
#include "cpi/aws/environment.h"

extern char **environ;

#define MIN_UNNAMED 8 /* shorter texts are words, numbers, names of networks */
#define MAX_WORD 15   /* lower-case letters alone: a word, up to this length */
#define PEM_FRAME "-----"
#define MAX_SHOWN ((size_t)64 * 1024)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- what is secret by its name --- */

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, list[i]) == 0)
			return true;
	}
	return false;
}

static bool speaks_of_secret(const char *key)
{
	static const char *const words[] = {
		"password", "passwd", "secret", "token", "private_key", "account_key", "json_key", "credential",
	};

	/* names of places and choices, not secrets themselves */
	if (strcasecmp(key, "credentials_source") == 0 || strcasecmp(key, "http_tokens") == 0 ||
	    strcasecmp(key, "private_key_file") == 0)
		return false;
	for (size_t i = 0; i < COUNT(words); i++) {
		if (strcasestr(key, words[i]) != NULL)
			return true;
	}
	return false;
}

/* The text, and each line of one that has several: of a long key in an error's message perhaps only a part is left. */
static int hide(struct log *log, const char *text, struct arena *arena, struct error *err)
{
	log_add_secret(log, text);
	if (strchr(text, '\n') == NULL)
		return 0;
	for (size_t len; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (len < MIN_UNNAMED || strncmp(text, PEM_FRAME, strlen(PEM_FRAME)) == 0)
			continue;
		const char *line = arena_strndup(arena, text, len);
		if (line == NULL)
			return error_nomem(err);
		log_add_secret(log, line);
	}
	return 0;
}

/* As it stands in the URL, and as it is meant. */
static int add_url_password(struct log *log, const char *text, struct arena *arena, struct error *err)
{
	struct url_parts parts;

	url_split(text, &parts);
	if (parts.scheme_len == 0 || parts.password == NULL)
		return 0;
	const char *written = arena_strndup(arena, parts.password, parts.password_len);
	const char *meant = url_decode(arena, parts.password, parts.password_len);
	if (written == NULL || meant == NULL)
		return error_nomem(err);
	log_add_secret(log, written);
	if (strcmp(written, meant) != 0)
		log_add_secret(log, meant);
	return 0;
}

/* A proxy is one without its scheme, too. */
static bool is_proxy(const char *variable)
{
	const char *end = strchr(variable, '=');

	return end != NULL && end - variable >= 6 && strncasecmp(end - 6, "_proxy", 6) == 0;
}

int secrets_of_environment(struct log *log, struct arena *arena, struct error *err)
{
	static const char *const names[] = { ENVIRONMENT_SECRETS };

	for (size_t i = 0; i < COUNT(names); i++)
		log_add_secret(log, getenv(names[i]));
	for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
		const char *value = strchr(*variable, '=');
		if (value == NULL || strchr(value, '@') == NULL)
			continue;
		value++;
		if (is_proxy(*variable) && strstr(value, "://") == NULL)
			value = arena_printf(arena, "http://%s", value);
		if (value == NULL)
			return error_nomem(err);
		if (add_url_password(log, value, arena, err) != 0)
			return -1;
	}
	return 0;
}

/* A number under such a name is one only when it is long enough not to be a time or a count. */
static bool is_named_secret(const struct json *value)
{
	return json_is(value, JSON_STRING) || (json_is(value, JSON_NUMBER) && value->len >= MIN_UNNAMED);
}

/* Whatever its name: a key may have come to where a path belongs. */
static bool is_private_key(const struct json *value)
{
	return json_is(value, JSON_STRING) && strstr(value->text, "PRIVATE KEY" PEM_FRAME) != NULL;
}

/* The depth is the JSON reader's: at most JSON_MAX_DEPTH. */
static int add_named(struct log *log, const struct json *value, bool secret, struct arena *arena, struct error *err)
{
	if ((secret ? is_named_secret(value) : is_private_key(value)) && hide(log, value->text, arena, err) != 0)
		return -1;
	if (value->type == JSON_STRING)
		return add_url_password(log, value->text, arena, err);
	for (const struct json *child = value->child; child != NULL; child = child->next) {
		bool named = value->type == JSON_OBJECT && speaks_of_secret(child->key);
		if (add_named(log, child, secret || named, arena, err) != 0)
			return -1;
	}
	return 0;
}

int secrets_of_json(struct log *log, const struct json *value, struct arena *arena, struct error *err)
{
	return value == NULL ? 0 : add_named(log, value, false, arena, err);
}

/* --- what is secret by its place --- */

/* What stands in the log anyway. */
struct shown {
	const char *text;
	const char *region; /* may be NULL */
};

static bool is_innocent(const char *text, const struct shown *shown)
{
	size_t len = strlen(text);

	if (len < MIN_UNNAMED)
		return true;
	if (len <= MAX_WORD && strspn(text, "abcdefghijklmnopqrstuvwxyz") == len)
		return true;
	return strstr(shown->text, text) != NULL || (shown->region != NULL && strcmp(shown->region, text) == 0);
}

/* Where secrets go, and what is none. */
struct hiding {
	struct log *log;
	struct arena *arena;
	struct shown shown;
};

static int add_texts(const struct hiding *hiding, const struct json *value, struct error *err)
{
	if (value->type == JSON_STRING && !is_innocent(value->text, &hiding->shown))
		return hide(hiding->log, value->text, hiding->arena, err);
	for (const struct json *child = value->child; child != NULL; child = child->next) {
		if (add_texts(hiding, child, err) != 0)
			return -1;
	}
	return 0;
}

int secrets_of_configuration(struct log *log, const struct json *root, struct arena *arena, struct error *err)
{
	const struct json *agent = json_path(root, "cloud", "properties", "agent", NULL);
	const struct hiding hiding = { .log = log, .arena = arena, .shown = { .text = "" } };

	if (secrets_of_json(log, root, arena, err) != 0)
		return -1;
	for (const struct json *member = json_is(agent, JSON_OBJECT) ? agent->child : NULL; member != NULL;
	     member = member->next) {
		if (strcmp(member->key, "ntp") != 0 && add_texts(&hiding, member, err) != 0)
			return -1;
	}
	return 0;
}

/* --- what may be shown of a request --- */

/* One letter an argument: i is shown (ids, sizes, paths: messages name them too), p are properties, n networks with
 * properties each, and - is hidden. */
struct shape {
	const char *method;
	const char *arguments;
};

static const struct shape shapes[] = {
	{ "create_stemcell", "ip-" },
	{ "delete_stemcell", "i" },
	{ "create_vm", "iipni-" },
	{ "delete_vm", "i" },
	{ "has_vm", "i" },
	{ "reboot_vm", "i" },
	{ "set_vm_metadata", "i-" },
	{ "configure_networks", "in" },
	{ "calculate_vm_cloud_properties", "p" },
	{ "create_disk", "ipi" },
	{ "delete_disk", "i" },
	{ "has_disk", "i" },
	{ "resize_disk", "ii" },
	{ "update_disk", "iip" },
	{ "attach_disk", "ii" },
	{ "detach_disk", "ii" },
	{ "set_disk_metadata", "i-" },
	{ "get_disks", "i" },
	{ "snapshot_disk", "i-" },
	{ "delete_snapshot", "i" },
};

static const char *const allowed_keys[] = {
	/* of worker actions */
	"worker_id", "worker_name", "ami", "region", "volume_id", "source_volume_id", "size_gb", "volume_type", "device_name",
	"snapshot_id", "snapshot_name", "key",
	/* of VMs */
	"instance_type", "availability_zone", "key_name", "tenancy", "placement_group", "security_groups",
	"auto_assign_public_ip", "source_dest_check", "raw_instance_storage", "spot_bid_price", "spot_ondemand_fallback",
	"elbs", "lb_target_groups", "advertised_routes", "table_id", "destination", "root_disk", "ephemeral_disk",
	"use_root_disk", "use_instance_storage", "cpu", "ram", "ephemeral_disk_size", "instance_types_fallback",
	/* of disks and stemcells */
	"size", "type", "iops", "throughput", "encrypted", "name", "version", "disk", "architecture",
	"virtualization_type", "root_device_name", "boot_mode", "kernel_id",
	/* of networks */
	"ip", "prefix", "netmask", "gateway", "range", "dns", "default", "subnet", "nic_group", "cloud_properties",
};

static const char hidden[] = "<redacted>";

static void show_value(struct json_writer *writer, const struct json *value);

static void show_properties(struct json_writer *writer, const struct json *object)
{
	json_begin_object(writer);
	for (const struct json *member = object->child; member != NULL; member = member->next) {
		json_key(writer, member->key);
		if (is_one_of(member->key, allowed_keys, COUNT(allowed_keys)))
			show_value(writer, member);
		else
			json_string(writer, hidden);
	}
	json_end_object(writer);
}

static void show_value(struct json_writer *writer, const struct json *value)
{
	if (value->type == JSON_OBJECT) {
		show_properties(writer, value);
	} else if (value->type == JSON_ARRAY) {
		json_begin_array(writer);
		for (const struct json *element = value->child; element != NULL; element = element->next)
			show_value(writer, element);
		json_end_array(writer);
	} else {
		json_value(writer, value);
	}
}

static void show_networks(struct json_writer *writer, const struct json *networks)
{
	json_begin_object(writer);
	for (const struct json *network = networks->child; network != NULL; network = network->next) {
		json_key(writer, network->key);
		if (network->type == JSON_OBJECT)
			show_properties(writer, network);
		else
			json_string(writer, hidden);
	}
	json_end_object(writer);
}

static const char *shape_of(const struct request *request)
{
	const char *method = request->method;

	if (worker_action_meant(method, request->arguments) != NULL)
		return "p";
	for (size_t i = 0; i < COUNT(shapes); i++) {
		if (strcmp(shapes[i].method, method) == 0)
			return shapes[i].arguments;
	}
	return "";
}

/* An argument of another type than the contract has is hidden: who knows what it is. */
static void show_argument(struct json_writer *writer, const struct json *argument, char shape)
{
	bool is_object = argument->type == JSON_OBJECT;

	if (argument->type == JSON_NULL || (shape == 'i' && !is_object) || (shape == 'p' && is_object))
		show_value(writer, argument);
	else if (shape == 'n' && is_object)
		show_networks(writer, argument);
	else
		json_string(writer, hidden);
}

void secrets_allowed_text(const struct request *request, struct buf *out)
{
	const char *shape = shape_of(request);
	struct json_writer writer;

	json_writer_init(&writer, out);
	json_begin_array(&writer);
	for (const struct json *argument = request->arguments->child; argument != NULL; argument = argument->next) {
		show_argument(&writer, argument, *shape == '\0' ? '-' : *shape);
		shape += *shape != '\0';
	}
	json_end_array(&writer);
}

/* --- what is secret of it --- */

/* Tags wherever they are among what is shown; an action's tag has a "value". */
static int add_tags(const struct hiding *hiding, const struct json *value, struct error *err)
{
	for (const struct json *member = value->child; member != NULL; member = member->next) {
		bool are_tags = value->type == JSON_OBJECT &&
				(strcmp(member->key, "tags") == 0 || strcmp(member->key, "value") == 0);
		if ((are_tags ? add_texts(hiding, member, err) : add_tags(hiding, member, err)) != 0)
			return -1;
	}
	return 0;
}

int secrets_of_request(struct log *log, const struct request *request, const char *region, struct arena *arena,
		       struct error *err)
{
	CLEANUP_BUF struct buf shown = BUF_INIT(MAX_SHOWN);
	const char *shape = shape_of(request);
	const struct json *argument = request->arguments->child;

	if (secrets_of_json(log, request->arguments, arena, err) != 0)
		return -1;
	secrets_allowed_text(request, &shown);
	const struct hiding hiding = { .log = log, .arena = arena, .shown = { buf_text(&shown), region } };
	for (; argument != NULL; argument = argument->next) {
		if ((*shape == '-' ? add_texts(&hiding, argument, err) : add_tags(&hiding, argument, err)) != 0)
			return -1;
		shape += *shape != '\0';
	}
	return 0;
}
