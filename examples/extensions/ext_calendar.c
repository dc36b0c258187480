/* SPDX-License-Identifier: Apache-2.0
 *
 * calendar/1: a detector that alerts on trades outside of the hours of their venue.
 */
#include <tapewatch/ext.h>

struct me {
	const char *venue, *holidays;
	const struct tw_calendar *calendar;
	const struct tw_venue *hours;
};
static const struct tw_option options[] = { TW_STRING(struct me, venue, "XNYS", "whose hours"),
					    TW_STRING(struct me, holidays, "", "a file that adds to its holidays"),
					    TW_END };

static int32_t me_open(void *self, const struct tw_host *host, struct tw_err *err)
{
	struct me *me = (struct me *)self;

	me->calendar = (const struct tw_calendar *)host->extension(host, "calendar/1");
	me->hours = me->calendar ? me->calendar->venue(me->calendar, me->venue, me->holidays, err) : NULL;
	return me->hours ? TW_OK : TW_E_CONFIG;
}

static int32_t on_trade(struct tw_ctx *c, struct me *me, const struct tw_event *ev, void *state)
{
	(void)state;
	if (me->calendar->is_open(me->hours, ev->ts))
		return TW_OK;
	return tw_alert(c, ev, 1, "a trade at %g while %s is closed", ev->trade.price, me->venue);
}

TW_DETECTOR(on_trade, .name = "ext_calendar", .version = "1.0.0", .summary = "trades outside of the session",
	    .options = options, .self_size = sizeof(struct me), .key = "symbol", .kinds = TW_TRADE, .open = me_open)
