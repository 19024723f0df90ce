/* SPDX-License-Identifier: Apache-2.0 */
/* Members of an object with optional members, such as cloud properties, read one by one with their types checked. Null is
 * absent. */
#ifndef CPI_RPC_PROPERTIES_H
#define CPI_RPC_PROPERTIES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/json_read.h"
#include "cpi/ec2/client.h"

/* More names than this in one list are refused. */
#define PROPERTIES_MAX_NAMES 1000
/* Larger numbers are refused: 4096 TiB as MiB. */
#define PROPERTIES_MAX_NUMBER UINT64_C(4294967296)

struct properties {
	const struct json *object; /* NULL: none of them is there */
	const char *place;         /* "cloud_properties", "aws": where it is, for messages */
	bool configured;           /* it is the configuration's: what is wrong in it is ERROR_CONFIG */
};

/* ERROR_INVALID_CALL "Arguments are not correct, got: …", or ERROR_CONFIG; wanted says what it should be ("a string"). */
int properties_wrong_type(const struct properties *properties, const char *key, const char *wanted, struct error *err);
/* The member, NULL where it is absent or null. */
const struct json *properties_find(const struct properties *properties, const char *key);
/* Ruby's truth. */
bool properties_flag(const struct properties *properties, const char *key);
/* The outputs below are NULL, respectively 0 or empty, for what is absent. */
int properties_object(const struct properties *properties, const char *key, const struct json **ret_object,
		      struct error *err);
/* An empty text counts as absent. */
int properties_text(const struct properties *properties, const char *key, const char **ret_text, struct error *err);
/* A text, or a number as it is written. */
int properties_label(const struct properties *properties, const char *key, const char **ret_text, struct error *err);
/* An array of texts, or one alone; empty ones are left out. */
int properties_names(const struct properties *properties, const char *key, struct arena *arena, struct ec2_ids *ret_names,
		     struct error *err);
/* A whole number (2048.0 is one, and so is the string "2048"); ERROR_CLOUD for one below 0 or over PROPERTIES_MAX_NUMBER. */
int properties_number(const struct properties *properties, const char *key, uint64_t *ret_value, struct error *err);

#endif
