/* SPDX-License-Identifier: Apache-2.0
 *
 * DIR/reload: what a running process says about its configuration and its last reload, for `tapewatch reload`. A text
 * file that is written anew as a whole: lines "name value", an empty line, then the difference or the mistakes.
 */
#ifndef RUN_OUTCOME_H
#define RUN_OUTCOME_H

#include "base/buf.h"
#include <stdbool.h>
#include <tapewatch/plugin.h>

#define OUTCOME_PATHS 64u
#define OUTCOME_BYTES (1u << 20)

enum outcome_word {
	OUTCOME_NONE,    /* nobody has asked yet */
	OUTCOME_DONE,    /* the new configuration runs */
	OUTCOME_REFUSED, /* mistakes; the old one runs on */
	OUTCOME_FAILED   /* it could not be built; the old one runs on */
};

struct outcome {
	int64_t pid;
	uint64_t generation; /* how many answers there have been */
	enum outcome_word word;
	const char *cwd;     /* of the process: its paths are relative to it */
	const char *paths[OUTCOME_PATHS];
	uint32_t n_paths;
	const char *text;    /* terminated */
};

int32_t outcome_write(const char *dir, const struct outcome *, struct tw_err *);
/* Texts are in the arena. TW_AGAIN: there is none. */
int32_t outcome_read(const char *dir, struct outcome *ret, struct arena *, struct tw_err *);
void outcome_remove(const char *dir);

#endif
