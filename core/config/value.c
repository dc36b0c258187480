/* SPDX-License-Identifier: Apache-2.0
 *
 * One value as an option's type: what is written becomes a number or text in the instance's struct, or a sentence that
 * says what was expected. Types come from the option table alone.
 */
#include "config/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool option_row(const struct tw_option *table, uint32_t size, uint32_t i, struct tw_option *ret)
{
	if (!table || i >= CONFIG_MAX_OPTIONS || size < offsetof(struct tw_option, offset) + sizeof(uint32_t))
		return false;
	memset(ret, 0, sizeof *ret);
	memcpy(ret, (const unsigned char *)table + (size_t)i * size, size < sizeof *ret ? size : sizeof *ret);
	return ret->type != TW_T_END && ret->name;
}

static const char *never_null(const char *text)
{
	return text ? text : "(out of memory)";
}

/* The names of an ENUM, cut at '|'. */
static uint32_t enum_names(const struct tw_option *o, struct arena *a, const char ***ret)
{
	uint32_t n = 1, i = 0;
	for (const char *s = o->min; *s; s++)
		n += *s == '|';
	const char **names = arena_alloc(a, n * sizeof *names);
	if (!names)
		return 0;
	for (const char *s = o->min; i < n; i++) {
		size_t len = strcspn(s, "|");
		names[i] = arena_text(a, s, len);
		if (!names[i])
			return 0;
		s += len + (s[len] == '|');
	}
	*ret = names;
	return n;
}

static const char *with_range(const struct tw_option *o, const char *noun, const char *example, struct arena *a)
{
	if (o->min && o->max)
		return arena_printf(a, "%s from %s to %s", noun, o->min, o->max);
	if (o->min)
		return arena_printf(a, "%s of at least %s", noun, o->min);
	if (o->max)
		return arena_printf(a, "%s of at most %s", noun, o->max);
	return arena_printf(a, "%s such as %s", noun, example);
}

const char *option_expects(const struct tw_option *o, struct arena *a)
{
	const char **names = NULL;
	uint32_t n;
	switch (o->type) {
	case TW_T_INT:
		return never_null(with_range(o, "an integer", "12", a));
	case TW_T_FLOAT:
		return never_null(with_range(o, "a number", "2.5", a));
	case TW_T_BOOL:
		return "true or false";
	case TW_T_DURATION:
		return never_null(with_range(o, "a duration", "250ms, 10s or 5m", a));
	case TW_T_SIZE:
		return never_null(with_range(o, "a size", "64KiB or 10MB", a));
	case TW_T_ENUM:
		n = o->min ? enum_names(o, a, &names) : 0;
		return never_null(arena_printf(a, "one of %s", text_words(a, names, n, "or")));
	case TW_T_LIST:
		return "a list such as [a, b], or a text";
	case TW_T_MAP:
		return "a map such as {name: value}";
	case TW_T_SECRET:
		return "a secret: ${env:NAME} or ${file:PATH}";
	default:
		return "a text";
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool read_int(const char *s, int64_t *ret, bool *ret_huge)
{
	const char *p = s + (*s == '-' || *s == '+');
	if (!is_digit(*p))
		return false;
	while (is_digit(*p))
		p++;
	if (*p)
		return false;
	errno = 0;
	*ret = strtoll(s, NULL, 10);
	*ret_huge = errno == ERANGE;
	return true;
}

/* Decimal notation only: strtod() alone would take hexadecimal, blanks and nan as well. */
static bool read_float(const char *s, double *ret, bool *ret_huge)
{
	const char *p = s + (*s == '-' || *s == '+');
	*ret_huge = false;
	if (strcasecmp(p, "inf") == 0 || strcasecmp(p, ".inf") == 0) {
		*ret = *s == '-' ? -(double)INFINITY : (double)INFINITY;
		return true;
	}
	size_t digits = 0;
	for (; is_digit(*p); p++)
		digits++;
	if (*p == '.') {
		for (p++; is_digit(*p); p++)
			digits++;
	}
	if (!digits)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		if (!is_digit(*p))
			return false;
		while (is_digit(*p))
			p++;
	}
	char *end;
	*ret = strtod(s, &end);
	*ret_huge = isinf(*ret);
	return !*p && !*end;
}

static bool read_bool(const char *s, int64_t *ret)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
	for (int64_t i = 0; i < 6; i++) {
		if (strcasecmp(s, words[i]) == 0) {
			*ret = i & 1;
			return true;
		}
	}
	return false;
}

static const char *out_of_range(const struct tw_option *o, const char *text, struct arena *a)
{
	return never_null(arena_printf(a, "%s is out of range; expected %s", text, option_expects(o, a)));
}

static const char *parse_int(const struct tw_option *o, const char *text, int64_t *ret, struct arena *a)
{
	int64_t v, lo, hi;
	bool huge, bad;
	if (!read_int(text, &v, &huge))
		return never_null(arena_printf(a, "%s is not an integer; expected %s", text_quote(a, text),
					       option_expects(o, a)));
	if (huge || (o->min && read_int(o->min, &lo, &bad) && v < lo) ||
	    (o->max && read_int(o->max, &hi, &bad) && v > hi))
		return strlen(text) > 40 ? "this number is too large" : out_of_range(o, text, a);
	*ret = v;
	return NULL;
}

static const char *parse_float(const struct tw_option *o, const char *text, double *ret, struct arena *a)
{
	double v, lo, hi;
	bool huge, bad;
	if (!read_float(text, &v, &huge))
		return never_null(
			arena_printf(a, "%s is not a number; expected %s", text_quote(a, text), option_expects(o, a)));
	if (huge || (o->min && read_float(o->min, &lo, &bad) && v < lo) ||
	    (o->max && read_float(o->max, &hi, &bad) && v > hi))
		return strlen(text) > 40 ? "this number is out of range" : out_of_range(o, text, a);
	*ret = v;
	return NULL;
}

static const char *parse_units(const struct tw_option *o, const char *text, int64_t *ret, struct arena *a)
{
	bool size = o->type == TW_T_SIZE;
	int (*read)(const char *, int64_t *) = size ? parse_size : parse_duration;
	int64_t v, lo, hi;
	if (read(text, &v) < 0) {
		const char *quoted = text_quote(a, text);
		if (size)
			return never_null(arena_printf(
				a, "%s is not a size; use a number and a unit: B KB MB GB KiB MiB GiB", quoted));
		return never_null(arena_printf(
			a, "%s %s; use a number and a unit: ns us ms s m h d w", quoted,
			strspn(text, "0123456789.") == strlen(text) && *text ? "has no unit" : "is not a duration"));
	}
	if (!o->min || read(o->min, &lo) < 0)
		lo = INT64_MIN;
	/* A time span below zero makes sense only where the table asks for it. */
	if (!o->min && v < 0)
		return never_null(
			arena_printf(a, "%s is negative; expected %s", text_quote(a, text), option_expects(o, a)));
	if (v < lo || (o->max && read(o->max, &hi) == 0 && v > hi))
		return strlen(text) > 40 ? "this is out of range" : out_of_range(o, text, a);
	*ret = v;
	return NULL;
}

static const char *parse_enum(const struct tw_option *o, const char *text, int64_t *ret, struct arena *a)
{
	const char **names = NULL;
	uint32_t n = o->min ? enum_names(o, a, &names) : 0;
	for (uint32_t i = 0; i < n; i++) {
		if (strcmp(names[i], text) == 0) {
			*ret = i;
			return NULL;
		}
	}
	const char *near = n ? nearest(text, names, n) : NULL;
	const char *all = option_expects(o, a), *quoted = text_quote(a, text);
	if (near)
		return never_null(arena_printf(a, "%s is not %s; did you mean '%s'?", quoted, all, near));
	return never_null(arena_printf(a, "%s is not %s", quoted, all));
}

static char *trimmed(struct arena *a, const char *s, size_t len)
{
	while (len && *s == ' ')
		s++, len--;
	while (len && s[len - 1] == ' ')
		len--;
	return arena_text(a, s, len);
}

/* A default of a list or map stands in the table as text: "[a, b]", "{a: 1, b: 2}", "" or a single text. */
static const char *parse_list(const struct tw_option *o, const char *text, struct tw_list *ret, struct arena *a)
{
	bool map = o->type == TW_T_MAP;
	size_t len = strlen(text);
	bool brackets = len > 1 && text[0] == '[' && text[len - 1] == ']';
	bool braces = len > 1 && text[0] == '{' && text[len - 1] == '}';
	if (!len || (map && len == 2 && braces) || (len == 2 && brackets)) {
		*ret = (struct tw_list){ 0 };
		return NULL;
	}
	if (map ? !brackets && !braces : braces)
		return never_null(
			arena_printf(a, "%s is a text; expected %s", text_quote(a, text), option_expects(o, a)));
	if (brackets || braces) {
		text++;
		len -= 2;
	}
	uint64_t n = 1;
	for (size_t i = 0; (brackets || braces) && i < len; i++)
		n += text[i] == ',';
	const char **items = arena_alloc(a, n * 2 * sizeof *items);
	if (!items)
		return "does not fit in memory";
	uint64_t used = 0;
	for (uint64_t i = 0; i < n; i++) {
		const char *comma = n > 1 ? memchr(text, ',', len) : NULL;
		size_t part = comma ? (size_t)(comma - text) : len;
		const char *colon = braces ? memchr(text, ':', part) : NULL;
		if (braces && !colon)
			return never_null(arena_printf(a, "a ':' is missing in %s", text_quote(a, text)));
		items[used++] = trimmed(a, text, colon ? (size_t)(colon - text) : part);
		if (braces)
			items[used++] = trimmed(a, colon + 1, part - (size_t)(colon + 1 - text));
		else if (map)
			items[used++] = arena_printf(a, "%u", (unsigned)(i + 1));
		text += part + (comma != NULL);
		len -= part + (comma != NULL);
	}
	for (uint64_t i = 0; i < used; i++) {
		if (!items[i])
			return "does not fit in memory";
	}
	*ret = (struct tw_list){ items, used };
	return NULL;
}

const char *option_parse(const struct tw_option *o, const char *text, void *self, struct arena *a)
{
	union {
		int64_t i;
		double f;
		const char *s;
		struct tw_list list;
	} v = { 0 };
	size_t size = sizeof v.i;
	const char *wrong = NULL;
	bool number = o->type != TW_T_STRING && o->type != TW_T_SECRET && o->type != TW_T_LIST && o->type != TW_T_MAP;
	if (number && !*text)
		return never_null(arena_printf(a, "nothing is given; expected %s", option_expects(o, a)));
	switch (o->type) {
	case TW_T_INT:
		wrong = parse_int(o, text, &v.i, a);
		break;
	case TW_T_FLOAT:
		wrong = parse_float(o, text, &v.f, a);
		break;
	case TW_T_BOOL:
		if (!read_bool(text, &v.i))
			wrong = never_null(arena_printf(a, "%s is not true or false", text_quote(a, text)));
		break;
	case TW_T_DURATION:
	case TW_T_SIZE:
		wrong = parse_units(o, text, &v.i, a);
		break;
	case TW_T_ENUM:
		wrong = parse_enum(o, text, &v.i, a);
		break;
	case TW_T_STRING:
	case TW_T_SECRET:
		size = sizeof v.s;
		v.s = arena_text(a, text, strlen(text));
		wrong = v.s ? NULL : "does not fit in memory";
		break;
	case TW_T_LIST:
	case TW_T_MAP:
		size = sizeof v.list;
		wrong = parse_list(o, text, &v.list, a);
		break;
	default:
		return "the option table has a type that this host does not know; build the plugin for this version";
	}
	if (!wrong && self)
		memcpy((unsigned char *)self + o->offset, &v, size);
	return wrong;
}
