/* SPDX-License-Identifier: Apache-2.0
 *
 * A detector that wants more state for each key than there may be.
 */
#include "tiny.h"

TINY_DETECTOR(TINY("bad_state"), .state_size = 65537);
TINY_MANIFEST(TW_MAGIC, TW_ABI, sizeof m, TW_EVENT_SCHEMA, tiny_list_, NULL, NULL)
