/* SPDX-License-Identifier: Apache-2.0 */
/* The file with a stemcell's image, as the Director or a person hands it over. What is in it is onhost's business. */
#ifndef CPI_METHODS_IMAGE_FILE_H
#define CPI_METHODS_IMAGE_FILE_H

#include "common/cancel.h"
#include "common/digest.h"
#include "common/error.h"

/* ERROR_CLOUD names it: not there, not a file, empty. */
int image_file_open(const char *path, int *ret_fd, struct error *err);
/* SHA-256 of the whole file, in hex; leaves the descriptor's position alone. */
int image_file_sha256(int fd, const char *path, const struct cancel *cancel, char ret_hex[SHA256_HEX_SIZE], struct error *err);

#endif
