/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds a detector that is called otherwise than the file.
 */
#include "tiny.h"

TINY_DETECTOR(TINY("another"));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
