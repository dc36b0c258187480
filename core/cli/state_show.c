/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch state ls and show: which states there are, and what one holds.
 */
#include "base/format.h"
#include "cli/state.h"
#include "event/event.h"

#include <stdlib.h>
#include <string.h>

#define FLUSH_BYTES 65536u
#define STOP        1 /* a positive answer that ends catalogue_read() */

/* ---- ls ---- */
static int instance_line(struct buf *out, const struct catalogue_instance *in, bool json)
{
	int bad;

	if (!json)
		return buf_addf(out, "%-24s %-15s %8u %12" PRIu64 " %10u %14" PRIu64 "\n", in->name,
				state_fields(in->fields), in->version, in->keys, in->size, in->bytes);
	bad = buf_addf(out, "{\"name\":");
	bad |= json_text(out, in->name, strlen(in->name));
	return bad |
	       buf_addf(out,
			",\"key\":\"%s\",\"version\":%u,\"keys\":%" PRIu64 ",\"state_size\":%u,\"bytes\":%" PRIu64 "}",
			state_fields(in->fields), in->version, in->keys, in->size, in->bytes);
}

static int add_instances(struct buf *out, const struct catalogue *c, bool json)
{
	bool first = true;
	int bad = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		if (strcmp(c->instances[i].name, CATALOGUE_NOBODY) == 0)
			continue;
		if (first && !json)
			bad |= buf_addf(out, "%-24s %-15s %8s %12s %10s %14s\n", "DETECTOR", "KEY", "VERSION", "KEYS",
					"STATE", "BYTES");
		if (!first && json)
			bad |= buf_addf(out, ",");
		bad |= instance_line(out, &c->instances[i], json);
		first = false;
	}
	return bad;
}

struct sinks {
	struct buf *out;
	uint64_t last, first_kept;
	uint32_t n;
	bool json;
};

static int32_t add_sink(void *arg, const struct cursor *c, struct tw_err *err)
{
	struct sinks *k = arg;
	uint64_t behind = k->last > c->record ? k->last - c->record : 0;
	int bad = 0;

	(void)err;
	if (k->json) {
		bad |= buf_addf(k->out, "%s{\"name\":", k->n ? "," : "");
		bad |= json_text(k->out, c->sink, strlen(c->sink));
		bad |= buf_addf(k->out, ",\"record\":%" PRIu64 ",\"behind\":%" PRIu64 "}", c->record, behind);
	} else {
		if (!k->n)
			bad |= buf_addf(k->out, "\n%-24s %15s %12s\n", "SINK", "RECORD", "BEHIND");
		bad |= cli_text(k->out, c->sink, strlen(c->sink), 24);
		bad |= buf_addf(k->out, "%*s %15" PRIu64 " %12" PRIu64 "\n",
				(int)(strlen(c->sink) < 24 ? 24 - strlen(c->sink) : 0), "", c->record, behind);
	}
	k->n++;
	return bad ? TW_E_FATAL : TW_OK;
}

static int list(struct buf *out, const struct catalogue *c, bool there, struct store *s, bool json, int32_t *rc,
		struct tw_err *e)
{
	struct sinks k = { .out = out, .last = store_last_alert(s), .first_kept = store_first_alert(s), .json = json };
	int bad = 0;

	if (json && there) {
		bad |= buf_addf(out, "{\"seq\":%" PRIu64 ",\"note\":", c->seq);
		bad |= json_text(out, (const char *)c->note.data, c->note.len);
		bad |= buf_addf(out, ",\"detectors\":[");
	} else if (json) {
		bad |= buf_addf(out, "{\"detectors\":[");
	} else if (there) {
		bad |= buf_addf(out, "checkpoint as of event %" PRIu64 " of %" PRIu64 "\n\n", c->seq,
				store_last_seq(s));
	} else {
		bad |= buf_addf(out, "there is no checkpoint yet\n");
	}
	if (there)
		bad |= add_instances(out, c, json);
	if (json)
		bad |= buf_addf(out, "],\"alerts\":{\"first\":%" PRIu64 ",\"last\":%" PRIu64 "},\"sinks\":[",
				k.first_kept, k.last);
	*rc = store_cursors(s, add_sink, &k, e);
	return json ? bad | buf_addf(out, "]}\n") : bad;
}

int state_ls(const struct state_args *a, struct store *s)
{
	struct catalogue *c = calloc(1, sizeof *c);
	struct tw_err e = { 0 };
	struct buf out = { 0 };
	int code = CLI_OK;
	int32_t rc;

	if (!c)
		return cli_fail(CLI_GAVE_UP, "state", "out of memory");
	rc = catalogue_read(c, s, NULL, NULL, NULL, &e);
	if (rc < 0)
		code = cli_fail(cli_store_code(rc), "state", "%s", e.msg);
	else if (list(&out, c, rc == TW_OK, s, a->json, &rc, &e))
		code = cli_fail(CLI_GAVE_UP, "state", "out of memory");
	else if (rc < 0)
		code = cli_fail(cli_store_code(rc), "state", "%s", e.msg);
	else
		cli_write(&out, "state", &code);
	buf_free(&out);
	catalogue_free(c);
	free(c);
	return code;
}

/* ---- show ---- */
struct view {
	const struct state_args *args;
	const struct catalogue *c;
	const char *instance;
	uint64_t shown;
	struct buf out;
	int code; /* CLI_GO: read on */
};

static int add_time(struct buf *out, const char *name, int64_t ts, bool json)
{
	char text[40];

	format_time(text, ts);
	return buf_addf(out, json ? ",\"%s\":\"%s\"" : "  %s %s", name, text);
}

int state_hex(struct buf *out, const unsigned char *p, uint32_t len)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char *o = buf_reserve(out, 2 * (size_t)len + 1);

	if (!o)
		return -1;
	for (uint32_t i = 0; i < len; i++) {
		*o++ = (unsigned char)digits[p[i] >> 4];
		*o++ = (unsigned char)digits[p[i] & 15];
	}
	out->len += 2 * (size_t)len;
	return 0;
}

static int show_json(struct view *v, const struct catalogue_instance *in, const struct state_entry *e)
{
	struct buf *out = &v->out;
	int bad = buf_addf(out, "{\"detector\":");

	bad |= json_text(out, in->name, strlen(in->name));
	if (in->fields & 1) {
		bad |= buf_addf(out, ",\"symbol\":");
		bad |= json_text(out, e->symbol.s, e->symbol.len);
	}
	if (in->fields & 2) {
		bad |= buf_addf(out, ",\"account\":");
		bad |= json_text(out, e->account.s, e->account.len);
	}
	bad |= buf_addf(out, ",\"seen\":%" PRIu64, e->head.seen);
	bad |= add_time(out, "first", e->head.first_ts, true);
	if (in->fields)
		bad |= add_time(out, "last", e->last_ts, true);
	if (e->head.quiet_ts)
		bad |= add_time(out, "quiet_until", e->head.quiet_ts, true);
	if (e->head.quiet_seen)
		bad |= buf_addf(out, ",\"quiet_until_seen\":%" PRIu64, e->head.quiet_seen);
	if (e->head.due)
		bad |= add_time(out, "timer", e->head.due, true);
	bad |= buf_addf(out, ",\"state\":\"");
	bad |= state_hex(out, e->bytes, e->len);
	return bad | buf_addf(out, "\"}\n");
}

static int show_text(struct view *v, const struct catalogue_instance *in, const struct state_entry *e)
{
	struct buf *out = &v->out;
	int bad = 0;

	if (!in->fields)
		bad |= buf_addf(out, "-");
	if (in->fields & 1)
		bad |= cli_text(out, e->symbol.s, e->symbol.len, 0);
	if (in->fields == 3)
		bad |= buf_addf(out, ",");
	if (in->fields & 2)
		bad |= cli_text(out, e->account.s, e->account.len, 0);
	bad |= buf_addf(out, "  seen %" PRIu64, e->head.seen);
	bad |= add_time(out, "first", e->head.first_ts, false);
	if (in->fields)
		bad |= add_time(out, "last", e->last_ts, false);
	if (e->head.quiet_ts)
		bad |= add_time(out, "quiet until", e->head.quiet_ts, false);
	if (e->head.quiet_seen)
		bad |= buf_addf(out, "  quiet until seen %" PRIu64, e->head.quiet_seen);
	if (e->head.due)
		bad |= add_time(out, "timer", e->head.due, false);
	bad |= buf_addf(out, "\n");
	for (uint32_t at = 0; at < e->len; at += 32) {
		bad |= buf_addf(out, "  %06x  ", at);
		bad |= state_hex(out, e->bytes + at, e->len - at < 32 ? e->len - at : 32);
		bad |= buf_addf(out, "\n");
	}
	return bad;
}

static int32_t show_entry(void *arg, const struct state_entry *e, struct tw_err *err)
{
	struct view *v = arg;
	const struct catalogue_instance *in = catalogue_find(v->c, v->instance);

	(void)err;
	if (v->args->key && !state_key_matches(in, e, v->args->key))
		return TW_OK;
	if (v->args->json ? show_json(v, in, e) : show_text(v, in, e))
		v->code = cli_fail(CLI_GAVE_UP, "state", "out of memory");
	else if (++v->shown == v->args->limit)
		v->code = CLI_OK;
	else if (v->out.len >= FLUSH_BYTES)
		cli_write(&v->out, "state", &v->code);
	return v->code == CLI_GO ? TW_OK : STOP;
}

int state_show(const struct state_args *a, struct store *s, const char *instance)
{
	struct catalogue *c = calloc(1, sizeof *c);
	struct view v = { .args = a, .c = c, .instance = instance, .code = CLI_GO };
	struct tw_err e = { 0 };
	int32_t rc;
	int code;

	if (!c)
		return cli_fail(CLI_GAVE_UP, "state", "out of memory");
	rc = catalogue_read(c, s, instance, show_entry, &v, &e);
	if ((rc == TW_AGAIN || (rc >= 0 && !catalogue_find(c, instance))) && state_values(a, s, instance, &v.code))
		goto out;
	if (rc == TW_AGAIN)
		v.code = cli_fail(CLI_USAGE, "state", "there is no checkpoint in %s yet", a->dir);
	else if (rc < 0)
		v.code = cli_fail(cli_store_code(rc), "state", "%s", e.msg);
	else if (!catalogue_find(c, instance))
		v.code = state_no_instance(c, instance);
	else if (v.code == CLI_GO && a->key && !v.shown)
		v.code = cli_fail(CLI_USAGE, "state", "'%s' has no state of the key '%s'", instance, a->key);
out:
	code = v.code == CLI_GO ? CLI_OK : v.code;
	if (code == CLI_OK)
		cli_write(&v.out, "state", &code);
	buf_free(&v.out);
	catalogue_free(c);
	free(c);
	return code;
}
