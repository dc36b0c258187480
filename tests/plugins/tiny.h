/* SPDX-License-Identifier: Apache-2.0
 *
 * What the plugins of this folder share: a detector that does nothing, and a manifest in which anything can be wrong.
 */
#ifndef TESTS_PLUGINS_TINY_H
#define TESTS_PLUGINS_TINY_H

#include <tapewatch/plugin.h>

static inline int32_t tiny_process(struct tw_ctx *c, const struct tw_batch *b)
{
	(void)c;
	(void)b;
	return TW_OK;
}

#define TINY(NAME) \
	TINY_SIZED(NAME, sizeof(struct tw_detector), sizeof(struct tw_option))
#define TINY_SIZED(NAME, STRUCT_SIZE, OPTION_SIZE)                                                          \
	.struct_size = STRUCT_SIZE, .option_size = OPTION_SIZE, .name = NAME, .version = "1.0.0",            \
	.summary = "does nothing, for the tests of the loader", .kinds = TW_TRADE, .process = tiny_process

#define TINY_DETECTOR(...)                                             \
	static const struct tw_detector tiny_detector_ = { __VA_ARGS__ }; \
	static const struct tw_detector *const tiny_list_[] = { &tiny_detector_, NULL }

#define TINY_MANIFEST(...)                                        \
	TW_EXPORT const struct tw_manifest *tw_plugin(void);      \
	const struct tw_manifest *tw_plugin(void)                 \
	{                                                         \
		static const struct tw_manifest m = { __VA_ARGS__ }; \
		return &m;                                        \
	}

#endif
