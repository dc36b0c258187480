/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/plugin.h - the binary contract between the host and a plugin.
 *
 * A plugin is one shared object that exports one function, tw_plugin(), and links to nothing of ours. The macros
 * TW_DETECTOR, TW_SOURCE and TW_SINK at the end of this file write that function for you.
 *
 * Units, everywhere: times are int64 nanoseconds since 1970-01-01 UTC; prices and amounts are float64 in the unit of
 * the venue; sizes are in the unit of the venue, for deals in lots; NaN means "absent".
 *
 * Rules that keep old plugins loading:
 *   - the first 16 bytes of struct tw_manifest never change;
 *   - every struct that crosses the boundary, in both directions, starts with struct_size. The receiver compares it
 *     first and copies min(size) into its own zero-filled copy, so a callback that is absent reads as NULL;
 *   - members are appended, never moved, removed or re-typed; integers have a fixed width;
 *   - big later features come through host->extension("name/1"), not through new members.
 *
 * Ownership: every pointer is borrowed until the call returns, unless the comment says otherwise. Text is UTF-8.
 *
 * Threads: each callback names the thread it runs on, and one instance is never entered by two threads at once:
 *   [control]  the main thread: start, checks, reload. May allocate and take its time.
 *   [source]   one thread per source. May block, up to the timeout it is given.
 *   [worker]   judges events. Must not block, lock, sleep, allocate per event or read a clock.
 *   [sink]     one thread per sink. May block on its own I/O.
 *   [any]      callable from all of them.
 */
#ifndef TAPEWATCH_PLUGIN_H
#define TAPEWATCH_PLUGIN_H

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TW_MAGIC 0x31505754u /* "TWP1" */
#define TW_ABI_MAJOR 0u      /* 0.9 until real stores and screens have used it, then 1.0 */
#define TW_ABI_MINOR 9u
#define TW_ABI (TW_ABI_MAJOR << 16 | TW_ABI_MINOR)
#define TW_EVENT_SCHEMA 1u

#define TW_EXPORT __attribute__((visibility("default")))
#define TW_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* ---- results ---------------------------------------------------------------------------------------------------
 * Zero is success, a positive result is not an error, a negative one is. Whoever returns a negative result also
 * fills the struct tw_err it was handed, if it was handed one: what happened, where, what to do about it.
 */
enum {
	TW_OK = 0,
	TW_AGAIN = 1,     /* nothing now, or not yet: ask again                                     */
	TW_DONE = 2,      /* a source that is read to its end                                       */
	TW_E_CONFIG = -1, /* the configuration is at fault                                          */
	TW_E_IO = -2,     /* the outside world failed; trying again may help                        */
	TW_E_DATA = -3,   /* this event or record is at fault; the next one may be fine             */
	TW_E_FATAL = -4   /* this instance cannot go on                                             */
};

struct tw_err {
	int32_t code;
	char msg[508]; /* always terminated */
};

/* ---- events ----------------------------------------------------------------------------------------------------
 * The decoded view of an event. A symbol or account is a small number while the process runs (0 = absent); its text
 * is host->name(host, id). Everything that is stored holds the text.
 */
enum {
	TW_QUOTE = 1 << 0,
	TW_TRADE = 1 << 1,
	TW_BAR = 1 << 2,
	TW_ORDER = 1 << 3,
	TW_DEAL = 1 << 4,
	TW_ACCOUNT = 1 << 5,
	TW_NEWS = 1 << 6,
	TW_SCORE = 1 << 7,
	TW_ALERT = 1 << 8,
	TW_LABEL = 1 << 9,
	TW_CLOCK = 1 << 10,
	TW_CORRECTION = 1 << 11,
	TW_ANY = (1 << 12) - 1
};
enum { TW_SIDE_NONE, TW_BUY, TW_SELL };
enum { TW_ACTION_NONE, TW_NEW, TW_MODIFY, TW_CANCEL, TW_FILL, TW_REJECT };
enum { TW_ACCOUNT_NONE, TW_BALANCE, TW_CREDIT, TW_SNAPSHOT };
enum { TW_NEWS_NONE, TW_CALENDAR, TW_FILING, TW_HEADLINE };
enum { TW_IMPACT_NONE, TW_IMPACT_LOW, TW_IMPACT_MEDIUM, TW_IMPACT_HIGH };
enum { TW_CORRECTION_NONE, TW_BUST, TW_AMEND };
enum { TW_SEVERITY_NONE, TW_INFO, TW_LOW, TW_MEDIUM, TW_HIGH, TW_CRITICAL };

struct tw_str {
	const char *s; /* not terminated; NULL when absent */
	uint32_t len, reserved;
};

struct tw_quote {
	uint32_t symbol, reserved;
	double bid, ask, bid_size, ask_size;
};

struct tw_trade {
	uint32_t symbol, side; /* side: of the aggressor */
	uint32_t account, counterparty;
	double price, size;
	struct tw_str trade_id;
};

struct tw_bar {
	uint32_t symbol, reserved;
	int64_t interval; /* ns; ts of the event is the start of the bar; 0 = unknown */
	double open, high, low, close, volume;
	int64_t count; /* trades in the bar; -1 = unknown */
};

struct tw_order {
	uint32_t symbol, account, action, side;
	double price, size, remaining;
	struct tw_str order_id;
};

struct tw_deal { /* a position that was closed; ts of the event is the close time */
	uint32_t account, symbol, side, reserved;
	int64_t open_ts;
	double size, open_price, close_price, stop_loss, take_profit, commission, swap, profit;
	struct tw_str ticket, comment;
};

struct tw_account {
	uint32_t account, event; /* TW_BALANCE, TW_CREDIT: amount came in or went out; TW_SNAPSHOT */
	double amount, balance, equity, margin, leverage;
	struct tw_str currency, group, comment;
};

struct tw_news {
	uint32_t symbol, category, impact, reserved;
	double actual, forecast, previous;
	struct tw_str source, id, currency, title;
};

struct tw_score { /* what a detector thinks of one event; also a plain series of numbers */
	uint32_t symbol, account;
	double score, p_value;
	struct tw_str detector;
	const double *features;
	uint32_t n_features, reserved;
};

struct tw_detail { /* one entry of an alert's details: a number, or a text when text.s is set */
	struct tw_str name, text;
	double number;
};

struct tw_alert {
	uint32_t severity, n_details;
	double score, p_value, value, expected, threshold;
	uint64_t evidence_from, evidence_to; /* sequence numbers, inclusive */
	struct tw_str id, detector, version, config, symbol, account, type, reason;
	const struct tw_detail *details;
};

struct tw_label { /* a verdict on an alert, or ground truth about a stretch of time */
	uint32_t symbol, account;
	int64_t from, to; /* 0 = not about a stretch of time */
	struct tw_str alert_id, verdict, category, author, comment;
};

struct tw_clock {
	struct tw_str source; /* who is alive; absent for the host's own clock */
};

struct tw_correction {
	uint32_t symbol, action;
	uint64_t ref_seq; /* the event it refers to; 0 = see trade_id */
	double price, size;
	struct tw_str trade_id;
};

struct tw_event {
	uint32_t struct_size, kind;
	int64_t ts;               /* event time, never the wall clock */
	uint64_t seq;             /* stamped by the sequencer: one total order over all sources */
	const unsigned char *raw; /* the canonical msgpack of this event; NULL for emitted ones */
	uint32_t raw_len, source; /* source: the host's number of the node it came from */
	union {
		struct tw_quote quote;
		struct tw_trade trade;
		struct tw_bar bar;
		struct tw_order order;
		struct tw_deal deal;
		struct tw_account account;
		struct tw_news news;
		struct tw_score score;
		struct tw_alert alert;
		struct tw_label label;
		struct tw_clock clock;
		struct tw_correction correction;
	};
};

struct tw_batch {
	uint32_t struct_size, n;
	const struct tw_event *const *ev;
	void *const *state; /* state[i] belongs to the key of ev[i]; each is NULL when the detector has no state */
};

/* ---- options ---------------------------------------------------------------------------------------------------
 * One row per option. The host parses the YAML, checks type and range, and writes the value into the instance struct
 * at its offset; `tapewatch plugins NAME`, the reference and the JSON schema come from the same row.
 *
 *   type      member             written in YAML as
 *   INT       int64_t            12, -3
 *   FLOAT     double             2.5
 *   BOOL      int64_t            true, false
 *   STRING    const char *       text
 *   DURATION  int64_t (ns)       250ms, 10s, 5m, 2h, 1d
 *   SIZE      int64_t (bytes)    64KiB, 10MB
 *   ENUM      int64_t            one of the names in min ("a|b|c"); the value is its index from 0
 *   LIST      struct tw_list     [a, b, c] or a single text
 *   MAP       struct tw_list     {k: v, k2: v2} as items k, v, k2, v2; a list [a, b] as a, 1, b, 2
 *   SECRET    const char *       ${env:NAME} or ${file:PATH}; never printed
 *
 * def is the value when the option is absent, as text; TW_REQUIRED means that it must be given. The text of strings,
 * lists and secrets lives until close().
 */
enum {
	TW_T_END,
	TW_T_INT,
	TW_T_FLOAT,
	TW_T_BOOL,
	TW_T_STRING,
	TW_T_DURATION,
	TW_T_SIZE,
	TW_T_ENUM,
	TW_T_LIST,
	TW_T_MAP,
	TW_T_SECRET
};

struct tw_list {
	const char *const *items;
	uint64_t n;
};

struct tw_option {
	const char *name, *def, *min, *max, *help;
	uint32_t type, offset;
};

/* A member of the wrong size does not compile: the array below gets a negative length. */
#define TW_AT_(S, m, size) (uint32_t)(offsetof(S, m) + 0 * sizeof(char[sizeof(((S *)0)->m) == (size) ? 1 : -1]))
#define TW_INT(S, m, def, lo, hi, help) { #m, def, lo, hi, help, TW_T_INT, TW_AT_(S, m, 8) }
#define TW_FLOAT(S, m, def, lo, hi, help) { #m, def, lo, hi, help, TW_T_FLOAT, TW_AT_(S, m, 8) }
#define TW_BOOL(S, m, def, help) { #m, def, NULL, NULL, help, TW_T_BOOL, TW_AT_(S, m, 8) }
#define TW_STRING(S, m, def, help) { #m, def, NULL, NULL, help, TW_T_STRING, TW_AT_(S, m, sizeof(char *)) }
#define TW_DURATION(S, m, def, lo, hi, help) { #m, def, lo, hi, help, TW_T_DURATION, TW_AT_(S, m, 8) }
#define TW_SIZE(S, m, def, lo, hi, help) { #m, def, lo, hi, help, TW_T_SIZE, TW_AT_(S, m, 8) }
#define TW_ENUM(S, m, def, names, help) { #m, def, names, NULL, help, TW_T_ENUM, TW_AT_(S, m, 8) }
#define TW_LIST(S, m, def, help) { #m, def, NULL, NULL, help, TW_T_LIST, TW_AT_(S, m, sizeof(struct tw_list)) }
#define TW_MAP(S, m, def, help) { #m, def, NULL, NULL, help, TW_T_MAP, TW_AT_(S, m, sizeof(struct tw_list)) }
#define TW_SECRET(S, m, help) { #m, "", NULL, NULL, help, TW_T_SECRET, TW_AT_(S, m, sizeof(char *)) }
#define TW_REQUIRED NULL
#define TW_END { NULL, NULL, NULL, NULL, NULL, TW_T_END, 0 }

/* ---- what the host offers --------------------------------------------------------------------------------------*/
enum { TW_LOG_DEBUG, TW_LOG_INFO, TW_LOG_WARN, TW_LOG_ERROR };

struct tw_host;

/* What a detector found. tw_finding() fills one with everything else absent. */
struct tw_finding {
	uint32_t struct_size, severity; /* TW_SEVERITY_NONE: the `severity` option decides            */
	double score;                   /* how unusual; larger is more so                               */
	double p_value;                 /* probability of this or more under the baseline; NaN = none    */
	double value, expected, threshold;
	uint64_t evidence_from, evidence_to; /* 0 = the event itself                                   */
	const char *type;                    /* a short word, e.g. "price_spike"; NULL = detector's name */
	const struct tw_detail *details;
	uint32_t n_details, reserved;
};

/* Passed to a detector's callbacks. Lives as long as the worker. */
struct tw_ctx {
	uint32_t struct_size;
	uint32_t i; /* which event of the batch is being judged; the TW_DETECTOR loop keeps it */
	const struct tw_host *host;
	void *self;
	uint64_t *counters; /* one per name in tw_detector.counters */
	/* For detectors with a timer(): event time, the highest ts so far; inside timer() its due. Else 0. */
	int64_t now;
};

struct tw_host {
	uint32_t struct_size, abi;

	/* One log line with the instance's name in it. Rate-limited per instance. [any] */
	void (*log)(const struct tw_host *, int32_t level, const char *fmt, ...) TW_PRINTF(3, 4);

	/* Raise an alert about ev (NULL inside timer()). The reason is one sentence a person can act on; keep it
	 * under 500 bytes. Cheap when the key is in its cooldown or warm-up: nothing is formatted then. [worker] */
	int32_t (*alert)(struct tw_ctx *, const struct tw_event *, const struct tw_finding *, const char *fmt, ...)
	        TW_PRINTF(4, 5);

	/* Hand an event of kind TW_SCORE to the detectors and sinks behind this one. ts, seq and source are set by
	 * the host; the struct is copied. Nothing happens when nobody listens. [worker] */
	int32_t (*emit)(struct tw_ctx *, const struct tw_event *);

	/* Call timer() for the current key once event time reaches due; replaces an earlier one; 0 cancels. Inside
	 * process() and timer() only. [worker] */
	void (*timer)(struct tw_ctx *, int64_t due);

	/* Text of an interned symbol or account; "" for 0. Lives as long as the process. [any] */
	const char *(*name)(const struct tw_host *, uint32_t id);

	/* Wall clock, ns since 1970 UTC. Not for detectors: their time is event time. [source] [sink] */
	int64_t (*wall)(const struct tw_host *);

	/* A later feature by name, e.g. "http/1", or NULL where the host has none. [any] */
	const void *(*extension)(const struct tw_host *, const char *id);

	const char *instance; /* the name this instance has in the configuration */
};

/* ---- plugins ---------------------------------------------------------------------------------------------------
 * self: self_size bytes, zero-filled by the host, with the options written at their offsets. The host frees it after
 * close(). Simple plugins need neither open nor close.
 */
#define TW_COMMON                                                                                                  \
	uint32_t struct_size, option_size;                                                                         \
	const char *name, *version, *summary;                                                                      \
	const struct tw_option *options;                                                                           \
	uint32_t self_size, flags;                                                                                 \
	/* A longer text for `tapewatch plugins NAME`: what it does, its formula and where that is from. */        \
	const char *doc;                                                                                           \
	/* Check the options against each other. Pure: no files, threads, sockets or clock. [control] */           \
	int32_t (*check)(const void *self, struct tw_err *)

/* flags */
enum {
	TW_FREE_KEY = 1 << 0 /* detector: `key:` in the configuration may replace the declared key */
};

/* Streams for models that are not plain data. A negative result ends the save or load. */
struct tw_stream {
	uint32_t struct_size, reserved;
	int32_t (*write)(struct tw_stream *, const void *, uint64_t n);
	int32_t (*read)(struct tw_stream *, void *, uint64_t n); /* exactly n bytes, or TW_E_DATA */
};

/*
 * A detector judges events. The host owns its state: one zero-filled, 16-byte aligned struct of state_size bytes for
 * each key, which the host looks up, evicts, checkpoints and restores by memcpy. So state is plain data: no pointers,
 * and nothing outside it may influence a result. At most 64 KiB.
 */
struct tw_detector {
	TW_COMMON;
	const char *key;              /* "symbol", "account", "account,symbol", or NULL for one state for all */
	uint32_t kinds, emits;        /* bits of the kinds it wants; TW_SCORE in emits when it calls emit()  */
	uint32_t state_size;          /* bytes per key; or state_size_of(self) when that depends on options   */
	uint32_t state_version;       /* raise it when the meaning of the bytes changes                     */
	const char *const *counters;  /* names of ctx->counters, NULL-terminated; they become metrics         */
	uint32_t (*state_size_of)(const void *self);                                            /* [control] */
	int32_t (*open)(void *self, const struct tw_host *, struct tw_err *);                   /* [control] */
	/* Judge b->n events in order, keeping ctx->i at the current one. A negative result: that event goes to the
	 * dead-letter log and the host goes on behind it. Results must not depend on how events are batched. */
	int32_t (*process)(struct tw_ctx *, const struct tw_batch *b);                           /* [worker] */
	int32_t (*timer)(struct tw_ctx *, void *state, int64_t due);                             /* [worker] */
	/* Turn old bytes of another state_version into state (zero-filled). Without it the host refuses to start. */
	int32_t (*migrate)(const void *self, uint32_t from, const void *old, uint32_t old_size, void *state); /* [control] */
	int32_t (*save)(const void *self, struct tw_stream *);                                  /* [control] */
	int32_t (*load)(void *self, struct tw_stream *);                                        /* [control] */
	void (*close)(void *self);                                                              /* [control] */
};

/*
 * A source reads the outside world. poll() pushes at most writer->credit events, then marks a position from which it
 * could go on; events and position are recorded in the same commit, and after a restart open() gets that position
 * back. Without credit poll() is not called at all: the outside world feels the pressure.
 */
struct tw_pos {
	uint64_t len;
	unsigned char data[120]; /* opaque to the host. Put identity and a fingerprint in it, not just an offset */
};

union tw_num {
	double f;
	int64_t i;
	uint64_t u;
};

struct tw_writer {
	uint32_t struct_size, credit;

	/* One event from its fields: kind's numbers and texts in the order given in tapewatch/push.h, which has a
	 * readable wrapper for every kind. TW_E_DATA: the event is not valid, or too large; the host has already
	 * recorded it as a dead letter with the reason, so just go on. */
	int32_t (*put)(struct tw_writer *, uint32_t kind, int64_t ts, const union tw_num *, const struct tw_str *);

	/* One event as msgpack: a map with the field names of its kind, in any encoding. Same results as put. */
	int32_t (*push)(struct tw_writer *, const void *msgpack, uint64_t len);

	/* Everything pushed so far lies behind pos. */
	int32_t (*mark)(struct tw_writer *, const struct tw_pos *);

	/* Something that is no event: goes to the dead-letter log. reason is a short word that is counted, such as
	 * "bad_price"; where is e.g. "ticks.csv:17:9"; detail says what was expected; raw is what was read. Returns
	 * TW_E_DATA once the source has passed its `max_bad`: then return TW_E_DATA from poll(). */
	int32_t (*reject)(struct tw_writer *, const char *reason, const char *where, const char *detail, const void *raw,
	                  uint64_t len);

	/* Something read and left out on purpose (a header, a footer, a filtered row), so that the books balance. */
	void (*skip)(struct tw_writer *, uint64_t n);

	/* Where the next put() or push() comes from, for its dead letter; borrowed during that call. */
	const char *where;
	const void *raw;
	uint64_t raw_len;
};

struct tw_source {
	TW_COMMON;
	/* resume is NULL at the first start. */
	int32_t (*open)(void *self, const struct tw_host *, const struct tw_pos *resume, struct tw_err *); /* [source] */
	int32_t (*poll)(void *self, struct tw_writer *, int32_t timeout_ms, struct tw_err *);             /* [source] */
	void (*close)(void *self);                                                                        /* [source] */
	/* pos and all before it is on the disk. */
	int32_t (*ack)(void *self, const struct tw_pos *pos, struct tw_err *);                            /* [source] */
	/* Make a blocking poll() return. Never while open() or close() runs, nor before or after. */
	void (*wakeup)(void *self);                                                                          /* [any] */
	/* 1: reads to an end, its events are merged with other finite sources by time; 0: live, by arrival.
	 * Absent: live. Called after the options are set. */
	int32_t (*finite)(const void *self);                                                             /* [control] */
	/* How far a finite source is, in a unit of its own, e.g. bytes; total 0 = unknown. */
	void (*progress)(const void *self, uint64_t *done, uint64_t *total);                              /* [source] */
};

/*
 * A sink delivers committed records. write() takes records in order and sets *done to how many it accepted. TW_OK:
 * all; TW_AGAIN: [0,*done), the host offers the rest again after a pause; TW_E_DATA: record [*done] is refused for
 * good and goes to the dead-letter log; any other negative result: the host closes, opens and tries again. Sinks never
 * sleep and never retry by themselves. After flush() everything accepted is safe; only then the cursor moves.
 *
 * After a crash between flush() and the cursor's own commit the host offers again what the sink has. A sink that can keep
 * the cursor with its data, in one transaction, has position() and mark(), both or neither: mark() comes right before
 * flush() with the bytes of the cursor, which flush() makes safe together with the records accepted so far; position(),
 * after every open(), gives back the bytes that were made safe last, and delivery goes on behind them. Then every record
 * is there exactly once. The bytes are the host's: the tape's id as 32 hexadecimal digits, then the number of the last
 * record, of those that the sink does not want too, as 8 bytes, little-endian. Several instances may share a database:
 * keep the bytes under host->instance.
 * Records are alerts, and scores where the sink asks for them. An alert holds its symbol and account as texts; those of
 * a score are numbers, and host->name() gives their texts.
 */
struct tw_sink {
	TW_COMMON;
	int32_t (*open)(void *self, const struct tw_host *, struct tw_err *);                             /* [sink] */
	int32_t (*write)(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
	                 struct tw_err *);                                                                /* [sink] */
	int32_t (*flush)(void *self, struct tw_err *);                                                    /* [sink] */
	void (*close)(void *self);                                                                        /* [sink] */
	/* The cursor kept with the data. TW_AGAIN: there is none yet; other results as open(). */
	int32_t (*position)(void *self, struct tw_pos *, struct tw_err *);                                /* [sink] */
	/* The cursor to keep with what was accepted so far; results as flush(). */
	int32_t (*mark)(void *self, const struct tw_pos *, struct tw_err *);                              /* [sink] */
};

struct tw_manifest {
	uint32_t magic, abi, struct_size, event_schema; /* frozen for ever */
	const struct tw_detector *const *detectors;     /* NULL-terminated lists, or NULL */
	const struct tw_source *const *sources;
	const struct tw_sink *const *sinks;
};
typedef const struct tw_manifest *tw_plugin_fn(void);

/* ---- for authors -----------------------------------------------------------------------------------------------*/
#if defined(__cplusplus) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* g++ minds a function that is named as its struct */
#endif
static inline struct tw_finding tw_finding(double score, double value, double expected, double threshold)
{
	struct tw_finding f;
	f.struct_size = sizeof f;
	f.severity = TW_SEVERITY_NONE;
	f.score = score;
	f.p_value = (double)NAN;
	f.value = value;
	f.expected = expected;
	f.threshold = threshold;
	f.evidence_from = f.evidence_to = 0;
	f.type = NULL;
	f.details = NULL;
	f.n_details = f.reserved = 0;
	return f;
}
#if defined(__cplusplus) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/* The shortest way to raise an alert: a score and a sentence. tw_report() also takes a struct tw_finding. */
#ifdef __cplusplus
static inline const struct tw_finding *tw_borrow_(const struct tw_finding &f)
{
	return &f; /* a temporary lives until the end of the call it is an argument of */
}
#define tw_alert(c, event, score_, ...)                                                                            \
	((c)->host->alert((c), (event),                                                                            \
	                  tw_borrow_(tw_finding((score_), (double)NAN, (double)NAN, (double)NAN)), __VA_ARGS__))
#else
#define tw_alert(c, event, score_, ...)                                                                            \
	((c)->host->alert((c), (event), &(struct tw_finding){ sizeof(struct tw_finding), 0, (score_), (double)NAN, (double)NAN, \
	                  (double)NAN, (double)NAN, 0, 0, NULL, NULL, 0, 0 }, __VA_ARGS__))
#endif
#define tw_report(c, event, finding, ...) ((c)->host->alert((c), (event), (finding), __VA_ARGS__))

/*
 * TW_DETECTOR(on_event, .name = ..., ...): on_event(ctx, self, event, state) is inlined into a loop over the batch, so
 * the boundary is crossed once a batch. self is a pointer to your options, state one to your state.
 * TW_SOURCE(.name = ..., ...) and TW_SINK(.name = ..., ...): the members of struct tw_source and struct tw_sink.
 *
 * The same text is C11 and C++17, where the standard has no designated initialisers yet: there each `.member = value`
 * becomes an assignment. Two things differ in C++: callbacks take void *self, to be cast by static_cast; and a value
 * with a comma outside parentheses needs a variable of its own. Exceptions must not leave a callback.
 */
#ifdef __cplusplus
#define TW_LINKAGE_ extern "C"
#define TW_STRUCT_(T, name, ...)                                                                                   \
	static const struct T name = [] {                                                                          \
		struct T tw_it_ = {};                                                                              \
		TW_ASSIGN_(__VA_ARGS__)                                                                            \
		return tw_it_;                                                                                     \
	}();
#define TW_AS_(pointer) tw_as_{ pointer }
extern "C++" {
struct tw_as_ { /* a void * that becomes the pointer that the author's function takes, as in C */
	void *p;
	template <class T> operator T *() const { return static_cast<T *>(p); }
};
}
/* tw_it_ .a = 1; tw_it_ .b = 2; ... for up to 32 arguments: the count of them chooses where the chain begins */
#define TW_ASSIGN_(...)                                                                                            \
	TW_PICK_(__VA_ARGS__, TW_A32_, TW_A31_, TW_A30_, TW_A29_, TW_A28_, TW_A27_, TW_A26_, TW_A25_, TW_A24_, TW_A23_, \
	         TW_A22_, TW_A21_, TW_A20_, TW_A19_, TW_A18_, TW_A17_, TW_A16_, TW_A15_, TW_A14_, TW_A13_, TW_A12_, \
	         TW_A11_, TW_A10_, TW_A9_, TW_A8_, TW_A7_, TW_A6_, TW_A5_, TW_A4_, TW_A3_, TW_A2_, TW_A1_, 0)(__VA_ARGS__)
#define TW_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, \
                 a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, chain, ...) chain
#define TW_A1_(a) tw_it_ a;
#define TW_A2_(a, ...) tw_it_ a; TW_A1_(__VA_ARGS__)
#define TW_A3_(a, ...) tw_it_ a; TW_A2_(__VA_ARGS__)
#define TW_A4_(a, ...) tw_it_ a; TW_A3_(__VA_ARGS__)
#define TW_A5_(a, ...) tw_it_ a; TW_A4_(__VA_ARGS__)
#define TW_A6_(a, ...) tw_it_ a; TW_A5_(__VA_ARGS__)
#define TW_A7_(a, ...) tw_it_ a; TW_A6_(__VA_ARGS__)
#define TW_A8_(a, ...) tw_it_ a; TW_A7_(__VA_ARGS__)
#define TW_A9_(a, ...) tw_it_ a; TW_A8_(__VA_ARGS__)
#define TW_A10_(a, ...) tw_it_ a; TW_A9_(__VA_ARGS__)
#define TW_A11_(a, ...) tw_it_ a; TW_A10_(__VA_ARGS__)
#define TW_A12_(a, ...) tw_it_ a; TW_A11_(__VA_ARGS__)
#define TW_A13_(a, ...) tw_it_ a; TW_A12_(__VA_ARGS__)
#define TW_A14_(a, ...) tw_it_ a; TW_A13_(__VA_ARGS__)
#define TW_A15_(a, ...) tw_it_ a; TW_A14_(__VA_ARGS__)
#define TW_A16_(a, ...) tw_it_ a; TW_A15_(__VA_ARGS__)
#define TW_A17_(a, ...) tw_it_ a; TW_A16_(__VA_ARGS__)
#define TW_A18_(a, ...) tw_it_ a; TW_A17_(__VA_ARGS__)
#define TW_A19_(a, ...) tw_it_ a; TW_A18_(__VA_ARGS__)
#define TW_A20_(a, ...) tw_it_ a; TW_A19_(__VA_ARGS__)
#define TW_A21_(a, ...) tw_it_ a; TW_A20_(__VA_ARGS__)
#define TW_A22_(a, ...) tw_it_ a; TW_A21_(__VA_ARGS__)
#define TW_A23_(a, ...) tw_it_ a; TW_A22_(__VA_ARGS__)
#define TW_A24_(a, ...) tw_it_ a; TW_A23_(__VA_ARGS__)
#define TW_A25_(a, ...) tw_it_ a; TW_A24_(__VA_ARGS__)
#define TW_A26_(a, ...) tw_it_ a; TW_A25_(__VA_ARGS__)
#define TW_A27_(a, ...) tw_it_ a; TW_A26_(__VA_ARGS__)
#define TW_A28_(a, ...) tw_it_ a; TW_A27_(__VA_ARGS__)
#define TW_A29_(a, ...) tw_it_ a; TW_A28_(__VA_ARGS__)
#define TW_A30_(a, ...) tw_it_ a; TW_A29_(__VA_ARGS__)
#define TW_A31_(a, ...) tw_it_ a; TW_A30_(__VA_ARGS__)
#define TW_A32_(a, ...) tw_it_ a; TW_A31_(__VA_ARGS__)
#else
#define TW_LINKAGE_
#define TW_STRUCT_(T, name, ...) static const struct T name = { __VA_ARGS__ };
#define TW_AS_(pointer) (pointer)
#endif

#define TW_HEAD_(T) .struct_size = (uint32_t)sizeof(T), .option_size = (uint32_t)sizeof(struct tw_option)
#define TW_MANIFEST_(...)                                                                                          \
	TW_STRUCT_(tw_manifest, tw_manifest_, .magic = TW_MAGIC, .abi = TW_ABI,                                    \
	           .struct_size = (uint32_t)sizeof(struct tw_manifest), .event_schema = TW_EVENT_SCHEMA, __VA_ARGS__) \
	TW_LINKAGE_ TW_EXPORT const struct tw_manifest *tw_plugin(void);                                           \
	const struct tw_manifest *tw_plugin(void)                                                                  \
	{                                                                                                          \
		return &tw_manifest_;                                                                              \
	}

#define TW_DETECTOR(on_event, ...)                                                                                 \
	static int32_t tw_process_(struct tw_ctx *c, const struct tw_batch *b)                                     \
	{                                                                                                          \
		for (uint32_t i = 0; i < b->n; i++) {                                                              \
			c->i = i;                                                                                  \
			int32_t rc = on_event(c, TW_AS_(c->self), b->ev[i], TW_AS_(b->state[i]));                  \
			if (rc < 0)                                                                                \
				return rc;                                                                         \
		}                                                                                                  \
		return TW_OK;                                                                                      \
	}                                                                                                          \
	TW_STRUCT_(tw_detector, tw_detector_, TW_HEAD_(struct tw_detector), .process = tw_process_, __VA_ARGS__)   \
	static const struct tw_detector *const tw_list_[] = { &tw_detector_, NULL };                               \
	TW_MANIFEST_(.detectors = tw_list_)

#define TW_SOURCE(...)                                                                                             \
	TW_STRUCT_(tw_source, tw_source_, TW_HEAD_(struct tw_source), __VA_ARGS__)                                 \
	static const struct tw_source *const tw_list_[] = { &tw_source_, NULL };                                   \
	TW_MANIFEST_(.sources = tw_list_)

#define TW_SINK(...)                                                                                               \
	TW_STRUCT_(tw_sink, tw_sink_, TW_HEAD_(struct tw_sink), __VA_ARGS__)                                       \
	static const struct tw_sink *const tw_list_[] = { &tw_sink_, NULL };                                       \
	TW_MANIFEST_(.sinks = tw_list_)

#ifdef __cplusplus
}
#endif
#endif
