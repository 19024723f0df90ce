/* SPDX-License-Identifier: Apache-2.0 */
/* Compares texts, and knows nothing of certificates: that one under the wrong name is not found is not seen here. */
#include "common/http_trust.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/io.h"

#define MAX_BYTES ((size_t)4 * 1024 * 1024)
#define MAX_CERTIFICATES 2048
#define END "-----END CERTIFICATE-----"
#define TAIL 100 /* characters before the end: of the signature, which no other certificate has */

struct tails {
	size_t count;
	const char *at[MAX_CERTIFICATES]; /* TAIL characters each */
};

static int compare(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return memcmp(*left, *right, TAIL);
}

static bool collect(const char *text, struct tails *tails)
{
	tails->count = 0;
	for (const char *at = text; (at = strstr(at, END)) != NULL; at += strlen(END)) {
		if (at - text < TAIL || tails->count == MAX_CERTIFICATES)
			return false;
		tails->at[tails->count++] = at - TAIL;
	}
	qsort(tails->at, tails->count, sizeof(tails->at[0]), compare);
	return tails->count > 0;
}

/* Eight hexadecimal digits, a dot, a number: as the library looks for it. */
static bool is_hash_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] != '\0' &&
	       name[9 + strspn(name + 9, "0123456789")] == '\0';
}

static bool read_from(int folder, const char *name, struct buf *text)
{
	CLEANUP_FD int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && io_read_to_end(fd, text, name, NULL) == 0;
}

static bool read_folder(const char *folder, struct buf *text)
{
	CLEANUP_DIR DIR *dir = opendir(folder);

	if (dir == NULL)
		return false;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (is_hash_name(entry->d_name))
			(void)read_from(dirfd(dir), entry->d_name, text); /* one that is missing is missed below */
	}
	return !text->failed;
}

bool http_trust_folder_has_all(const char *folder, const char *file)
{
	CLEANUP_BUF struct buf wanted_text = BUF_INIT(MAX_BYTES);
	CLEANUP_BUF struct buf found_text = BUF_INIT(MAX_BYTES);
	CLEANUP_FREE struct tails *wanted = malloc(sizeof(*wanted));
	CLEANUP_FREE struct tails *found = malloc(sizeof(*found));

	if (folder == NULL || file == NULL || wanted == NULL || found == NULL ||
	    !read_from(AT_FDCWD, file, &wanted_text) || !read_folder(folder, &found_text) ||
	    !collect(buf_text(&wanted_text), wanted) || !collect(buf_text(&found_text), found))
		return false;
	for (size_t i = 0; i < wanted->count; i++) {
		if (bsearch(&wanted->at[i], found->at, found->count, sizeof(found->at[0]), compare) == NULL)
			return false;
	}
	return true;
}
