/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"

#define PIECE ((size_t)1024 * 1024)

int image_file_open(const char *path, int *ret_fd, struct error *err)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return error_errno(err, ERROR_CLOUD, errno, "cannot open the stemcell image %s", path);
	if (fstat(fd, &st) != 0)
		return error_errno(err, ERROR_CLOUD, errno, "cannot look at the stemcell image %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_CLOUD, "the stemcell image %s is not a file", path);
	if (st.st_size == 0)
		return error_set(err, ERROR_CLOUD, "the stemcell image %s is empty", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static void free_digest(struct digest **digest)
{
	digest_free(*digest);
}

int image_file_sha256(int fd, const char *path, const struct cancel *cancel, char ret_hex[SHA256_HEX_SIZE], struct error *err)
{
	CLEANUP(free_digest) struct digest *digest = NULL;
	CLEANUP_FREE uint8_t *piece = malloc(PIECE);
	uint8_t sum[SHA256_LEN];
	uint64_t offset = 0;
	ssize_t got;

	if (piece == NULL)
		return error_nomem(err);
	if (digest_new(&digest, err) != 0)
		return -1;
	do {
		got = io_pread_full(fd, piece, PIECE, offset, path, err);
		if (got < 0 || digest_update(digest, piece, (size_t)got, err) != 0 || cancel_check(cancel, err) != 0)
			return -1;
		offset += (uint64_t)got;
	} while (got == (ssize_t)PIECE);
	if (digest_finish(digest, sum, err) != 0)
		return -1;
	digest_hex(sum, sizeof(sum), ret_hex);
	return 0;
}
