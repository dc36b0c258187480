/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers with units: durations, sizes, and stretches of time or events. Exact or refused: no floating point, no
 * rounding, no overflow.
 */
#include "config/config.h"
#include "event/event.h"

#include <inttypes.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* The larger one first: "1h30m" reads downwards. */
static const struct unit times[] = {
	{ "w", INT64_C(604800000000000) }, { "d", INT64_C(86400000000000) },
	{ "h", INT64_C(3600000000000) },   { "m", INT64_C(60000000000) },
	{ "s", INT64_C(1000000000) },      { "ms", INT64_C(1000000) },
	{ "us", INT64_C(1000) },           { "ns", INT64_C(1) },
};

static const struct unit sizes[] = {
	{ "GiB", INT64_C(1) << 30 }, { "GB", INT64_C(1000000000) }, { "MiB", INT64_C(1) << 20 },
	{ "MB", INT64_C(1000000) },  { "KiB", INT64_C(1) << 10 },   { "KB", INT64_C(1000) },
	{ "kB", INT64_C(1000) },     { "B", INT64_C(1) },
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *s, with a fraction of at most 18 digits: whole + part / scale. */
static int read_decimal(const char **s, int64_t *whole, int64_t *part, int64_t *scale)
{
	const char *p = *s;
	*whole = *part = 0;
	*scale = 1;
	if (!digit(*p))
		return -1;
	for (; digit(*p); p++) {
		if (__builtin_mul_overflow(*whole, 10, whole) || __builtin_add_overflow(*whole, *p - '0', whole))
			return -1;
	}
	if (*p == '.') {
		if (!digit(*++p))
			return -1;
		for (; digit(*p); p++) {
			if (*scale > INT64_C(100000000000000000))
				return -1;
			*part = *part * 10 + (*p - '0');
			*scale *= 10;
		}
	}
	*s = p;
	return 0;
}

/* The unit at *s, which must reach to a digit, a blank or the end. -1: none. */
static int read_unit(const char **s, const struct unit *units, size_t n)
{
	size_t len = strcspn(*s, "0123456789 ");
	for (size_t i = 0; i < n; i++) {
		if (strlen(units[i].name) == len && memcmp(units[i].name, *s, len) == 0) {
			*s += len;
			return (int)i;
		}
	}
	return -1;
}

/* "1h30m", "1h 30m", "1.5s", "10 s": parts from large to small, a fraction only where there is one part. */
static int read_sum(const char *s, const struct unit *units, size_t n, size_t max_parts, int64_t *ret)
{
	int64_t sum = 0;
	int last = -1;
	size_t parts = 0;
	bool fraction = false;
	while (*s) {
		int64_t whole, part, scale, value;
		__int128 fine;
		if (read_decimal(&s, &whole, &part, &scale) < 0)
			return -1;
		s += *s == ' ';
		int unit = read_unit(&s, units, n);
		if (unit <= last)
			return -1;
		last = unit;
		fraction = fraction || scale > 1;
		if (++parts > max_parts || (parts > 1 && fraction))
			return -1;
		fine = (__int128)part * units[unit].factor;
		if (fine % scale != 0)
			return -1;
		if (__builtin_mul_overflow(whole, units[unit].factor, &value) ||
		    __builtin_add_overflow(value, (int64_t)(fine / scale), &value) ||
		    __builtin_add_overflow(sum, value, &sum))
			return -1;
		if (*s == ' ' && !*++s)
			return -1;
	}
	if (!parts)
		return -1;
	*ret = sum;
	return 0;
}

int parse_duration(const char *text, int64_t *ret)
{
	bool minus = *text == '-';
	int64_t ns = 0;
	text += minus;
	if (strcmp(text, "0") != 0 && read_sum(text, times, COUNT(times), COUNT(times), &ns) < 0)
		return -1;
	*ret = minus ? -ns : ns;
	return 0;
}

int parse_time(const char *text, int64_t now, int64_t *ret)
{
	int64_t back;

	if (parse_duration(text, &back) < 0)
		return moment_parse(text, ret);
	*ret = now - back;
	return 0;
}

int parse_size(const char *text, int64_t *ret)
{
	int64_t bytes, part, scale;
	const char *s = text;
	if (read_decimal(&s, &bytes, &part, &scale) == 0 && !*s && scale == 1) {
		*ret = bytes;
		return 0;
	}
	return read_sum(text, sizes, COUNT(sizes), 1, ret);
}

void print_duration(char *out, int64_t ns)
{
	size_t i = 0;
	while (i + 1 < COUNT(times) && ns % times[i].factor != 0)
		i++;
	if (ns == 0)
		snprintf(out, 32, "0s");
	else
		snprintf(out, 32, "%" PRId64 "%s", ns / times[i].factor, times[i].name);
}

int parse_stretch(const char *text, struct stretch *ret)
{
	struct stretch st = { 0 };
	int64_t count, part, scale;
	const char *s = text;
	if (read_decimal(&s, &count, &part, &scale) == 0 && scale == 1) {
		s += *s == ' ';
		if (strcmp(s, "events") == 0 || strcmp(s, "event") == 0 || strcmp(s, "ev") == 0) {
			st.events = (uint64_t)count;
			*ret = st;
			return 0;
		}
	}
	if (*text == '-' || parse_duration(text, &st.ns) < 0)
		return -1;
	*ret = st;
	return 0;
}
