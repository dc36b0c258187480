/* SPDX-License-Identifier: Apache-2.0
 *
 * Replies: bytes from a program that may be broken or worse. They are read in place by a cursor that never passes the
 * end and allocates nothing, since a general unpacker would reserve what a lying length asks for. The first thing that
 * is not as expected ends it, with a sentence.
 */
#include "exec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct cursor {
	const unsigned char *p, *end;
	char *why;
};

static void TW_PRINTF(2, 3) explain(struct cursor *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(c->why, WHY_BYTES, fmt, ap);
	va_end(ap);
}

/* A macro, so that analyzers see that it is false. */
#define refuse(c, ...) (explain((c), __VA_ARGS__), false)

/* ---- one value ---- */

enum what { IS_NIL, IS_BOOLEAN, IS_UNSIGNED, IS_SIGNED, IS_FLOAT, IS_TEXT, IS_BINARY, IS_LIST, IS_MAP };
static const char *const what_names[] = { "nil",    "a boolean",   "an integer", "an integer", "a float",
					  "a text", "binary data", "a list",     "a map" };

struct value {
	enum what what;
	uint64_t u; /* of integers: the bits; of texts, lists and maps: how many */
	double f;
	const unsigned char *at; /* of texts and binary data */
};

static uint64_t number(const unsigned char *p, unsigned width)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < width; i++)
		v = v << 8 | p[i];
	return v;
}

static double float_of(uint64_t bits, unsigned width)
{
	double d;
	float f;
	uint32_t half = (uint32_t)bits;

	if (width == 4) {
		memcpy(&f, &half, sizeof f);
		return (double)f;
	}
	memcpy(&d, &bits, sizeof d);
	return d;
}

/* Behind the first byte: how wide the value or length is, and what it is. */
static bool wide_value(unsigned first, enum what *what, unsigned *width)
{
	static const struct {
		uint8_t what, width;
	} wide[32] = {
		[0x00] = { IS_NIL, 0 },      [0x02] = { IS_BOOLEAN, 0 },  [0x03] = { IS_BOOLEAN, 0 },
		[0x04] = { IS_BINARY, 1 },   [0x05] = { IS_BINARY, 2 },   [0x06] = { IS_BINARY, 4 },
		[0x0a] = { IS_FLOAT, 4 },    [0x0b] = { IS_FLOAT, 8 },    [0x0c] = { IS_UNSIGNED, 1 },
		[0x0d] = { IS_UNSIGNED, 2 }, [0x0e] = { IS_UNSIGNED, 4 }, [0x0f] = { IS_UNSIGNED, 8 },
		[0x10] = { IS_SIGNED, 1 },   [0x11] = { IS_SIGNED, 2 },   [0x12] = { IS_SIGNED, 4 },
		[0x13] = { IS_SIGNED, 8 },   [0x19] = { IS_TEXT, 1 },     [0x1a] = { IS_TEXT, 2 },
		[0x1b] = { IS_TEXT, 4 },     [0x1c] = { IS_LIST, 2 },     [0x1d] = { IS_LIST, 4 },
		[0x1e] = { IS_MAP, 2 },      [0x1f] = { IS_MAP, 4 },
	};

	*what = wide[first - 0xc0].what;
	*width = wide[first - 0xc0].width;
	return first == 0xc0 || *what != IS_NIL;
}

static bool next(struct cursor *c, struct value *v)
{
	unsigned first, width = 0;

	*v = (struct value){ .u = 0 };
	if (c->p == c->end)
		return refuse(c, "the reply ends too early");
	first = *c->p++;
	if (first < 0x80) {
		v->what = IS_UNSIGNED;
		v->u = first;
	} else if (first < 0x90) {
		v->what = IS_MAP;
		v->u = first & 15;
	} else if (first < 0xa0) {
		v->what = IS_LIST;
		v->u = first & 15;
	} else if (first < 0xc0) {
		v->what = IS_TEXT;
		v->u = first & 31;
	} else if (first >= 0xe0) {
		v->what = IS_SIGNED;
		v->u = (uint64_t)(int64_t)(int8_t)first;
	} else if (!wide_value(first, &v->what, &width)) {
		return refuse(c, "byte 0x%02x is no msgpack, or an extension", first);
	}
	if ((size_t)(c->end - c->p) < width)
		return refuse(c, "the reply ends too early");
	if (width) {
		v->u = number(c->p, width);
		c->p += width;
	}
	if (v->what == IS_BOOLEAN)
		v->u = first & 1;
	else if (v->what == IS_FLOAT)
		v->f = float_of(v->u, width);
	else if (v->what == IS_SIGNED && width && width < 8 && v->u >> (8 * width - 1))
		v->u |= ~(uint64_t)0 << (8 * width);
	if (v->what == IS_TEXT || v->what == IS_BINARY) {
		if ((uint64_t)(c->end - c->p) < v->u)
			return refuse(c, "a text claims %" PRIu64 " bytes and there are %zu", v->u,
				      (size_t)(c->end - c->p));
		v->at = c->p;
		c->p += v->u;
	} else if ((v->what == IS_LIST || v->what == IS_MAP) && v->u > (uint64_t)(c->end - c->p)) {
		return refuse(c, "%s claims %" PRIu64 " items and there are %zu bytes", what_names[v->what], v->u,
			      (size_t)(c->end - c->p));
	}
	return true;
}

static bool expect(struct cursor *c, struct value *v, enum what what, const char *name)
{
	if (!next(c, v))
		return false;
	if (v->what != what)
		return refuse(c, "'%s' is %s; expected %s", name, what_names[v->what], what_names[what]);
	return true;
}

/* Something of a later version. */
static bool pass_over(struct cursor *c, unsigned depth)
{
	struct value v;

	if (depth > DEPTH_MAX)
		return refuse(c, "lists and maps nest deeper than %d", DEPTH_MAX);
	if (!next(c, &v))
		return false;
	if (v.what != IS_LIST && v.what != IS_MAP)
		return true;
	for (uint64_t i = v.what == IS_MAP ? 2 * v.u : v.u; i > 0; i--)
		if (!pass_over(c, depth + 1))
			return false;
	return true;
}

/* ---- texts and numbers ---- */

static bool valid_utf8(const unsigned char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		unsigned c = s[i], more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		uint32_t v = more == 3 ? c & 7 : more == 2 ? c & 15 : c & 31;
		static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
		if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || n - i <= more)
			return false;
		for (unsigned k = 1; k <= more; k++) {
			if ((s[i + k] & 0xc0) != 0x80)
				return false;
			v = v << 6 | (s[i + k] & 0x3f);
		}
		if (more && (v < least[more] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)))
			return false;
		if (c == 0)
			return false;
		i += 1 + more;
	}
	return true;
}

static bool is(const struct value *v, const char *word)
{
	return strlen(word) == v->u && memcmp(v->at, word, v->u) == 0;
}

static bool read_text(struct cursor *c, struct tw_str *ret, size_t max, const char *name)
{
	struct value v;

	if (!next(c, &v))
		return false;
	if (v.what == IS_NIL) {
		*ret = (struct tw_str){ .s = NULL };
		return true;
	}
	if (v.what != IS_TEXT)
		return refuse(c, "'%s' is %s; expected a text", name, what_names[v.what]);
	if (v.u > max)
		return refuse(c, "'%s' has %" PRIu64 " bytes; expected at most %zu", name, v.u, max);
	if (!valid_utf8(v.at, v.u))
		return refuse(c, "'%s' is not UTF-8 without zeros", name);
	*ret = (struct tw_str){ .s = (const char *)v.at, .len = (uint32_t)v.u };
	return true;
}

static bool read_count(struct cursor *c, uint64_t *ret, uint64_t below, const char *name)
{
	struct value v;

	if (!next(c, &v))
		return false;
	if (v.what != IS_UNSIGNED && v.what != IS_SIGNED)
		return refuse(c, "'%s' is %s; expected an integer", name, what_names[v.what]);
	if ((v.what == IS_SIGNED && (int64_t)v.u < 0) || v.u >= below)
		return refuse(c, "'%s' is %" PRId64 "; expected 0 to %" PRIu64, name, (int64_t)v.u, below - 1);
	*ret = v.u;
	return true;
}

/* nil is an absent number. */
static bool read_number(struct cursor *c, double *ret, bool finite, const char *name)
{
	struct value v;

	if (!next(c, &v))
		return false;
	if (v.what == IS_UNSIGNED)
		*ret = (double)v.u;
	else if (v.what == IS_SIGNED)
		*ret = (double)(int64_t)v.u;
	else if (v.what == IS_FLOAT)
		*ret = v.f;
	else if (v.what == IS_NIL)
		*ret = (double)NAN;
	else
		return refuse(c, "'%s' is %s; expected a number", name, what_names[v.what]);
	if (finite && !isfinite(*ret))
		return refuse(c, "'%s' is %s; expected a finite number", name, v.what == IS_NIL ? "nil" : "not finite");
	return true;
}

/* The next key of a map; *seen refuses the same one twice. */
static bool read_key(struct cursor *c, struct value *key)
{
	if (!next(c, key))
		return false;
	return key->what == IS_TEXT || refuse(c, "a key of a map is %s; expected a text", what_names[key->what]);
}

static bool once(struct cursor *c, uint32_t *seen, uint32_t bit, const char *name)
{
	if (*seen & bit)
		return refuse(c, "'%s' comes twice", name);
	*seen |= bit;
	return true;
}

static bool at_end(struct cursor *c)
{
	return c->p == c->end || refuse(c, "%zu bytes behind the reply", (size_t)(c->end - c->p));
}

/* ---- hello ---- */

static bool read_short(struct cursor *c, char ret[NAME_MAX_BYTES + 1], const char *name)
{
	struct tw_str s;

	if (!read_text(c, &s, NAME_MAX_BYTES, name))
		return false;
	if (s.s)
		memcpy(ret, s.s, s.len);
	ret[s.len] = '\0';
	return true;
}

static bool read_kinds(struct cursor *c, uint32_t *ret)
{
	struct value list, v;

	if (!expect(c, &list, IS_LIST, "kinds"))
		return false;
	for (uint64_t i = 0; i < list.u; i++) {
		uint32_t kind;
		if (!expect(c, &v, IS_TEXT, "kinds"))
			return false;
		kind = exec_kind((const char *)v.at, v.u);
		if (!kind)
			return refuse(c, "'kinds' has '%.*s', which is no kind of event", v.u < 32 ? (int)v.u : 32,
				      valid_utf8(v.at, v.u) ? (const char *)v.at : "?");
		*ret |= kind;
	}
	return true;
}

bool reply_hello(struct hello *ret, const unsigned char *p, size_t n, char why[WHY_BYTES])
{
	struct cursor c = { p, p + n, why };
	struct value map, key;
	uint64_t protocol = 0;

	memset(ret, 0, sizeof *ret);
	if (!expect(&c, &map, IS_MAP, "hello"))
		return false;
	for (uint64_t i = 0; i < map.u; i++) {
		bool ok;
		if (!read_key(&c, &key))
			return false;
		if (is(&key, "protocol"))
			ok = read_count(&c, &protocol, 1u << 31, "protocol");
		else if (is(&key, "name"))
			ok = read_short(&c, ret->name, "name");
		else if (is(&key, "version"))
			ok = read_short(&c, ret->version, "version");
		else if (is(&key, "kinds"))
			ok = read_kinds(&c, &ret->kinds);
		else if (is(&key, "error"))
			ok = read_text(&c, &ret->error, WHY_BYTES, "error");
		else
			ok = pass_over(&c, 1);
		if (!ok)
			return false;
	}
	if (!at_end(&c))
		return false;
	return ret->error.s || protocol == PROTOCOL ||
	       refuse(&c, "it speaks protocol %" PRIu64 "; expected %d", protocol, PROTOCOL);
}

/* ---- a batch ---- */

static bool read_states(struct cursor *c, struct reply *r, const struct request *q, uint32_t size)
{
	bool seen[EVENTS_MAX] = { false };
	struct value list, pair, blob;

	if (!expect(c, &list, IS_LIST, "states"))
		return false;
	if (list.u > q->n_states)
		return refuse(c, "%" PRIu64 " states; there are %" PRIu32, list.u, q->n_states);
	for (uint64_t i = 0; i < list.u; i++) {
		uint64_t k;
		if (!expect(c, &pair, IS_LIST, "states"))
			return false;
		if (pair.u != 2)
			return refuse(c, "an entry of 'states' has %" PRIu64 " items; expected [number, bytes]",
				      pair.u);
		if (!read_count(c, &k, q->n_states, "number of a state"))
			return false;
		if (seen[k])
			return refuse(c, "state %" PRIu64 " comes twice", k);
		seen[k] = true;
		if (!expect(c, &blob, IS_BINARY, "states"))
			return false;
		if (blob.u > size)
			return refuse(c, "state %" PRIu64 " has %" PRIu64 " bytes; state_size is %" PRIu32, k, blob.u,
				      size);
		r->states[r->n_states++] = (struct new_state){ (uint32_t)k, (uint32_t)blob.u, blob.at };
	}
	return true;
}

static bool read_details(struct cursor *c, struct reply *r, struct said *s)
{
	struct value map, key, v;

	if (!expect(c, &map, IS_MAP, "details"))
		return false;
	if (map.u > DETAILS_MAX || r->n_details + map.u > DETAILS_PER_REPLY)
		return refuse(c, "%" PRIu64 " details; expected at most %d, and %d in a reply", map.u, DETAILS_MAX,
			      DETAILS_PER_REPLY);
	s->first_detail = r->n_details;
	for (uint64_t i = 0; i < map.u; i++) {
		struct tw_detail *d = &r->details[r->n_details++];
		const unsigned char *at;
		*d = (struct tw_detail){ .number = (double)NAN };
		if (!read_key(c, &key))
			return false;
		if (!key.u || key.u > NAME_MAX_BYTES || !valid_utf8(key.at, key.u))
			return refuse(c, "the name of a detail is not UTF-8 of 1 to %d bytes", NAME_MAX_BYTES);
		d->name = (struct tw_str){ .s = (const char *)key.at, .len = (uint32_t)key.u };
		at = c->p;
		if (!next(c, &v))
			return false;
		c->p = at;
		if (v.what == IS_TEXT ? !read_text(c, &d->text, TEXT_MAX, "a detail")
				      : !read_number(c, &d->number, false, "a detail"))
			return false;
		s->n_details++;
	}
	return true;
}

static bool read_severity(struct cursor *c, uint32_t *ret)
{
	static const char *const severities[] = { "info", "low", "medium", "high", "critical" };
	struct tw_str s;

	if (!read_text(c, &s, TEXT_MAX, "severity"))
		return false;
	if (!s.s)
		return true;
	for (uint32_t i = 0; i < 5; i++)
		if (strlen(severities[i]) == s.len && memcmp(severities[i], s.s, s.len) == 0) {
			*ret = TW_INFO + i;
			return true;
		}
	return refuse(c, "'severity' is '%.*s'; expected info, low, medium, high or critical", (int)s.len, s.s);
}

static bool read_alert_field(struct cursor *c, struct reply *r, struct said *s, const struct value *key, uint32_t n,
			     uint32_t *seen)
{
	static const char *const numbers[] = { "p_value", "value", "expected", "threshold" };
	double *const to[] = { &s->p_value, &s->value, &s->expected, &s->threshold };
	uint64_t i;

	if (is(key, "i")) {
		if (!once(c, seen, 1, "i") || !read_count(c, &i, n, "i"))
			return false;
		s->event = (uint32_t)i;
		return true;
	}
	if (is(key, "score"))
		return once(c, seen, 2, "score") && read_number(c, &s->score, true, "score");
	if (is(key, "reason"))
		return once(c, seen, 4, "reason") && read_text(c, &s->reason, REASON_MAX, "reason");
	if (is(key, "details"))
		return once(c, seen, 8, "details") && read_details(c, r, s);
	if (is(key, "type"))
		return read_text(c, &s->type, TYPE_MAX, "type");
	if (is(key, "severity"))
		return read_severity(c, &s->severity);
	for (uint32_t k = 0; k < 4; k++)
		if (is(key, numbers[k]))
			return read_number(c, to[k], false, numbers[k]);
	return pass_over(c, 1);
}

static struct said nothing(void)
{
	return (struct said){
		.p_value = (double)NAN, .value = (double)NAN, .expected = (double)NAN, .threshold = (double)NAN
	};
}

static bool in_order(struct cursor *c, const struct said *list, uint32_t n, const char *name)
{
	if (n > 1 && list[n - 1].event < list[n - 2].event)
		return refuse(c, "'%s' are not in the order of their events: %" PRIu32 " comes behind %" PRIu32, name,
			      list[n - 1].event, list[n - 2].event);
	if (n > SAID_PER_EVENT && list[n - 1 - SAID_PER_EVENT].event == list[n - 1].event)
		return refuse(c, "more than %d '%s' about event %" PRIu32, SAID_PER_EVENT, name, list[n - 1].event);
	return true;
}

static bool read_alerts(struct cursor *c, struct reply *r, uint32_t n)
{
	struct value list, map, key;

	if (!expect(c, &list, IS_LIST, "alerts"))
		return false;
	if (list.u > (uint64_t)n * SAID_PER_EVENT)
		return refuse(c, "%" PRIu64 " alerts; expected at most %d per event", list.u, SAID_PER_EVENT);
	for (uint64_t i = 0; i < list.u; i++) {
		struct said *s = &r->alerts[r->n_alerts++];
		uint32_t seen = 0;
		*s = nothing();
		if (!expect(c, &map, IS_MAP, "alerts"))
			return false;
		for (uint64_t k = 0; k < map.u; k++)
			if (!read_key(c, &key) || !read_alert_field(c, r, s, &key, n, &seen))
				return false;
		if ((seen & 7) != 7 || !s->reason.s || !s->reason.len)
			return refuse(c, "an alert has no %s",
				      seen & 1 ? (seen & 2 ? "reason" : "score") : "i, the number of its event");
		if (!in_order(c, r->alerts, r->n_alerts, "alerts"))
			return false;
	}
	return true;
}

static bool read_scores(struct cursor *c, struct reply *r, uint32_t n)
{
	struct value list, item;

	if (!expect(c, &list, IS_LIST, "scores"))
		return false;
	if (list.u > (uint64_t)n * SAID_PER_EVENT)
		return refuse(c, "%" PRIu64 " scores; expected at most %d per event", list.u, SAID_PER_EVENT);
	for (uint64_t i = 0; i < list.u; i++) {
		struct said *s = &r->scores[r->n_scores++];
		uint64_t event;
		*s = nothing();
		if (!expect(c, &item, IS_LIST, "scores"))
			return false;
		if (item.u < 2 || item.u > 3)
			return refuse(c,
				      "an entry of 'scores' has %" PRIu64 " items; expected [i, score] or "
				      "[i, score, p_value]",
				      item.u);
		if (!read_count(c, &event, n, "i of a score") || !read_number(c, &s->score, true, "score") ||
		    (item.u == 3 && !read_number(c, &s->p_value, false, "p_value")))
			return false;
		s->event = (uint32_t)event;
		if (!in_order(c, r->scores, r->n_scores, "scores"))
			return false;
	}
	return true;
}

static bool consistent(struct cursor *c, const struct reply *r, const struct request *q, uint32_t seen, uint64_t number)
{
	if (!(seen & 1) || number != q->number)
		return refuse(c, "it answers request %" PRIu64 "; expected %" PRIu64, number, q->number);
	if (!(seen & 2))
		return refuse(c, "'done' is absent");
	if (r->error.s ? r->done >= q->n : r->done != q->n)
		return refuse(c, "'done' is %" PRIu32 " of %" PRIu32 " events, %s an error", r->done, q->n,
			      r->error.s ? "with" : "without");
	/* What is said about an event that failed would be said again. */
	if ((r->n_alerts && r->alerts[r->n_alerts - 1].event >= r->done) ||
	    (r->n_scores && r->scores[r->n_scores - 1].event >= r->done))
		return refuse(c, "something is said about event %" PRIu32 " or later, which 'done' excludes", r->done);
	return true;
}

bool reply_batch(struct reply *r, const struct request *q, uint32_t state_size, const unsigned char *p, size_t n,
		 char why[WHY_BYTES])
{
	struct cursor c = { p, p + n, why };
	struct value map, key;
	uint64_t number = 0, done = 0;
	uint32_t seen = 0;

	r->done = r->n_states = r->n_alerts = r->n_scores = r->n_details = 0;
	r->error = (struct tw_str){ .s = NULL };
	if (!expect(&c, &map, IS_MAP, "the reply"))
		return false;
	for (uint64_t i = 0; i < map.u; i++) {
		bool ok;
		if (!read_key(&c, &key))
			return false;
		if (is(&key, "n"))
			ok = once(&c, &seen, 1, "n") && read_count(&c, &number, INT64_MAX, "n");
		else if (is(&key, "done"))
			ok = once(&c, &seen, 2, "done") && read_count(&c, &done, (uint64_t)q->n + 1, "done");
		else if (is(&key, "states"))
			ok = once(&c, &seen, 4, "states") && read_states(&c, r, q, state_size);
		else if (is(&key, "alerts"))
			ok = once(&c, &seen, 8, "alerts") && read_alerts(&c, r, q->n);
		else if (is(&key, "scores"))
			ok = once(&c, &seen, 16, "scores") && read_scores(&c, r, q->n);
		else if (is(&key, "error"))
			ok = once(&c, &seen, 32, "error") && read_text(&c, &r->error, WHY_BYTES, "error");
		else
			ok = pass_over(&c, 1);
		if (!ok)
			return false;
	}
	r->done = (uint32_t)done;
	return at_end(&c) && consistent(&c, r, q, seen, number);
}
