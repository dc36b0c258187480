/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch/ext.h - services of the host that a plugin may ask for by name:
 *
 *   "log/1"       struct tw_log       log lines with fields            tapewatch/ext/log.h
 *   "metrics/1"   struct tw_metrics   counters, gauges, histograms     tapewatch/ext/metrics.h
 *   "http/1"      struct tw_http      polite blocking GET and POST     tapewatch/ext/http.h
 *   "secrets/1"   struct tw_secrets   values that must not be printed  tapewatch/ext/secrets.h
 *   "kv/1"        struct tw_kv        small durable values             tapewatch/ext/kv.h
 *   "calendar/1"  struct tw_calendar  sessions and holidays in UTC     tapewatch/ext/calendar.h
 *   "model/1"     struct tw_model     a versioned model file           tapewatch/ext/model.h
 *
 *   const struct tw_metrics *m = (const struct tw_metrics *)host->extension(host, "metrics/1");
 *
 * Ask in open(). The answer is NULL where the host has no such service, or has none for this kind of plugin; it belongs
 * to the instance, and lives until after its close(). Each struct begins with struct_size: a function that lies beyond
 * it is not there. The first argument of each function is the struct it was found in.
 *
 * Threads are named as in plugin.h: [control] [source] [worker] [sink] [any]. Detectors open on [control] and judge on
 * [worker]; nothing that blocks is offered to a worker.
 *
 * Each service has an example of ten lines in examples/extensions.
 */
#ifndef TAPEWATCH_EXT_H
#define TAPEWATCH_EXT_H

#include "ext/calendar.h"
#include "ext/http.h"
#include "ext/kv.h"
#include "ext/log.h"
#include "ext/metrics.h"
#include "ext/model.h"
#include "ext/secrets.h"

#endif
