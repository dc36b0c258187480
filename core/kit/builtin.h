/* SPDX-License-Identifier: Apache-2.0
 *
 * The kit's own plugins, which stand around the one under test: a source that pushes the events of a list, a detector
 * that says nothing, and a sink that makes scores worth logging. And the way an engine is found from a callback.
 */
#ifndef KIT_BUILTIN_H
#define KIT_BUILTIN_H

#include "kit/kit.h"

#define KIT_FEED   "kit_feed"
#define KIT_SILENT "kit_silent"
#define KIT_CATCH  "kit_catch"

struct kit_feed { /* the options struct of the source */
	const struct kit_events *events;
	uint64_t next, upto, room; /* room: events of one poll */
};

extern const struct tw_manifest kit_feed_manifest, kit_silent_manifest, kit_catch_manifest;

#endif
