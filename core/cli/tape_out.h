/* SPDX-License-Identifier: Apache-2.0
 *
 * Where `tape export` writes: standard output, or files that take their names only when they are whole.
 */
#ifndef CLI_TAPE_OUT_H
#define CLI_TAPE_OUT_H

#include "base/buf.h"
#include <stdbool.h>

struct tape_out {
	struct buf buf;
	char *path, *part; /* NULL: standard output */
	int fd;
	bool open;
};

/* path NULL: standard output. CLI_GO, or an exit code after a sentence. */
int tape_out_open(struct tape_out *, const char *path);
/* Write buf out once it is full enough. CLI_GO, or an exit code; CLI_OK when nobody reads standard output any more. */
int tape_out_flush(struct tape_out *, bool all);
/* keep: sync the file and give it its name, else remove it. Returns CLI_OK, or an exit code after a sentence. */
int tape_out_close(struct tape_out *, bool keep);

#endif
