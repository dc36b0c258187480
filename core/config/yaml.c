/* SPDX-License-Identifier: Apache-2.0
 *
 * One YAML file to nodes. libfyaml gives a stream of events, which is cheap to guard: depth, size, and whatever of
 * YAML only surprises (anchors, aliases, tags, merge keys, several documents) is refused as it passes by. Places are
 * taken from byte offsets and our own table of lines, so that they do not depend on the library's version.
 */
#include "config/internal.h"
#include "event/utf8.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

/* A list or map that is still open. */
struct level {
	struct node node;
	struct node *items;
	uint32_t cap;
	size_t from;
	bool have_name;   /* maps: the next value belongs to name */
	bool as_name;     /* it stands where a name belongs, and is thrown away */
	bool full;        /* reported already */
	struct node name; /* text and place; text NULL: the name was no good, drop the value */
};

struct reader {
	struct loader *l;
	struct source_text src;
	struct node *ret;
	struct level levels[CONFIG_MAX_DEPTH];
	uint32_t depth, documents;
	bool done;    /* stop here: out of memory, past a limit or at a fault */
	bool closing; /* only what is open already is still to be finished */
};

/* ---- places ---- */
static bool cut_lines(struct loader *l, struct source_text *src)
{
	uint32_t n = 1;
	for (size_t i = 0; i < src->len; i++)
		n += src->bytes[i] == '\n' ||
		     (src->bytes[i] == '\r' && (i + 1 == src->len || src->bytes[i + 1] != '\n'));
	src->lines = arena_alloc(&l->c->arena, n * sizeof *src->lines);
	src->starts = arena_alloc(&l->c->arena, (n + 1) * sizeof *src->starts);
	if (!src->lines || !src->starts)
		return false;
	for (size_t i = 0; src->n < n; src->n++) {
		size_t start = i;
		while (i < src->len && src->bytes[i] != '\n' && src->bytes[i] != '\r')
			i++;
		src->lines[src->n] = arena_text(&l->c->arena, src->bytes + start, i - start);
		if (!src->lines[src->n])
			return false;
		src->starts[src->n] = start;
		i += i + 1 < src->len && src->bytes[i] == '\r' && src->bytes[i + 1] == '\n' ? 2 : 1;
	}
	src->starts[n] = src->len + 1;
	return true;
}

static int32_t columns(const char *s, size_t n)
{
	int32_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xc0) != 0x80;
	return count;
}

/* Bytes [from, to) of the file; what lies on later lines is not underlined. */
static struct place place_at(const struct source_text *src, size_t from, size_t to)
{
	uint32_t lo = 0, hi = src->n;
	if (from > src->len)
		from = src->len;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (src->starts[mid] <= from)
			lo = mid;
		else
			hi = mid;
	}
	size_t start = src->starts[lo], len = strlen(src->lines[lo]), at = from - start;
	if (at > len)
		at = len;
	size_t end = to > from ? at + (to - from) : at + 1;
	if (end > len)
		end = len;
	int32_t width = end > at ? columns(src->lines[lo] + at, end - at) : 1;
	return (struct place){ src->file, (int32_t)lo + 1, columns(src->lines[lo], at) + 1, width, src->lines[lo] };
}

static size_t token_from(struct fy_token *t, size_t otherwise)
{
	const struct fy_mark *m = t ? fy_token_start_mark(t) : NULL;
	return m ? m->input_pos : otherwise;
}

static size_t token_to(struct fy_token *t, size_t otherwise)
{
	const struct fy_mark *m = t ? fy_token_end_mark(t) : NULL;
	return m ? m->input_pos : otherwise;
}

static struct place token_place(const struct reader *rd, struct fy_token *t)
{
	size_t from = token_from(t, 0);
	return place_at(&rd->src, from, token_to(t, from + 1));
}

/* ---- building ---- */
static struct level *top(struct reader *rd)
{
	return rd->depth ? &rd->levels[rd->depth - 1] : NULL;
}

static void out_of_memory(struct reader *rd)
{
	rd->l->no_memory = rd->done = true;
}

static void append(struct reader *rd, struct level *up, const struct node *value)
{
	if (up->node.n == CONFIG_MAX_ITEMS) {
		if (!up->full)
			report_error(rd->l->r, &value->at, "more than %u entries in one %s", CONFIG_MAX_ITEMS,
				     up->node.kind == NODE_LIST ? "list" : "map");
		up->full = true;
		return;
	}
	if (up->node.n == up->cap) {
		uint32_t cap = up->cap ? up->cap * 2 : 8;
		struct node *items = realloc(up->items, cap * sizeof *items);
		if (!items) {
			out_of_memory(rd);
			return;
		}
		up->items = items;
		up->cap = cap;
	}
	up->items[up->node.n++] = *value;
}

static const struct node *find(const struct level *up, const char *name)
{
	for (uint32_t i = 0; i < up->node.n; i++) {
		if (strcmp(up->items[i].name, name) == 0)
			return &up->items[i];
	}
	return NULL;
}

static void finish_value(struct reader *rd, struct node *value)
{
	struct level *up = top(rd);
	if (++rd->l->nodes > CONFIG_MAX_NODES && !rd->closing) {
		report_error(rd->l->r, &value->at, "more than %u values in all files", CONFIG_MAX_NODES);
		rd->done = true;
	} else if (!up) {
		*rd->ret = *value;
	} else if (up->node.kind == NODE_LIST) {
		append(rd, up, value);
	} else {
		up->have_name = false;
		value->name = up->name.text;
		value->name_at = up->name.at;
		if (value->name)
			append(rd, up, value);
	}
}

/* A scalar where a name belongs. */
static void begin_name(struct reader *rd, struct level *up, struct node *name, bool plain)
{
	up->have_name = true;
	up->name = *name;
	up->name.text = NULL;
	if (name->faulty)
		return;
	const struct node *before = up->full ? NULL : find(up, name->raw);
	if (plain && strcmp(name->raw, "<<") == 0)
		report_error(rd->l->r, &name->at, "merge keys (<<) are not allowed; write the options out");
	else if (!*name->raw)
		report_error(rd->l->r, &name->at, "a name is missing before the ':'");
	else if (before)
		report_error(rd->l->r, &name->at, "the name %s stands here twice; it was first given in line %d",
			     text_quote(&rd->l->c->arena, name->raw), before->name_at.line);
	else
		up->name.text = name->raw;
}

static bool is_null(const char *s, size_t n)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
		if (strlen(nulls[i]) == n && memcmp(nulls[i], s, n) == 0)
			return true;
	}
	return false;
}

/* Anchors and tags; true when the value is spoilt. */
static bool refuse_marks(struct reader *rd, struct fy_token *anchor, struct fy_token *tag)
{
	if (anchor) {
		struct place at = token_place(rd, anchor);
		report_error(rd->l->r, &at, "anchors (&name) are not allowed; if text is meant, put it in quotes");
	}
	if (tag) {
		struct place at = token_place(rd, tag);
		report_error(rd->l->r, &at, "tags (!name) are not allowed; if text is meant, put it in quotes");
	}
	return anchor || tag;
}

static void on_scalar(struct reader *rd, struct fy_event_scalar_data *ev)
{
	struct level *up = top(rd);
	bool as_name = up && up->node.kind == NODE_MAP && !up->have_name;
	struct node node = { .kind = NODE_TEXT };
	size_t len = 0;
	const char *text = ev->value ? fy_token_get_text(ev->value, &len) : "";
	enum fy_scalar_style style = ev->value ? fy_token_scalar_style(ev->value) : FYSS_PLAIN;
	if (!text) {
		out_of_memory(rd);
		return;
	}
	/* Where nothing is written the name is pointed at; libfyaml 0.9 has a token for nothing, 0.7 has none. */
	if (ev->value && (len || style != FYSS_PLAIN)) {
		size_t quote = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
		size_t from = token_from(ev->value, 0);
		node.at = place_at(&rd->src, from < quote ? 0 : from - quote, token_to(ev->value, from) + quote);
	} else if (up) {
		node.at = up->have_name ? up->name.at : up->node.at;
	}
	node.faulty = refuse_marks(rd, ev->anchor, ev->tag);
	if (style == FYSS_PLAIN && !as_name && is_null(text, len))
		text = "", len = 0;
	if (memchr(text, '\0', len)) {
		report_error(rd->l->r, &node.at, "a text must not hold a NUL character");
		node.faulty = true;
		len = 0;
	}
	node.raw = node.text = arena_text(&rd->l->c->arena, text, len);
	if (!node.raw) {
		out_of_memory(rd);
		return;
	}
	if (as_name) {
		begin_name(rd, up, &node, style == FYSS_PLAIN);
		return;
	}
	if (!node.faulty && !config_substitute(rd->l, &node)) {
		out_of_memory(rd);
		return;
	}
	finish_value(rd, &node);
}

static void on_alias(struct reader *rd, struct fy_event_alias_data *ev)
{
	struct level *up = top(rd);
	struct node node = { .kind = NODE_TEXT, .text = "", .raw = "", .faulty = true };
	size_t from = token_from(ev->anchor, 1);
	node.at = place_at(&rd->src, from - (from > 0), token_to(ev->anchor, from));
	report_error(rd->l->r, &node.at, "aliases (*name) are not allowed; if text is meant, put it in quotes");
	if (up && up->node.kind == NODE_MAP && !up->have_name)
		begin_name(rd, up, &node, true);
	else
		finish_value(rd, &node);
}

static void on_start(struct reader *rd, enum node_kind kind, struct fy_token *t, struct fy_token *anchor,
		     struct fy_token *tag)
{
	struct level *up = top(rd);
	struct level level = { .node = { .kind = kind }, .from = token_from(t, 0) };
	level.node.at = place_at(&rd->src, level.from, token_to(t, level.from));
	level.node.faulty = refuse_marks(rd, anchor, tag);
	if (rd->depth == CONFIG_MAX_DEPTH) {
		report_error(rd->l->r, &level.node.at, "more than %u levels of lists and maps", CONFIG_MAX_DEPTH);
		rd->done = true;
		return;
	}
	level.as_name = up && up->node.kind == NODE_MAP && !up->have_name;
	rd->levels[rd->depth++] = level;
}

/* Close the innermost list or map. t: its closing bracket, if it has one. */
static void on_end(struct reader *rd, struct fy_token *t)
{
	struct level *down = top(rd);
	struct node node = down->node;
	size_t to = token_to(t, 0);
	if (to > down->from)
		node.at = place_at(&rd->src, down->from, to);
	if (node.n) {
		node.items = arena_alloc(&rd->l->c->arena, node.n * sizeof *node.items);
		if (node.items)
			memcpy(node.items, down->items, node.n * sizeof *node.items);
		else
			out_of_memory(rd);
	}
	bool as_name = down->as_name;
	free(down->items);
	rd->depth--;
	if (rd->done)
		return;
	if (as_name) {
		report_error(rd->l->r, &node.at, "expected a name, found %s", text_kind(&node));
		node.faulty = true;
		begin_name(rd, top(rd), &node, false);
	} else {
		finish_value(rd, &node);
	}
}

static void on_event(struct reader *rd, struct fy_event *ev)
{
	switch (ev->type) {
	case FYET_DOCUMENT_START:
		if (rd->documents++ == 1) {
			struct place at = token_place(rd, ev->document_start.document_start);
			report_error(rd->l->r, &at, "a second document begins here; put it in a file of its own");
			rd->done = true;
		}
		break;
	case FYET_SCALAR:
		on_scalar(rd, &ev->scalar);
		break;
	case FYET_ALIAS:
		on_alias(rd, &ev->alias);
		break;
	case FYET_MAPPING_START:
		on_start(rd, NODE_MAP, ev->mapping_start.mapping_start, ev->mapping_start.anchor,
			 ev->mapping_start.tag);
		break;
	case FYET_SEQUENCE_START:
		on_start(rd, NODE_LIST, ev->sequence_start.sequence_start, ev->sequence_start.anchor,
			 ev->sequence_start.tag);
		break;
	case FYET_MAPPING_END:
		on_end(rd, ev->mapping_end.mapping_end);
		break;
	case FYET_SEQUENCE_END:
		on_end(rd, ev->sequence_end.sequence_end);
		break;
	default:
		break;
	}
}

/* ---- libfyaml ---- */

/* libfyaml must never write to our streams. */
static void discard(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	(void)diag, (void)user, (void)text, (void)len;
}

static void report_syntax(struct reader *rd, struct fy_diag *diag)
{
	struct fy_diag_error *e;
	void *walk = NULL;
	uint32_t n = 0;
	const struct level *open = top(rd);
	char bracket = open && open->from < rd->src.len ? rd->src.bytes[open->from] : ' ';
	while ((e = fy_diag_errors_iterate(diag, &walk))) {
		uint32_t line = e->line < 1 ? 1 : (uint32_t)e->line > rd->src.n ? rd->src.n : (uint32_t)e->line;
		struct place at = { rd->src.file, (int32_t)line, e->column < 1 ? 1 : e->column, 1,
				    rd->src.lines[line - 1] };
		n++;
		if (strstr(e->msg, "invalid alias"))
			report_error(rd->l->r, &at, "not valid YAML: a text that begins with * must stand in quotes");
		else if (bracket == '[' || bracket == '{')
			report_error(rd->l->r, &at, "not valid YAML: %s (the %c of line %d is still open)", e->msg,
				     bracket, open->node.at.line);
		else
			report_error(rd->l->r, &at, "not valid YAML: %s", e->msg);
	}
	if (!n) {
		struct place at = { .file = rd->src.file };
		report_error(rd->l->r, &at, "not valid YAML");
	}
}

/* What was complete before the fault is kept, down to the second level: whole sources, detectors and sinks. */
static void unwind(struct reader *rd)
{
	while (rd->depth > 2 || (rd->depth && rd->l->no_memory))
		free(rd->levels[--rd->depth].items);
	rd->done = false;
	rd->closing = true;
	while (rd->depth && !rd->l->no_memory)
		on_end(rd, NULL);
	while (rd->depth)
		free(rd->levels[--rd->depth].items);
}

static void parse(struct reader *rd)
{
	struct fy_parser *parser = NULL;
	struct fy_event *ev;
	struct fy_diag_cfg diag_cfg;
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.output_fn = discard;
	diag_cfg.colorize = false;
	struct fy_diag *diag = fy_diag_create(&diag_cfg);
	if (!diag) {
		out_of_memory(rd);
		return;
	}
	fy_diag_set_collect_errors(diag, true);
	struct fy_parse_cfg cfg = { .search_path = "", .diag = diag };
	cfg.flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE;
	parser = fy_parser_create(&cfg);
	if (!parser || fy_parser_set_string(parser, rd->src.bytes, rd->src.len) != 0) {
		out_of_memory(rd);
		goto out;
	}
	while (!rd->done && (ev = fy_parser_parse(parser))) {
		on_event(rd, ev);
		fy_parser_event_free(parser, ev);
	}
	if (!rd->done && fy_parser_get_stream_error(parser)) {
		report_syntax(rd, diag);
		rd->done = true;
	}
	if (rd->done)
		rd->l->c->incomplete = true;
out:
	unwind(rd);
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
}

/* Text that YAML does not allow; false when something was reported. */
static bool check_text(struct reader *rd)
{
	const char *s = rd->src.bytes;
	size_t len = rd->src.len, i = 0;
	while ((i += utf8_span(s + i, len - i, UTF8_LINES)) < len && s[i] == '\r')
		i++;
	if (i == len)
		return true;
	struct place at = place_at(&rd->src, i, i + 1);
	if (utf8_char(s + i, len - i))
		report_error(rd->l->r, &at,
			     "a control character (code %u) does not belong in a configuration; remove it",
			     (unsigned char)s[i] == 0xc2 ? (unsigned char)s[i + 1] : (unsigned char)s[i]);
	else
		report_error(rd->l->r, &at, "this byte (0x%02x) is not UTF-8; save the file as UTF-8",
			     (unsigned char)s[i]);
	return false;
}

/* "? name" is YAML's way to give a name that is itself a list or map. Such names are refused anyway; here already,
 * because libfyaml 0.7.12 follows a null pointer when a tab and a colon come behind one. */
static bool check_names(struct reader *rd)
{
	bool ok = true;
	for (uint32_t i = 0; i < rd->src.n; i++) {
		const char *line = rd->src.lines[i], *s = line + strspn(line, " \t");
		while (s[0] == '-' && (s[1] == ' ' || s[1] == '\t'))
			s += 1 + strspn(s + 1, " \t");
		if (*s != '?' || (s[1] && s[1] != ' ' && s[1] != '\t'))
			continue;
		size_t from = rd->src.starts[i] + (size_t)(s - line);
		struct place at = place_at(&rd->src, from, from + 1);
		report_error(rd->l->r, &at,
			     "a line must not begin with '?'; write NAME: value, or put the text in quotes");
		ok = false;
	}
	return ok;
}

bool yaml_read(struct loader *l, const char *file, const char *yaml, size_t len, struct node *ret)
{
	struct place whole = { .file = file };
	*ret = (struct node){ .kind = NODE_TEXT, .text = "", .raw = "", .at = whole };
	if (len > CONFIG_MAX_FILE) {
		report_error(l->r, &whole, "is larger than 1 MiB; split it into several files");
		l->c->incomplete = true;
		return true;
	}
	if (len >= 2 && (memcmp(yaml, "\xff\xfe", 2) == 0 || memcmp(yaml, "\xfe\xff", 2) == 0)) {
		report_error(l->r, &whole, "is UTF-16; save the file as UTF-8");
		l->c->incomplete = true;
		return true;
	}
	if (len >= 3 && memcmp(yaml, "\xef\xbb\xbf", 3) == 0) {
		yaml += 3;
		len -= 3;
	}
	struct reader *rd = calloc(1, sizeof *rd);
	if (!rd)
		return false;
	rd->l = l;
	rd->ret = ret;
	rd->src = (struct source_text){ .file = file, .bytes = yaml, .len = len };
	if (!cut_lines(l, &rd->src))
		l->no_memory = true;
	else if (check_text(rd) && check_names(rd))
		parse(rd);
	else
		l->c->incomplete = true;
	free(rd);
	return !l->no_memory;
}
