/* SPDX-License-Identifier: Apache-2.0 */
/* The one error type. A function that can fail returns 0 or -1 and fills a struct error; outputs are untouched then.
 * Callers add context in front (error_prefix) and never replace what is there. */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

#include <stdbool.h>

/* What went wrong, as far as somebody decides by it. cpi/rpc turns kinds into the Director's types, onhost into exit
 * statuses and the session's error types. */
enum error_kind {
	ERROR_NONE = 0,
	ERROR_INTERNAL,  /* a defect of ours, or the system refused something basic */
	ERROR_NOMEM,     /* out of memory, or an arena's or buffer's limit was reached */
	ERROR_INVALID,   /* foreign input is malformed (JSON, XML, a number …) */
	ERROR_TOO_BIG,   /* foreign input is over a limit that the message names */
	ERROR_CONFIG,    /* the configuration is wrong; the message names the property */
	ERROR_IO,        /* a file, pipe or device: errno is in the message */
	ERROR_TIMEOUT,   /* a deadline passed */
	ERROR_CANCELLED, /* a signal asked us to stop */
	ERROR_NETWORK,   /* no complete HTTP answer: refused, reset, cut, TLS */
	ERROR_AWS,       /* AWS answered with an error: aws_code is set */
	ERROR_CLOUD,     /* an operation in the cloud ended badly without an AWS error (a volume in state "error" …) */
	/* the Director's own */
	ERROR_INVALID_CALL,
	ERROR_API_VERSION,
	ERROR_NOT_SUPPORTED,
	ERROR_NOT_IMPLEMENTED,
	ERROR_VM_NOT_FOUND,
	ERROR_VM_CREATION_FAILED,
	ERROR_NETWORK_NOT_FOUND,
	ERROR_DISK_NOT_FOUND,
	ERROR_DISK_NOT_ATTACHED,
	ERROR_NO_DISK_SPACE,
	/* onhost's */
	ERROR_IMAGE,          /* the stemcell image is refused */
	ERROR_DEVICE_REFUSED, /* there is a device, and it must not be written to */
	ERROR_NO_DEVICE,      /* the device did not come, or went away */
	ERROR_METADATA,       /* the instance metadata service did not answer as it should */
	ERROR_PROTOCOL,       /* the other side of the session broke the protocol */
	ERROR_SANDBOX,        /* privileges could not be dropped */
};

struct error {
	enum error_kind kind;
	bool retryable;       /* the same call may succeed later */
	bool not_done;        /* of a call to AWS: each of its attempts was refused, so that it has certainly changed nothing */
	int http_status;      /* 0 where no HTTP answer came */
	char message[2048];   /* for people; never holds a secret; cut with "…" when too long */
	char aws_code[96];    /* AWS's error code, else "" */
	char aws_message[512]; /* AWS's own words behind that code, else ""; cut when too long */
	char aws_request_id[80];
	char aws_action[64];  /* the API action that failed, else "" */
};

/* Fills err (which may be NULL: then only the result counts) and is -1, so that callers can return it:
 *     return error_set(err, ERROR_IO, "cannot open %s", path);
 * A macro, so that compilers and analysers see that such a return is never 0. */
#define error_set(err, ...) (error_fill((err), __VA_ARGS__), error_failed())
/* error_errno(err, kind, errnum, format, …): as error_set, with ": <strerror(errnum)>" behind the message. */
#define error_errno(err, ...) (error_fill_errno((err), __VA_ARGS__), error_failed())
/* error_prefix(err, format, …): puts "<text>: " in front of the message. */
#define error_prefix(err, ...) (error_add_prefix((err), __VA_ARGS__), error_failed())
#define error_nomem(err) error_set((err), ERROR_NOMEM, "out of memory")

static inline int error_failed(void)
{
	return -1;
}

void error_fill(struct error *err, enum error_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
void error_fill_errno(struct error *err, enum error_kind kind, int errnum, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void error_add_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A short lower-case word for a kind ("image", "device_refused", …): the session's error type, and logs. */
const char *error_kind_name(enum error_kind kind);
/* The kind with that name; ERROR_INTERNAL for a name that is unknown. */
enum error_kind error_kind_by_name(const char *name);

#endif
