/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of holidays: DATE,closed or DATE,HH:MM or DATE,HH:MM-HH:MM, a line a day.
 */
#include "base/err.h"
#include "ext/file.h"
#include "ext/venue.h"
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (1u << 20)
#define MAX_LINES 20000u

static bool digits(const char **p, int n, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		v = v * 10 + (**p - '0');
	}
	*ret = v;
	return true;
}

static bool take(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool minute(const char **p, int16_t *ret)
{
	int h, m;

	if (!digits(p, 2, &h) || !take(p, ':') || !digits(p, 2, &m) || m > 59 || h * 60 + m > MINUTES_OF_DAY)
		return false;
	*ret = (int16_t)(h * 60 + m);
	return true;
}

static void blanks(const char **p)
{
	while (**p == ' ' || **p == '\t')
		(*p)++;
}

static bool parse(const char *p, struct venue_change *ret)
{
	struct venue_change c = { .open = -1, .close = -1 };
	int y, m, d;

	if (!digits(&p, 4, &y) || !take(&p, '-') || !digits(&p, 2, &m) || !take(&p, '-') || !digits(&p, 2, &d) ||
	    !venue_date_ok(y, m, d) || y < VENUE_FIRST_YEAR || y > VENUE_LAST_YEAR)
		return false;
	c.day = venue_day(y, m, d);
	blanks(&p);
	if (!take(&p, ','))
		return false;
	blanks(&p);
	if (strncmp(p, "closed", 6) == 0) {
		p += 6;
	} else {
		if (!minute(&p, &c.close))
			return false;
		if (take(&p, '-')) {
			c.open = c.close;
			if (!minute(&p, &c.close) || c.close <= c.open)
				return false;
		}
	}
	blanks(&p);
	*ret = c;
	return *p == '\0' || *p == ',' || *p == '#';
}

static int by_day(const void *a, const void *b)
{
	const struct venue_change *x = a, *y = b;

	return x->day != y->day ? (x->day < y->day ? -1 : 1) : (x->open > y->open) - (x->open < y->open);
}

static int32_t parse_all(char *text, const char *path, struct venue_change *list, uint32_t *n, struct tw_err *err)
{
	uint32_t number = 0;

	for (char *line = text, *next; line; line = next) {
		const char *p = line;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		number++;
		blanks(&p);
		if (!*p || *p == '#')
			continue;
		if (*n == MAX_LINES)
			return err_set(err, TW_E_CONFIG, "%s:%u: more than %u days", path, number, MAX_LINES);
		if (!parse(p, &list[*n]))
			return err_set(err, TW_E_CONFIG,
				       "%s:%u: '%.40s': expected 2026-03-03,closed or 2026-12-24,13:00 or "
				       "2026-11-08,18:00-19:00, from %d to %d",
				       path, number, p, VENUE_FIRST_YEAR, VENUE_LAST_YEAR);
		++*n;
	}
	return TW_OK;
}

int32_t venue_file(const char *path, struct venue_change **ret, uint32_t *ret_n, struct tw_err *err)
{
	struct buf b = { 0 };
	struct file_mark mark;
	struct venue_change *list;
	uint32_t n = 0;
	int32_t rc = file_read_whole(path, MAX_BYTES, &b, &mark, NULL, err);

	if (rc != TW_OK)
		return TW_E_CONFIG;
	list = calloc(MAX_LINES, sizeof *list);
	rc = list && buf_add(&b, "", 1) == 0 ? parse_all((char *)b.data, path, list, &n, err)
					     : err_set(err, TW_E_FATAL, "memory is out");
	buf_free(&b);
	if (rc < 0 || !list) {
		free(list);
		return rc;
	}
	qsort(list, n, sizeof *list, by_day);
	*ret = list;
	*ret_n = n;
	return TW_OK;
}
