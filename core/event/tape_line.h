/* SPDX-License-Identifier: Apache-2.0
 *
 * An event of a tape as one line of JSON from which it can be made again, to the last bit.
 *
 *   {"kind":"quote","ts":"2026-01-02T03:04:05.678901234Z","seq":17,"tape_source":"ticks","symbol":"EURUSD","bid":1.25}
 *
 * Names are those of the schema; `tape_source` is the source that the tape has it from. What is absent is left out.
 * Beyond what `tape cat --json` writes: floats always have a point or an exponent, so that -0.0 and whole numbers stay
 * floats; integers that no signed 64 bits hold are texts of digits; infinities (which only features and details may
 * have) are {"inf":1} and {"inf":-1}; details in which a name comes twice are a list of objects of one.
 */
#ifndef EVENT_TAPE_LINE_H
#define EVENT_TAPE_LINE_H

#include "event/event.h"

#define TAPE_LINE_MAX (1u << 20) /* bytes; the longest event takes less */

struct tape_line {
	uint64_t seq;
	bool numbered;                   /* the line had a seq */
	char source[EVENT_MAX_NAME + 1]; /* empty: the line names none */
};

/* Append the line without its newline. 0, or -1 when memory is out. */
int tape_line_put(struct buf *out, const struct tw_event *, const struct intern *, const char *source);
/* Append the canonical event, not stamped. Unknown names are refused. TW_OK, or TW_E_DATA with a sentence. */
int32_t tape_line_read(struct buf *out, struct tape_line *ret, const char *line, size_t len, struct tw_err *);

/* The value of a field as above, without its name; nothing and *present false when it is absent. For the columns. */
int tape_value_put(struct buf *out, const struct tw_event *, const struct field *, const struct intern *, bool *present);

#endif
