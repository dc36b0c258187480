/* SPDX-License-Identifier: Apache-2.0
 *
 * It loads well, but tw_plugin() crashes.
 */
#include "tiny.h"
#include <stdlib.h>

TW_EXPORT const struct tw_manifest *tw_plugin(void);
const struct tw_manifest *tw_plugin(void)
{
	abort();
}
