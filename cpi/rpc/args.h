/* SPDX-License-Identifier: Apache-2.0 */
/* Readers for what a request brings: they take a JSON value, check its type, and give plain C. What a value means is
 * left to the methods. */
#ifndef CPI_RPC_ARGS_H
#define CPI_RPC_ARGS_H

#include <stddef.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/json_read.h"
#include "cpi/ec2/client.h"

/* More members than this in a tags object are refused; EC2 itself takes 50. */
#define ARGS_MAX_TAGS 500

/* "a string", "an object", "null", … for messages; "nothing" for NULL. */
const char *args_type_name(const struct json *value);

/* The request's argument at that index; name is what the contract calls it. ERROR_INVALID_CALL "Arguments are not
 * correct, got: …" for another type. Texts are borrowed from the tree. */
int args_string(const struct json *arguments, size_t index, const char *name, const char **ret_text, struct error *err);
/* An object; null and an argument that is not there are an object without members when optional (*ret_object is NULL). */
int args_object(const struct json *arguments, size_t index, const char *name, bool optional,
		const struct json **ret_object, struct error *err);

/* A tags object as the incumbent reads it: values become text, null values are left out, keys and values are cut to
 * EC2's limits, of a repeated key the last counts. NULL and null: no tags. ERROR_CLOUD for anything that is not an
 * object; name is its place ("cloud_properties.tags"). Texts live in the arena. */
int args_tags(const struct json *value, const char *name, struct arena *arena, struct ec2_tags *ret_tags,
	      struct error *err);

#endif
