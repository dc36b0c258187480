/* SPDX-License-Identifier: Apache-2.0
 *
 * Between calendar.c (the table of sessions), venue.c (what the venues' rules say about a day) and venue_file.c (what a
 * file says about it). Days are counted from 1970-01-01; minutes from the midnight before, in the venue's local time.
 */
#ifndef EXT_VENUE_H
#define EXT_VENUE_H

#include <stdbool.h>
#include <stdint.h>
#include <tapewatch/plugin.h>

#define VENUE_FIRST_YEAR 1990
#define VENUE_LAST_YEAR  2060
#define MINUTES_OF_DAY   1440

enum zone { ZONE_UTC, ZONE_NEW_YORK, ZONE_LONDON, ZONE_KOLKATA };

struct venue_rule {
	const char *name;
	enum zone zone;
	struct hours { /* of a weekday, 0 = Sunday; close 0: none */
		int16_t open, close;
	} hours[7];
	bool merged; /* what goes on over midnight is one session */
	/* What is special about a day: 0 nothing, -1 closed, else the minute it closes at. NULL: nothing ever. */
	int (*special)(int64_t day);
};

/* NULL: there is none of this name. */
const struct venue_rule *venue_rule(const char *name);
/* "FX, CRYPTO, ..." */
const char *venue_names(void);

int64_t venue_day(int year, int month, int day);
void venue_date(int64_t day, int *year, int *month, int *ret_day);
bool venue_date_ok(int year, int month, int day);
int venue_weekday(int64_t day); /* 0 = Sunday */
/* Minutes that the zone is ahead of UTC at noon of that day. No session begins or ends between midnight of a Sunday on
 * which clocks change and that change. */
int venue_offset(enum zone, int64_t day);

/* One line of a file. */
struct venue_change {
	int64_t day;
	int16_t open, close; /* open -1: closes at `close`; both -1: closed; else a session of its own */
};
/* Sorted by day. TW_OK, or negative with a sentence that names the line. */
int32_t venue_file(const char *path, struct venue_change **ret, uint32_t *ret_n, struct tw_err *);

#endif
