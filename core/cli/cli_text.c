/* SPDX-License-Identifier: Apache-2.0
 *
 * Output for people: texts that cannot harm a terminal, times, and writing that ends well when nobody reads.
 */
#include "base/os.h"
#include "cli/cli.h"
#include "event/event.h"
#include "event/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

bool cli_colour(FILE *f)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fileno(f)) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

int cli_width(FILE *f)
{
	struct winsize size;
	if (!isatty(fileno(f)))
		return 0;
	return ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* Marks that turn the direction of a line, or break it: what is read would not be what is there. */
static bool turns_line(const unsigned char *s, size_t len)
{
	return len == 3 && s[0] == 0xe2 &&
	       ((s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
		(s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

int cli_text(struct buf *out, const char *s, size_t len, uint32_t max)
{
	uint32_t columns = 0;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_char(s + i, len - i);
		bool plain = n && utf8_span(s + i, n, UTF8_PLAIN) == n && !turns_line((const unsigned char *)s + i, n);
		uint32_t width = plain ? 1 : 4;
		if (max && columns + width > max)
			break;
		columns += width;
		if (plain ? buf_add(out, s + i, n) : buf_addf(out, "\\x%02x", (unsigned char)s[i]))
			return -1;
		i += plain ? n : 1;
	}
	return 0;
}

int cli_stamp(struct buf *out, int64_t ts)
{
	char day[32];
	struct tm tm;
	int64_t ms = ts / 1000000 - (ts % 1000000 < 0); /* rounded down, as the seconds below */
	time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0));

	gmtime_r(&s, &tm);
	strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &tm);
	return buf_addf(out, "%s.%03d", day, (int)(ms - (int64_t)s * 1000));
}

bool cli_write(struct buf *b, const char *verb, int *exit_code)
{
	size_t at = 0;

	while (at < b->len) {
		ssize_t n = os->write(STDOUT_FILENO, b->data + at, b->len - at);
		if (n > 0) {
			at += (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
			poll(&p, 1, 1000);
		} else if (n == 0 || errno != EINTR) {
			bool closed = n < 0 && errno == EPIPE;
			*exit_code = closed ? CLI_OK
					    : cli_fail(CLI_GAVE_UP, verb, "cannot write to standard output: %s",
						       strerror(n ? errno : EIO));
			return false;
		}
	}
	b->len = 0;
	return true;
}

uint32_t cli_severity(const char *name)
{
	const struct field *f = field_named(kind_of(TW_ALERT), "severity", strlen("severity"));

	for (uint32_t i = 1; f && i < f->n_names; i++)
		if (strcmp(f->names[i], name) == 0)
			return i;
	return 0;
}
