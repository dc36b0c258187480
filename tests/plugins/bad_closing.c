/* SPDX-License-Identifier: Apache-2.0
 *
 * Its constructor closes every file, also the loader's, and never returns.
 */
#include "tiny.h"
#include <unistd.h>

__attribute__((constructor)) static void hang(void)
{
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
	for (;;)
		pause();
}

TINY_DETECTOR(TINY("bad_closing"));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
