/* SPDX-License-Identifier: Apache-2.0
 *
 * "metrics/1": figures of an instance that appear under /metrics of the host (option `metrics:` of the section host) as
 *
 *     tapewatch_plugin_PLUGIN_NAME{instance="...",your="label"} 17
 *
 * counters with _total behind their name. Register in open(), keep the pointer, and use it from any thread: adding
 * takes no lock and no memory. Registering the same again (open() after a failure, after a reload) gives the same
 * figure, which goes on. A figure disappears when no instance that registered it is left.
 *
 * Metrics are about this process: they begin at zero, and events that are judged once more after a crash count once
 * more. Nothing may be computed from them. For a detector's own counts tw_detector.counters is simpler still.
 */
#ifndef TAPEWATCH_EXT_METRICS_H
#define TAPEWATCH_EXT_METRICS_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TW_METRIC_LABELS 4u   /* of one figure, beside the host's own `instance` */
#define TW_METRIC_BUCKETS 32u /* of one histogram, beside the one for everything */
#define TW_METRIC_SERIES 64u  /* of one instance */

struct tw_metric; /* one figure. NULL is fine everywhere below and does nothing */

struct tw_metrics {
	uint32_t struct_size, reserved;

	/* name: [a-z][a-z0-9_]*, at most 60 characters, with its unit as the last word ("wait_seconds", "body_bytes").
	 * help: a sentence. labels: name, value, name, value ..., then NULL; or NULL; names like name, values at most
	 * 120 bytes of UTF-8. All are copied. NULL, and the reason in err, when the name or a limit is at fault, or the
	 * name stands for another type already.
	 * histogram: n ascending bounds, each the highest value its bucket takes. [control] [source] [sink] */
	struct tw_metric *(*counter)(const struct tw_metrics *, const char *name, const char *help,
	                             const char *const *labels, struct tw_err *);
	struct tw_metric *(*gauge)(const struct tw_metrics *, const char *name, const char *help,
	                           const char *const *labels, struct tw_err *);
	struct tw_metric *(*histogram)(const struct tw_metrics *, const char *name, const char *help,
	                               const char *const *labels, const double *bounds, uint32_t n, struct tw_err *);

	/* A counter only goes up. [any] */
	void (*add)(struct tw_metric *, uint64_t n);
	/* Of a gauge. [any] */
	void (*set)(struct tw_metric *, double value);
	/* Into a histogram; NaN is left out. [any] */
	void (*observe)(struct tw_metric *, double value);
};

#ifdef __cplusplus
}
#endif
#endif
