/* SPDX-License-Identifier: Apache-2.0 */
/* libblkid's only home. Its two chains are asked one after the other, each on a probe of its own, since one that fails
 * or doubts would keep the other from being asked. */
#include "onhost/probe.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"

#define REMEDY                                                                                                         \
	"a new volume is blank. If this really is the device to overwrite, wipe it first, or say --force to "          \
	"`onhost write`"

static void free_probe(blkid_probe *probe)
{
	if (*probe != NULL)
		blkid_free_probe(*probe);
}

struct chain {
	int (*prepare)(blkid_probe probe);
	const char *what;
	const char *type;   /* the values that libblkid gives */
	const char *offset;
};

/* Superblocks with a wrong checksum count as well: what is broken may still be somebody's data. */
static int only_superblocks(blkid_probe probe)
{
	if (blkid_probe_enable_partitions(probe, 0) != 0 || blkid_probe_enable_superblocks(probe, 1) != 0)
		return -1;
	return blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_MAGIC |
								BLKID_SUBLKS_BADCSUM);
}

static int only_partitions(blkid_probe probe)
{
	if (blkid_probe_enable_superblocks(probe, 0) != 0 || blkid_probe_enable_partitions(probe, 1) != 0)
		return -1;
	return blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
}

static const char *value_of(blkid_probe probe, const char *name, const char *otherwise)
{
	const char *value = NULL;
	return blkid_probe_lookup_value(probe, name, &value, NULL) == 0 && value != NULL ? value : otherwise;
}

static int judge(blkid_probe probe, const struct chain *chain, int result, const char *node, struct error *err)
{
	switch (result) {
	case 1:
		return 0;
	case 0:
		return error_set(err, ERROR_DEVICE_REFUSED, "%s holds a %s: %s, its signature at byte %s; " REMEDY,
				 node, chain->what, value_of(probe, chain->type, "of unknown type"),
				 value_of(probe, chain->offset, "(not told)"));
	case -2:
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "%s holds several %ss at once (libblkid finds its contents ambiguous); " REMEDY, node,
				 chain->what);
	default:
		return error_errno(err, ERROR_IO, errno == 0 ? EIO : errno, "%s cannot be searched for a %s", node,
				   chain->what);
	}
}

static int ask(int fd, const struct chain *chain, const char *node, struct error *err)
{
	blkid_probe probe CLEANUP(free_probe) = blkid_new_probe();
	if (probe == NULL)
		return error_nomem(err);
	errno = 0;
	if (blkid_probe_set_device(probe, fd, 0, 0) != 0 || chain->prepare(probe) != 0)
		return error_errno(err, ERROR_IO, errno == 0 ? EIO : errno, "%s cannot be searched for signatures",
				   node);
	return judge(probe, chain, blkid_do_safeprobe(probe), node, err);
}

int probe_signatures(int fd, const char *node, struct error *err)
{
	static const struct chain chains[] = {
		{ only_superblocks, "file system or other signature", "TYPE", "SBMAGIC_OFFSET" },
		{ only_partitions, "partition table", "PTTYPE", "PTMAGIC_OFFSET" },
	};
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		if (ask(fd, &chains[i], node, err) != 0)
			return -1;
	}
	return 0;
}

static int check_zeros(int fd, const char *node, uint64_t offset, uint8_t *data, size_t len, struct error *err)
{
	ssize_t got = io_pread_full(fd, data, len, offset, node, err);
	if (got < 0)
		return -1;
	if ((size_t)got != len)
		return error_set(err, ERROR_IO, "%s ends at byte %llu, before its size", node,
				 (unsigned long long)offset + (unsigned long long)got);
	for (size_t i = 0; i < len; i++) {
		if (data[i] != 0)
			return error_set(err, ERROR_DEVICE_REFUSED,
					 "%s is not blank: byte %llu is not zero (the first and the last MiB were "
					 "read); " REMEDY
					 ". A new encrypted volume may read as noise: say that it is encrypted",
					 node, (unsigned long long)offset + i);
	}
	return 0;
}

int probe_zero_ends(int fd, const char *node, uint64_t size, struct error *err)
{
	size_t len = (size_t)(size < PROBE_END_BYTES ? size : PROBE_END_BYTES);
	uint8_t *data CLEANUP_FREE = malloc(len == 0 ? 1 : len);
	if (data == NULL)
		return error_nomem(err);
	if (check_zeros(fd, node, 0, data, len, err) != 0)
		return -1;
	return check_zeros(fd, node, size - len, data, len, err);
}
