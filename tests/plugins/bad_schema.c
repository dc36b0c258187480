/* SPDX-License-Identifier: Apache-2.0
 *
 * Uses a newer event schema.
 */
#include "tiny.h"

TINY_DETECTOR(TINY("bad_schema"));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA + 1, tiny_list_, NULL, NULL)
