/* SPDX-License-Identifier: Apache-2.0
 *
 * Its manifest is shorter than the part that every version has.
 */
#include "tiny.h"

TINY_DETECTOR(TINY("bad_short"));
TINY_MANIFEST(TW_MAGIC, TW_ABI, 12, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
