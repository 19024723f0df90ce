/* SPDX-License-Identifier: Apache-2.0 */
/* From an image as it comes (gzip'd tar, tar, zstd, xz, raw) to the bytes of the disk inside, written to a device, to a
 * stream (whole, or as a snapshot's blocks), or compared with a device. Reading, inflating and writing run side by side in bounded memory. Refuses with
 * ERROR_IMAGE whatever is not exactly one good image; errors of the target are ERROR_IO with offset and errno. */
#ifndef ONHOST_PIPELINE_H
#define ONHOST_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/error.h"
#include "common/onhost_msg.h"
#include "common/runtime.h"

/* Where the image comes from. Called from one thread of the pipeline at a time. Up to len bytes; *ret_got 0 is the end
 * of a whole image: a stream that was cut must be an error instead. */
struct image_source {
	int (*read)(void *self, void *data, size_t len, size_t *ret_got, struct error *err);
	void *self;
	/* Called once after the last byte, from the thread that reads, with the SHA-256 of all that was read, in hex: -1
	 * refuses the image. NULL: there is nothing to compare it with. */
	int (*check)(void *self, const char *sha256, struct error *err);
	/* Called once from the thread that called the pipeline, when the work ends early (an error, cancellation): a
	 * read that is under way or comes later returns -1 soon. NULL: reads do not block for long. The pipeline
	 * returns only when the last read has. */
	void (*stop)(void *self);
};

struct pipeline_result {
	uint64_t read;       /* bytes of input */
	uint64_t written;    /* bytes written to the target; for verify: bytes compared */
	uint64_t skipped;    /* bytes left out (holes, zero blocks) */
	uint64_t image_size; /* bytes of the disk image, holes included */
	double seconds;
	char input_sha256[SHA256_HEX_SIZE];
	char image_sha256[SHA256_HEX_SIZE]; /* "" unless asked for */
	const char *format;                 /* "gzip tar", "tar", "raw", "gzip raw" … : a literal */
};

struct pipeline_options {
	struct image_source source;
	bool digest; /* SHA-256 of the disk image wanted */
	/* About once a second and once more at the end, from the thread that called; NULL: not wanted. A -1 ends the
	 * work with that error, unless all is done already. */
	int (*progress)(void *self, const struct onhost_progress *progress, struct error *err);
	void *progress_self;
};

struct pipeline_target {
	int fd;           /* open for writing (or reading, for verify); a block device or, in the lab, a regular file */
	const char *name; /* for messages */
	uint64_t size;    /* bytes that it holds */
	/* Never written: may be left out are holes of the archive (otherwise they are written as zeros) and blocks of
	 * zeros that the image's own ext4 calls free. */
	bool fresh;
	bool encrypted; /* what is not written may read as noise: holes are written, of what is free nobody cares */
	bool skip_zero_blocks; /* leave out every block of zeros (the operator's choice; only on a fresh one) */
};

struct blockflow;

struct pipeline_blocks {
	struct blockflow *out; /* open; its first record and all blocks are written, the last record is not */
	bool encrypted;        /* the snapshot will be: holes of the archive are written */
	bool skip_zero_blocks; /* leave out all zeros (the operator's choice; not with encrypted) */
};

/* Writes the image. The first MiB goes out last, after the rest was flushed, and is flushed too: a broken copy never
 * looks bootable. On an error the first MiB of the target was not written (if writing that MiB is what fails, its first
 * block is blanked again, as far as the device still takes it). */
int pipeline_write(struct runtime *runtime, const struct pipeline_options *options,
		   const struct pipeline_target *target, struct pipeline_result *ret_result, struct error *err);
/* The disk image to a stream (a pipe or a file), holes as zeros. The open file behind out_fd is non-blocking meanwhile.
 */
int pipeline_unpack(struct runtime *runtime, const struct pipeline_options *options, int out_fd,
		    struct pipeline_result *ret_result, struct error *err);
/* The blocks that a new snapshot needs of the image, of ONHOST_BLOCK_SIZE: those with any part that pipeline_write must write
 * to a fresh volume. result.written counts all bytes of these blocks. */
int pipeline_unpack_blocks(struct runtime *runtime, const struct pipeline_options *options,
			   const struct pipeline_blocks *blocks, struct pipeline_result *ret_result, struct error *err);
/* Reads the target back and compares all that pipeline_write must write; result.skipped counts what it may leave out.
 * A difference is ERROR_IO that names the first offset. */
int pipeline_verify(struct runtime *runtime, const struct pipeline_options *options,
		    const struct pipeline_target *target, struct pipeline_result *ret_result, struct error *err);

#endif
