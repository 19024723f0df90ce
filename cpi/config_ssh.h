/* SPDX-License-Identifier: Apache-2.0 */
/* What aws.stemcell.ssh may say. Its values end in the command line of ssh and, the path of onhost, in one that a shell on the
 * other machine reads: only plain characters are let through, so that nothing has to be quoted. */
#ifndef CPI_CONFIG_SSH_H
#define CPI_CONFIG_SSH_H

#include "common/error.h"
#include "cpi/config.h"

#define CONFIG_SSH_PORT_MAX 65535
#define CONFIG_SSH_KEY_MAX 16384 /* of the private key, and of the host keys: they must fit into a pipe at once */

/* ERROR_CONFIG names the property and what it should be, never the private key. Absent values are fine. */
int config_ssh_check(const struct config_ssh *ssh, struct error *err);

#endif
