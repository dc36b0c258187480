/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics/1: a detector that counts quotes and the width of their spread.
 */
#include <tapewatch/ext.h>

struct me {
	const struct tw_metrics *metrics;
	struct tw_metric *quotes, *spread;
};

static int32_t me_open(void *self, const struct tw_host *host, struct tw_err *err)
{
	static const double bounds[] = { 0.5, 1, 2 };
	static const char *const labels[] = { "unit", "price", NULL };
	struct me *me = (struct me *)self;

	me->metrics = (const struct tw_metrics *)host->extension(host, "metrics/1");
	if (!me->metrics)
		return TW_OK; /* every host since has it, and figures are not what a detector is for */
	me->quotes = me->metrics->counter(me->metrics, "quotes", "Quotes that were looked at.", NULL, err);
	me->spread = me->metrics->histogram(me->metrics, "spread", "Ask less bid.", labels, bounds, 3, err);
	return me->quotes && me->spread ? TW_OK : TW_E_CONFIG;
}

static int32_t on_quote(struct tw_ctx *c, struct me *me, const struct tw_event *ev, void *state)
{
	(void)c, (void)state;
	if (me->metrics) {
		me->metrics->add(me->quotes, 1);
		me->metrics->observe(me->spread, ev->quote.ask - ev->quote.bid);
	}
	return TW_OK;
}

TW_DETECTOR(on_quote, .name = "ext_metrics", .version = "1.0.0", .summary = "counts quotes and spreads",
	    .self_size = sizeof(struct me), .kinds = TW_QUOTE, .open = me_open)
