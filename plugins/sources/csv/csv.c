/* SPDX-License-Identifier: Apache-2.0
 *
 * csv: text files with one event a line, plain or packed, any number of them merged by time. Options, start, and the
 * loop that hands rows over.
 */
#include "csv.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ZONE_FOLDER "/usr/share/zoneinfo"

static const struct tw_option options[] = {
	TW_LIST(struct csv, path, TW_REQUIRED,
		"file, or list of files; * and ? are filled in. gzip and zstd are told by their first bytes. Several "
		"files "
		"are merged by time. At most 1024"),
	TW_ENUM(struct csv, format, "auto", "auto|truefx|histdata|ohlcv|mql5|columns",
		"what a line looks like; auto: told from each file's first line. mql5 covers MetaTrader statements"),
	TW_MAP(struct csv, columns, "",
	       "own mapping: {field: column name or number from 1}, or a list of fields in column order with - to "
	       "skip, "
	       "such as [ts, symbol, -, price]"),
	TW_ENUM(struct csv, kind, "auto", "auto|quote|trade|bar|order|deal|account|news|score|label|correction",
		"kind of event; auto: from the fields. A time and a value are a score"),
	TW_STRING(struct csv, symbol, "",
		  "symbol of rows that carry none; default: the file's name up to the first _ or . ({stem}: the whole "
		  "name "
		  "without endings, {2}: its second part between underscores)"),
	TW_STRING(struct csv, account, "",
		  "account of rows that carry none; written as for symbol. Default for account histories: the file's "
		  "name up "
		  "to the first _ or ."),
	TW_STRING(struct csv, time_format, "auto",
		  "auto, iso, unix, unix_ms, unix_us, unix_ns, or a pattern of %Y %y %m %b %d %H %I %M %S %f %p %z"),
	TW_STRING(struct csv, timezone, "",
		  "zone of times that carry none: UTC, +02:00, EST (without daylight saving), metatrader (UTC+2, UTC+3 "
		  "while "
		  "New York has daylight saving), or a name such as America/New_York. Default: the format's own, else "
		  "UTC"),
	TW_STRING(struct csv, delimiter, "auto", "mark between columns: one character, tab, space, or auto"),
	TW_STRING(struct csv, decimal, ".", "decimal mark: . or ,"),
	TW_ENUM(struct csv, header, "auto", "auto|yes|no", "is the first line a header"),
	TW_ENUM(struct csv, order, "auto", "auto|file|time",
		"time: put the rows of each file in order of time first, in memory (up to 256 MiB of text a file); "
		"file: as "
		"they stand; auto: time for account histories, which are newest first"),
	TW_DURATION(struct csv, interval, "0s", "0s", "366d", "length of a bar; 0s: unknown"),
	TW_STRING(struct csv, speed, "max", "max, or how fast against the times in the files: 1x, 60x"),
	TW_BOOL(struct csv, strict, "false",
		"refuse rows with more columns than the first line or a time that goes backwards"),
	TW_END,
};

int32_t csv_fail(struct tw_err *e, int32_t code, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		e->code = code;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
	}
	return code;
}

/* A fast fingerprint against accidents; nobody who can write the files needs to forge one. */
uint64_t csv_hash(uint64_t seed, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = seed ^ (n * UINT64_C(0x9e3779b97f4a7c15)), v;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&v, p, 8);
		h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	v = 0;
	if (n)
		memcpy(&v, p, n);
	h = (h ^ v) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 29;
}

/* "60x" -> 60, "max" -> 0, anything else -1. */
static double pace_of(const char *text)
{
	double v = 0;
	double scale = 1;
	const char *p = text;

	if (strcmp(text, "max") == 0)
		return 0;
	for (; *p >= '0' && *p <= '9' && v < 1e9; p++)
		v = v * 10 + (*p - '0');
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++) {
			scale /= 10;
			v += scale * (*p - '0');
		}
	return (strcmp(p, "x") == 0 || *p == 0) && v > 0 && v < 1e9 ? v : -1;
}

static int32_t check(const void *self, struct tw_err *e)
{
	const struct csv *s = self;
	char text[480];
	const char *fault;

	if (s->decimal[0] == 0 || s->decimal[1] || !strchr(".,", s->decimal[0]))
		return csv_fail(e, TW_E_CONFIG, "decimal: '%s' is neither '.' nor ','", s->decimal);
	if (strcmp(s->delimiter, "auto") && strcmp(s->delimiter, "tab") && strcmp(s->delimiter, "\\t") &&
	    strcmp(s->delimiter, "space") &&
	    (s->delimiter[0] == 0 || s->delimiter[1] || strchr("\"\n\r", s->delimiter[0])))
		return csv_fail(e, TW_E_CONFIG, "delimiter: '%s' is not one character, tab, space or auto",
				s->delimiter);
	if (strcmp(s->delimiter, s->decimal) == 0)
		return csv_fail(e, TW_E_CONFIG, "delimiter and decimal are both '%s'; numbers could not be told apart",
				s->decimal);
	if (pace_of(s->speed) < 0)
		return csv_fail(e, TW_E_CONFIG, "speed: '%s' is neither max nor a factor such as 1x or 60x", s->speed);
	if (s->format == FORMAT_COLUMNS && !s->columns.n)
		return csv_fail(e, TW_E_CONFIG, "format: columns needs `columns:` to say what they are");
	if (s->format != FORMAT_AUTO && s->format != FORMAT_COLUMNS && s->columns.n)
		return csv_fail(e, TW_E_CONFIG, "columns: goes with format auto or columns only");
	fault = columns_fault(s, text, sizeof text);
	if (fault)
		return csv_fail(e, TW_E_CONFIG, "%s", fault);
	fault = time_pattern_fault(s->time_format);
	if (fault)
		return csv_fail(e, TW_E_CONFIG,
				"time_format: '%%%c' is not known; known are %%Y %%y %%m %%b %%d %%H %%I %%M %%S "
				"%%f %%p %%z",
				*fault);
	if (!strchr(s->time_format, '%') && strcmp(s->time_format, "auto") && strcmp(s->time_format, "iso") &&
	    strcmp(s->time_format, "unix") && strcmp(s->time_format, "unix_ms") && strcmp(s->time_format, "unix_us") &&
	    strcmp(s->time_format, "unix_ns"))
		return csv_fail(e, TW_E_CONFIG,
				"time_format: '%s' is none of auto, iso, unix, unix_ms, unix_us, unix_ns and has no %%",
				s->time_format);
	return TW_OK;
}

static void csv_close(void *self)
{
	struct csv *s = self;

	for (uint32_t i = 0; s->files && i < s->n_files; i++)
		file_close(&s->files[i]);
	free(s->files);
	free(s->heap);
	s->files = NULL;
	s->heap = NULL;
	s->given = NULL;
	s->n_files = s->n_heap = 0;
	zone_free(&s->zone);
	if (s->c_locale)
		freelocale(s->c_locale);
	s->c_locale = NULL;
	if (s->wake_fd)
		close(s->wake_fd - 1);
	s->wake_fd = 0;
}

static int32_t csv_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *e)
{
	struct csv *s = self;
	int32_t rc;

	rc = check(s, e);
	if (rc != TW_OK)
		return rc;
	s->host = host;
	s->rows = 0;
	s->failed = s->zone_said = false;
	s->backward_said = 0;
	s->pace = pace_of(s->speed);
	s->pace_wall = 0;
	s->done_ts = INT64_MIN;
	s->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) + 1;
	if (!s->c_locale || !s->wake_fd) {
		rc = csv_fail(e, TW_E_IO, "cannot start: %s", strerror(errno));
		goto out;
	}
	if (s->timezone[0]) {
		rc = zone_load(&s->zone, s->timezone, ZONE_FOLDER, e);
		if (rc != TW_OK)
			goto out;
	}
	rc = paths_expand(s, e);
	for (uint32_t i = 0; i < s->n_files && rc == TW_OK; i++) {
		s->files[i].csv = s;
		s->files[i].index = i;
		rc = file_open(&s->files[i], e);
	}
	if (rc != TW_OK)
		goto out;
	s->single = s->n_files == 1 && s->files[0].r.packing == PLAIN && !s->files[0].sorted;
	if (resume)
		rc = position_resume(s, resume, e);
	else
		merge_start(s);
out:
	if (rc != TW_OK)
		csv_close(s);
	return rc;
}

/* Is it time for an event of this time? Waits for it, but not beyond the timeout. */
static bool is_due(struct csv *s, int64_t ts, int32_t *timeout_ms)
{
	int64_t now = s->host->wall(s->host);
	double left;
	int ms;

	if (!s->pace_wall) {
		s->pace_wall = now;
		s->pace_ts = ts;
	}
	left = (double)(ts - s->pace_ts) / s->pace - (double)(now - s->pace_wall);
	if (left <= 0)
		return true;
	if (*timeout_ms > 0) {
		struct pollfd wake = { s->wake_fd - 1, POLLIN, 0 };
		uint64_t drain;

		ms = left / 1e6 + 1 < *timeout_ms ? (int)(left / 1e6) + 1 : *timeout_ms;
		if (poll(&wake, 1, ms) > 0 && read(s->wake_fd - 1, &drain, sizeof drain) > 0) {
			*timeout_ms = 0;
			return false;
		}
		*timeout_ms -= ms;
		now = s->host->wall(s->host);
		return (double)(ts - s->pace_ts) / s->pace <= (double)(now - s->pace_wall);
	}
	return false;
}

static int32_t reject(struct file *f, struct tw_writer *w)
{
	const struct item *it = &f->item;
	char where[4600];

	if (it->column)
		snprintf(where, sizeof where, "%.4500s:%" PRIu32, f->where, it->column);
	else
		snprintf(where, sizeof where, "%.4500s", f->where);
	return w->reject(w, it->reason, where, it->detail, it->raw,
			 it->raw_len < RAW_MAX_BYTES ? it->raw_len : RAW_MAX_BYTES);
}

/* Hand over rows while there is credit. TW_OK: ask again. */
static int32_t pump(struct csv *s, struct tw_writer *w, int32_t timeout_ms, uint64_t *taken, struct tw_err *e)
{
	uint64_t lines = (uint64_t)w->credit * 4 + 4096; /* rows that are no events cost no credit */
	uint32_t events = 0;

	while (events < w->credit && lines--) {
		struct file *f = merge_top(s);
		int32_t rc = TW_OK;

		if (!f)
			return TW_DONE;
		switch (f->item.status) {
		case ITEM_EVENT:
			if (s->pace > 0 && !is_due(s, f->item.ts, &timeout_ms))
				return TW_AGAIN;
			w->where = f->where;
			w->raw = f->item.raw;
			w->raw_len = f->item.raw_len < RAW_MAX_BYTES ? f->item.raw_len : RAW_MAX_BYTES;
			rc = w->put(w, f->item.kind, f->item.ts, f->item.n, f->item.s);
			if (rc < 0 && rc != TW_E_DATA)
				return csv_fail(e, rc, "%s: the event could not be handed over", f->where);
			rc = TW_OK;
			events++;
			break;
		case ITEM_SKIP:
			w->skip(w, 1);
			break;
		case ITEM_FAILED:
			if (!s->failed)
				csv_fail(&s->failure, TW_E_FATAL, "%s: %s", f->path, f->item.detail);
			s->failed = true;
			rc = reject(f, w);
			break;
		case ITEM_IO:
			return csv_fail(e, TW_E_IO, "%s: cannot be read on: %s", f->path, strerror(f->r.error));
		default:
			rc = reject(f, w);
			break;
		}
		merge_take(s, f);
		++*taken;
		if (rc < 0)
			return csv_fail(e, rc, "%s: too many rows are refused (`max_bad`); the last one: %s", f->where,
					f->item.detail);
	}
	return TW_OK;
}

static int32_t csv_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct csv *s = self;
	uint64_t taken = 0;
	struct tw_pos pos;
	int32_t rc, marked;

	rc = pump(s, w, timeout_ms, &taken, e);
	if (taken) {
		position_write(s, &pos);
		marked = w->mark(w, &pos);
		if (marked < 0 && rc >= 0)
			return csv_fail(e, marked, "%s: the position could not be recorded", s->files[0].path);
	}
	if (rc == TW_DONE && s->failed) {
		if (e)
			*e = s->failure;
		return TW_E_FATAL;
	}
	return rc;
}

static void csv_wakeup(void *self)
{
	struct csv *s = self;
	uint64_t one = 1;
	ssize_t n;

	if (s->wake_fd) {
		n = write(s->wake_fd - 1, &one, sizeof one);
		(void)n; /* full: it is awake already */
	}
}

static int32_t csv_finite(const void *self)
{
	(void)self;
	return 1;
}

static void csv_progress(const void *self, uint64_t *done, uint64_t *total)
{
	const struct csv *s = self;

	*done = *total = 0;
	for (uint32_t i = 0; i < s->n_files; i++) {
		const struct file *f = &s->files[i];

		*total += f->size;
		if (f->sorted)
			*done += f->n_sorted ? f->size * f->sorted_at / f->n_sorted : f->size;
		else
			*done += f->r.bytes_in < f->size ? f->r.bytes_in : f->size;
	}
}

TW_SOURCE(.name = "csv", .version = "1.0.0",
	  .summary = "text files with one event a line: ticks, bars, trades, account histories, any columns",
	  .options = options, .self_size = sizeof(struct csv),
	  .doc = "Known without a word of configuration: TrueFX, HistData and Dukascopy ticks; candles with a header "
		 "(date or time, open, high, low, close, and volume where there is one) and HistData or MetaTrader "
		 "candles without; mql5.com signal exports with 11 or 13 columns and MetaTrader statements as CSV; "
		 "trades, "
		 "quotes, calendars and balances whose header names them; and plain `timestamp,value` series. For "
		 "everything else `columns:` says which field stands where.\n\n"
		 "Times without a zone are read in `timezone`, by default UTC; a date alone is its first moment. Times "
		 "such "
		 "as 01/04/2016 need a timezone. Bare numbers count from 1970 in s, ms, us or ns by their size.\n\n"
		 "Rows that do not fit go to the dead-letter log with file, line, column and reason, and reading goes "
		 "on. "
		 "Headers, empty rows and footers are skipped and counted. A packed file that ends early gives all its "
		 "complete rows, and then the source fails with a sentence.\n\n"
		 "Of account histories, Buy and Sell rows are deals at their close time, pending orders are orders "
		 "that "
		 "were cancelled, Balance and Credit are account events. Commission and swap that are empty are 0; "
		 "taxes "
		 "are added to the commission; S/L and T/P of 0 are absent.\n\n"
		 "After a restart the source goes on behind the last recorded row; a file may have grown at its end, "
		 "any other change to what was read is refused.",
	  .check = check, .open = csv_open, .poll = csv_poll, .close = csv_close, .wakeup = csv_wakeup,
	  .finite = csv_finite, .progress = csv_progress)
