/* SPDX-License-Identifier: Apache-2.0
 *
 * Catching standard output and standard error; see cli_kit.h.
 */
#include "cli_kit.h"
#include "sink_kit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

void cli_run_catch(struct cli_run *r, void (*f)(void *arg, struct cli_run *r), void *arg)
{
	char folder[64], out[96], err[96];

	sink_kit_folder(folder);
	snprintf(out, sizeof out, "%s/out", folder);
	snprintf(err, sizeof err, "%s/err", folder);
	fflush(NULL); /* both streams are buffered: what is in them goes out at both ends */
	FILE *file = fopen(err, "w");
	assert_non_null(file);
	int saved_err = dup(STDERR_FILENO), saved_out = sink_kit_redirect(out);
	dup2(fileno(file), STDERR_FILENO);
	f(arg, r);
	fflush(NULL);
	sink_kit_restore(saved_out);
	dup2(saved_err, STDERR_FILENO);
	close(saved_err);
	fclose(file);
	r->out = sink_kit_read(out, NULL);
	r->err = sink_kit_read(err, NULL);
	sink_kit_remove(folder);
}

void cli_run_free(struct cli_run *r)
{
	free(r->out);
	free(r->err);
	r->out = r->err = NULL;
}
