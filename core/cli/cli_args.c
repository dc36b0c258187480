/* SPDX-License-Identifier: Apache-2.0
 *
 * GNU style options from a table: -d DIR, -dDIR, --dir DIR, --dir=DIR, -qv, and `--` as the end of options.
 */
#include "cli/cli.h"
#include "config/config.h"

#include <string.h>

static const struct cli_option help_option = { "help", 'h', CLI_FLAG, NULL, 0, NULL };

static const struct cli_option *find_long(const struct verb *v, const char *name, size_t len)
{
	for (const struct cli_option *o = v->options; o && o->name; o++)
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return len == 4 && memcmp(name, "help", 4) == 0 ? &help_option : NULL;
}

static const struct cli_option *find_short(const struct verb *v, char letter)
{
	for (const struct cli_option *o = v->options; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return letter == 'h' ? &help_option : NULL;
}

static int unknown_long(const struct verb *v, const char *name, size_t len)
{
	const char *words[64];
	char word[64];
	uint32_t n = 0;

	words[n++] = "help";
	for (const struct cli_option *o = v->options; o && o->name && n < 64; o++)
		words[n++] = o->name;
	snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), name);
	const char *near = nearest(word, words, n);
	return near ? cli_misuse(v, "unknown option '--%s'; did you mean '--%s'?", word, near)
		    : cli_misuse(v, "unknown option '--%s'", word);
}

static int set_number(const struct verb *v, const struct cli_option *o, const char *text, uint64_t *ret)
{
	uint64_t n = 0;
	const char *s = text;

	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
			return cli_misuse(v, "--%s: '%s' is too large", o->name, text);
	if (*s || s == text)
		return cli_misuse(v, "--%s: '%s' is not a whole number", o->name, text);
	*ret = n;
	return CLI_GO;
}

static int set_choice(const struct verb *v, const struct cli_option *o, const char *text, uint32_t *ret)
{
	const char *words[16];
	char copies[16][32];
	uint32_t n = 0;

	for (const char *w = o->value; n < 16; w++) {
		size_t len = strcspn(w, "|");
		if (strlen(text) == len && memcmp(w, text, len) == 0) {
			*ret = n;
			return CLI_GO;
		}
		snprintf(copies[n], sizeof copies[n], "%.*s", (int)len, w);
		words[n] = copies[n];
		n++;
		w += len;
		if (!*w)
			break;
	}
	const char *near = nearest(text, words, n);
	return near ? cli_misuse(v, "--%s: '%s' is none of %s; did you mean '%s'?", o->name, text, o->value, near)
		    : cli_misuse(v, "--%s: '%s' is none of %s", o->name, text, o->value);
}

static int set(const struct verb *v, const struct cli_option *o, const char *text, void *into)
{
	void *at = (char *)into + o->offset;

	switch (o->type) {
	case CLI_FLAG:
		*(bool *)at = true;
		return CLI_GO;
	case CLI_TEXT:
		*(const char **)at = text;
		return CLI_GO;
	case CLI_TEXTS: {
		struct cli_texts *list = at;
		if (list->n == CLI_MAX_TEXTS)
			return cli_misuse(v, "--%s was given more than %u times", o->name, CLI_MAX_TEXTS);
		list->items[list->n++] = text;
		return CLI_GO;
	}
	case CLI_NUMBER:
		return set_number(v, o, text, at);
	case CLI_DURATION:
		if (parse_duration(text, at) < 0)
			return cli_misuse(v, "--%s: '%s' is not a duration such as 250ms, 10s or 2h", o->name, text);
		return CLI_GO;
	case CLI_CHOICE:
		return set_choice(v, o, text, at);
	}
	return CLI_GO;
}

/* --name, --name=VALUE or --name VALUE at argv[*i]. */
static int parse_long(const struct verb *v, int argc, char **argv, int *i, void *into)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '='), *text = NULL;
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct cli_option *o = find_long(v, name, len);

	if (!o)
		return unknown_long(v, name, len);
	if (o->type == CLI_FLAG && equals)
		return cli_misuse(v, "--%s takes no value", o->name);
	if (o == &help_option) {
		cli_help(v, stdout);
		return CLI_OK;
	}
	if (o->type != CLI_FLAG) {
		text = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
		if (!text)
			return cli_misuse(v, "--%s needs a value: %s", o->name, o->value);
	}
	return set(v, o, text, into);
}

/* One or more letters behind a dash; the last of them may have a value. */
static int parse_short(const struct verb *v, int argc, char **argv, int *i, void *into)
{
	for (const char *s = argv[*i] + 1; *s; s++) {
		const struct cli_option *o = find_short(v, *s);
		if (!o)
			return cli_misuse(v, "unknown option '-%c'", *s >= 0x20 && *s < 0x7f ? *s : '?');
		if (o == &help_option) {
			cli_help(v, stdout);
			return CLI_OK;
		}
		if (o->type == CLI_FLAG) {
			set(v, o, NULL, into);
			continue;
		}
		const char *text = s[1] ? s + 1 : *i + 1 < argc ? argv[++*i] : NULL;
		return text ? set(v, o, text, into)
			    : cli_misuse(v, "-%c (--%s) needs a value: %s", o->letter, o->name, o->value);
	}
	return CLI_GO;
}

int cli_parse(const struct verb *v, int *argc, char **argv, void *into, uint32_t max_operands)
{
	int n = 1, rc = CLI_GO; /* argv[1..n) are operands; n never overtakes i */
	bool options = true;

	for (int i = 1; i < *argc && rc == CLI_GO; i++) {
		char *arg = argv[i];
		if (!options || arg[0] != '-' || !arg[1])
			argv[n++] = arg;
		else if (strcmp(arg, "--") == 0)
			options = false;
		else if (arg[1] == '-')
			rc = parse_long(v, *argc, argv, &i, into);
		else
			rc = parse_short(v, *argc, argv, &i, into);
	}
	if (rc != CLI_GO)
		return rc;
	if ((uint32_t)n - 1 > max_operands)
		return cli_misuse(v, "'%s' is one argument too many", argv[1 + max_operands]);
	*argc = n;
	return CLI_GO;
}
