/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of verbs: runs a command line in this process and catches what it prints.
 */
#ifndef KIT_CLI_KIT_H
#define KIT_CLI_KIT_H

#define CLI_KIT_MAX_ARGS 24

struct cli_run {
	int argc, code;
	char *argv[CLI_KIT_MAX_ARGS];
	char *out, *err; /* what was printed; cli_run_free() */
};

/* Runs f(arg, r), which sets r->code, with both streams caught. */
void cli_run_catch(struct cli_run *r, void (*f)(void *arg, struct cli_run *r), void *arg);
void cli_run_free(struct cli_run *r);

#endif
