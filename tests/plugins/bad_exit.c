/* SPDX-License-Identifier: Apache-2.0
 *
 * Its constructor ends the process.
 */
#include "tiny.h"
#include <unistd.h>

__attribute__((constructor)) static void leave(void)
{
	_exit(7);
}

TINY_DETECTOR(TINY("bad_exit"));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
