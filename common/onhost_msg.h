/* SPDX-License-Identifier: Apache-2.0 */
/* The session between cpi and onhost: its messages and their framing, both ways, so that both binaries agree by
 * construction. A message is one line of JSON of at most ONHOST_LINE_MAX bytes, line break included. An image travels
 * behind a write message as chunks: 4 bytes of length (big-endian, at most ONHOST_CHUNK_MAX), the data; a zero length
 * ends it, and an end message with the SHA-256 (hex) of all chunk data follows. Unknown fields are ignored. */
#ifndef COMMON_ONHOST_MSG_H
#define COMMON_ONHOST_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/digest.h"
#include "common/error.h"

#define ONHOST_PROTOCOL_VERSION 1
#define ONHOST_LINE_MAX ((size_t)65536)
#define ONHOST_CHUNK_MAX ((uint32_t)1024 * 1024)

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

struct onhost_hello_ok {
	int64_t version;
	const char *release;           /* version of the onhost program */
	const char *instance_id;       /* "" when the metadata service says nothing (see metadata_error) */
	const char *region;
	const char *availability_zone;
	const char *architecture;      /* uname's machine: x86_64 or arm64 */
	const char *metadata_error;    /* "" , else why the four above are not from instance metadata */
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
	const char *recognised_by; /* "controller serial", "by-id link (lab)" … */
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
		int64_t hello_version;
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

/* Bytes that came from the other side and have not been looked at. Fed by whoever reads the descriptor, so that it serves
 * blocking and polling readers alike. */
struct onhost_frames {
	struct buf in;
	size_t taken; /* bytes of in that are used up */
};
void onhost_frames_init(struct onhost_frames *frames);
void onhost_frames_free(struct onhost_frames *frames);
void onhost_frames_feed(struct onhost_frames *frames, const void *data, size_t len);
/* 1 and a whole line (borrowed until the next call), 0 when more input is needed, -1 ERROR_PROTOCOL: over the maximum. */
int onhost_frames_line(struct onhost_frames *frames, const char **ret_line, size_t *ret_len, struct error *err);
/* 1 and a whole chunk's header (its length; 0 is the end of the image), 0: more input needed, -1: over ONHOST_CHUNK_MAX. */
int onhost_frames_chunk_header(struct onhost_frames *frames, uint32_t *ret_len, struct error *err);
/* Takes up to len bytes that are there already; the count (0: read the rest from the descriptor yourself). */
size_t onhost_frames_take(struct onhost_frames *frames, void *data, size_t len);
void onhost_chunk_header(uint32_t len, uint8_t ret_header[4]);

#endif
