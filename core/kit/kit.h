/* SPDX-License-Identifier: Apache-2.0
 *
 * The test kit's engine, behind <tapewatch/test.h>, `tapewatch test` and `tapewatch test-plugin`: one plugin, judged by
 * the host's own pump, sequencer, workers and recorder, on a store that goes with the test. One thread takes the steps
 * of all of them, so nothing waits and nothing sleeps.
 */
#ifndef KIT_KIT_H
#define KIT_KIT_H

#include "event/event.h"
#include "graph/graph.h"

#define KIT_START (INT64_C(1767571200) * 1000000000) /* 2026-01-05T00:00:00Z, a Monday */
#define KIT_MAX_EVENTS 1000000u

/* ---- events, canonical and back to back ---- */
struct kit_events {
	struct buf bytes;
	size_t *at; /* of each in bytes, and one more: the end */
	uint32_t n, cap;
};
int32_t kit_events_add(struct kit_events *, const void *event, size_t len); /* TW_OK or TW_E_FATAL */
void kit_events_free(struct kit_events *);
const unsigned char *kit_event(const struct kit_events *, uint32_t i, size_t *ret_len);

/* ---- one-liners: [TIME] KIND [NAME] [FIELD=VALUE]... ---- */
/* A duration of several parts, 1m30s. 0, or -1. */
int kit_duration(const char *text, int64_t *ret);
/* 10s: after start; +10s, -10s: from now; 2026-01-05T09:30:00Z. 0, or -1. */
int kit_when(const char *text, int64_t start, int64_t now, int64_t *ret);
/* Appends the canonical event; *now becomes its time. TW_OK, or TW_E_CONFIG (the line is wrong) or TW_E_DATA (no
 * source could push it) with a sentence. */
int32_t kit_line_event(struct buf *out, const char *line, int64_t start, int64_t *now, struct tw_err *);
/* The other way, for people: offsets from start, what is absent left out. */
void kit_event_line(struct buf *out, const struct tw_event *, const struct intern *, int64_t start);

enum kit_op { KIT_IS, KIT_LEAST, KIT_MOST, KIT_HAS, KIT_RANGE };
struct kit_condition {
	char name[24];
	enum kit_op op;
	char text[512];
	double from, to; /* KIT_RANGE */
};
struct kit_want { /* what an alert, score or event must be */
	bool timed;
	int64_t at;
	uint32_t kind;  /* 0: any */
	uint32_t times; /* so many of them */
	uint32_t n;
	struct kit_condition list[24];
};
/* [xN] [TIME] [NAME] [FIELD=V | FIELD>=N | FIELD<=N | FIELD~PART]...; with_kind: [TIME] KIND first, as for events. */
int32_t kit_line_want(struct kit_want *ret, const char *line, int64_t start, bool with_kind, struct tw_err *);
bool kit_want_text(struct kit_want *, const char *name, enum kit_op, const char *text);
bool kit_want_range(struct kit_want *, const char *name, double from, double to);
bool kit_matches(const struct kit_want *, const struct tw_event *, const struct intern *);
void kit_want_line(struct buf *out, const struct kit_want *, int64_t start);

/* ---- a plan of one plugin ---- */
struct kit_plan {
	enum plugin_kind kind;
	char name[64];
	struct config config;
	struct report report;
	struct plugins *plugins;
	struct graph graph;
	struct graph_node *node;      /* of the plugin */
	const struct plugin *plugin;  /* as it was loaded */
	void *self;                   /* its options struct, bound and not yet opened */
	unsigned char *pristine;      /* a copy of that */
};
/* plugin: a path or a name; options: YAML, may be NULL. TW_OK, or negative with what is wrong appended to why. */
int32_t kit_plan_make(struct kit_plan *, enum plugin_kind, const char *plugin, const char *options, struct buf *why);
void kit_plan_free(struct kit_plan *);
/* Extra folders to look for plugins in, for programs that do not lie beside them; NULL: none. */
const char *kit_library_folder(char *out, size_t size);

/* ---- a detector at work ---- */
struct kit_how {
	const char *name;        /* "a second time" */
	const char *means;       /* what it usually means when something else comes out */
	uint32_t batch, workers;
	bool restart;            /* between every two events: save, close, open, restore */
	bool moved;              /* its state lies elsewhere at every call */
	bool tight;              /* no bytes behind the state: faster, and nothing is checked */
	int pattern;             /* of the bytes behind state and options, of the stack and of fresh memory; 0: none */
};

struct kit_said {
	struct tw_event *ev;  /* an alert or a score */
	size_t from, len;     /* its bytes without the id of the tape */
};

struct kit_engine;
struct kit_engine *kit_engine_new(struct kit_plan *, const struct kit_how *, struct tw_err *);
/* Close the plugin; what it said stays. Before another engine is made of the same plan. */
void kit_engine_end(struct kit_engine *);
void kit_engine_free(struct kit_engine *);
/* Judge all of events that have not been fed yet. */
int32_t kit_engine_feed(struct kit_engine *, const struct kit_events *, struct tw_err *);
/* What it said so far, in the host's order. */
uint32_t kit_engine_said(const struct kit_engine *, const struct kit_said **ret);
const unsigned char *kit_engine_bytes(const struct kit_engine *, const struct kit_said *);
const struct intern *kit_engine_names(const struct kit_engine *);
uint64_t kit_engine_errors(const struct kit_engine *);
bool kit_engine_counter(const struct kit_engine *, const char *name, uint64_t *ret);
bool kit_engine_quarantined(const struct kit_engine *);
/* Where it wrote that is not its own; NULL: nowhere. */
const char *kit_engine_trespass(const struct kit_engine *);

/* ---- repetitions ---- */
/* When the first of them fails, the others would too, and say nothing new. */
extern const struct kit_how kit_first, kit_repeats[];
extern const uint32_t kit_n_repeats;
/* Run one of them; TW_OK when the same was said as by first, else TW_E_DATA and a text for people appended to why. */
int32_t kit_repeat(struct kit_plan *, const struct kit_how *, const struct kit_events *, const struct kit_engine *first,
		   int64_t start, struct buf *why);

#endif
