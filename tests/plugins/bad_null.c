/* SPDX-License-Identifier: Apache-2.0
 *
 * tw_plugin() returns no manifest.
 */
#include "tiny.h"

TW_EXPORT const struct tw_manifest *tw_plugin(void);
const struct tw_manifest *tw_plugin(void)
{
	return NULL;
}
