/* SPDX-License-Identifier: Apache-2.0
 *
 * Its constructor crashes.
 */
#include "tiny.h"
#include <signal.h>

__attribute__((constructor)) static void crash(void)
{
	raise(SIGSEGV);
}

TINY_DETECTOR(TINY("bad_crash"));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
