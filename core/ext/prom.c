/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing Prometheus' text format.
 */
#include "ext/prom.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int escaped(struct buf *out, const char *s, bool quotes)
{
	int bad = 0;

	for (; *s; s++) {
		if (*s == '\n')
			bad |= buf_add(out, "\\n", 2);
		else if (*s == '\\' || (quotes && *s == '"'))
			bad |= buf_add(out, (char[]){ '\\', *s }, 2);
		else
			bad |= buf_add(out, s, 1);
	}
	return bad;
}

int prom_family(struct buf *out, const char *name, const char *type, const char *help)
{
	int bad = buf_addf(out, "# HELP %s ", name);

	bad |= escaped(out, help, false);
	return bad | buf_addf(out, "\n# TYPE %s %s\n", name, type);
}

int prom_label(struct buf *out, bool first, const char *key, const char *value)
{
	int bad = buf_addf(out, "%s%s=\"", first ? "" : ",", key);

	bad |= escaped(out, value, true);
	return bad | buf_add(out, "\"", 1);
}

int prom_number(struct buf *out, double v)
{
	char text[32];

	if (isnan(v))
		return buf_add(out, "NaN", 3);
	if (isinf(v))
		return buf_add(out, v > 0 ? "+Inf" : "-Inf", 4);
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	return buf_add(out, text, strlen(text));
}

static int name_of(struct buf *out, const char *name, const char *label, const char *text)
{
	int bad = buf_add(out, name, strlen(name));

	if (label) {
		bad |= buf_add(out, "{", 1);
		bad |= prom_label(out, true, label, text);
		bad |= buf_add(out, "}", 1);
	}
	return bad | buf_add(out, " ", 1);
}

int prom_count(struct buf *out, const char *name, const char *label, const char *text, uint64_t value)
{
	int bad = name_of(out, name, label, text);

	return bad | buf_addf(out, "%" PRIu64 "\n", value);
}

int prom_value(struct buf *out, const char *name, const char *label, const char *text, double value)
{
	int bad = name_of(out, name, label, text);

	bad |= prom_number(out, value);
	return bad | buf_add(out, "\n", 1);
}
