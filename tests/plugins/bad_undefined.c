/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls a function that nobody has.
 */
#include "tiny.h"

int nobody_has_this(void);
__attribute__((constructor)) static void call(void)
{
	nobody_has_this();
}
TINY_DETECTOR(TINY("bad_undefined"));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
