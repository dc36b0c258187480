/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch: the verbs.
 */
#include "base/crash.h"
#include "cli/cli.h"
#include "plugin/plugin.h"
#include <malloc.h>
#include <string.h>

int main(int argc, char **argv)
{
	static const struct verb *const verbs[] = { &verb_run,     &verb_reload,      &verb_check, &verb_graph,
						    &verb_plugins, &verb_alerts,      &verb_tape,  &verb_state,
						    &verb_replay,  &verb_backtest,    &verb_demo,  &verb_new,
						    &verb_test,    &verb_test_plugin, NULL };
	struct tw_err e;

	/* LMDB allocates and frees each block of half a megabyte that it writes; by default those come fresh from the
	 * kernel every time, and their page faults cost as much as the writing. */
	(void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 64 << 20);

	if (argc == 4 && strcmp(argv[1], "--try-plugin") == 0)
		plugin_trial_main(argv[2], argv[3]);
	if (crash_setup(&e) != TW_OK)
		return cli_fail(CLI_USAGE, NULL, "%s", e.msg);
	return cli_main(verbs, argc, argv);
}
