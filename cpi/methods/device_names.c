/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/device_names.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* What EC2 recommends, and what it takes besides, in the order of use. */
static const struct range {
	const char *stem;
	unsigned series; /* index of struct device_names.taken */
	char first;
	char last;
} ranges[] = {
	{ "/dev/sd", 0, 'f', 'p' },   { "/dev/xvdb", 2, 'a', 'z' }, { "/dev/xvdc", 3, 'a', 'z' },
	{ "/dev/xvdd", 4, 'a', 'x' }, { "/dev/xvda", 1, 'a', 'z' }, { "/dev/sd", 0, 'q', 'z' },
	{ "/dev/sd", 0, 'c', 'e' },
};

#define N_ON_XEN 1 /* of the ranges */

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static uint32_t bit(char letter)
{
	return (uint32_t)1 << (letter - 'a');
}

void device_names_take(struct device_names *names, const char *name)
{
	if (strncmp(name, "/dev/", 5) == 0)
		name += 5;
	if (strncmp(name, "sd", 2) == 0)
		name += 2;
	else if (strncmp(name, "xvd", 3) == 0)
		name += 3;
	else
		return;
	if (!is_letter(name[0]))
		return;
	if (is_letter(name[1]))
		names->taken[1 + name[0] - 'a'] |= bit(name[1]);
	else
		names->taken[0] |= bit(name[0]);
}

void device_names_of(const struct instance *instance, struct device_names *ret_names)
{
	*ret_names = (struct device_names){ 0 };
	for (size_t i = 0; i < instance->n_mappings; i++)
		device_names_take(ret_names, instance->mappings[i].device_name);
}

bool device_names_next(const struct device_names *names, bool more, char ret_name[DEVICE_NAME_SIZE])
{
	size_t count = more ? sizeof(ranges) / sizeof(ranges[0]) : N_ON_XEN;

	for (const struct range *range = ranges; range < ranges + count; range++) {
		for (char letter = range->first; letter <= range->last; letter++) {
			if ((names->taken[range->series] & bit(letter)) != 0)
				continue;
			snprintf(ret_name, DEVICE_NAME_SIZE, "%s%c", range->stem, letter);
			return true;
		}
	}
	return false;
}

/* "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use" */
bool device_names_lost(const struct error *err)
{
	return err->kind == ERROR_AWS && strcmp(err->aws_code, "InvalidParameterValue") == 0 &&
	       strstr(err->message, "in use") != NULL;
}
