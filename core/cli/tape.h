/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of `tapewatch tape` share.
 */
#ifndef CLI_TAPE_H
#define CLI_TAPE_H

#include "cli/cli.h"
#include "state/store.h"

enum tape_format { TAPE_JSONL, TAPE_CSV };

struct tape_args {
	const char *dir, *symbol, *account, *from, *to, *out, *source;
	struct cli_texts kinds;
	bool json, dead, renumber;
	uint32_t format; /* enum tape_format */
	uint64_t limit;
};

extern const struct verb verb_tape;

/* Each returns an exit code. */
int tape_info(const struct tape_args *, struct store *);
int tape_cat(const struct tape_args *, struct store *);
int tape_export(const struct tape_args *, struct store *);
int tape_import(const struct tape_args *, const char *file);

#endif
