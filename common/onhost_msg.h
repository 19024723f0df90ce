/* SPDX-License-Identifier: Apache-2.0 */
/* The session between cpi and onhost: its messages, both ways, so that both binaries agree by construction. Their
 * framing is in onhost_frames.h, which comes along. Unknown fields are ignored. */
#ifndef COMMON_ONHOST_MSG_H
#define COMMON_ONHOST_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/digest.h"
#include "common/error.h"
#include "common/onhost_frames.h"

#define ONHOST_PROTOCOL_VERSION 1

enum onhost_msg_type {
	/* cpi to onhost */
	ONHOST_MSG_HELLO,
	ONHOST_MSG_WRITE,
	ONHOST_MSG_END,
	/* onhost to cpi */
	ONHOST_MSG_HELLO_OK,
	ONHOST_MSG_READY,
	ONHOST_MSG_PROGRESS,
	ONHOST_MSG_WRITTEN,
	ONHOST_MSG_ERROR,
	ONHOST_MSG_UNKNOWN, /* well-formed JSON object with an op, ok or event that is not known: see unknown */
};

struct onhost_hello {
	int64_t version;
	const char *release; /* version of the cpi program; "" where it is not said */
};

/* Of another version than ONHOST_PROTOCOL_VERSION only version and release are read, so that a refusal can name them. */
struct onhost_hello_ok {
	int64_t version;
	const char *release;           /* version of the onhost program; "" where another version does not say it */
	const char *instance_id;       /* "" when the metadata service says nothing (see metadata_error) */
	const char *region;
	const char *availability_zone;
	const char *architecture;      /* uname's machine: x86_64 or arm64 */
	const char *metadata_error;    /* "" , else why the four above are not from instance metadata */
	const char *devices_error;     /* "" , else why an attached volume's device would not show up there; optional */
};

struct onhost_write {
	const char *volume_id;      /* "vol-…" */
	const char *device_name;    /* as given to AttachVolume: "/dev/sdf" */
	uint64_t size_mib;          /* of the volume */
	bool fresh;                 /* made from nothing for this session */
	bool encrypted;
	bool digest;                /* SHA-256 of the image itself wanted */
	bool skip_zero_blocks;
	uint64_t device_timeout_ms; /* how long to wait for the device; 0: 60 s */
};

struct onhost_ready {
	const char *device;        /* "/dev/nvme1n1" */
	const char *recognised_by; /* "controller serial vol0123…, …", "by-id link … (lab)" */
};

struct onhost_progress {
	uint64_t read;    /* bytes of input */
	uint64_t written; /* bytes written to the device */
	uint64_t skipped; /* bytes left out */
	uint64_t total;   /* size of the disk image, 0 while unknown */
	double seconds;   /* since the first byte of input */
};

struct onhost_written {
	uint64_t read;
	uint64_t written;
	uint64_t skipped;
	uint64_t image_size;      /* bytes of root.img, holes included */
	double seconds;
	const char *input_sha256; /* hex, of the input as it came */
	const char *image_sha256; /* hex, "" unless asked for */
	const char *format;       /* "gzip tar", "tar", "raw" … */
};

struct onhost_error {
	const char *type; /* error_kind_name */
	const char *message;
};

struct onhost_msg {
	enum onhost_msg_type type;
	const char *unknown; /* the op that is not known, else NULL */
	union {
		struct onhost_hello hello;
		struct onhost_write write;
		char end_sha256[SHA256_HEX_SIZE];
		struct onhost_hello_ok hello_ok;
		struct onhost_ready ready;
		struct onhost_progress progress;
		struct onhost_written written;
		struct onhost_error error;
	};
};

/* The message as one line with its line break, appended to out (whose maximum should be ONHOST_LINE_MAX). */
int onhost_msg_encode(const struct onhost_msg *msg, struct buf *out, struct error *err);
/* Reads one line (without its line break); texts live in the arena. ERROR_PROTOCOL for anything that is not a message:
 * bad JSON, not an object, missing or mistyped fields, ids of the wrong form. */
int onhost_msg_decode(struct arena *arena, const char *line, size_t len, struct onhost_msg *ret_msg,
		      struct error *err);

#endif
