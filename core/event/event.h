/* SPDX-License-Identifier: Apache-2.0
 *
 * The event codec. On the bus, on the tape and on a broker an event is the same bytes: a msgpack map with plain names
 * in the canonical form, which is
 *
 *   kind (text), ts (int64 d3), seq (uint64 cf), then the kind's numbers in schema order, fixed width (int64 d3,
 *   uint64 cf, float64 cb, absent = NaN), then its texts in schema order in the shortest encoding, absent = nil (c0),
 *   last the one variable field of score (features: array16 of cb) and alert (details: map16 of text to cb or text).
 *
 * So every number of a kind sits at an offset known when this code is compiled. schema.h has the fields, one line per
 * kind. The same lines give the encoder, the decoder, the JSON form and the documentation.
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "base/buf.h"
#include <stdbool.h>
#include <tapewatch/plugin.h>

#define EVENT_MAX_BYTES 65535u /* of one canonical event */
#define EVENT_MAX_NAME 255u    /* bytes of a symbol or account */
#define EVENT_KINDS 12u

enum field_type { FIELD_I64, FIELD_U64, FIELD_F64, FIELD_NAME, FIELD_TEXT, FIELD_ENUM, FIELD_F64S, FIELD_DETAILS };

/* One field of a kind, for JSON, columns and documentation. offset is into struct tw_event. */
struct field {
	const char *name;
	uint32_t type, offset;
	const char *const *names; /* FIELD_ENUM: the text of each number; names[0] is NULL (absent) */
	uint32_t n_names, flags;
};

/* flags: of I64 and U64 fields */
enum {
	FIELD_IS_TIME = 1,   /* ns since 1970 */
	FIELD_ZERO_NONE = 2, /* 0 means absent */
	FIELD_MINUS_NONE = 4 /* -1 means absent */
};

struct kind {
	const char *name;
	uint32_t bit;      /* TW_QUOTE ... */
	uint32_t n_fields; /* beyond kind, ts, seq */
	uint32_t size;     /* bytes of struct tw_event that this kind uses, a multiple of 16 */
	const struct field *fields; /* numbers first, then texts, as on the wire */
};

extern const struct kind event_kinds[EVENT_KINDS]; /* in the order of the bits */
const struct kind *kind_of(uint32_t bit);          /* NULL if bit is none of them */
const struct kind *kind_named(const char *name, size_t len);
const struct field *field_named(const struct kind *, const char *name, size_t len);

/* Symbols and accounts as small numbers, from 1 up, in the order of first sight. One writer thread; name() may be
 * called from any thread at any time. The text of an id never moves. */
struct intern;
struct intern *intern_new(uint32_t max_names); /* NULL when memory is out */
void intern_free(struct intern *);
/* The id of a text; 0 for an empty one, and 0 when max_names is reached (see intern_full). */
uint32_t intern_id(struct intern *, const char *s, size_t len);
uint32_t intern_find(const struct intern *, const char *s, size_t len); /* 0: never seen */
const char *intern_name(const struct intern *, uint32_t id);           /* "" for 0 or unknown */
uint32_t intern_len(const struct intern *, uint32_t id);
uint32_t intern_count(const struct intern *); /* the highest id */
bool intern_full(const struct intern *);
/* Did a name get 0 because memory was out? Other than a full table, which depends on the names alone, that must not be
 * gone on from: a later run would find the name. Stays so. */
bool intern_starved(const struct intern *);

/* Encode from a kind's numbers and texts in wire order (see tapewatch/push.h). out needs event_bound(). Returns the
 * length. The seq is 0: event_stamp() writes it later. Every NaN is written as the same one, an empty text as absent. */
size_t event_put(unsigned char *out, const struct kind *, int64_t ts, const union tw_num *, const struct tw_str *);
size_t event_bound(const struct kind *, const struct tw_str *);

/* Encode a decoded view, alerts and scores with their details and features. Texts of names come from the intern
 * table, or from the struct itself where it holds texts. What is not UTF-8 in a text becomes U+FFFD. Appends to out.
 * 0, TW_E_DATA (unknown kind, a number that is no word of its enumeration, too large), or TW_E_FATAL (memory). */
int32_t event_encode(struct buf *out, const struct tw_event *, const struct intern *);

/* Decode canonical bytes into ev, which needs room for struct tw_event. Texts point into p. Every byte that is not a
 * value is checked. Returns the length of the event, or 0 when the bytes are not canonical (or memory is out): then no
 * name was interned. n may be more than the event. in may be NULL: then symbol and account stay 0. scratch is for
 * features and details; when NULL, they are checked and left out. UTF-8 is the edge's business: see event_check(). */
size_t event_decode(struct tw_event *ev, const unsigned char *p, size_t n, struct intern *in, struct arena *scratch);

/* Cheap looks at canonical bytes that event_decode() or event_put() has vouched for. */
uint32_t event_kind(const unsigned char *p);
int64_t event_ts(const unsigned char *p);
uint64_t event_seq(const unsigned char *p);
void event_stamp(unsigned char *p, uint64_t seq);

/* Is it a valid event? Called once at the edge, on the fields in wire order. NULL, or a static word such as
 * "bad_price" with a sentence about what was found and expected in e. */
const char *event_check(const struct kind *, int64_t ts, const union tw_num *, const struct tw_str *, struct tw_err *e);

/* Any msgpack map with these names, through msgpack-c after a bounds pass (depth <= 8, at most EVENT_MAX_BYTES, no
 * more elements than bytes left, valid UTF-8, no ext, unknown names skipped): appends the canonical bytes to out.
 * NULL, or the word for the dead-letter log as event_check() gives it, or event_no_memory, which says nothing about the
 * bytes: no dead letter. */
extern const char event_no_memory[];
const char *event_canonical(struct buf *out, const void *msgpack, size_t n, struct tw_err *e);

/* One JSON object without a newline, appended to out; absent fields, NaN and infinities are left out, times are RFC 3339 with the
 * ns. Names of ids come from in. */
int32_t event_json(struct buf *out, const struct tw_event *, const struct intern *);
/* A JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
int32_t json_text(struct buf *out, const char *s, size_t len);

/* "2026-01-01", "2026-01-01T10:30[:00[.123456789]][Z|+02:00]", UTC without a zone. 0, or -1 when it is no moment. */
int moment_parse(const char *text, int64_t *ret);

#endif
