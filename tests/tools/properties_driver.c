/* SPDX-License-Identifier: Apache-2.0 */
/* Which properties are read, and what they are when nothing is said: the configuration and the cloud properties that standard
 * input gives go through the code that reads them, and each look-up in an object that has a member "_at" is told by that name.
 * Linked with json_get and json_path wrapped. A tool; nothing of it is shipped.
 *     in:  {"config": {…}, "create_stemcell": [arguments], "create_vm": […], "create_disk": […]}
 *     out: a line "read AT KEY" for each look-up, and after them "value NAME JSON" */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "cpi/config.h"
#include "cpi/rpc/disk_args.h"
#include "cpi/rpc/stemcell_args.h"
#include "cpi/rpc/vm_args.h"
#include "cpi/upload/uploader.h"

#define INPUT_MAX ((size_t)1024 * 1024)
#define MARK "_at"

const struct json *__real_json_get(const struct json *value, const char *key);
const struct json *__wrap_json_get(const struct json *value, const char *key);
const struct json *__wrap_json_path(const struct json *value, ...);

const struct json *__wrap_json_get(const struct json *value, const char *key)
{
	const char *place = json_text(__real_json_get(value, MARK));

	if (place != NULL && strcmp(key, MARK) != 0)
		printf("read %s %s\n", place, key);
	return __real_json_get(value, key);
}

const struct json *__wrap_json_path(const struct json *value, ...)
{
	va_list keys;

	va_start(keys, value);
	for (const char *key = va_arg(keys, const char *); key != NULL; key = va_arg(keys, const char *))
		value = __wrap_json_get(value, key);
	va_end(keys);
	return value;
}

/* Texts are of our own making: nothing to escape. */
static void say_text(const char *name, const char *text)
{
	if (text == NULL)
		printf("value %s null\n", name);
	else
		printf("value %s \"%s\"\n", name, text);
}

static void say_flag(const char *name, bool flag)
{
	printf("value %s %s\n", name, flag ? "true" : "false");
}

static void say_number(const char *name, uint64_t number)
{
	printf("value %s %" PRIu64 "\n", name, number);
}

static void say_config(const struct config *config)
{
	static const char *const builders[] = { "auto", "local", "ssh", "direct" };
	const struct config_stemcell *stemcell = &config->stemcell;

	say_text("aws.credentials_source", config->aws.credentials_source);
	say_number("aws.max_retries", config->aws.max_retries);
	say_flag("aws.dualstack", config->aws.dualstack);
	say_flag("aws.encrypted", config->encrypted);
	say_flag("aws.fast_path_delete", config->fast_path_delete);
	say_flag("aws.enable_describe_instance_types", config->describe_instance_types);
	say_text("aws.stemcell.builder", builders[stemcell->builder]);
	say_flag("aws.stemcell.skip_zero_blocks", stemcell->skip_zero_blocks);
	say_number("aws.stemcell.upload_connections",
		   stemcell->upload_connections == 0 ? UPLOADER_CONNECTIONS : stemcell->upload_connections);
	say_text("aws.stemcell.ssh.onhost_path", stemcell->ssh.onhost_path);
	say_number("debug.cpi.api_version", (uint64_t)config->api_version);
	printf("value debug.cpi.time_scale %.1f\n", config->time_scale);
}

static void say_vm(const struct vm_spec *spec)
{
	say_flag("vm.spot_ondemand_fallback", spec->spot_ondemand_fallback);
	say_flag("vm.auto_assign_public_ip", spec->auto_assign_public_ip);
	say_flag("vm.source_dest_check", spec->source_dest_check);
	say_flag("vm.raw_instance_storage", spec->raw_instance_storage);
	say_flag("vm.ephemeral_disk.use_instance_storage", spec->ephemeral_disk.use_instance_storage);
	say_flag("vm.ephemeral_disk.use_root_disk", spec->ephemeral_disk.use_root_disk);
}

static int read_arguments(const struct json *input, const struct config *config, struct arena *arena, struct error *err)
{
	struct stemcell_create_request stemcell;
	struct disk_create_request disk;
	struct vm_spec spec;

	if (stemcell_args_create(__real_json_get(input, "create_stemcell"), config, arena, &stemcell, err) != 0 ||
	    vm_args_create(__real_json_get(input, "create_vm"), config, arena, &spec, err) != 0 ||
	    disk_args_create(__real_json_get(input, "create_disk"), config, arena, &disk, err) != 0)
		return -1;
	say_config(config);
	say_vm(&spec);
	return 0;
}

int main(void)
{
	struct arena *arena CLEANUP_ARENA = arena_new(16 * INPUT_MAX);
	const struct json *input;
	struct error err = { 0 };
	struct config config;
	char *text;
	size_t len;

	if (arena == NULL || io_read_file("/dev/stdin", INPUT_MAX, arena, &text, &len, &err) != 0 ||
	    json_parse(arena, text, len, INPUT_MAX, &input, &err) != 0 ||
	    config_build(__real_json_get(input, "config"), NULL, arena, &config, &err) != 0 ||
	    read_arguments(input, &config, arena, &err) != 0) {
		fprintf(stderr, "properties_driver: %s\n", err.message);
		return EXIT_FAILURE;
	}
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
