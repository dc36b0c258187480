/* SPDX-License-Identifier: Apache-2.0
 *
 * Built for a newer minor version of the ABI.
 */
#include "tiny.h"

TINY_DETECTOR(TINY("bad_minor"));
TINY_MANIFEST(TW_MAGIC, TW_ABI + 1, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
