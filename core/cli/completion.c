/* SPDX-License-Identifier: Apache-2.0
 *
 * Completion for bash, zsh and fish, written from the tables of verbs and options when the program is built.
 */
#include "cli/completion.h"

#include <string.h>

typedef void each_word(FILE *, const struct verb *, const char *word, size_t len);

/* The words that may stand first behind a verb, such as those of state and tape: the lines of its usage that begin with
 * a word in small letters; "detector|source|sink" are three. */
static void each_action(FILE *f, const struct verb *v, each_word *each)
{
	for (const char *line = v->usage ? v->usage : ""; *line; line += *line == '\n') {
		size_t n = strcspn(line, "\n"), len = strspn(line, "abcdefghijklmnopqrstuvwxyz|-");
		if (len > 0 && len <= n && *line != '-' && (line[len] == ' ' || line[len] == '\n' || !line[len]))
			for (const char *word = line, *end = line + len; word < end; word++) {
				size_t size = strcspn(word, "| \n");
				each(f, v, word, size);
				word += size;
			}
		line += n;
	}
}

/* What the value of an option is: a file or folder, one of some words, or something that cannot be guessed. */
static bool takes_path(const struct cli_option *o)
{
	static const char *const paths[] = { "PATH", "DIR", "FILE", "NEWDIR", "FOLDER" };

	if (o->type != CLI_TEXT && o->type != CLI_TEXTS)
		return false;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (strcmp(o->value, paths[i]) == 0)
			return true;
	return false;
}

/* Text between single quotes; a second pair of characters is escaped by a backslash for zsh's _arguments. */
static void quote(FILE *f, const char *s, const char *escaped)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", f);
		else if (*s == '\n')
			fputc(' ', f);
		else if (strchr(escaped, *s))
			fprintf(f, "\\%c", *s);
		else
			fputc(*s, f);
	}
}

static void words_of(FILE *f, const char *choices)
{
	for (const char *s = choices; *s; s++)
		fputc(*s == '|' ? ' ' : *s, f);
}

/* ---- bash ---- */

static void bash_word(FILE *f, const struct verb *v, const char *word, size_t len)
{
	(void)v;
	fprintf(f, " %.*s", (int)len, word);
}

static void bash_verb(const struct verb *v, FILE *f)
{
	fprintf(f, "\t%s)\n\t\tcase $prev in\n", v->name);
	for (const struct cli_option *o = v->options; o && o->name; o++) {
		if (o->type == CLI_FLAG)
			continue;
		fprintf(f, "\t\t--%s", o->name);
		if (o->letter)
			fprintf(f, " | -%c", o->letter);
		fputs(") ", f);
		if (takes_path(o)) {
			fputs("files=1", f);
		} else if (o->type == CLI_CHOICE) {
			fputs("words='", f);
			words_of(f, o->value);
			fputs("'", f);
		} else {
			fputs("return", f);
		}
		fputs(" ;;\n", f);
	}
	fputs("\t\t*)\n\t\t\tfiles=1\n\t\t\twords='", f);
	fputs("--help", f);
	for (const struct cli_option *o = v->options; o && o->name; o++)
		fprintf(f, " --%s", o->name);
	fputs("'\n\t\t\t[ \"$COMP_CWORD\" -eq 2 ] && words=\"$words", f);
	each_action(f, v, bash_word);
	if (strcmp(v->name, "plugins") == 0)
		fputs(" $(tapewatch plugins 2>/dev/null | awk 'NR > 1 { print $2 }')", f);
	fputs("\"\n\t\t\t;;\n\t\tesac\n\t\t;;\n", f);
}

static void bash(const struct verb *const *verbs, FILE *f)
{
	fputs("# bash completion for tapewatch, written by `tapewatch --completion bash`\n"
	      "_tapewatch()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words= files= verbs\n"
	      "\tverbs='help",
	      f);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(f, " %s", (*v)->name);
	fputs("'\n\tCOMPREPLY=()\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$verbs --help --version\" -- \"$cur\")\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tcase ${COMP_WORDS[1]} in\n"
	      "\thelp) words=$verbs ;;\n",
	      f);
	for (const struct verb *const *v = verbs; *v; v++)
		bash_verb(*v, f);
	fputs("\tesac\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	      "\t[ -z \"$files\" ] || [[ $cur == -* ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "
	      "\"$cur\")\n"
	      "}\n"
	      "complete -o filenames -F _tapewatch tapewatch\n",
	      f);
}

/* ---- zsh ---- */

static void zsh_word(FILE *f, const struct verb *v, const char *word, size_t len)
{
	(void)v;
	fprintf(f, " %.*s", (int)len, word);
}

static void zsh_option(const struct cli_option *o, FILE *f)
{
	const char *repeat = o->type == CLI_TEXTS ? "*" : "";

	for (int form = o->letter ? 0 : 1; form < 2; form++) {
		fprintf(f, " \\\n\t\t\t'%s", repeat);
		if (form == 0)
			fprintf(f, "-%c%s", o->letter, o->type == CLI_FLAG ? "" : "+");
		else
			fprintf(f, "--%s%s", o->name, o->type == CLI_FLAG ? "" : "=");
		fputc('[', f);
		quote(f, o->help, "[]:\\");
		fputc(']', f);
		if (o->type == CLI_CHOICE) {
			fputs(":value:(", f);
			words_of(f, o->value);
			fputs(")", f);
		} else if (o->type != CLI_FLAG) {
			fprintf(f, ":%s:%s", o->value, takes_path(o) ? "_files" : "");
		}
		fputc('\'', f);
	}
}

static void zsh(const struct verb *const *verbs, FILE *f)
{
	fputs("#compdef tapewatch\n# zsh completion for tapewatch, written by `tapewatch --completion zsh`\n"
	      "_tapewatch()\n{\n\tlocal -a verbs\n\tverbs=(\n",
	      f);
	for (const struct verb *const *v = verbs; *v; v++) {
		fprintf(f, "\t\t'%s:", (*v)->name);
		quote(f, (*v)->summary, ":\\");
		fputs("'\n", f);
	}
	fputs("\t\t'help:help about a verb'\n\t)\n"
	      "\tif (( CURRENT == 2 )); then\n\t\t_describe verb verbs\n\t\treturn\n\tfi\n"
	      "\tlocal verb=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n"
	      "\tcase $verb in\n\thelp) _describe verb verbs ;;\n",
	      f);
	for (const struct verb *const *v = verbs; *v; v++) {
		fprintf(f, "\t%s)\n\t\t_arguments -s", (*v)->name);
		for (const struct cli_option *o = (*v)->options; o && o->name; o++)
			zsh_option(o, f);
		fputs(" \\\n\t\t\t'(-h --help)'{-h,--help}'[print this and end]' \\\n\t\t\t", f);
		if (strcmp((*v)->name, "plugins") == 0) {
			fputs("'1:plugin:($(tapewatch plugins 2>/dev/null | awk \"NR > 1 { print \\$2 }\"))'\n", f);
		} else {
			fputs("'1: :_alternative \"words:action:(", f);
			each_action(f, *v, zsh_word);
			fputs(")\" \"files:file:_files\"' \\\n\t\t\t'*:file:_files'\n", f);
		}
		fputs("\t\t;;\n", f);
	}
	fputs("\tesac\n}\n_tapewatch \"$@\"\n", f);
}

/* ---- fish ---- */

static void fish_word(FILE *f, const struct verb *v, const char *word, size_t len)
{
	fprintf(f, "complete -c tapewatch -n '__fish_seen_subcommand_from %s' -a %.*s\n", v->name, (int)len, word);
}

static void fish(const struct verb *const *verbs, FILE *f)
{
	fputs("# fish completion for tapewatch, written by `tapewatch --completion fish`\n", f);
	for (const struct verb *const *v = verbs; *v; v++) {
		fprintf(f, "complete -c tapewatch -n __fish_use_subcommand -f -a %s -d '", (*v)->name);
		quote(f, (*v)->summary, "");
		fputs("'\n", f);
	}
	fputs("complete -c tapewatch -n __fish_use_subcommand -f -a help -d 'help about a verb'\n"
	      "complete -c tapewatch -s h -l help -d 'print this and end'\n"
	      "complete -c tapewatch -n __fish_use_subcommand -s V -l version -d 'print the version and end'\n",
	      f);
	for (const struct verb *const *v = verbs; *v; v++) {
		each_action(f, *v, fish_word);
		if (strcmp((*v)->name, "plugins") == 0)
			fputs("complete -c tapewatch -n '__fish_seen_subcommand_from plugins' -f -a "
			      "'(tapewatch plugins 2>/dev/null | awk \"NR > 1 { print \\$2 }\")'\n",
			      f);
		for (const struct cli_option *o = (*v)->options; o && o->name; o++) {
			fprintf(f, "complete -c tapewatch -n '__fish_seen_subcommand_from %s' -l %s", (*v)->name,
				o->name);
			if (o->letter)
				fprintf(f, " -s %c", o->letter);
			if (o->type == CLI_CHOICE) {
				fputs(" -x -a '", f);
				words_of(f, o->value);
				fputc('\'', f);
			} else if (o->type != CLI_FLAG) {
				fputs(takes_path(o) ? " -r" : " -x", f);
			}
			fputs(" -d '", f);
			quote(f, o->help, "");
			fputs("'\n", f);
		}
	}
}

int cli_completion(const struct verb *const *verbs, const char *shell, FILE *f)
{
	if (strcmp(shell, "bash") == 0)
		bash(verbs, f);
	else if (strcmp(shell, "zsh") == 0)
		zsh(verbs, f);
	else if (strcmp(shell, "fish") == 0)
		fish(verbs, f);
	else
		return cli_fail(CLI_USAGE, NULL, "--completion: '%s' is none of bash, zsh, fish", shell);
	return fflush(f) == 0 ? CLI_OK : CLI_GAVE_UP;
}
