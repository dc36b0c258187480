/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector that cheats, for the tests of `tapewatch backtest --causality`. how: batch looks at the events behind the
 * judged one that happen to lie in the same batch; file has read the whole of the data by itself before it begins;
 * none is honest and alerts on every value above `above`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tapewatch/plugin.h>

enum { NONE, BATCH, FILE_ITSELF };

struct self {
	int64_t how;
	double above;
	const char *file;
	double highest; /* in the file */
};

static const struct tw_option options[] = {
	TW_ENUM(struct self, how, "none", "none|batch|file", "how it cheats"),
	TW_FLOAT(struct self, above, "1", "-1e9", "1e9", "alert on values above it"),
	TW_STRING(struct self, file, "", "timestamp,value lines, for how: file"),
	TW_END,
};

static int32_t on_open(void *p, const struct tw_host *host, struct tw_err *e)
{
	struct self *self = p;
	char line[256];
	FILE *f;

	(void)host, (void)e;
	if (self->how != FILE_ITSELF)
		return TW_OK;
	f = fopen(self->file, "r");
	if (!f)
		return TW_E_IO;
	self->highest = -1e300;
	while (fgets(line, sizeof line, f)) {
		char *comma = line;
		while (*comma && *comma != ',')
			comma++;
		if (*comma && strtod(comma + 1, NULL) > self->highest)
			self->highest = strtod(comma + 1, NULL);
	}
	(void)fclose(f);
	return TW_OK;
}

static int32_t process(struct tw_ctx *c, const struct tw_batch *b)
{
	const struct self *self = c->self;

	for (uint32_t i = 0; i < b->n; i++) {
		double value = b->ev[i]->score.score;
		int32_t rc = TW_OK;
		c->i = i;
		if (self->how == NONE && value > self->above)
			rc = tw_alert(c, b->ev[i], value, "value %g", value);
		else if (self->how == BATCH && i + 1 < b->n && b->ev[i + 1]->score.score > self->above)
			rc = tw_alert(c, b->ev[i], value, "the next value is high");
		else if (self->how == FILE_ITSELF && value == self->highest)
			rc = tw_alert(c, b->ev[i], value, "nothing will be higher");
		if (rc < 0)
			return rc;
	}
	return TW_OK;
}

static const struct tw_detector detector = { TW_HEAD_(struct tw_detector),
					     .name = "peeking_detector",
					     .version = "1.0.0",
					     .summary = "looks ahead",
					     .kinds = TW_SCORE,
					     .options = options,
					     .self_size = sizeof(struct self),
					     .open = on_open,
					     .process = process };
static const struct tw_detector *const list[] = { &detector, NULL };
TW_MANIFEST_(.detectors = list)
