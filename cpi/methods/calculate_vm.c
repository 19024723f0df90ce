/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/calculate_vm.h"

#include <stddef.h>

#define GIB(n) ((n) * 1024.0)

struct size {
	const char *type;
	double cpu;
	double ram_mib;
};

/* In order of preference. The incumbent's list, and never to be changed: */
static const struct size sizes[] = {
	{ "t2.nano", 1, GIB(0.5) },
	{ "t2.micro", 1, GIB(1) },
	{ "t2.small", 1, GIB(2) },
	{ "c5.large", 2, GIB(4) },
	{ "m5.large", 2, GIB(8) },
	{ "r5.large", 2, GIB(16) },
	{ "c5.xlarge", 4, GIB(8) },
	{ "m5.xlarge", 4, GIB(16) },
	{ "r5.xlarge", 4, GIB(32) },
	{ "c5.2xlarge", 8, GIB(16) },
	{ "m5.2xlarge", 8, GIB(32) },
	{ "r5.2xlarge", 8, GIB(64) },
	{ "c5.4xlarge", 16, GIB(32) },
	{ "m5.4xlarge", 16, GIB(64) },
	{ "r5.4xlarge", 16, GIB(128) },
	{ "c5.9xlarge", 36, GIB(72) },
	{ "m5.8xlarge", 32, GIB(128) },
	{ "r5.8xlarge", 32, GIB(256) },
	{ "c5.12xlarge", 48, GIB(96) },
	{ "m5.12xlarge", 48, GIB(192) },
	{ "r5.12xlarge", 48, GIB(384) },
	{ "m5.16xlarge", 64, GIB(256) },
	{ "r5.16xlarge", 64, GIB(512) },
	/* Beyond it, by their price; a type that is added later goes where nothing that is found now changes: */
	{ "c7i.24xlarge", 96, GIB(192) },
	{ "m7i.24xlarge", 96, GIB(384) },
	{ "r7i.24xlarge", 96, GIB(768) },
	{ "c7i.48xlarge", 192, GIB(384) },
	{ "m7i.48xlarge", 192, GIB(768) },
	{ "x2idn.24xlarge", 96, GIB(1536) },
	{ "r7i.48xlarge", 192, GIB(1536) },
	{ "x2idn.32xlarge", 128, GIB(2048) },
	{ "c8i.96xlarge", 384, GIB(768) },
	{ "x2iedn.24xlarge", 96, GIB(3072) },
	{ "m8i.96xlarge", 384, GIB(1536) },
	{ "x2iedn.32xlarge", 128, GIB(4096) },
	{ "r8i.96xlarge", 384, GIB(3072) },
	{ "u7i-6tb.112xlarge", 448, GIB(6144) },
	{ "u7i-8tb.112xlarge", 448, GIB(8192) },
	{ "u7i-12tb.224xlarge", 896, GIB(12288) },
	{ "u7in-16tb.224xlarge", 896, GIB(16384) },
	{ "u7in-24tb.224xlarge", 896, GIB(24576) },
	{ "u7in-32tb.224xlarge", 896, GIB(32768) },
};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

int calculate_vm_type(const struct calculate_vm_request *request, const char **ret_type, struct error *err)
{
	const struct size *largest = &sizes[N_SIZES - 1];

	for (size_t i = 0; i < N_SIZES; i++) {
		if (sizes[i].cpu >= request->cpu && sizes[i].ram_mib >= request->ram_mib) {
			*ret_type = sizes[i].type;
			return 0;
		}
	}
	return error_set(err, ERROR_CLOUD,
			 "Unable to meet requested VM requirements: %.15g CPU, %.15g RAM. Largest known VM type is '%s': %.15g CPU, "
			 "%.15g RAM.", request->cpu, request->ram_mib, largest->type, largest->cpu, largest->ram_mib);
}
