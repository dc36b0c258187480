/* SPDX-License-Identifier: Apache-2.0
 *
 * Case files from within a test program.
 */
#include "kit/cases.h"
#include "base/log.h"
#include "impl.h"
#include <stdio.h>

static void print(void *arg, const struct kit_case_result *r)
{
	(void)arg;
	if (!r->ok)
		fprintf(stderr, "FAIL  %s:%d: %s\n%s", r->file, r->line, r->name, r->why);
}

int tw_test_cases(const char *plugin, const char *path)
{
	struct kit_cases cases = { .plugin = plugin, .each = print };
	struct tw_err e = { 0 };

	log_setup(LOG_TEXT, TW_LOG_ERROR);
	if (kit_cases_run(&cases, path, &e) != TW_OK) {
		fprintf(stderr, "tapewatch test: %s\n", e.msg);
		return 1;
	}
	return (int)cases.failed;
}
