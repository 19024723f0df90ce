/* SPDX-License-Identifier: Apache-2.0 */
/* An image file, or standard input, as a source for the pipeline. */
#ifndef ONHOST_IMAGE_FILE_H
#define ONHOST_IMAGE_FILE_H

#include <stddef.h>

#include "common/cancel.h"
#include "common/error.h"

struct image_file {
	int fd;           /* -1 when closed */
	const char *name; /* for messages; borrowed */
	const struct cancel *cancel;
	struct cancel stop;
};

#define IMAGE_FILE_INIT { .fd = -1 }

/* Opens path; "-" is standard input. ERROR_IO; ERROR_IMAGE for what can hold no image (a folder). */
int image_file_open(struct image_file *file, const char *path, const struct cancel *cancel, struct error *err);
void image_file_close(struct image_file *file);
/* Both for struct image_source; self is the file. A signal ends the wait. */
int image_file_read(void *self, void *data, size_t len, size_t *ret_got, struct error *err);
void image_file_stop(void *self);

#endif
