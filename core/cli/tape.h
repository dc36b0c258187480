/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of `tapewatch tape` share.
 */
#ifndef CLI_TAPE_H
#define CLI_TAPE_H

#include "cli/cli.h"
#include "state/store.h"

struct tape_args {
	const char *dir, *symbol, *account, *from, *to;
	struct cli_texts kinds;
	bool json, dead;
	uint64_t limit;
};

extern const struct verb verb_tape;

/* Both return an exit code. */
int tape_info(const struct tape_args *, struct store *);
int tape_cat(const struct tape_args *, struct store *);

#endif
