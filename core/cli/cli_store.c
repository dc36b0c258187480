/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a store to look into it. A damaged file can make LMDB follow a page number out of the map, so a child looks
 * first; and where only this process would have noticed, its death comes with a sentence and the exit code for it.
 */
#include "cli/cli.h"
#include "state/store.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void on_crash(int number)
{
	static const char sentence[] =
		"tapewatch: reading the store ended in a crash: a file was changed or the disk is failing, restore a "
		"copy; if `tapewatch tape verify` finds nothing wrong, this is a mistake of tapewatch: please report "
		"it\n";
	ssize_t n = write(STDERR_FILENO, sentence, sizeof sentence - 1);

	(void)n, (void)number;
	_exit(CLI_STORE);
}

int32_t cli_store_read(struct store **ret, const char *dir, struct tw_err *e)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT };
	int32_t rc = store_check_quick(dir, e);

	if (rc == TW_OK)
		rc = store_open(ret, dir, STORE_READ, NULL, e);
	for (size_t i = 0; rc == TW_OK && i < sizeof deadly / sizeof deadly[0]; i++)
		(void)signal(deadly[i], on_crash);
	return rc;
}
