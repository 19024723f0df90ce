/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent on a new VM reads: its settings, whole or as the registry serves them, and the user data. This is JSON
 * because the agent reads JSON; nothing else in this folder knows any. Fact: cloudfoundry/bosh-agent, settings/. */
#ifndef CPI_METHODS_AGENT_SETTINGS_H
#define CPI_METHODS_AGENT_SETTINGS_H

#include "common/buf.h"
#include "cpi/methods/block_devices.h"
#include "cpi/methods/nic_plan.h"
#include "cpi/methods/vm_spec.h"

#define AGENT_SETTINGS_MAX ((size_t)8 * 1024 * 1024)
#define AGENT_SETTINGS_USER_DATA_MAX ((size_t)16 * 1024) /* of EC2, before base64 */

struct agent_settings {
	const struct vm_spec *spec;
	const struct nic_plan *nics;
	const struct block_devices *devices;
	const char *vm_name;          /* "vm-<uuid>" */
	const struct json *agent;     /* the configuration's, NULL: none */
	const char *registry_endpoint; /* credentials inside the URL; NULL: none configured */
};

/* The whole settings, as they go to the registry: {"vm":…,"agent_id":…,"networks":…,"disks":…,"env":…, and all of agent}. */
int agent_settings_registry(const struct agent_settings *settings, struct buf *out, struct error *err);
/* User data for a VM whose agent asks the registry (whole false: dns, networks and registry alone), or is told all here.
 * ERROR_CLOUD over AGENT_SETTINGS_USER_DATA_MAX, with the sizes of its parts. */
int agent_settings_user_data(const struct agent_settings *settings, bool whole, struct buf *out, struct error *err);

#endif
