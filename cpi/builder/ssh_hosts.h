/* SPDX-License-Identifier: Apache-2.0 */
/* The host keys of the configuration, as the known_hosts file of one session. */
#ifndef CPI_BUILDER_SSH_HOSTS_H
#define CPI_BUILDER_SSH_HOSTS_H

#include "common/buf.h"
#include "common/error.h"

/* The name under which ssh is to look the key up (HostKeyAlias), whatever host and port are called. */
#define SSH_HOSTS_ALIAS "aws-cpi-stemcell-builder"

/* Appends a known_hosts file with the keys of text under that name. text: lines "ssh-ed25519 AAAA… [comment]", or with host
 * names in front as known_hosts and ssh-keyscan have them (they are left out: the configuration says whose key it is); empty
 * lines and comments are passed over. ERROR_CONFIG for anything else, and for markers (@cert-authority, @revoked), which
 * have their place in the user's own files. Format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. */
int ssh_hosts_write(const char *text, struct buf *out, struct error *err);

#endif
