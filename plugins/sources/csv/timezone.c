/* SPDX-License-Identifier: Apache-2.0
 *
 * Time zones. Every zone with rules becomes one sorted table of steps through 2100, whether it comes from a TZif file
 * (RFC 8536, with the rule in its footer), or is the "metatrader" server time. The C library's own zones hang on the
 * process environment, which a plugin must not touch.
 */
#include "csv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define TZIF_MAX  (1u << 20)
#define STEPS_MAX 10000u
#define LAST_YEAR 2100

struct rule {     /* one end of daylight saving time, as in POSIX TZ */
	int type; /* 'M': month, week, day; 'J': day 1..365 without 29 February; 'D': day 0..365 */
	int month, week, day;
	int32_t time; /* seconds of local time */
};

static bool add_step(struct zone *z, int64_t at, int32_t before, int32_t after)
{
	struct zone_step *steps;

	if (z->n >= STEPS_MAX)
		return false;
	if ((z->n & 255) == 0) {
		steps = realloc(z->steps, (z->n + 256) * sizeof *steps);
		if (!steps)
			return false;
		z->steps = steps;
	}
	z->steps[z->n++] = (struct zone_step){ at, before, after };
	return true;
}

static int64_t rule_day(const struct rule *r, int64_t year)
{
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int64_t first, day;
	int weekday;

	if (r->type == 'J')
		return time_days(year, 1, 1) + r->day - 1 + (leap && r->day >= 60);
	if (r->type == 'D')
		return time_days(year, 1, 1) + r->day;
	first = time_days(year, (unsigned)r->month, 1);
	weekday = (int)(((first + 4) % 7 + 7) % 7);
	day = first + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
	while (!time_valid_date(year, (unsigned)r->month, (unsigned)(day - first + 1)))
		day -= 7; /* week 5 is the last one */
	return day;
}

/* The two steps of each year, in order, behind those that are there already. */
static bool add_years(struct zone *z, int64_t from, int64_t to, const struct rule *start, const struct rule *end,
		      int32_t standard, int32_t daylight, int32_t rule_shift)
{
	for (int64_t y = from; y <= to; y++) {
		struct zone_step s[2] = {
			{ rule_day(start, y) * 86400 + start->time - standard + rule_shift, standard, daylight },
			{ rule_day(end, y) * 86400 + end->time - daylight + rule_shift, daylight, standard },
		};
		int first = s[0].at <= s[1].at ? 0 : 1;

		for (int i = 0; i < 2; i++) {
			const struct zone_step *x = &s[first ^ i];

			if (z->n && x->at <= z->steps[z->n - 1].at)
				continue;
			if (!add_step(z, x->at, x->before, x->after))
				return false;
		}
	}
	return true;
}

/* The server time of most MetaTrader brokers: New York plus seven hours, so that the day ends when New York closes. */
static bool load_metatrader(struct zone *z)
{
	static const struct rule apr = { 'M', 4, 1, 0, 7200 }, oct = { 'M', 10, 5, 0, 7200 };
	static const struct rule mar = { 'M', 3, 2, 0, 7200 }, nov = { 'M', 11, 1, 0, 7200 };

	/* The rules are in New York time, seven hours behind; the steps are in UTC. */
	return add_years(z, 1970, 2006, &apr, &oct, 7200, 10800, 7 * 3600) &&
	       add_years(z, 2007, LAST_YEAR, &mar, &nov, 7200, 10800, 7 * 3600);
}

bool zone_fixed(const char *name, int32_t *ret)
{
	unsigned h, m = 0;
	size_t n = strlen(name);
	int sign;

	if (strcasecmp(name, "UTC") == 0 || strcasecmp(name, "GMT") == 0 || strcmp(name, "Z") == 0) {
		*ret = 0;
		return true;
	}
	if (strcasecmp(name, "EST") == 0) {
		*ret = -5 * 3600;
		return true;
	}
	if (strncasecmp(name, "UTC", 3) == 0) {
		name += 3;
		n -= 3;
	}
	if (n < 2 || (*name != '+' && *name != '-'))
		return false;
	sign = *name == '-' ? -1 : 1;
	for (size_t i = 1; i < n; i++)
		if (!isdigit((unsigned char)name[i]) && !(name[i] == ':' && i == n - 3))
			return false;
	h = (unsigned)(name[1] - '0');
	if (n == 3 || n == 5 || n == 6)
		h = h * 10 + (unsigned)(name[2] - '0');
	else if (n != 2)
		return false;
	if ((n == 6 && name[3] != ':') || (n == 5 && name[2] == ':'))
		return false;
	if (n >= 5)
		m = (unsigned)(name[n - 2] - '0') * 10 + (unsigned)(name[n - 1] - '0');
	if (h > 14 || m > 59)
		return false;
	*ret = sign * (int32_t)(h * 3600 + m * 60);
	return true;
}

/* ---- the footer of a TZif file: a POSIX TZ text such as EST5EDT,M3.2.0,M11.1.0 ---- */
static bool tz_number(const char **p, int max, int *ret)
{
	int v = 0;

	if (!isdigit((unsigned char)**p))
		return false;
	while (isdigit((unsigned char)**p)) {
		v = v * 10 + (*(*p)++ - '0');
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}

static bool tz_name(const char **p)
{
	const char *start = *p;

	if (**p == '<') {
		while (**p && **p != '>')
			(*p)++;
		return *(*p)++ == '>';
	}
	while (isalpha((unsigned char)**p))
		(*p)++;
	return *p - start >= 3;
}

static bool tz_time(const char **p, int32_t *ret) /* [+-]h[h][:mm[:ss]] */
{
	int h, m = 0, s = 0, sign = 1;

	if (**p == '+' || **p == '-')
		sign = *(*p)++ == '-' ? -1 : 1;
	if (!tz_number(p, 167, &h))
		return false;
	if (**p == ':') {
		(*p)++;
		if (!tz_number(p, 59, &m))
			return false;
		if (**p == ':') {
			(*p)++;
			if (!tz_number(p, 59, &s))
				return false;
		}
	}
	*ret = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool tz_rule(const char **p, struct rule *r)
{
	if (*(*p)++ != ',')
		return false;
	r->time = 7200;
	if (**p == 'M') {
		(*p)++;
		r->type = 'M';
		if (!tz_number(p, 12, &r->month) || r->month < 1 || *(*p)++ != '.' || !tz_number(p, 5, &r->week) ||
		    r->week < 1 || *(*p)++ != '.' || !tz_number(p, 6, &r->day))
			return false;
	} else {
		r->type = **p == 'J' ? 'J' : 'D';
		if (r->type == 'J')
			(*p)++;
		if (!tz_number(p, 365, &r->day) || (r->type == 'J' && r->day == 0))
			return false;
	}
	if (**p == '/') {
		(*p)++;
		if (!tz_time(p, &r->time))
			return false;
	}
	return true;
}

static bool add_footer(struct zone *z, const char *p)
{
	struct rule start, end;
	int32_t standard, daylight;
	int64_t year = 1970;

	if (!*p)
		return true;
	if (!tz_name(&p) || !tz_time(&p, &standard))
		return false;
	standard = -standard; /* POSIX counts westward */
	if (!z->n)
		z->fixed = standard;
	if (!*p)
		return true;
	daylight = standard + 3600;
	if (!tz_name(&p))
		return false;
	if (*p && *p != ',') {
		if (!tz_time(&p, &daylight))
			return false;
		daylight = -daylight;
	}
	if (!tz_rule(&p, &start) || !tz_rule(&p, &end) || *p)
		return false;
	if (z->n) {
		/* Step back a little: add_years() leaves out what is not after the last step. */
		year = 1970 + z->steps[z->n - 1].at / 31556952 - 1;
		if (year < 1900)
			year = 1900;
	}
	return year > LAST_YEAR || add_years(z, year, LAST_YEAR, &start, &end, standard, daylight, 0);
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* Bytes behind a header, for times of the given width; 0: more than any zone has. */
static size_t tzif_size(const unsigned char *h, size_t width)
{
	uint32_t utc = be32(h + 20), std = be32(h + 24), leap = be32(h + 28), times = be32(h + 32),
		 types = be32(h + 36), chars = be32(h + 40);

	if (utc > 256 || std > 256 || leap > 1000 || times > STEPS_MAX || types > 256 || types < 1 || chars > 4096)
		return 0;
	return times * (width + 1) + types * 6 + chars + leap * (width + 4) + std + utc;
}

bool zone_decode(struct zone *z, const unsigned char *p, size_t n)
{
	const unsigned char *end = p + n, *times, *index, *types;
	uint32_t n_times, n_types;
	size_t width = 4, size;
	char footer[256];
	int32_t offset;

	if (n < 44 || memcmp(p, "TZif", 4) != 0 || (size = tzif_size(p, 4)) == 0)
		return false;
	if (p[4] >= '2') { /* the second part has the same with 64 bits */
		if ((size_t)(end - p) < 44 + size + 44)
			return false;
		p += 44 + size;
		width = 8;
		if (memcmp(p, "TZif", 4) != 0 || (size = tzif_size(p, 8)) == 0)
			return false;
	}
	if ((size_t)(end - p) < 44 + size)
		return false;
	n_times = be32(p + 32);
	n_types = be32(p + 36);
	times = p + 44;
	index = times + n_times * width;
	types = index + n_times;
	offset = (int32_t)be32(types);
	z->fixed = offset;
	for (uint32_t i = 0; i < n_times; i++) {
		int64_t at = width == 8 ? be64(times + i * 8) : (int32_t)be32(times + i * 4);
		int32_t after;

		if (index[i] >= n_types)
			return false;
		after = (int32_t)be32(types + index[i] * 6u);
		if (after < -90000 || after > 90000 || (i && at <= z->steps[z->n - 1].at) || at < -(INT64_C(1) << 40) ||
		    at > INT64_C(1) << 40) {
			if (i == 0 && at < -(INT64_C(1) << 40)) { /* the "big bang" of some compilers */
				z->fixed = offset = after;
				if (!add_step(z, -(INT64_C(1) << 40), after, after))
					return false;
				continue;
			}
			return false;
		}
		if (!add_step(z, at, offset, after))
			return false;
		offset = after;
	}
	if (width == 8) {
		const unsigned char *f = p + 44 + size, *stop;

		if (f < end && *f == '\n' && (stop = memchr(f + 1, '\n', (size_t)(end - f - 1))) != NULL) {
			if ((size_t)(stop - f) > sizeof footer)
				return false;
			memcpy(footer, f + 1, (size_t)(stop - f - 1));
			footer[stop - f - 1] = 0;
			return add_footer(z, footer);
		}
	}
	return true;
}

static int32_t load_file(struct zone *z, const char *name, const char *folder, struct tw_err *e)
{
	unsigned char *data = NULL;
	char path[512];
	size_t n = 0;
	ssize_t got;
	int fd = -1;
	int32_t rc;

	if (strlen(name) > 100 || strstr(name, "..") || *name == '/' ||
	    name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")])
		return csv_fail(e, TW_E_CONFIG,
				"timezone '%s' is not one: use UTC, +02:00, EST, metatrader or a name such as "
				"America/New_York",
				name);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return csv_fail(e, TW_E_CONFIG,
				"timezone '%s': there is no %s (%s); is the name right and the package tzdata "
				"installed? UTC, +02:00, EST and metatrader need no file",
				name, path, strerror(errno));
	data = malloc(TZIF_MAX);
	if (!data) {
		rc = csv_fail(e, TW_E_IO, "timezone '%s': memory is out", name);
		goto out;
	}
	while (n < TZIF_MAX && (got = read(fd, data + n, TZIF_MAX - n)) > 0)
		n += (size_t)got;
	rc = TW_OK;
	if (!zone_decode(z, data, n))
		rc = csv_fail(e, TW_E_CONFIG, "timezone '%s': %s is not a time zone file (TZif) or is damaged", name,
			      path);
out:
	free(data);
	close(fd);
	return rc;
}

int32_t zone_load(struct zone *ret, const char *name, const char *folder, struct tw_err *e)
{
	struct zone z = { 0 };
	int32_t rc = TW_OK;

	if (!zone_fixed(name, &z.fixed)) {
		if (strcasecmp(name, "metatrader") == 0) {
			if (!load_metatrader(&z))
				rc = csv_fail(e, TW_E_IO, "timezone: memory is out");
		} else {
			rc = load_file(&z, name, folder, e);
		}
	}
	if (rc != TW_OK) {
		zone_free(&z);
		return rc;
	}
	*ret = z;
	return TW_OK;
}

int64_t zone_utc(struct zone *z, int64_t wall)
{
	uint32_t lo = 0, hi = z->n;

	if (!z->n)
		return wall - z->fixed;
	if (wall >= z->lo && wall < z->hi)
		return wall - z->cached;
	while (lo < hi) { /* the first step that the wall clock has not reached, as it went before that step */
		uint32_t mid = (lo + hi) / 2;

		if (wall < z->steps[mid].at + z->steps[mid].before)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (lo == 0)
		return wall - z->steps[0].before;
	if (wall < z->steps[lo - 1].at + z->steps[lo - 1].after) /* skipped by the clocks */
		return wall - z->steps[lo - 1].before;
	z->cached = z->steps[lo - 1].after;
	z->lo = z->steps[lo - 1].at +
		(z->steps[lo - 1].after > z->steps[lo - 1].before ? z->steps[lo - 1].after : z->steps[lo - 1].before);
	z->hi = lo < z->n ? z->steps[lo].at + z->steps[lo].before : INT64_MAX;
	return wall - z->cached;
}

void zone_free(struct zone *z)
{
	free(z->steps);
	*z = (struct zone){ 0 };
}
