/* SPDX-License-Identifier: Apache-2.0
 *
 * Case files: events in, alerts out, as YAML beside a detector. docs/man/tapewatch-test.1 has the form.
 */
#ifndef KIT_CASES_H
#define KIT_CASES_H

#include "base/buf.h"
#include <stdbool.h>

struct kit_case_result {
	const char *file, *name;
	int32_t line;
	bool ok;
	uint32_t events, alerts;
	const char *why; /* lines of text, for people; "" when ok */
};

struct kit_cases {
	const char *plugin; /* in place of what the files name; NULL: as they say */
	void (*each)(void *arg, const struct kit_case_result *);
	void *arg;
	uint32_t cases, failed; /* counted */
};

/* A case file; or a folder: its *.yaml in order of their names, and when it has none those of its folder `cases`.
 * TW_OK when all could be read, whatever came of them; else a sentence in e. */
int32_t kit_cases_run(struct kit_cases *, const char *path, struct tw_err *e);

#endif
