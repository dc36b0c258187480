/* SPDX-License-Identifier: Apache-2.0
 *
 * The progress bar of a run that has an end: share done, events, rate, time left.
 */
#ifndef RUN_PROGRESS_H
#define RUN_PROGRESS_H

#include "bus/pipeline.h"

struct progress;
struct progress *progress_new(const struct pipeline *, struct pump *const *, uint32_t n_pumps, const struct store *recording);
void progress_draw(struct progress *); /* all accept NULL */
void progress_end(struct progress *);
void progress_free(struct progress *);

/* 1234567 -> "1,234,567"; out needs 32 bytes. */
const char *count_text(char *out, uint64_t n);
/* 12345678 -> "12.3 M"; out needs 16 bytes. */
const char *rate_text(char *out, double per_second);

#endif
