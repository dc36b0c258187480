/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector without process().
 */
#include "tiny.h"

TINY_DETECTOR(TINY_SIZED("bad_deaf", offsetof(struct tw_detector, process), sizeof(struct tw_option)));
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
