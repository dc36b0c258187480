/* SPDX-License-Identifier: Apache-2.0
 *
 * Built for another major version of the ABI.
 */
#include "tiny.h"

TINY_DETECTOR(TINY("bad_major"));
TINY_MANIFEST(TW_MAGIC, (TW_ABI_MAJOR + 1) << 16, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
