/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/test.h - tests of plugins, as plain programs. Link with libtapewatch-test (pkg-config tapewatch-test, CMake
 * target tapewatch::test): it holds the host's own engine, so what passes here is judged as `tapewatch run` would.
 *
 *   #include <tapewatch/test.h>
 *
 *   int main(void)
 *   {
 *           struct tw_test *t = tw_test_detector("build/spread.so", "threshold: 4\nwindow: 50");
 *
 *           for (int i = 0; i < 50; i++) {
 *                   tw_quote(t, "EURUSD", 1.1000, 1.1001);
 *                   tw_advance(t, "1s");
 *           }
 *           tw_expect_no_alert(t);
 *           tw_feed(t, "quote EURUSD bid=1.1000 ask=1.1020");
 *           tw_expect_alert(t, .symbol = "EURUSD", .type = "spread");
 *           return tw_test_done(t);
 *   }
 *
 * Rules:
 *   - Nothing sleeps and no clock is read: time moves by the events and by tw_advance() alone. One thread uses a test.
 *   - A failed expectation prints its file and line, the events before it and the alerts so far, and the program goes
 *     on. tw_test_done() returns 1 if anything failed, else 0: the exit code.
 *   - What is used wrongly (a plugin that does not load, a wrong option, an event that no source could push) is a
 *     failure with a sentence, after which the test is over: every later call does nothing. No call returns NULL where
 *     a test is expected, and every call takes what tw_test_*() returned.
 *   - tw_test_done() then repeats what was recorded by itself; see there.
 *
 * The same engine runs case files without a program: `tapewatch test`, man page tapewatch-test(1), which also has the
 * one-liners in full. C11 or C++17; in C++ write designated fields in the order of the struct.
 */
#ifndef TAPEWATCH_TEST_H
#define TAPEWATCH_TEST_H

#include <tapewatch/plugin.h>

#ifdef __cplusplus
extern "C" {
#define TW_ABSENT_ = {}
#else
#define TW_ABSENT_
#endif

#define TW_TEST_API __attribute__((visibility("default")))

struct tw_test; /* freed by tw_test_done() */

/* ---- loading ---------------------------------------------------------------------------------------------------
 * plugin: a path ("build/spread.so"), or a name ("zscore") that is looked for where `tapewatch run` looks.
 * options: YAML, what would stand below the instance in a pipeline, without plugin and inputs: the plugin's options and
 * the host's (cooldown, warmup, where, key, severity ...). NULL: none. All are checked as `tapewatch check` does.
 */
TW_TEST_API struct tw_test *tw_test_detector(const char *plugin, const char *options);
TW_TEST_API struct tw_test *tw_test_source(const char *plugin, const char *options);
TW_TEST_API struct tw_test *tw_test_sink(const char *plugin, const char *options);

/* 0 when the options are refused with a sentence that holds `part`; else prints what happened and returns 1. */
TW_TEST_API int tw_test_refuses(const char *plugin, const char *options, const char *part);

/* The end: the repetitions, a line of summary, and everything is freed. Returns the exit code.
 *
 * A detector judges the recorded events again: a second time; with state saved, the plugin closed, opened and its state
 * restored between every two events; with the state at another address at every call; in batches of 1 and of 256; with
 * 1 and with 4 workers; and with another pattern in the bytes behind each state, on the unused stack and in fresh
 * memory. Every time the alerts and scores must be the same, byte for byte. Where they are not, it prints which
 * repetition, the first alert that differs, and what that usually means.
 *
 * A finite source is read again: with room for 1 and for 4096 events a poll, and from every position that it marked,
 * which must give exactly the rest.
 *
 * A sink is given the records again: one by one, all at once, and closed and opened between every two. If
 * tw_output() named its output, that must be the same bytes each time.
 */
TW_TEST_API int tw_test_done(struct tw_test *);

/* Do not repeat: for sources that cannot be read twice, and sinks that must not write twice. */
TW_TEST_API void tw_test_once(struct tw_test *);

/* ---- time ------------------------------------------------------------------------------------------------------
 * Offsets are written 250ms, 10s, 5m, 2h, 1d, 1m30s. A test begins at 2026-01-05T00:00:00Z, a Monday.
 */
TW_TEST_API void tw_start(struct tw_test *, const char *time);     /* another beginning: "2026-03-02T09:30:00Z"; first */
TW_TEST_API void tw_at(struct tw_test *, const char *offset);      /* the next event is so long after the beginning    */
/* Time passes: a clock event, as the live host sends; timers that come due are called. */
TW_TEST_API void tw_advance(struct tw_test *, const char *offset);
TW_TEST_API int64_t tw_now(const struct tw_test *);                /* ns since 1970 UTC */

/* ---- events ----------------------------------------------------------------------------------------------------
 * At tw_now(). Those ending in _at take the time, ns since 1970 UTC, which may lie before now; now becomes that time.
 * Absent numbers are NAN, absent texts NULL. side: "buy", "sell" or NULL.
 */
TW_TEST_API void tw_quote(struct tw_test *, const char *symbol, double bid, double ask);
TW_TEST_API void tw_quote_at(struct tw_test *, const char *symbol, int64_t ts, double bid, double ask);
TW_TEST_API void tw_trade(struct tw_test *, const char *symbol, double price, double size);
TW_TEST_API void tw_trade_at(struct tw_test *, const char *symbol, int64_t ts, double price, double size);
TW_TEST_API void tw_trade_between(struct tw_test *, const char *symbol, double price, double size, const char *side,
                                  const char *account, const char *counterparty);
TW_TEST_API void tw_bar(struct tw_test *, const char *symbol, double open, double high, double low, double close,
                        double volume);
/* action: "new", "modify", "cancel", "fill" or "reject" */
TW_TEST_API void tw_order(struct tw_test *, const char *symbol, const char *account, const char *action,
                          const char *side, double price, double size, const char *order_id);
/* A position that was open for `held` ("30s") and is closed now. */
TW_TEST_API void tw_deal(struct tw_test *, const char *account, const char *symbol, const char *side, double size,
                         double profit, const char *held);

/* Any event as one line: [TIME] KIND [NAME] [FIELD=VALUE]...
 *   TIME   10s: so long after the beginning; +10s: after the event before; 2026-01-05T09:30:00Z. Without: now.
 *   KIND   quote, trade, bar, order, deal, account, news, score, alert, label, clock or correction
 *   NAME   the symbol, or of an account event the account
 *   FIELD  as in `tapewatch tape cat --json`; a value with blanks stands in "double quotes"
 * e.g. "+1s trade EURUSD price=1.1 size=2 side=buy account=A1". */
TW_TEST_API void tw_feed(struct tw_test *, const char *line);
/* All events of a file: lines as `tapewatch tape cat --json` writes them. */
TW_TEST_API void tw_feed_file(struct tw_test *, const char *path);

/* ---- what a detector said --------------------------------------------------------------------------------------
 * Every alert is spoken for once. tw_expect_alert() takes the first one nobody has spoken for that has all the fields
 * named, and fails when there is none; tw_expect_no_alert() fails when one is left.
 */
struct tw_range { /* made by the functions below; all zero: any number */
	double from TW_ABSENT_, to TW_ABSENT_;
	int32_t set TW_ABSENT_, reserved TW_ABSENT_;
};

struct tw_want { /* what is absent is not looked at */
	const char *symbol TW_ABSENT_, *account TW_ABSENT_;
	const char *type TW_ABSENT_, *severity TW_ABSENT_; /* severity: "info", "low", "medium", "high", "critical" */
	const char *reason TW_ABSENT_;                     /* a part of it                                          */
	const char *at TW_ABSENT_;                         /* offset from the beginning                             */
	struct tw_range score TW_ABSENT_, p_value TW_ABSENT_, value TW_ABSENT_, expected TW_ABSENT_, threshold TW_ABSENT_;
};

static inline struct tw_range tw_between(double from, double to) /* both inclusive */
{
	struct tw_range r;
	r.from = from;
	r.to = to;
	r.set = 1;
	r.reserved = 0;
	return r;
}
static inline struct tw_range tw_least(double from)
{
	return tw_between(from, HUGE_VAL);
}
static inline struct tw_range tw_most(double to)
{
	return tw_between(-HUGE_VAL, to);
}
static inline struct tw_range tw_near(double x) /* within 1e-9 of its size */
{
	double d = fabs(x) * 1e-9;
	return tw_between(x - d, x + d);
}

#ifdef __cplusplus
#define TW_WANT_(...) tw_want{ __VA_ARGS__ }
#else
#define TW_WANT_(...) (struct tw_want){ __VA_ARGS__ }
#endif

/* tw_expect_alert(t, .symbol = "EURUSD", .score = tw_least(4)); */
#define tw_expect_alert(t, ...) tw_expect_alert_((t), __FILE__, __LINE__, TW_WANT_(__VA_ARGS__))
/* n alerts with these fields. */
#define tw_expect_alerts(t, n, ...) tw_expect_alerts_((t), (n), __FILE__, __LINE__, TW_WANT_(__VA_ARGS__))
/* None is left that nobody has spoken for. */
#define tw_expect_no_alert(t) tw_expect_no_alert_((t), __FILE__, __LINE__)
/* What it emitted, the same way: symbol, account, at, score and p_value count. */
#define tw_expect_score(t, ...) tw_expect_score_((t), __FILE__, __LINE__, TW_WANT_(__VA_ARGS__))
#define tw_expect_no_score(t) tw_expect_no_score_((t), __FILE__, __LINE__)
/* The same as one line, [TIME] [SYMBOL] [FIELD=VALUE | FIELD>=N | FIELD<=N | FIELD~PART]...:
 * tw_expect(t, "10s EURUSD type=spread score>=4 reason~\"wider than\"") */
#define tw_expect(t, line) tw_expect_line_((t), __FILE__, __LINE__, (line))
/* One of the detector's counters. */
#define tw_expect_counter(t, name, n) tw_expect_counter_((t), __FILE__, __LINE__, (name), (n))
/* Events whose process() returned a negative result. */
#define tw_expect_errors(t, n) tw_expect_errors_((t), __FILE__, __LINE__, (n))
/* Anything else: tw_check(t, tw_alert_count(t) < 3); */
#define tw_check(t, condition) tw_check_((t), __FILE__, __LINE__, (condition) ? 1 : 0, #condition)

/* All alerts so far, from 0; NULL beyond the last. Borrowed until the next event or tw_test_done(). */
TW_TEST_API uint32_t tw_alert_count(struct tw_test *);
TW_TEST_API const struct tw_event *tw_alert_get(struct tw_test *, uint32_t i);

/* ---- sources ---------------------------------------------------------------------------------------------------
 * tw_poll() opens the source when it is closed and lets it push up to `room` events (a poll of 100 ms at most). What
 * the host would refuse is refused. It returns what poll() returned: TW_OK, TW_AGAIN, TW_DONE, or a negative result.
 */
TW_TEST_API int32_t tw_poll(struct tw_test *, uint32_t room);
TW_TEST_API int32_t tw_poll_all(struct tw_test *); /* until it is done, has nothing for now, or failed */
TW_TEST_API uint32_t tw_position_count(const struct tw_test *);
/* Close it and open it again at its i-th position from 0, as after a crash; what came is forgotten. */
TW_TEST_API int32_t tw_resume(struct tw_test *, uint32_t i);

/* The next event that nobody has spoken for has all that the line names, in the form of tw_feed():
 * tw_expect_event(t, "0s quote EURUSD bid=1.1"); the TIME is looked at only when it is there. */
#define tw_expect_event(t, line) tw_expect_event_((t), __FILE__, __LINE__, (line))
#define tw_expect_events(t, n) tw_expect_events_((t), __FILE__, __LINE__, (n)) /* the next n, whatever they are */
#define tw_expect_no_event(t) tw_expect_events_((t), __FILE__, __LINE__, 0)    /* none is left */
/* It rejected something with this reason ("bad_price"), each spoken for once; NULL: none is left. */
#define tw_expect_reject(t, reason) tw_expect_reject_((t), __FILE__, __LINE__, (reason))

/* ---- sinks -----------------------------------------------------------------------------------------------------
 * tw_give() lines records up, as one line each: "alert EURUSD type=spread severity=high score=5 reason=\"wide\"".
 * tw_deliver() opens the sink when it is closed and does what the host does: write() until all are accepted or refused,
 * then flush(). It returns the last result; a negative one of write() or flush() closes the sink, and what was not
 * flushed is given again by the next tw_deliver().
 */
TW_TEST_API void tw_give(struct tw_test *, const char *line);
TW_TEST_API int32_t tw_deliver(struct tw_test *);
TW_TEST_API void tw_reopen(struct tw_test *);                       /* close and open, as after a restart */
TW_TEST_API void tw_output(struct tw_test *, const char *path);     /* the file it writes: compared by tw_test_done() */
#define tw_expect_refused(t, n) tw_expect_refused_((t), __FILE__, __LINE__, (n)) /* records refused for good so far */

/* ---- files and texts, for all ----------------------------------------------------------------------------------
 * A folder of the program's own, removed at its end. Texts live until the end of the program.
 */
TW_TEST_API const char *tw_folder(void);
TW_TEST_API const char *tw_file(const char *name, const char *text);   /* written into it; its path */
TW_TEST_API const char *tw_append(const char *path, const char *text); /* path */
TW_TEST_API const char *tw_read(const char *path);                     /* the whole file; "" when there is none */
TW_TEST_API const char *tw_format(const char *fmt, ...) TW_PRINTF(1, 2);
#define tw_expect_file(t, path, part) tw_expect_file_((t), __FILE__, __LINE__, (path), (part)) /* it holds the part */

/* Run a case file, or all *.yaml of a folder, with `plugin` in place of what they name (NULL: as they say). Prints what
 * failed; returns how many cases did. */
TW_TEST_API int tw_test_cases(const char *plugin, const char *path);

/* ---- behind the macros -----------------------------------------------------------------------------------------*/
TW_TEST_API int tw_expect_alert_(struct tw_test *, const char *file, int line, struct tw_want);
TW_TEST_API int tw_expect_alerts_(struct tw_test *, uint32_t n, const char *file, int line, struct tw_want);
TW_TEST_API int tw_expect_no_alert_(struct tw_test *, const char *file, int line);
TW_TEST_API int tw_expect_score_(struct tw_test *, const char *file, int line, struct tw_want);
TW_TEST_API int tw_expect_no_score_(struct tw_test *, const char *file, int line);
TW_TEST_API int tw_expect_line_(struct tw_test *, const char *file, int line, const char *want);
TW_TEST_API int tw_expect_counter_(struct tw_test *, const char *file, int line, const char *name, uint64_t n);
TW_TEST_API int tw_expect_errors_(struct tw_test *, const char *file, int line, uint64_t n);
TW_TEST_API int tw_check_(struct tw_test *, const char *file, int line, int ok, const char *text);
TW_TEST_API int tw_expect_event_(struct tw_test *, const char *file, int line, const char *want);
TW_TEST_API int tw_expect_events_(struct tw_test *, const char *file, int line, uint64_t n);
TW_TEST_API int tw_expect_reject_(struct tw_test *, const char *file, int line, const char *reason);
TW_TEST_API int tw_expect_refused_(struct tw_test *, const char *file, int line, uint64_t n);
TW_TEST_API int tw_expect_file_(struct tw_test *, const char *file, int line, const char *path, const char *part);

#ifdef __cplusplus
}
#endif
#endif
