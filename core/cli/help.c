/* SPDX-License-Identifier: Apache-2.0
 *
 * Help, written from the tables of verbs and options.
 */
#include "cli/cli.h"

#include <string.h>

#define NAME_COLUMNS 26
#define COLUMNS      100

/* One line for each form; a line that begins with a blank goes on with the form above it. */
static void print_usage(const struct verb *v, FILE *f)
{
	const char *line = v->usage ? v->usage : "";
	const char *lead = "usage:";

	for (bool more = true; more;) {
		size_t n = strcspn(line, "\n");
		if (*line == ' ')
			fprintf(f, "%*s%.*s\n", (int)(strlen("usage: tapewatch ") + strlen(v->name)), "", (int)n, line);
		else
			fprintf(f, "%s tapewatch %s%s%.*s\n", lead, v->name, n ? " " : "", (int)n, line);
		more = line[n] == '\n';
		line += n + more;
		lead = "      ";
	}
}

/* The help text begins in one column; where the name is too long for that, on the next line. */
static void print_option(const struct cli_option *o, FILE *f)
{
	char name[96], letter[] = "-?, ";

	letter[1] = o->letter;
	int n = snprintf(name, sizeof name, "  %s--%s%s%s", o->letter ? letter : "    ", o->name, o->value ? "=" : "",
			 o->value ? o->value : "");

	if (n < NAME_COLUMNS)
		fprintf(f, "%-*s%s\n", NAME_COLUMNS, name, o->help);
	else
		fprintf(f, "%s\n%*s%s\n", name, NAME_COLUMNS, "", o->help);
}

/* Lines longer than a screen are broken at blanks. */
static void print_wrapped(const char *s, FILE *f)
{
	while (*s) {
		size_t n = strcspn(s, "\n"), cut = n;
		if (n > COLUMNS) {
			for (cut = COLUMNS; cut > 0 && s[cut] != ' ';)
				cut--;
			cut = cut ? cut : n;
		}
		fprintf(f, "%.*s\n", (int)cut, s);
		s += cut + (s[cut] != '\0');
	}
}

void cli_help(const struct verb *v, FILE *f)
{
	static const struct cli_option help = { "help", 'h', CLI_FLAG, NULL, 0, "print this and end" };

	print_usage(v, f);
	fprintf(f, "\n%s\n\n", v->summary);
	for (const struct cli_option *o = v->options; o && o->name; o++)
		print_option(o, f);
	print_option(&help, f);
	if (v->more) {
		fputc('\n', f);
		print_wrapped(v->more, f);
	}
	fprintf(f, "\nMore: man tapewatch-%s\n", v->name);
}

void cli_help_all(const struct verb *const *verbs, FILE *f)
{
	fprintf(f, "usage: tapewatch VERB [OPTIONS]\n\n"
		   "Watches the tape: reads market and account events, records them in one order, shows them to\n"
		   "detectors, and delivers what the detectors say.\n\n");
	for (; *verbs; verbs++)
		fprintf(f, "  %-11s %s\n", (*verbs)->name, (*verbs)->summary);
	fprintf(f, "  %-11s %s\n", "help", "help about a verb: tapewatch help VERB, tapewatch VERB --help");
	fprintf(f,
		"\n  -h, --help     print this and end\n"
		"  -V, --version  print the version and end\n"
		"  --crash-points print the moments at which TW_CRASH=NAME:N ends the process, for tests\n"
		"\nExit codes: 0 done, 2 usage or configuration, 3 a source or sink gave up, 4 the store is damaged\n"
		"or locked.\n");
}
