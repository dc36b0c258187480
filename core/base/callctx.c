/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the pointer of each thread lies: in the program's own thread-local storage, which needs no allocation to be
 * reached from a handler.
 */
#include "base/callctx.h"

_Thread_local const struct call *call_now;
