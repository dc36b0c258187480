/* SPDX-License-Identifier: Apache-2.0
 *
 * No look-ahead: the alerts of a prefix of the data are a prefix of the alerts. Prefixes are chosen by a seed, half of
 * them anywhere and half of them ending with an event that was alerted about. Each is judged in a process of its own and
 * one event at a time, so that not even the rest of a batch can be looked at; an option of a detector that names one of
 * the data files names a copy that is cut off at the same share of its bytes. The alerts, to the last byte but for the
 * digest of the configuration, must be those that the whole run had raised by the prefix's last event.
 *
 * What this cannot see: a detector that knows the future from elsewhere, such as a model that was trained on it.
 */
#ifndef BACKTEST_CAUSALITY_H
#define BACKTEST_CAUSALITY_H

#include "backtest/data.h"
#include "backtest/result.h"

#define CAUSALITY_PREFIXES_MAX 1000u

/* Ascending numbers of last events, different from each other, at most n of them; each below total. Returns how many. */
uint32_t causality_prefixes(uint64_t *ret, uint32_t n, uint64_t total, uint64_t seed, const struct result *whole);

struct causality_fault {
	uint64_t until;
	const struct found *whole, *prefix; /* the first alerts that differ; NULL: there is none on that side */
	const struct result *of_prefix;
	uint64_t wrong;                     /* alerts that only one of them has, or that differ */
};
/* false: the prefix is no prefix, and what is wrong is in ret. */
bool causality_check(const struct result *whole, const struct result *prefix, uint64_t until,
                     struct causality_fault *ret);

/* Edits that point detectors which read the data files by themselves to copies in the folder dir, cut off after `part`
 * of `total`. TW_OK, or negative with a sentence. */
int32_t causality_cut_files(struct arena *, const struct config *, const struct data_files *, const char *dir,
                            uint64_t part, uint64_t total, const struct config_edit **ret, uint32_t *n, struct tw_err *);

#endif
