/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling struct tw_err.
 */
#include "base/err.h"
#include "base/format.h"
#include <string.h>

int32_t err_fill(struct tw_err *e, int32_t code, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		char msg[sizeof e->msg]; /* the arguments may point into e itself */

		va_start(ap, fmt);
		if (format_text(msg, sizeof msg, fmt, ap) < 0)
			msg[0] = '\0';
		va_end(ap);
		e->code = code;
		memcpy(e->msg, msg, sizeof msg);
	}
	return code;
}

int32_t err_fill_sys(struct tw_err *e, int errno_value, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		char msg[sizeof e->msg], why[128];
		size_t len, why_len;
		const char *text = strerror_r(errno_value, why, sizeof why);

		va_start(ap, fmt);
		if (format_text(msg, sizeof msg, fmt, ap) < 0)
			msg[0] = '\0';
		va_end(ap);
		len = strlen(msg);
		why_len = strlen(text);
		/* The reason is worth more than the end of a long text. */
		if (why_len > 128)
			why_len = 128;
		if (len + 2 + why_len >= sizeof msg)
			len = sizeof msg - why_len - 3;
		memcpy(msg + len, ": ", 2);
		memcpy(msg + len + 2, text, why_len);
		msg[len + 2 + why_len] = '\0';
		e->code = TW_E_IO;
		memcpy(e->msg, msg, len + 2 + why_len + 1);
	}
	return TW_E_IO;
}

int32_t err_prefix(struct tw_err *e, const char *fmt, ...)
{
	va_list ap;
	char msg[sizeof e->msg];
	size_t len, rest;

	if (!e)
		return TW_E_FATAL;
	va_start(ap, fmt);
	if (format_text(msg, sizeof msg, fmt, ap) < 0)
		msg[0] = '\0';
	va_end(ap);
	len = strlen(msg);
	if (len + 3 > sizeof msg)
		len = sizeof msg - 3;
	memcpy(msg + len, ": ", 2);
	len += 2;
	rest = strnlen(e->msg, sizeof e->msg);
	if (rest > sizeof msg - 1 - len)
		rest = sizeof msg - 1 - len;
	memcpy(msg + len, e->msg, rest);
	msg[len + rest] = '\0';
	memcpy(e->msg, msg, len + rest + 1);
	return e->code;
}
