/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a plugin's option table fit for use? A table is code from outside, so it is looked at before it is believed.
 */
#include "config/internal.h"

#include <string.h>

static bool is_option_name(const char *s)
{
	size_t n = 0;
	for (; s[n]; n++) {
		bool letter = (s[n] >= 'a' && s[n] <= 'z') || s[n] == '_';
		if (!letter && !(n && s[n] >= '0' && s[n] <= '9'))
			return false;
	}
	return n > 0 && n < 64;
}

static bool ranged(uint32_t type)
{
	return type == TW_T_INT || type == TW_T_FLOAT || type == TW_T_DURATION || type == TW_T_SIZE;
}

/* The ends of a range parse as the type itself, when no range is in the way. */
static const char *lint_range(const struct tw_option *o, struct arena *a)
{
	struct tw_option bare = *o;
	union {
		int64_t i;
		double f;
	} lo = { 0 }, hi = { 0 };
	bare.offset = 0;
	bare.max = NULL;
	if (o->min) {
		if (option_parse(&bare, o->min, &lo, a))
			return arena_printf(a, "option '%s': min '%s' is not %s", o->name, o->min,
					    "of the option's type");
	}
	bare.min = o->min;
	if (o->max) {
		const char *wrong = option_parse(&bare, o->max, &hi, a);
		if (wrong)
			return arena_printf(a, "option '%s': max '%s' is below min, or not of the option's type",
					    o->name, o->max);
	}
	return NULL;
}

static const char *lint_enum(const struct tw_option *o, struct arena *a)
{
	if (!o->min || !*o->min)
		return arena_printf(a, "option '%s': an enum needs its names in min, as \"a|b\"", o->name);
	for (const char *s = o->min;;) {
		size_t len = strcspn(s, "|");
		if (!len)
			return arena_printf(a, "option '%s': an enum has an empty name in \"%s\"", o->name, o->min);
		for (const char *t = s + len; *t == '|';) {
			size_t other = strcspn(++t, "|");
			if (other == len && memcmp(s, t, len) == 0)
				return arena_printf(a, "option '%s': an enum has the same name twice in \"%s\"",
						    o->name, o->min);
			t += other;
		}
		if (!s[len])
			return NULL;
		s += len + 1;
	}
}

static const char *lint_row(const struct tw_option *o, struct arena *a)
{
	const char *wrong = NULL;
	if (!is_option_name(o->name))
		return arena_printf(a, "%s is not a name for an option; use up to 63 of a-z, 0-9 and _",
				    text_quote(a, o->name));
	if (!o->help || !*o->help)
		return arena_printf(a, "option '%s' has no help text", o->name);
	if (o->type > TW_T_SECRET)
		return arena_printf(a, "option '%s' has the type %u, which this host does not know", o->name, o->type);
	if (o->offset % 8 != 0)
		return arena_printf(a, "option '%s' has the offset %u, which is not a multiple of 8", o->name,
				    o->offset);
	if (ranged(o->type))
		wrong = lint_range(o, a);
	else if (o->type == TW_T_ENUM)
		wrong = lint_enum(o, a);
	if (wrong || o->def == TW_REQUIRED || (o->type == TW_T_FLOAT && strcmp(o->def, "nan") == 0))
		return wrong;
	wrong = option_parse(o, o->def, NULL, a);
	return wrong ? arena_printf(a, "option '%s': the default is at fault: %s", o->name, wrong) : NULL;
}

const char *options_lint(const struct tw_option *table, uint32_t option_size, struct arena *a)
{
	struct tw_option o, other;
	uint32_t n = 0;
	if (!table)
		return NULL;
	if (option_size < sizeof o)
		return arena_printf(a, "a row of the option table has %u bytes; expected at least %zu", option_size,
				    sizeof o);
	for (; option_row(table, option_size, n, &o); n++) {
		const char *wrong = lint_row(&o, a);
		if (wrong)
			return wrong;
		for (uint32_t i = 0; i < n && option_row(table, option_size, i, &other); i++) {
			if (strcmp(o.name, other.name) == 0)
				return arena_printf(a, "option '%s' stands in the table twice", o.name);
		}
	}
	if (n == CONFIG_MAX_OPTIONS)
		return arena_printf(a, "the option table has no TW_END within %u rows", CONFIG_MAX_OPTIONS);
	return NULL;
}
