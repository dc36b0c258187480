/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch state show for a source: its position, and the values it keeps beside it.
 */
#include "cli/state.h"
#include "event/event.h"
#include "event/utf8.h"

#include <string.h>

#define TEXT_MOST 200u /* bytes of a value that are shown as text */

struct values {
	const struct state_args *args;
	struct buf out;
	uint64_t shown;
	bool bad;
};

static bool is_text(const struct source_value *v)
{
	const unsigned char *p = v->data;

	for (uint64_t i = 0; i < v->len; i++)
		if (p[i] < 0x20 && p[i] != '\n' && p[i] != '\t')
			return false;
	return utf8_span(v->data, v->len, UTF8_ANY) == v->len;
}

static int32_t add_value(void *arg, const struct source_value *v, struct tw_err *err)
{
	struct values *all = arg;
	struct buf *out = &all->out;
	int bad = 0;

	(void)err;
	if ((all->args->key && strcmp(all->args->key, v->name) != 0) ||
	    (all->args->limit && all->shown == all->args->limit))
		return TW_OK;
	all->shown++;
	if (all->args->json) {
		bad |= buf_addf(out, "{\"source\":");
		bad |= json_text(out, v->source, strlen(v->source));
		bad |= buf_addf(out, ",\"value\":");
		bad |= json_text(out, v->name, strlen(v->name));
		bad |= buf_addf(out, ",\"len\":%" PRIu64 ",\"bytes\":\"", v->len);
		bad |= state_hex(out, v->data, (uint32_t)v->len);
		bad |= buf_addf(out, "\"}\n");
	} else {
		bad |= cli_text(out, v->name, strlen(v->name), 32);
		bad |= buf_addf(out, "%*s %8" PRIu64 "  ", (int)(strlen(v->name) < 32 ? 32 - strlen(v->name) : 0), "",
				v->len);
		if (is_text(v))
			bad |= cli_text(out, v->data, v->len < TEXT_MOST ? v->len : TEXT_MOST, 0);
		else
			bad |= state_hex(out, v->data, (uint32_t)(v->len < TEXT_MOST / 2 ? v->len : TEXT_MOST / 2));
		bad |= buf_addf(out, "\n");
	}
	all->bad |= bad != 0;
	return TW_OK;
}

static int add_position(struct buf *out, const struct position *p, bool json)
{
	int bad = 0;

	if (json) {
		bad |= buf_addf(out, "{\"source\":");
		bad |= json_text(out, p->source, strlen(p->source));
		bad |= buf_addf(out, ",\"marked\":%s,\"position\":\"", p->marked ? "true" : "false");
	} else {
		bad |= buf_addf(out, "%s ", p->marked ? "position" : "no position marked");
	}
	if (p->marked)
		bad |= state_hex(out, p->pos.data, (uint32_t)p->pos.len);
	return bad |
	       buf_addf(out, json ? "\",\"after\":%" PRIu64 "}\n" : ", and %" PRIu64 " recorded behind it\n", p->after);
}

bool state_values(const struct state_args *a, struct store *s, const char *source, int *ret_code)
{
	struct values v = { .args = a };
	struct position at;
	struct tw_err e = { 0 };
	int code = CLI_OK;
	int32_t rc = store_position(s, source, &at, &e);

	if (rc == TW_AGAIN)
		return false;
	if (rc == TW_OK && !a->key)
		v.bad = add_position(&v.out, &at, a->json) != 0;
	if (rc == TW_OK)
		rc = store_values(s, source, add_value, &v, &e);
	if (rc < 0)
		code = cli_fail(cli_store_code(rc), "state", "%s", e.msg);
	else if (v.bad)
		code = cli_fail(CLI_GAVE_UP, "state", "out of memory");
	else if (a->key && !v.shown)
		code = cli_fail(CLI_USAGE, "state", "source '%s' keeps no value '%s'", source, a->key);
	else
		cli_write(&v.out, "state", &code);
	buf_free(&v.out);
	*ret_code = code;
	return true;
}
