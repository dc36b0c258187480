/* SPDX-License-Identifier: Apache-2.0
 *
 * Output files that are there as a whole or not at all.
 */
#include "cli/tape_out.h"
#include "base/os.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_BYTES 65536u

int tape_out_open(struct tape_out *o, const char *path)
{
	*o = (struct tape_out){ .fd = -1, .open = true };
	if (!path)
		return CLI_GO;
	o->path = strdup(path);
	if (!o->path || asprintf(&o->part, "%s.part", path) < 0) {
		o->part = NULL;
		return cli_fail(CLI_GAVE_UP, "tape", "out of memory");
	}
	o->fd = os->open(o->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return o->fd < 0 ? cli_fail(CLI_GAVE_UP, "tape", "cannot write %s: %s", o->part, strerror(errno)) : CLI_GO;
}

int tape_out_flush(struct tape_out *o, bool all)
{
	size_t at = 0;
	int code = CLI_GO;

	if (!o->buf.len || (!all && o->buf.len < FLUSH_BYTES))
		return CLI_GO;
	if (!o->path)
		return cli_write(&o->buf, "tape", &code) ? CLI_GO : code;
	while (at < o->buf.len) {
		ssize_t n = os->write(o->fd, o->buf.data + at, o->buf.len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cli_fail(CLI_GAVE_UP, "tape", "cannot write %s: %s", o->part,
					strerror(n < 0 ? errno : ENOSPC));
		at += (size_t)n;
	}
	o->buf.len = 0;
	return CLI_GO;
}

int tape_out_close(struct tape_out *o, bool keep)
{
	int code = CLI_OK;

	if (o->fd >= 0) {
		if (keep && os->fsync(o->fd) < 0)
			code = cli_fail(CLI_GAVE_UP, "tape", "cannot write %s: %s", o->part, strerror(errno));
		if (os->close(o->fd) < 0 && keep && code == CLI_OK)
			code = cli_fail(CLI_GAVE_UP, "tape", "cannot write %s: %s", o->part, strerror(errno));
		if (keep && code == CLI_OK && os->rename(o->part, o->path) < 0)
			code = cli_fail(CLI_GAVE_UP, "tape", "cannot rename %s to %s: %s", o->part, o->path,
					strerror(errno));
		if (!keep || code != CLI_OK)
			(void)os->unlink(o->part);
	}
	buf_free(&o->buf);
	free(o->path);
	free(o->part);
	*o = (struct tape_out){ .fd = -1 };
	return code;
}
