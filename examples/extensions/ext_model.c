/* SPDX-License-Identifier: Apache-2.0
 *
 * model/1: a detector whose threshold comes from a file, and whose alerts say from which version of it.
 */
#include <stdlib.h>
#include <string.h>
#include <tapewatch/ext.h>

struct me {
	const char *path;
	const struct tw_model_file *file;
	double threshold;
};
static const struct tw_option options[] = { TW_STRING(struct me, path, TW_REQUIRED, "a file with a number"), TW_END };

static int32_t me_open(void *self, const struct tw_host *host, struct tw_err *err)
{
	const struct tw_model *model = (const struct tw_model *)host->extension(host, "model/1");
	struct me *me = (struct me *)self;
	char text[32] = "";

	me->file = model ? model->open(model, me->path, sizeof text - 1, err) : NULL;
	if (!me->file)
		return TW_E_CONFIG;
	memcpy(text, me->file->bytes, (size_t)me->file->len);
	me->threshold = strtod(text, NULL);
	return TW_OK;
}

static int32_t on_trade(struct tw_ctx *c, struct me *me, const struct tw_event *ev, void *state)
{
	struct tw_finding f = tw_finding(ev->trade.price, ev->trade.price, NAN, me->threshold);
	struct tw_detail model = tw_model_detail(me->file);

	(void)state;
	if (ev->trade.price <= me->threshold)
		return TW_OK;
	f.details = &model;
	f.n_details = 1;
	return tw_report(c, ev, &f, "price %g is above %g of model %s", ev->trade.price, me->threshold,
			 me->file->version);
}

TW_DETECTOR(on_trade, .name = "ext_model", .version = "1.0.0", .summary = "a threshold from a file", .options = options,
	    .self_size = sizeof(struct me), .key = "symbol", .kinds = TW_TRADE, .open = me_open)
