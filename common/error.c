/* SPDX-License-Identifier: Apache-2.0 */
#include "common/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
	[ERROR_NONE] = "none",
	[ERROR_INTERNAL] = "internal",
	[ERROR_NOMEM] = "nomem",
	[ERROR_INVALID] = "invalid",
	[ERROR_TOO_BIG] = "too_big",
	[ERROR_CONFIG] = "config",
	[ERROR_IO] = "io",
	[ERROR_TIMEOUT] = "timeout",
	[ERROR_CANCELLED] = "cancelled",
	[ERROR_NETWORK] = "network",
	[ERROR_AWS] = "aws",
	[ERROR_CLOUD] = "cloud",
	[ERROR_INVALID_CALL] = "invalid_call",
	[ERROR_API_VERSION] = "api_version",
	[ERROR_NOT_SUPPORTED] = "not_supported",
	[ERROR_NOT_IMPLEMENTED] = "not_implemented",
	[ERROR_VM_NOT_FOUND] = "vm_not_found",
	[ERROR_VM_CREATION_FAILED] = "vm_creation_failed",
	[ERROR_NETWORK_NOT_FOUND] = "network_not_found",
	[ERROR_DISK_NOT_FOUND] = "disk_not_found",
	[ERROR_DISK_NOT_ATTACHED] = "disk_not_attached",
	[ERROR_NO_DISK_SPACE] = "no_disk_space",
	[ERROR_IMAGE] = "image",
	[ERROR_DEVICE_REFUSED] = "device_refused",
	[ERROR_NO_DEVICE] = "no_device",
	[ERROR_METADATA] = "metadata",
	[ERROR_PROTOCOL] = "protocol",
	[ERROR_SANDBOX] = "sandbox",
};

#define N_KINDS (sizeof(kind_names) / sizeof(kind_names[0]))

/* A message that was cut says so, and is not cut inside a UTF-8 character. */
static void mark_if_cut(char *message, size_t size, int wanted)
{
	static const char ellipsis[] = "…";

	if (wanted < 0 || (size_t)wanted < size)
		return;
	size_t end = size - sizeof(ellipsis);
	while (end > 0 && ((unsigned char)message[end] & 0xC0) == 0x80)
		end--;
	memcpy(message + end, ellipsis, sizeof(ellipsis));
}

__attribute__((format(printf, 3, 0))) static void fill(struct error *err, enum error_kind kind, const char *format,
						       va_list args)
{
	*err = (struct error){ .kind = kind };
	int wanted = vsnprintf(err->message, sizeof(err->message), format, args);
	mark_if_cut(err->message, sizeof(err->message), wanted);
}

void error_fill(struct error *err, enum error_kind kind, const char *format, ...)
{
	if (err == NULL)
		return;
	va_list args;
	va_start(args, format);
	fill(err, kind, format, args);
	va_end(args);
}

void error_fill_errno(struct error *err, enum error_kind kind, int errnum, const char *format, ...)
{
	if (err == NULL)
		return;
	va_list args;
	va_start(args, format);
	fill(err, kind, format, args);
	va_end(args);

	char why[128];
	/* glibc under _GNU_SOURCE returns a pointer, POSIX an int */
#if defined(__GLIBC__)
	const char *text = strerror_r(errnum, why, sizeof(why));
#else
	const char *text = strerror_r(errnum, why, sizeof(why)) == 0 ? why : "unknown error";
#endif
	size_t used = strlen(err->message);
	int wanted = snprintf(err->message + used, sizeof(err->message) - used, ": %s", text);
	mark_if_cut(err->message, sizeof(err->message), wanted < 0 ? -1 : (int)used + wanted);
}

void error_add_prefix(struct error *err, const char *format, ...)
{
	if (err == NULL)
		return;
	char rest[sizeof(err->message)];
	memcpy(rest, err->message, sizeof(rest));

	va_list args;
	va_start(args, format);
	int wanted = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	if (wanted < 0 || (size_t)wanted >= sizeof(err->message)) {
		mark_if_cut(err->message, sizeof(err->message), wanted);
		return;
	}
	size_t used = (size_t)wanted;
	wanted = snprintf(err->message + used, sizeof(err->message) - used, ": %s", rest);
	mark_if_cut(err->message, sizeof(err->message), wanted < 0 ? -1 : (int)used + wanted);
}

const char *error_kind_name(enum error_kind kind)
{
	return (size_t)kind < N_KINDS ? kind_names[kind] : "internal";
}

enum error_kind error_kind_by_name(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		if (strcmp(kind_names[i], name) == 0)
			return (enum error_kind)i;
	}
	return ERROR_INTERNAL;
}
