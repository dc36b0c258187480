/* SPDX-License-Identifier: Apache-2.0
 *
 * The options that every instance has from the host, whatever its plugin.
 */
#include "graph/graph.h"

const struct tw_option graph_source_options[] = {
	TW_STRING(struct source_options, max_bad, "50%",
		  "stop the source after this many refused rows, or above this share of its rows (judged from 100 on)"),
	TW_INT(struct source_options, retries, "10", "0", "1000000", "attempts to open again after an I/O error"),
	TW_END,
};

const struct tw_option graph_detector_options[] = {
	TW_LIST(struct detector_options, inputs, TW_REQUIRED,
		"sources and detectors to listen to; names, or globs over the sources"),
	TW_ENUM(struct detector_options, severity, "auto", "auto|info|low|medium|high|critical",
		"severity of its alerts; auto: as the detector says, else medium"),
	TW_STRING(struct detector_options, cooldown, "0s",
		  "after an alert its key stays quiet for a time (5m) or a number of events (100 events)"),
	TW_STRING(struct detector_options, warmup, "0s",
		  "no alerts of a key before it has been seen for a time (2h) or a number of events (100 events). A "
		  "detector "
		  "that is new on a store with a past is first filled from the tape's last 2h, silently"),
	TW_STRING(struct detector_options, key, "",
		  "fields that select the state, for detectors that leave it open: symbol, account, account,symbol, "
		  "none"),
	TW_INT(struct detector_options, max_keys, "100000", "1", "100000000",
	       "keys with a state; beyond it the ones not seen for longest (event time) are forgotten"),
	TW_DURATION(struct detector_options, ttl, "0s", "0s", "36500d", "forget a key not seen for so long; 0s: never"),
	TW_INT(struct detector_options, max_errors, "100", "1", "1000000000",
	       "events it may fail on within a minute of event time before it is switched off"),
	TW_END,
};

const struct tw_option graph_sink_options[] = {
	TW_LIST(struct sink_options, inputs, TW_REQUIRED, "detectors to deliver; names, or globs over the detectors"),
	TW_LIST(struct sink_options, kinds, "alert", "what to deliver of them: alert, score"),
	TW_END,
};

const struct tw_option graph_host_options[] = {
	TW_ENUM(struct host_options, sync, "always", "always|interval|off",
		"when a commit is on the disk: always; interval: a power failure loses up to sync_interval; off: it "
		"may "
		"lose the store"),
	TW_DURATION(struct host_options, sync_interval, "100ms", "1ms", "1h", "for sync: interval"),
	TW_SIZE(struct host_options, segment_size, "256MiB", "1MiB", "1024GiB", "bytes of events in one tape segment"),
	TW_INT(struct host_options, batch, "0", "0", "4096",
	       "events judged at a time; 0: as suits the number of workers. Results do not depend on it"),
	TW_INT(struct host_options, workers, "1", "1", "64", "threads that judge events. Results do not depend on it"),
	TW_DURATION(struct host_options, checkpoint, "10s", "100ms", "24h", "time between checkpoints of the state"),
	TW_DURATION(struct host_options, retain, "0s", "0s", "36500d",
		    "give up a tape segment so long after it was sealed, once every cursor has passed it; 0s: never"),
	TW_SIZE(struct host_options, retain_size, "0", "0", "1048576GiB",
		"give up the oldest segments while the tape takes more than this, whatever their age; 0: no bound"),
	TW_DURATION(struct host_options, retain_alerts, "0s", "0s", "36500d",
		    "drop alerts from the log so long after they were written, once every sink has them; 0s: never"),
	TW_ENUM(struct host_options, when_full, "pause", "pause|drop",
		"when a sink that is behind would make tape or alerts stay beyond retain, retain_size or "
		"retain_alerts: pause: "
		"sources are not read until it has caught up; drop: it loses the oldest, with a dead letter"),
	TW_STRING(struct host_options, metrics, "",
		  "answer /metrics and /healthz at this address, e.g. 127.0.0.1:9464; without a host only on the "
		  "loopback; read at the start"),
	TW_INT(struct host_options, max_names, "4000000", "16", "1000000000",
	       "different symbols and accounts in one run"),
	TW_END,
};
