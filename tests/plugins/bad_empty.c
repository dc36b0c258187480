/* SPDX-License-Identifier: Apache-2.0
 *
 * A manifest with nothing in it: its struct_size ends before the lists.
 */
#include "tiny.h"

TINY_DETECTOR(TINY("bad_empty"));
TINY_MANIFEST(TW_MAGIC, TW_ABI, 16, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
