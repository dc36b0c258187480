/* SPDX-License-Identifier: Apache-2.0
 *
 * What one poll of a source brought: events as tape records, dead letters, and the position behind them. Chunks go
 * round between a source's pump and the sequencer; there are CHUNKS of them, which is the bound on what a source can
 * be ahead.
 */
#ifndef BUS_CHUNK_H
#define BUS_CHUNK_H

#include "base/buf.h"
#include "state/store.h"

#define CHUNKS 4u          /* per source; a power of two */
#define CHUNK_EVENTS 1024u /* the credit of one poll */
#define CHUNK_DEAD 1024u   /* dead letters of one poll */

struct chunk_dead {
	uint32_t at; /* events of this chunk before it */
	struct dead_letter letter; /* texts in the chunk's arena */
};

struct chunk {
	struct buf records; /* u16 source, u16 length, event; the source number is written by the sequencer */
	uint32_t n;
	struct chunk_dead *dead;
	uint32_t n_dead;
	struct arena texts;
	bool marked;
	uint32_t mark_events, mark_dead; /* so many events and dead letters lie before pos */
	struct tw_pos pos;
	struct source_value *values; /* put before pos; bytes in texts */
	uint32_t n_values, cap_values;
	uint64_t skipped;
	bool last; /* the source is done, or was stopped: */
	bool cut;  /* more would have come */
};

#endif
