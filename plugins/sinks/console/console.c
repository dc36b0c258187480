/* SPDX-License-Identifier: Apache-2.0
 *
 * console: alerts for people, one line each on standard output.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapewatch/plugin.h>
#include <time.h>
#include <unistd.h>

enum { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };
#define LINE_BYTES 4096u

struct console {
	int64_t colour;
	const struct tw_host *host;
	int32_t coloured, terminal;
	char line[LINE_BYTES];
	uint32_t len, at; /* of the line that is being written */
};

static const struct tw_option options[] = {
	TW_ENUM(struct console, colour, "auto", "auto|always|never",
		"auto: on a terminal, unless NO_COLOR is set in the environment"),
	TW_END,
};

static int32_t console_open(void *self, const struct tw_host *host, struct tw_err *e)
{
	struct console *c = self;
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	(void)e;

	c->host = host;
	c->len = c->at = 0;
	c->terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
	c->coloured =
		c->colour == COLOUR_ALWAYS || (c->colour == COLOUR_AUTO && c->terminal && !(no_color && *no_color));
	return TW_OK;
}

static void put(struct console *c, const char *s, size_t n)
{
	if (n >= LINE_BYTES - c->len) /* cut, but never inside a character; the newline still fits */
		return;
	memcpy(c->line + c->len, s, n);
	c->len += (uint32_t)n;
}

static void TW_PRINTF(2, 3) putf(struct console *c, const char *fmt, ...)
{
	char text[64];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	put(c, text, n > 0 && (size_t)n < sizeof text ? (size_t)n : 0);
}

/* Bytes of a UTF-8 sequence that a terminal may be shown, or 0: controls (C0, C1), bidirectional overrides, bytes that
 * are no UTF-8. A symbol's name comes from outside, and must not move the cursor or rewrite the line. */
static size_t printable(const unsigned char *s, size_t n)
{
	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	size_t len = s[0] >= 0xf0 && s[0] <= 0xf4  ? 4
		     : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		     : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
						   : 0;
	if (len == 0 || len > n)
		return 0;
	uint32_t code = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fu);
	}
	if (code < 0xa0 || (len == 3 && code < 0x800) || (len == 4 && code < 0x10000) || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000) || (code >= 0x200e && code <= 0x200f) ||
	    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return 0;
	return len;
}

static void put_text(struct console *c, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	for (size_t i = 0; i < n;) {
		size_t len = printable(s + i, n - i);
		if (len)
			put(c, text + i, len);
		else
			putf(c, "\\x%02x", s[i]);
		i += len ? len : 1;
	}
}

static void put_name(struct console *c, uint32_t id)
{
	const char *s = c->host->name(c->host, id);
	put_text(c, s, strlen(s));
}

static void put_time(struct console *c, int64_t ts)
{
	char day[32];
	struct tm tm;
	int64_t ms = ts / 1000000 - (ts % 1000000 < 0); /* rounded down, as the seconds below */
	time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0));
	gmtime_r(&s, &tm);
	strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &tm);
	putf(c, "%s.%03" PRId64, day, ms - (int64_t)s * 1000);
}

static void make_line(struct console *c, const struct tw_event *ev)
{
	static const char *const names[] = { "-", "info", "low", "medium", "high", "critical" };
	static const char *const colours[] = { "", "\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1;97;41m" };
	const struct tw_alert *a = &ev->alert;
	bool alert = ev->kind == TW_ALERT;
	uint32_t severity = alert && a->severity <= TW_CRITICAL ? a->severity : 0;

	c->len = c->at = 0;
	if (c->terminal)
		put(c, "\r\x1b[K", 4); /* a progress bar may stand here */
	put_time(c, ev->ts);
	put(c, "  ", 2);
	if (c->coloured)
		put(c, colours[severity], strlen(colours[severity]));
	putf(c, "%-8s", alert ? names[severity] : "score");
	if (c->coloured)
		put(c, "\x1b[0m", 4);
	put(c, "  ", 2);
	if (!alert) {
		put_text(c, ev->score.detector.s, ev->score.detector.len);
		put(c, "  ", 2);
		put_name(c, ev->score.symbol);
		if (ev->score.symbol && ev->score.account)
			put(c, " ", 1);
		put_name(c, ev->score.account);
		putf(c, "  %.6g", ev->score.score);
	} else {
		put_text(c, a->detector.s, a->detector.len);
		put(c, "  ", 2);
		put_text(c, a->symbol.s, a->symbol.len);
		if (a->symbol.len && a->account.len)
			put(c, " ", 1);
		put_text(c, a->account.s, a->account.len);
		if (!a->symbol.len && !a->account.len)
			put(c, "-", 1);
		put(c, "  ", 2);
		put_text(c, a->reason.s, a->reason.len);
	}
	c->line[c->len++] = '\n';
}

static int32_t console_write(void *self, const struct tw_event *const *records, uint32_t n, uint32_t *done,
			     struct tw_err *e)
{
	struct console *c = self;

	for (*done = 0; *done < n; ++*done) {
		if (c->at == c->len) /* else half of this record's line went out before */
			make_line(c, records[*done]);
		while (c->at < c->len) {
			ssize_t w = write(STDOUT_FILENO, c->line + c->at, c->len - c->at);
			int bad = errno;
			if (w >= 0) {
				c->at += (uint32_t)w;
			} else if (bad != EINTR) {
				int32_t rc = bad == EAGAIN || bad == ENOSPC ? TW_AGAIN
					     : bad == EPIPE                 ? TW_E_FATAL
									    : TW_E_IO;
				snprintf(e->msg, sizeof e->msg, "console: cannot write to standard output: %s",
					 strerror(bad));
				return e->code = rc;
			}
		}
	}
	return TW_OK;
}

TW_SINK(.name = "console", .version = "1.0.0", .summary = "alerts for people, one line each on standard output",
	.options = options, .self_size = sizeof(struct console), .open = console_open, .write = console_write,
	.doc = "Prints time (UTC), severity, detector, symbol and account, and the reason. Control characters and\n"
	       "bytes that are not UTF-8 are shown as \\xNN, so that a hostile name cannot play with the terminal.\n")
