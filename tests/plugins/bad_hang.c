/* SPDX-License-Identifier: Apache-2.0
 *
 * Its constructor never returns.
 */
#include "tiny.h"
#include <unistd.h>

__attribute__((constructor)) static void hang(void)
{
	for (;;)
		pause();
}

TINY_DETECTOR(TINY("bad_hang"));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
