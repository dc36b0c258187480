/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors: functions that can fail return TW_OK or a negative TW_E_* and fill the caller's struct tw_err, last of all
 * parameters, with one sentence: what, where, what was expected, what to do. Outputs stay untouched on failure.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <tapewatch/plugin.h>

/* Fill e (may be NULL) and return code, so that `return err_set(e, TW_E_IO, "...")` reads well. */
int32_t err_set(struct tw_err *e, int32_t code, const char *fmt, ...) TW_PRINTF(3, 4);

/* The same with ": " and strerror(errno_value) behind it. */
int32_t err_sys(struct tw_err *e, int errno_value, const char *fmt, ...) TW_PRINTF(3, 4);

/* Put "text: " in front of what e says. Returns e's code. */
int32_t err_prefix(struct tw_err *e, const char *fmt, ...) TW_PRINTF(2, 3);

#endif
