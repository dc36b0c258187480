/* SPDX-License-Identifier: Apache-2.0
 *
 * "log/1": one line of the host's log with fields behind its text. As `text key=value key=value` for people, as members
 * of an object "fields" with --log=json. The limit on lines is that of host->log(): per instance, and what was
 * left out is counted. For everything without fields host->log() is enough.
 */
#ifndef TAPEWATCH_EXT_LOG_H
#define TAPEWATCH_EXT_LOG_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tw_field {
	const char *key;
	const char *text; /* NULL: the number counts */
	double number;
};

struct tw_log {
	uint32_t struct_size, reserved;

	/* level: TW_LOG_DEBUG ... TW_LOG_ERROR. At most 16 fields are written, and what fits into a line of 2 KiB. Keys
	 * and texts are borrowed; control characters in them are escaped. Does not allocate, but takes a lock: not for
	 * every event. [any] */
	void (*write)(const struct tw_log *, int32_t level, const char *text, const struct tw_field *, uint32_t n);
};

#ifdef __cplusplus
}
#endif
#endif
