/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files through the door to the kernel.
 */
#include "ext/file.h"
#include "base/err.h"
#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PIECE 65536u

struct file_mark file_mark_of(const struct stat *st)
{
	return (struct file_mark){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.modified = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
		.changed = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

bool file_mark_same(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size && a->modified == b->modified &&
	       a->changed == b->changed;
}

static int32_t read_all(int fd, const char *path, uint64_t max, struct buf *b, struct tw_err *err)
{
	for (;;) {
		unsigned char *room = buf_reserve(b, PIECE);
		ssize_t got;
		if (!room)
			return err_set(err, TW_E_IO, "%s: memory is out", path);
		got = os->read(fd, room, PIECE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, errno, "cannot read %s", path);
		if (got == 0)
			return TW_OK;
		b->len += (size_t)got;
		if (b->len > max)
			return err_set(err, TW_E_IO, "%s has more than %" PRIu64 " bytes", path, max);
	}
}

int32_t file_read_whole(const char *path, uint64_t max, struct buf *ret, struct file_mark *mark, unsigned *mode,
			struct tw_err *err)
{
	struct buf b = { 0 };
	struct stat st;
	int32_t rc;
	int fd;

	/* The mark is taken before the bytes: a file that is replaced meanwhile is read again next time */
	if (os->stat(path, &st) != 0) {
		rc = errno == ENOENT ? TW_AGAIN : TW_E_IO;
		err_sys(err, errno, "cannot read %s", path);
		return rc;
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, TW_E_IO, "%s is not a file", path);
	fd = os->open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, errno, "cannot read %s", path);
	rc = read_all(fd, path, max, &b, err);
	(void)os->close(fd);
	if (rc != TW_OK) {
		if (b.data)
			explicit_bzero(b.data, b.len);
		buf_free(&b);
		return rc;
	}
	*ret = b;
	*mark = file_mark_of(&st);
	if (mode)
		*mode = st.st_mode;
	return TW_OK;
}
