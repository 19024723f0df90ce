/* SPDX-License-Identifier: Apache-2.0 */
/* What ssh encrypts the image with, where nobody has said. */
#ifndef CPI_BUILDER_SSH_CIPHERS_H
#define CPI_BUILDER_SSH_CIPHERS_H

#include "common/arena.h"
#include "common/runtime.h"
#include "cpi/config.h"

/* The value of ssh's option Ciphers (ssh_config(5)): its own list with AES-GCM first. NULL where ssh's configuration files
 * name ciphers for this host, where ssh has no AES-GCM, and where it cannot be asked: then the option is to be left alone. */
const char *ssh_ciphers(struct runtime *runtime, const struct config_ssh *ssh, struct arena *arena);
/* For tests: the same, from ssh's list and from what it would be without configuration files, as `ssh -G` prints them. */
const char *ssh_ciphers_of(const char *configured, const char *built_in, struct arena *arena);

#endif
