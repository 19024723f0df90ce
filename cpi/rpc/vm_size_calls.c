/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/vm_size_calls.h"

#include "cpi/methods/calculate_vm.h"
#include "cpi/rpc/args.h"
#include "cpi/rpc/properties.h"

#define N_KEYS 3

static const char *const keys[N_KEYS] = { "cpu", "ram", "ephemeral_disk_size" };

static int check_missing(const struct properties *wanted, struct arena *arena, struct error *err)
{
	const char *missing = "";

	for (size_t i = 0; i < N_KEYS; i++) {
		if (properties_flag(wanted, keys[i]))
			continue;
		missing = arena_printf(arena, "%s%s'%s'", missing, missing[0] == '\0' ? "" : ", ", keys[i]);
		if (missing == NULL)
			return error_nomem(err);
	}
	return missing[0] == '\0' ? 0 : error_set(err, ERROR_CLOUD, "Missing VM cloud properties: %s", missing);
}

static int read_number(const struct properties *wanted, const char *key, double *ret_number, struct error *err)
{
	if (!json_double(properties_find(wanted, key), ret_number))
		return properties_wrong_type(wanted, key, "a number", err);
	if (*ret_number < 0)
		return error_set(err, ERROR_CLOUD, "%s.%s is less than 0", wanted->place, key);
	return 0;
}

int vm_size_calls_calculate(struct call *call, const struct json *arguments, struct json_writer *result,
			    struct error *err)
{
	struct properties wanted = { .place = "vm_resources" };
	struct calculate_vm_request request;
	const char *type;
	double disk;

	if (args_object(arguments, 0, wanted.place, false, &wanted.object, err) != 0 ||
	    check_missing(&wanted, call->arena, err) != 0 || read_number(&wanted, keys[0], &request.cpu, err) != 0 ||
	    read_number(&wanted, keys[1], &request.ram_mib, err) != 0 || read_number(&wanted, keys[2], &disk, err) != 0)
		return -1;
	if (calculate_vm_type(&request, &type, err) != 0)
		return -1;
	json_begin_object(result);
	json_member_string(result, "instance_type", type);
	json_key(result, "ephemeral_disk");
	json_begin_object(result);
	json_key(result, "size");
	json_value(result, properties_find(&wanted, keys[2]));
	json_end_object(result);
	json_end_object(result);
	return 0;
}
