/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin's description in Markdown, for the reference.
 */
#include "plugin/describe.h"
#include "plugin/internal.h"
#include <string.h>

/* Text between words of Markdown: what would be markup there is not. */
static int plain(struct buf *out, const char *s)
{
	int rc = 0;

	for (; *s; s++) {
		if (strchr("|<>*[]", *s) != NULL)
			rc |= buf_add(out, "\\", 1);
		rc |= buf_add(out, *s == '\n' ? " " : s, 1);
	}
	return rc;
}

/* In a table a bar ends the cell even inside of code. */
static int code(struct buf *out, const char *s)
{
	int rc = buf_add(out, "`", 1);

	for (; *s; s++)
		rc |= *s == '|' ? buf_addf(out, "\\|") : buf_add(out, s, 1);
	return rc | buf_add(out, "`", 1);
}

/* Paragraphs as they are; lines that begin with a space are formulas or lists, which Markdown takes as code from four
 * spaces on and behind an empty line. */
static int doc(struct buf *out, const char *s)
{
	bool inside = false, empty = true;
	int rc = 0;

	while (*s) {
		size_t len = strcspn(s, "\n");
		bool indented = *s == ' ' || *s == '\t';

		if (indented != inside && !empty && len)
			rc |= buf_add(out, "\n", 1);
		if (indented)
			rc |= buf_addf(out, "    ");
		rc |= buf_add(out, s, len) | buf_add(out, "\n", 1);
		inside = len ? indented : inside;
		empty = len == 0;
		s += len + (s[len] == '\n');
	}
	return rc;
}

static int row(struct buf *out, const struct tw_option *o)
{
	struct buf range = { 0 };
	int rc = buf_addf(out, "| `%s` | %s | ", o->name, option_type_names[o->type]);

	if (o->def == TW_REQUIRED)
		rc |= buf_addf(out, "required");
	else if (*o->def)
		rc |= code(out, o->def);
	rc |= buf_addf(out, " | ") | option_range_text(&range, o) | buf_add(&range, "", 1);
	if (range.len > 1)
		rc |= code(out, (const char *)range.data);
	rc |= buf_addf(out, " | ") | plain(out, o->help) | buf_addf(out, " |\n");
	buf_free(&range);
	return rc;
}

static int table_head(struct buf *out)
{
	return buf_addf(out, "| option | type | default | range | meaning |\n|---|---|---|---|---|\n");
}

int32_t options_describe_markdown(const struct tw_option *o, struct buf *out)
{
	int rc = table_head(out);

	for (; o->type != TW_T_END; o++)
		rc |= row(out, o);
	return rc ? TW_E_FATAL : TW_OK;
}

static int detector_line(struct buf *out, const struct tw_detector *d, uint32_t flags)
{
	int rc = buf_addf(out, "\nKey: %s%s. Listens to: ", d->key ? d->key : "none, one state for all events",
			  flags & TW_FREE_KEY ? " (`key:` may say otherwise)" : "");

	rc |= kinds_text(out, d->kinds);
	if (d->emits) {
		rc |= buf_addf(out, ". Emits: ");
		rc |= kinds_text(out, d->emits);
	}
	if (!d->state_size_of && d->state_size)
		rc |= buf_addf(out, ". State: %u bytes a key", d->state_size);
	for (uint32_t i = 0; d->counters && d->counters[i]; i++)
		rc |= buf_addf(out, "%s`%s`", i ? ", " : ". Counters: ", d->counters[i]);
	return rc | buf_addf(out, ".\n");
}

int32_t plugin_describe_markdown(const struct plugin *p, struct buf *out)
{
	const size_t before = out->len;
	int rc = buf_addf(out, "### %s\n\n", p->name);

	rc |= plain(out, p->summary) | buf_addf(out, "\n");
	if (*p->doc)
		rc |= buf_addf(out, "\n") | doc(out, p->doc);
	if (p->kind == PLUGIN_DETECTOR)
		rc |= detector_line(out, &p->detector, p->flags);
	if (p->options && plugin_option(p, 0).type != TW_T_END) {
		rc |= buf_addf(out, "\n") | table_head(out);
		for (uint32_t i = 0; plugin_option(p, i).type != TW_T_END; i++) {
			const struct tw_option o = plugin_option(p, i);
			rc |= row(out, &o);
		}
	} else {
		rc |= buf_addf(out, "\nIt has no options of its own.\n");
	}
	if (rc) {
		out->len = before;
		return TW_E_FATAL;
	}
	return TW_OK;
}
