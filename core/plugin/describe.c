/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin's description as text for people.
 */
#include "plugin/describe.h"
#include "event/event.h"
#include "plugin/internal.h"
#include <string.h>

#define COLUMNS  100
#define NAME_MIN 10 /* of the column of names, so that short tables do not look cramped */

const char *const option_type_names[] = { "",     "int",  "float", "bool", "string", "duration",
					  "size", "enum", "list",  "map",  "secret" };

/* How many columns a text takes: its code points, which is right for all but wide and combining ones. */
static size_t columns(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static int pad(struct buf *out, size_t n)
{
	return buf_addf(out, "%*s", (int)n, "");
}

/* One paragraph, broken at spaces; the first line goes on where the cursor stands (at column `at`), the others begin at
 * `indent`. */
static int paragraph(struct buf *out, const char *s, size_t len, size_t at, size_t indent)
{
	bool first = true;
	int rc = 0;

	for (size_t i = 0; i < len;) {
		size_t word, width;

		if (s[i] == ' ') {
			i++;
			continue;
		}
		word = 1;
		while (i + word < len && s[i + word] != ' ')
			word++;
		width = columns(s + i, word);
		if (!first && at + 1 + width > COLUMNS) {
			rc |= buf_add(out, "\n", 1) | pad(out, indent);
			at = indent;
		} else if (!first) {
			rc |= buf_add(out, " ", 1);
			at++;
		}
		rc |= buf_add(out, s + i, word);
		at += width;
		i += word;
		first = false;
	}
	return rc | buf_add(out, "\n", 1);
}

/* Text with line breaks of its own: lines that begin with a space are formulas or lists and stay as they are, the
 * others flow together until an empty line. */
static int flow(struct buf *out, const char *s, size_t indent)
{
	int rc = 0;

	while (*s) {
		size_t len = strcspn(s, "\n");

		if (len == 0) {
			rc |= buf_add(out, "\n", 1);
			s++;
			continue;
		}
		rc |= pad(out, indent);
		if (*s == ' ' || *s == '\t') {
			rc |= buf_add(out, s, len) | buf_add(out, "\n", 1);
		} else {
			struct buf text = { 0 };

			/* Join the lines of the paragraph. */
			rc |= buf_add(&text, s, len);
			while (s[len] && s[len + 1] && !strchr(" \t\n", s[len + 1])) {
				s += len + 1;
				len = strcspn(s, "\n");
				rc |= buf_add(&text, " ", 1) | buf_add(&text, s, len);
			}
			rc |= paragraph(out, (const char *)text.data, text.len, indent, indent);
			buf_free(&text);
		}
		s += len + (s[len] == '\n');
	}
	return rc;
}

int kinds_text(struct buf *out, uint32_t kinds)
{
	const char *between = "";
	int rc = 0;

	if (kinds == (uint32_t)TW_ANY)
		return buf_addf(out, "all");
	for (uint32_t i = 0; i < EVENT_KINDS; i++) {
		if (!(kinds & event_kinds[i].bit))
			continue;
		rc |= buf_addf(out, "%s%s", between, event_kinds[i].name);
		between = ", ";
	}
	return rc;
}

static int kinds_line(struct buf *out, const char *title, uint32_t kinds)
{
	struct buf names = { 0 };
	int rc = kinds_text(&names, kinds);

	rc |= buf_addf(out, "%-*s", NAME_MIN, title);
	rc |= paragraph(out, (const char *)names.data, names.len, NAME_MIN, NAME_MIN);
	buf_free(&names);
	return rc;
}

int option_range_text(struct buf *out, const struct tw_option *o)
{
	if (o->type == TW_T_ENUM)
		return buf_addf(out, "%s", o->min ? o->min : "");
	if (o->min && o->max)
		return buf_addf(out, "%s..%s", o->min, o->max);
	if (o->min)
		return buf_addf(out, "from %s", o->min);
	if (o->max)
		return buf_addf(out, "up to %s", o->max);
	return 0;
}

const char *option_default_text(const struct tw_option *o)
{
	if (o->def == TW_REQUIRED)
		return "required";
	return *o->def ? o->def : "-";
}

/* A range where the cursor stands; a long list of names is broken behind a bar. */
static int range_cell(struct buf *out, const char *s, size_t len, size_t *at)
{
	const size_t left = *at;
	int rc = 0;

	for (size_t i = 0; i < len;) {
		size_t part = i, width;

		while (part < len && s[part] != '|')
			part++;
		part += part < len;
		width = columns(s + i, part - i);
		if (*at > left && *at + width > COLUMNS) {
			rc |= buf_add(out, "\n", 1) | pad(out, left);
			*at = left;
		}
		rc |= buf_add(out, s + i, part - i);
		*at += width;
		i = part;
	}
	return rc;
}

/* One row: the columns that are short, then the help text beside them, or below when the names of an enum are long. */
static int option_row_text(struct buf *out, const struct plugin *p, uint32_t i, size_t name_width, size_t def_width)
{
	const struct tw_option o = plugin_option(p, i);
	const size_t range_width = 16, help_at = name_width + 10 + def_width + range_width;
	struct buf range = { 0 };
	int rc;
	size_t at;

	rc = option_range_text(&range, &o);
	rc |= buf_addf(out, "  %-*s%-10s%-*s", (int)name_width - 2, o.name, option_type_names[o.type], (int)def_width,
		       option_default_text(&o));
	at = name_width + 10 + def_width;
	/* A default that is too long for its column pushes the rest to the next line. */
	if (columns(option_default_text(&o), strlen(option_default_text(&o))) >= def_width) {
		rc |= buf_add(out, "\n", 1) | pad(out, at);
	}
	rc |= range_cell(out, (const char *)range.data, range.len, &at);
	if (at >= help_at) {
		rc |= buf_add(out, "\n", 1) | pad(out, help_at);
	} else {
		rc |= pad(out, help_at - at);
	}
	rc |= paragraph(out, o.help, strlen(o.help), help_at, help_at);
	buf_free(&range);
	return rc;
}

static int options_table(struct buf *out, const struct plugin *p)
{
	size_t name_width = NAME_MIN, def_width = 10;
	int rc;

	if (!p->options || plugin_option(p, 0).type == TW_T_END)
		return buf_addf(out, "\nIt has no options of its own.\n");
	for (uint32_t i = 0; plugin_option(p, i).type != TW_T_END; i++) {
		const struct tw_option o = plugin_option(p, i);
		size_t name = strlen(o.name) + 4, def = strlen(option_default_text(&o)) + 2;

		if (name > name_width)
			name_width = name;
		if (def > def_width && def <= 18)
			def_width = def;
	}
	if (name_width > 30)
		name_width = 30;
	rc = buf_addf(out, "\nOptions\n  %-*s%-10s%-*s%-16s%s\n", (int)name_width - 2, "name", "type", (int)def_width,
		      "default", "range", "meaning");
	for (uint32_t i = 0; plugin_option(p, i).type != TW_T_END; i++)
		rc |= option_row_text(out, p, i, name_width, def_width);
	return rc;
}

static int detector_lines(struct buf *out, const struct plugin *p)
{
	const struct tw_detector *d = &p->detector;
	int rc;

	rc = buf_addf(out, "%-*s%s%s\n", NAME_MIN, "Key", d->key ? d->key : "none: one state for all events",
		      p->flags & TW_FREE_KEY ? " (`key:` may say otherwise)" : "");
	rc |= kinds_line(out, "Kinds", d->kinds);
	if (d->emits)
		rc |= kinds_line(out, "Emits", d->emits);
	if (d->state_size_of)
		rc |= buf_addf(out, "%-*sdepends on the options, version %u\n", NAME_MIN, "State", d->state_version);
	else if (d->state_size)
		rc |= buf_addf(out, "%-*s%u bytes for each key, version %u\n", NAME_MIN, "State", d->state_size,
			       d->state_version);
	return rc;
}

static int counters_list(struct buf *out, const struct plugin *p)
{
	struct buf names = { 0 };
	int rc = 0;

	if (p->kind != PLUGIN_DETECTOR || !p->detector.counters || !p->detector.counters[0])
		return 0;
	for (uint32_t i = 0; p->detector.counters[i]; i++)
		rc |= buf_addf(&names, "%s%s", i ? ", " : "", p->detector.counters[i]);
	rc |= buf_addf(out, "\nCounters\n  ");
	rc |= paragraph(out, (const char *)names.data, names.len, 2, 2);
	buf_free(&names);
	return rc;
}

int32_t plugin_describe(const struct plugin *p, struct buf *out)
{
	const size_t before = out->len;
	int rc;

	rc = buf_addf(out, "%s %s, a %s\n", p->name, p->version, plugin_kind_names[p->kind]);
	rc |= flow(out, p->summary, 0);
	if (*p->doc)
		rc |= buf_add(out, "\n", 1) | flow(out, p->doc, 0);
	if (out->len && out->data[out->len - 1] != '\n')
		rc |= buf_add(out, "\n", 1);
	rc |= buf_add(out, "\n", 1);
	if (p->kind == PLUGIN_DETECTOR)
		rc |= detector_lines(out, p);
	rc |= buf_addf(out, "%-*s%s\n", NAME_MIN, "File", p->file);
	rc |= options_table(out, p);
	rc |= counters_list(out, p);
	if (rc) {
		out->len = before;
		return TW_E_FATAL;
	}
	return TW_OK;
}
