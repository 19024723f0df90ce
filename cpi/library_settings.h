/* SPDX-License-Identifier: Apache-2.0 */
/* The texts that a program gives to the library: settings and parameters, checked and made ready for run_call. */
#ifndef CPI_LIBRARY_SETTINGS_H
#define CPI_LIBRARY_SETTINGS_H

#include "common/arena.h"
#include "common/error.h"
#include "common/json_read.h"
#include "cpi/setup.h"

#define LIBRARY_MAX_BYTES ((size_t)8 * 1024 * 1024) /* of each text */

/* A JSON object; of a NULL text it is NULL. what is for messages ("the parameters"). ERROR_INVALID_CALL says what is wrong. */
int library_settings_object(const char *text, const char *what, struct arena *arena, const struct json **ret_object,
			    struct error *err);
/* NULL: no settings. *ret_config_path is NULL where no file is named. ERROR_INVALID_CALL for an unknown name (with the nearest
 * one), a value of another type, two configurations. Texts are in the arena. */
int library_settings_read(const char *text, struct arena *arena, struct setup_choice *ret_choice,
			  const char **ret_config_path, struct error *err);

#endif
