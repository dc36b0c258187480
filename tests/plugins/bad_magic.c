/* SPDX-License-Identifier: Apache-2.0
 *
 * Its manifest begins with another number.
 */
#include "tiny.h"

TINY_DETECTOR(TINY("bad_magic"));
TINY_MANIFEST(0x12345678u, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
