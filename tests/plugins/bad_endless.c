/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of options without TW_END.
 */
#include "tiny.h"

struct self {
	int64_t window[400];
};
static struct tw_option options[400];
static char names[400][8];
TINY_DETECTOR(TINY("bad_endless"), .options = options, .self_size = sizeof(struct self));

TW_EXPORT const struct tw_manifest *tw_plugin(void);
const struct tw_manifest *tw_plugin(void)
{
	static const struct tw_manifest m = { TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL };

	for (uint32_t i = 0; i < 400; i++) {
		names[i][0] = 'o';
		for (uint32_t d = 0, v = i; d < 3; d++, v /= 10)
			names[i][3 - d] = (char)('0' + v % 10);
		options[i] = (struct tw_option){ names[i], "1", NULL, NULL, "one of too many", TW_T_INT, 8 * i };
	}
	return &m;
}
