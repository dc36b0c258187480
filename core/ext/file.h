/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a small file as a whole, and noticing that another one lies in its place.
 */
#ifndef EXT_FILE_H
#define EXT_FILE_H

#include "base/buf.h"
#include <stdbool.h>
#include <sys/stat.h>

/* Which file it was: another one of these differs in something. */
struct file_mark {
	uint64_t device, inode, size;
	int64_t modified, changed; /* ns */
};

struct file_mark file_mark_of(const struct stat *);
bool file_mark_same(const struct file_mark *, const struct file_mark *);
/* A regular file of at most max bytes. On success *ret is what was read and *mark which file it was; mode may be NULL.
 * TW_OK, or TW_E_IO with a sentence; TW_AGAIN when it is not there, with a sentence too. */
int32_t file_read_whole(const char *path, uint64_t max, struct buf *ret, struct file_mark *mark, unsigned *mode,
                        struct tw_err *);

#endif
