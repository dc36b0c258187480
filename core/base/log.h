/* SPDX-License-Identifier: Apache-2.0
 *
 * Structured log lines on stderr: text on a terminal or by default, one JSON object a line on request. One line per
 * state change, rate-limited per instance. [any]
 *
 *   log_warn("ticks", "time goes backwards", "at %s: ...", where)
 *   2026-01-02 03:04:05.678 warn  ticks: time goes backwards at a.csv:17: ...
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <tapewatch/ext/log.h>

enum log_format { LOG_TEXT, LOG_JSON };

/* level: TW_LOG_DEBUG ... TW_LOG_ERROR; lines below it are dropped. Colour follows isatty(2). */
void log_setup(enum log_format format, int32_t level);

/* who: instance or room ("host"). Control characters in the text are escaped. */
void log_line(int32_t level, const char *who, const char *fmt, ...) TW_PRINTF(3, 4);
void log_linev(int32_t level, const char *who, const char *fmt, __builtin_va_list ap);

#define log_debug(who, ...) log_line(TW_LOG_DEBUG, who, __VA_ARGS__)
#define log_info(who, ...) log_line(TW_LOG_INFO, who, __VA_ARGS__)
#define log_warn(who, ...) log_line(TW_LOG_WARN, who, __VA_ARGS__)
#define log_error(who, ...) log_line(TW_LOG_ERROR, who, __VA_ARGS__)

/* The same with fields: `text key=value` for people, members of "fields" in JSON. */
void log_fields(int32_t level, const char *who, const char *text, const struct tw_field *, uint32_t n);

/* A hook that runs before and after each line, so that a progress bar can step aside. NULL: none. */
void log_around(void (*before)(void), void (*after)(void));

/* How many lines the rate limit swallowed so far. */
uint64_t log_dropped(void);

#endif
