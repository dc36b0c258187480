/* SPDX-License-Identifier: Apache-2.0
 *
 * The source's side of the bus: what is pushed is checked and encoded once, here, straight into the chunk.
 */
#include "base/log.h"
#include "base/os.h"
#include "bus/pump_impl.h"
#include <stdarg.h>
#include <string.h>

#define RAW_MAX 65536u

static struct pump *pump_of(struct tw_writer *w)
{
	return (struct pump *)(void *)((char *)w - offsetof(struct pump, writer));
}

static struct tw_str keep(struct arena *a, const void *s, uint64_t len)
{
	char *copy = s ? arena_text(a, s, len) : NULL;
	return (struct tw_str){ .s = copy, .len = copy ? (uint32_t)len : 0 };
}

/* One more thing behind the last mark; true when it is a repetition of what is recorded already. */
static bool repeated(struct pump *p)
{
	p->since_mark++;
	if (!p->drop)
		return false;
	p->drop--;
	return true;
}

/* Nothing more is taken, whatever the plugin makes of it: what is lost here must not lie before a mark. */
static int32_t out_of_memory(struct pump *p)
{
	p->memory_out = true;
	return TW_E_FATAL;
}

static int32_t refuse(struct pump *p, const char *reason, const char *where, const char *detail, const void *raw,
		      uint64_t raw_len)
{
	struct chunk *c = p->current;
	struct chunk_dead *d;

	if (p->memory_out)
		return TW_E_FATAL;
	p->bad++;
	if (repeated(p))
		return TW_E_DATA;
	if (c->n_dead == CHUNK_DEAD) { /* a source that pushes past its credit; keep the count right, lose the text */
		p->skipped_now++;
		return TW_E_DATA;
	}
	d = &c->dead[c->n_dead++];
	d->at = c->n;
	d->letter = (struct dead_letter){ .wall = os->wall(),
					  .source = { .s = p->node->name, .len = (uint32_t)strlen(p->node->name) },
					  .reason = keep(&c->texts, reason, strlen(reason)),
					  .where = keep(&c->texts, where, where ? strlen(where) : 0),
					  .detail = keep(&c->texts, detail, detail ? strlen(detail) : 0),
					  .raw = keep(&c->texts, raw, raw_len < RAW_MAX ? raw_len : RAW_MAX) };
	if (c->texts.failed) { /* half a dead letter is none; the row comes again with the next run */
		c->n_dead--;
		return out_of_memory(p);
	}
	return TW_E_DATA;
}

static int32_t writer_put(struct tw_writer *w, uint32_t bit, int64_t ts, const union tw_num *num,
			  const struct tw_str *str)
{
	struct pump *p = pump_of(w);
	struct chunk *c = p->current;
	const struct kind *kind = kind_of(bit);
	struct tw_err e;
	const char *reason;
	unsigned char *out;
	size_t len;

	if (__builtin_expect(p->memory_out, 0))
		return TW_E_FATAL;
	if (__builtin_expect(!kind, 0))
		return refuse(p, "unknown_kind", w->where, "the plugin pushed an event of no known kind", w->raw,
			      w->raw_len);
	reason = event_check(kind, ts, num, str, &e);
	if (__builtin_expect(reason != NULL, 0))
		return refuse(p, reason, w->where, e.msg, w->raw, w->raw_len);
	p->good++;
	if (__builtin_expect(repeated(p), 0))
		return TW_OK;
	out = buf_reserve(&c->records, event_bound(kind, str) + 4);
	if (__builtin_expect(!out, 0))
		return out_of_memory(p);
	len = event_put(out + 4, kind, ts, num, str);
	out[0] = out[1] = 0;
	out[2] = (unsigned char)(len & 0xff);
	out[3] = (unsigned char)(len >> 8);
	c->records.len += len + 4;
	c->n++;
	return TW_OK;
}

static int32_t writer_push(struct tw_writer *w, const void *msgpack, uint64_t len)
{
	struct pump *p = pump_of(w);
	struct chunk *c = p->current;
	struct tw_err e;
	const char *reason;
	unsigned char *out;

	if (p->memory_out)
		return TW_E_FATAL;
	p->foreign.len = 0;
	reason = event_canonical(&p->foreign, msgpack, len, &e);
	if (reason == event_no_memory)
		return out_of_memory(p);
	if (reason)
		return refuse(p, reason, w->where, e.msg, msgpack, len);
	p->good++;
	if (repeated(p))
		return TW_OK;
	out = buf_reserve(&c->records, p->foreign.len + 4);
	if (!out)
		return out_of_memory(p);
	out[0] = out[1] = 0;
	out[2] = (unsigned char)(p->foreign.len & 0xff);
	out[3] = (unsigned char)(p->foreign.len >> 8);
	memcpy(out + 4, p->foreign.data, p->foreign.len);
	c->records.len += p->foreign.len + 4;
	c->n++;
	return TW_OK;
}

/* Into the chunk, whose mark they stand beside. */
static bool add_value(void *arg, const struct source_value *v)
{
	struct chunk *c = arg;
	struct source_value *n;

	if (!values_room(&c->values, &c->cap_values, c->n_values))
		return false;
	n = &c->values[c->n_values];
	n->source = v->source; /* the pump's: as old as the chunk */
	n->name = arena_text(&c->texts, v->name, strlen(v->name));
	n->data = v->data ? arena_text(&c->texts, v->data, v->len) : NULL;
	n->len = v->len;
	if (!n->name || (v->data && !n->data))
		return false;
	c->n_values++;
	return true;
}

static int32_t writer_mark(struct tw_writer *w, const struct tw_pos *pos)
{
	struct pump *p = pump_of(w);
	struct chunk *c = p->current;

	if (p->memory_out)
		return TW_E_FATAL;
	if (pos->len > sizeof pos->data) {
		log_error(p->node->name, "the plugin marked a position of %" PRIu64 " bytes; at most %zu are allowed",
			  pos->len, sizeof pos->data);
		return TW_E_FATAL;
	}
	if (p->drop) /* still among what is recorded: the recorded position stands */
		return TW_OK;
	if (!kv_marked(ext_kv(p->ext), add_value, c))
		return out_of_memory(p);
	p->pos = c->pos = *pos;
	p->resumed = true;
	p->since_mark = 0;
	c->marked = true;
	c->mark_events = c->n;
	c->mark_dead = c->n_dead;
	return TW_OK;
}

static int32_t writer_reject(struct tw_writer *w, const char *reason, const char *where, const char *detail,
			     const void *raw, uint64_t len)
{
	struct pump *p = pump_of(w);
	const struct source_options *o = &p->node->source;

	if (refuse(p, reason && *reason ? reason : "bad_row", where, detail, raw, len) == TW_E_FATAL)
		return TW_E_FATAL;
	if (o->bad_share > 0)
		return p->good + p->bad >= 100 && (double)p->bad > o->bad_share * (double)(p->good + p->bad) ? TW_E_DATA
													     : TW_OK;
	return p->bad > o->bad_count ? TW_E_DATA : TW_OK;
}

static void writer_skip(struct tw_writer *w, uint64_t n)
{
	pump_of(w)->skipped_now += n;
}

static void host_log(const struct tw_host *h, int32_t level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_linev(level, h->instance, fmt, ap);
	va_end(ap);
}

static int64_t host_wall(const struct tw_host *h)
{
	(void)h;
	return os->wall();
}

static const char *host_name(const struct tw_host *h, uint32_t id)
{
	(void)h, (void)id;
	return ""; /* sources speak in texts */
}

static const void *host_extension(const struct tw_host *h, const char *id)
{
	const struct pump *p = (const struct pump *)(const void *)((const char *)h - offsetof(struct pump, host));
	return ext_find(p->ext, id);
}

void pump_writer_init(struct pump *p)
{
	pthread_mutex_init(&p->ack_lock, NULL);
	pthread_mutex_init(&p->wake_lock, NULL);
	p->writer = (struct tw_writer){ .struct_size = sizeof p->writer,
					.put = writer_put,
					.push = writer_push,
					.mark = writer_mark,
					.reject = writer_reject,
					.skip = writer_skip };
	p->host = (struct tw_host){ .struct_size = sizeof p->host,
				    .abi = TW_ABI,
				    .log = host_log,
				    .name = host_name,
				    .wall = host_wall,
				    .extension = host_extension,
				    .instance = p->node->name };
}
