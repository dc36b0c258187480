/* SPDX-License-Identifier: Apache-2.0
 *
 * "kv/1": small values of a source that are as durable as its position, and never of another moment: what is put before
 * a mark() reaches the disk in the same commit as that mark. After a crash, and after TW_E_IO from poll(), values are
 * as of the mark that open() gets as `resume`. So a cursor of a server, a table of tags or a token can be longer than
 * the 120 bytes of a position without the two ever contradicting each other.
 *
 * For sources only; NULL for detectors, whose state the host keeps, and for sinks, whose position is a cursor. Values
 * belong to the name that the instance has in the configuration. `tapewatch state show NAME` shows them. With
 * --no-tape nothing is kept beyond the run, positions neither.
 */
#ifndef TAPEWATCH_EXT_KV_H
#define TAPEWATCH_EXT_KV_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TW_KV_NAME 100u         /* bytes of a name; any but control characters */
#define TW_KV_VALUE 65536u      /* bytes of a value */
#define TW_KV_VALUES 1024u      /* of one instance */
#define TW_KV_BYTES (4u << 20)  /* of all of them together, and of what one poll() puts */

struct tw_kv {
	uint32_t struct_size, reserved;

	/* *ret points to the value until the next put() or delete(), mark() or return from poll(). TW_OK, or TW_AGAIN
	 * when there is none. [source] */
	int32_t (*get)(const struct tw_kv *, const char *name, const void **ret, uint64_t *ret_len);
	/* Copied. TW_OK, or TW_E_DATA with the limit that it would pass in err. [source] */
	int32_t (*put)(const struct tw_kv *, const char *name, const void *value, uint64_t len, struct tw_err *);
	/* TW_OK also when there is none. [source] */
	int32_t (*remove)(const struct tw_kv *, const char *name, struct tw_err *);
	/* Names in their order: the first one behind `after` (NULL: the first of all); NULL at the end. Lives as long as
	 * what get() gives. [source] */
	const char *(*next)(const struct tw_kv *, const char *after);
};

#ifdef __cplusplus
}
#endif
#endif
