/* SPDX-License-Identifier: Apache-2.0
 *
 * "calendar/1": when a venue trades, in UTC. Computed at open() into a table of sessions from 1990 to 2060; asking
 * takes neither lock nor memory, so a detector may ask on its worker. The rules are the program's own - not those of the
 * machine's time zone files - so a recording judges alike everywhere.
 *
 *   FX         Sunday 17:00 to Friday 17:00 New York; one session a week
 *   CRYPTO     always; a session is a day of UTC
 *   XNYS XNAS  9:30 to 16:00 New York; NYSE Rule 7.2 for holidays and early closes (13:00), and the days of mourning and
 *              storms since 2001; https://www.nyse.com/markets/hours-calendars
 *   XLON       8:00 to 16:30 London; holidays of England; 12:30 on the last trading days before Christmas and New Year
 *   XNSE       9:15 to 15:30 Kolkata. Only the holidays with a date of the common calendar and Good Friday are built in:
 *              those by the moon are announced each year and come from a file
 *
 * A file adds to these, a line a day: `2026-03-03,closed`, `2026-12-24,13:00` (early close), `2026-11-08,18:00-19:00`
 * (a session of its own, on any day); local dates and times of the venue, # begins a comment, what follows a second
 * comma is a remark.
 */
#ifndef TAPEWATCH_EXT_CALENDAR_H
#define TAPEWATCH_EXT_CALENDAR_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tw_venue;

struct tw_calendar {
	uint32_t struct_size, reserved;

	/* venue: a name from above. file: NULL, or the path of a file that adds to it. NULL, and why in err.
	 * Belongs to the instance. [control] [source] [sink] */
	const struct tw_venue *(*venue)(const struct tw_calendar *, const char *name, const char *file, struct tw_err *);

	/* Times in ns since 1970 UTC. A session is open from its start until just before its end. [any] */
	int32_t (*is_open)(const struct tw_venue *, int64_t ts); /* 1 or 0 */
	/* The session that ts is in, or else the next one. TW_OK; TW_AGAIN: that one begins later than ts;
	 * TW_E_DATA: ts is outside of the table. */
	int32_t (*session)(const struct tw_venue *, int64_t ts, int64_t *ret_start, int64_t *ret_end);
	/* Of the first session that begins, or ends, after ts. INT64_MAX: beyond the table. */
	int64_t (*next_open)(const struct tw_venue *, int64_t ts);
	int64_t (*next_close)(const struct tw_venue *, int64_t ts);
};

#ifdef __cplusplus
}
#endif
#endif
