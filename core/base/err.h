/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors: functions that can fail return TW_OK or a negative TW_E_* and fill the caller's struct tw_err, last of all
 * parameters, with one sentence: what, where, what was expected, what to do. Outputs stay untouched on failure.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <tapewatch/plugin.h>

/* err_set(e, code, fmt, ...): fill e (may be NULL) and return code, so that `return err_set(e, TW_E_IO, "...")` reads
 * well. A macro, so that compilers and analysers see in every file that what it returns is never TW_OK. */
#define err_set(...) err_code(err_fill(__VA_ARGS__))

/* err_sys(e, errno_value, fmt, ...): the same with TW_E_IO, and ": " and strerror(errno_value) behind the sentence. */
#define err_sys(...) err_code(err_fill_sys(__VA_ARGS__))

int32_t err_fill(struct tw_err *e, int32_t code, const char *fmt, ...) TW_PRINTF(3, 4);
int32_t err_fill_sys(struct tw_err *e, int errno_value, const char *fmt, ...) TW_PRINTF(3, 4);

static inline int32_t err_code(int32_t code)
{
	return code != TW_OK ? code : TW_E_FATAL;
}

/* Put "text: " in front of what e says. Returns e's code. */
int32_t err_prefix(struct tw_err *e, const char *fmt, ...) TW_PRINTF(2, 3);

#endif
