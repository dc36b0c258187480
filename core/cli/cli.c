/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the verb, and how verbs say that something went wrong.
 */
#include "cli/cli.h"
#include "base/crash.h"
#include "cli/completion.h"
#include "config/config.h"
#include "state/store.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>

#define MAX_VERBS 32u

static const struct verb *find(const struct verb *const *verbs, const char *name)
{
	for (; *verbs; verbs++)
		if (strcmp((*verbs)->name, name) == 0)
			return *verbs;
	return NULL;
}

/* The sentence of cli_fail() and cli_misuse(); what the user typed may hold anything. */
static void TW_PRINTF(2, 0) complain(const char *verb, const char *fmt, va_list ap)
{
	char text[2048];
	struct buf out = { 0 };

	vsnprintf(text, sizeof text, fmt, ap);
	bool ok = cli_text(&out, text, strlen(text), 0) == 0;
	fprintf(stderr, "tapewatch%s%s: %.*s\n", verb ? " " : "", verb ? verb : "",
		ok ? (int)out.len : (int)strlen("out of memory"), ok ? (const char *)out.data : "out of memory");
	buf_free(&out);
}

int cli_fail(int code, const char *verb, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	complain(verb, fmt, ap);
	va_end(ap);
	return code;
}

int cli_misuse(const struct verb *v, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	complain(v->name, fmt, ap);
	va_end(ap);
	fprintf(stderr, "try 'tapewatch %s --help'\n", v->name);
	return CLI_USAGE;
}

int cli_store_code(int32_t rc)
{
	return rc >= 0 ? CLI_OK : rc == TW_E_CONFIG ? CLI_USAGE : CLI_STORE;
}

static int unknown_verb(const struct verb *const *verbs, const char *name)
{
	const char *words[MAX_VERBS];
	uint32_t n = 0;

	words[n++] = "help";
	for (; *verbs && n < MAX_VERBS; verbs++)
		words[n++] = (*verbs)->name;
	const char *near = nearest(name, words, n);
	if (near)
		cli_fail(CLI_USAGE, NULL, "there is no verb '%s'; did you mean '%s'?", name, near);
	else
		cli_fail(CLI_USAGE, NULL, "there is no verb '%s'; try 'tapewatch help'", name);
	return CLI_USAGE;
}

int cli_main(const struct verb *const *verbs, int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an EPIPE where we write, and no death in the middle */
	signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is a full disk (EFBIG), which is waited out */
	if (argc < 2) {
		cli_help_all(verbs, stderr);
		return CLI_USAGE;
	}

	const char *name = argv[1];
	if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0) {
		printf("tapewatch %s, plugin ABI %u.%u\n", TAPEWATCH_VERSION, TW_ABI_MAJOR, TW_ABI_MINOR);
		return CLI_OK;
	}
	if (strcmp(name, "--crash-points") == 0) {
		crash_points_print(stdout);
		return CLI_OK;
	}
	if (strcmp(name, "--completion") == 0 && argc == 3) /* for the build, which installs it */
		return cli_completion(verbs, argv[2], stdout);
	bool help = strcmp(name, "help") == 0;
	if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0 || (help && argc == 2)) {
		cli_help_all(verbs, stdout);
		return CLI_OK;
	}
	if (name[0] == '-')
		return cli_fail(CLI_USAGE, NULL, "unknown option '%s' before the verb; try 'tapewatch help'", name);
	if (help)
		name = argv[2];

	const struct verb *v = find(verbs, name);
	if (!v)
		return unknown_verb(verbs, name);
	if (!help)
		return v->run(argc - 1, argv + 1);
	cli_help(v, stdout);
	return CLI_OK;
}
