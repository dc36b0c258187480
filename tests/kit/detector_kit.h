/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of detectors: loads the shared object, binds options from text, gives every key its zero-filled state and
 * feeds decoded events in batches of any size. What the detector says is kept with the number of the event it is about.
 * Timers fire as in the host: when event time reaches them, before the event that reached it; a detector that has them
 * gets its events one by one.
 */
#ifndef KIT_DETECTOR_KIT_H
#define KIT_DETECTOR_KIT_H

#include "base/buf.h"
#include <stddef.h>
#include <tapewatch/plugin.h>

#define KIT_NO_EVENT UINT32_MAX

struct kit_alert {
	uint32_t event; /* which event of all that were fed; KIT_NO_EVENT inside timer() */
	int64_t ts;     /* of the event, or when the timer was due */
	const char *key;
	const char *type; /* "" when the finding has none */
	const char *text;
	struct tw_finding finding;
};

struct kit_score {
	uint32_t event;
	uint32_t n_features;
	struct tw_score score;
	double features[16];
};

struct kit_key;
struct kit_now;

struct detector_kit {
	void *library;
	const struct tw_detector *detector;
	void *self;
	const char *key; /* NULL: the detector's own */
	struct tw_host host;
	struct tw_ctx ctx;
	struct tw_err err;
	uint64_t counters[32];
	struct arena arena; /* texts, options and results */
	struct kit_alert *alerts;
	struct kit_score *scores;
	uint32_t n_alerts, n_scores, fed;
	char **names; /* of id 1, 2, ... */
	uint32_t n_names;
	struct kit_key **keys;
	uint32_t n_keys;
	int64_t now;
	const struct kit_now *judging; /* what process() or timer() is about */
};

/* options: name, text, name, text, ..., NULL. Ends the test when the plugin or its options are at fault. */
void detector_kit_load(struct detector_kit *, const char *dir, const char *name, const char *const *options);
/* The same up to check(): its result; the sentence is in kit->err. */
int32_t detector_kit_check(struct detector_kit *, const char *dir, const char *name, const char *const *options);
void detector_kit_free(struct detector_kit *);

uint32_t detector_kit_name(struct detector_kit *, const char *text); /* interned */
/* batch: how many events go to process() at once. Returns the last negative result, or TW_OK. */
int32_t detector_kit_feed(struct detector_kit *, const struct tw_event *, uint32_t n, uint32_t batch);
uint64_t detector_kit_counter(const struct detector_kit *, const char *name);
/* Forget results, states and time, but keep options and names. */
void detector_kit_reset(struct detector_kit *);
/* The n values that a test reads from column `column` (from 0) of a text file with a separator; -1: no such file. */
int64_t detector_kit_column(struct detector_kit *, const char *path, char separator, uint32_t column, double **ret);

/* A file of the folder of real data (TAPEWATCH_DATA, or shared/data beside the repository); skips the test without it. */
const char *detector_kit_data(struct detector_kit *, const char *source_dir, const char *file);

/* What a test worked out by itself. The alerts must be these and no others: same events, same types (NULL: any), scores
 * within 1e-6 of each other relative to their size. */
struct kit_expected {
	uint32_t event;
	double score;
	const char *type;
};
void detector_kit_expect(const struct detector_kit *, const struct kit_expected *, uint32_t n);

struct tw_event kit_quote(int64_t ts, uint32_t symbol, double bid, double ask);
struct tw_event kit_trade(int64_t ts, uint32_t symbol, double price, double size);
struct tw_event kit_value(int64_t ts, uint32_t symbol, double value); /* a score */

#endif
