/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines: limited per instance, escaped, and written to stderr with one write() each.
 */
#include "base/log.h"
#include "base/format.h"
#include "base/hash.h"
#include "base/os.h"
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096 /* what a pipe takes in one piece */
#define TEXT_MAX_BYTES 3072
#define WHO_MAX_BYTES  64
#define FIELDS_MAX     16
#define FIELD_ROOM     256 /* of a line: below it no further field is begun */
#define LIMITS         256 /* instances told apart; those beyond share one limit */
#define BURST          20
#define PER_SECOND     5
#define ERROR_CREDIT   10 /* errors may overdraw by this much, so that chatter does not hide them */
#define SECOND         INT64_C(1000000000)

/* How much one instance may still say. */
struct limit {
	char who[WHO_MAX_BYTES]; /* "" for the shared one */
	int64_t tokens;          /* in ns of refill: one line costs SECOND / PER_SECOND */
	int64_t seen;
	uint64_t dropped; /* since its last line */
	bool used;
};

static struct {
	pthread_mutex_t lock;
	enum log_format format;
	int32_t level;
	bool colour;
	void (*before)(void);
	void (*after)(void);
	uint64_t dropped;
	struct limit limits[LIMITS + 1];
} log_state = { .lock = PTHREAD_MUTEX_INITIALIZER, .level = TW_LOG_INFO };

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const char *const level_colours[] = { "\033[2m", "\033[36m", "\033[33m", "\033[31m" };

void log_setup(enum log_format format, int32_t level)
{
	bool colour = format == LOG_TEXT && isatty(STDERR_FILENO) && !getenv("NO_COLOR");

	pthread_mutex_lock(&log_state.lock);
	log_state.format = format;
	__atomic_store_n(&log_state.level, level, __ATOMIC_RELAXED);
	log_state.colour = colour;
	pthread_mutex_unlock(&log_state.lock);
}

void log_around(void (*before)(void), void (*after)(void))
{
	pthread_mutex_lock(&log_state.lock);
	log_state.before = before;
	log_state.after = after;
	pthread_mutex_unlock(&log_state.lock);
}

uint64_t log_dropped(void)
{
	return __atomic_load_n(&log_state.dropped, __ATOMIC_RELAXED);
}

/* ---- the limit ---- */

static struct limit *limit_of(const char *who)
{
	size_t len = strnlen(who, WHO_MAX_BYTES - 1);
	size_t start = (size_t)(hash_bytes(who, len) % LIMITS);

	struct limit *l = NULL;

	for (size_t i = 0; i <= LIMITS; i++) {
		l = &log_state.limits[i < LIMITS ? (start + i) % LIMITS : LIMITS];
		if (!l->used) {
			if (i < LIMITS)
				memcpy(l->who, who, len);
			l->used = true;
			l->tokens = BURST * (SECOND / PER_SECOND);
			l->seen = os->mono();
			return l;
		}
		if (strncmp(l->who, who, len) == 0 && l->who[len] == '\0')
			return l;
	}
	return l; /* the table is full: the shared one */
}

/* May this line be said? *ret: how many were not, since the last that was. */
static bool limit_take(const char *who, int32_t level, uint64_t *ret)
{
	const int64_t cost = SECOND / PER_SECOND;
	struct limit *l = limit_of(who);
	int64_t now = os->mono(), passed = now - l->seen;

	if (passed > BURST * cost)
		passed = BURST * cost;
	if (passed > 0)
		l->tokens += passed;
	if (l->tokens > BURST * cost)
		l->tokens = BURST * cost;
	l->seen = now;
	if (l->tokens - cost < (level >= TW_LOG_ERROR ? -ERROR_CREDIT * cost : 0)) {
		l->dropped++;
		__atomic_fetch_add(&log_state.dropped, 1, __ATOMIC_RELAXED);
		return false;
	}
	l->tokens -= cost;
	*ret = l->dropped;
	l->dropped = 0;
	return true;
}

/* ---- the line ---- */

struct line {
	size_t len;
	char text[LINE_MAX_BYTES];
};

static bool add_within(struct line *l, size_t limit, const char *s, size_t n)
{
	if (l->len > limit || n > limit - l->len)
		return false;
	memcpy(l->text + l->len, s, n);
	l->len += n;
	return true;
}

/* For text of any length. */
static bool add(struct line *l, const char *s, size_t n)
{
	/* Room is left for the closing quote, the count of dropped lines and the newline. */
	return add_within(l, sizeof l->text - 128, s, n);
}

static void addz(struct line *l, const char *s)
{
	add_within(l, sizeof l->text - 1, s, strlen(s));
}

/* Length of the UTF-8 sequence at s, 0 when it is not one. Surrogates and overlong forms are not. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* Text that may come from anywhere: no byte of it may steer a terminal, start a new line or leave its JSON string. */
static void add_escaped(struct line *l, const char *text, bool json)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)text;

	for (size_t n = strlen(text); n > 0;) {
		size_t len = utf8_length(s, n);
		char escape[7] = "\\u00";
		bool fits;

		if (len == 0) { /* not UTF-8 */
			if (json)
				fits = add(l, "\xef\xbf\xbd", 3);
			else
				fits = add(l, (char[]){ '\\', 'x', hex[*s >> 4], hex[*s & 15] }, 4);
			len = 1;
		} else if (*s == '\n' || *s == '\t' || *s == '\r') {
			fits = add(l, *s == '\n' ? "\\n" : *s == '\t' ? "\\t" : "\\r", 2);
		} else if (*s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0)) { /* C0, DEL, C1 */
			unsigned char c = len == 2 ? s[1] : *s;

			escape[4] = hex[c >> 4];
			escape[5] = hex[c & 15];
			fits = add(l, escape, 6);
		} else if (json && (*s == '"' || *s == '\\')) {
			fits = add(l, (char[]){ '\\', (char)*s }, 2);
		} else {
			fits = add(l, (const char *)s, len);
		}
		if (!fits)
			return;
		s += len;
		n -= len;
	}
}

static void addf(struct line *l, const char *fmt, ...) TW_PRINTF(2, 3);
static void addf(struct line *l, const char *fmt, ...)
{
	char text[96];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = format_text(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n > 0)
		add_within(l, sizeof l->text - 1, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* "2026-01-02T03:04:05.678Z": always three digits, so that lines stand in columns. */
static void make_time(char out[40])
{
	int64_t now = os->wall();
	int len = format_time(out, now - now % 1000000);

	if (len == 20) /* no fraction */
		memcpy(out + 19, ".000Z", 6);
}

/* What one line says. */
struct saying {
	int32_t level;
	const char *who, *text;
	const struct tw_field *fields;
	uint32_t n_fields;
	uint64_t dropped;
};

static void add_field_number(struct line *l, double v, bool json)
{
	if (json && !(v - v == 0)) /* JSON has no NaN and no infinity */
		addz(l, "null");
	else
		addf(l, "%.15g", v);
}

/* key=value; in quotes when there are blanks in it. */
static void add_fields_text(struct line *l, const struct saying *s)
{
	for (uint32_t i = 0; i < s->n_fields; i++) {
		const struct tw_field *f = &s->fields[i];
		if (l->len > sizeof l->text - FIELD_ROOM)
			return;
		bool quote = f->text && (!*f->text || strpbrk(f->text, " \"="));
		addz(l, " ");
		add_escaped(l, f->key ? f->key : "?", false);
		addz(l, quote ? "=\"" : "=");
		if (f->text)
			add_escaped(l, f->text, quote);
		else
			add_field_number(l, f->number, false);
		if (quote)
			addz(l, "\"");
	}
}

static void add_fields_json(struct line *l, const struct saying *s)
{
	if (!s->n_fields)
		return;
	addz(l, ",\"fields\":{");
	for (uint32_t i = 0; i < s->n_fields; i++) {
		const struct tw_field *f = &s->fields[i];
		if (l->len > sizeof l->text - FIELD_ROOM) /* half a field would break the object */
			break;
		addz(l, i ? ",\"" : "\"");
		add_escaped(l, f->key ? f->key : "?", true);
		addz(l, f->text ? "\":\"" : "\":");
		if (f->text)
			add_escaped(l, f->text, true);
		else
			add_field_number(l, f->number, true);
		if (f->text)
			addz(l, "\"");
	}
	addz(l, "}");
}

static void make_text(struct line *l, const struct saying *s)
{
	bool colour = log_state.colour;
	char time[40];

	make_time(time);
	time[10] = ' ';
	time[23] = '\0';
	addf(l, "%s ", time);
	if (colour)
		addz(l, level_colours[s->level]);
	addf(l, "%-5s", level_names[s->level]);
	if (colour)
		addz(l, "\033[0m");
	addz(l, " ");
	add_escaped(l, s->who, false);
	addz(l, ": ");
	add_escaped(l, s->text, false);
	add_fields_text(l, s);
	if (s->dropped)
		addf(l, " (%" PRIu64 " lines before this one were left out)", s->dropped);
}

static void make_json(struct line *l, const struct saying *s)
{
	char time[40];

	make_time(time);
	addf(l, "{\"time\":\"%s\",\"level\":\"%s\",\"who\":\"", time, level_names[s->level]);
	add_escaped(l, s->who, true);
	addz(l, "\",\"text\":\"");
	add_escaped(l, s->text, true);
	addz(l, "\"");
	add_fields_json(l, s);
	if (s->dropped)
		addf(l, ",\"dropped\":%" PRIu64, s->dropped);
	addz(l, "}");
}

static void write_line(const struct line *l)
{
	size_t done = 0;

	while (done < l->len) {
		ssize_t n = os->write(STDERR_FILENO, l->text + done, l->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* nobody reads it; there is no better place to say so */
			return;
		done += (size_t)n;
	}
}

/* The limit comes first: a swallowed line must be cheap. */
static bool may_say(int32_t *level, const char **who, uint64_t *dropped)
{
	bool may;

	if (*level < TW_LOG_DEBUG)
		*level = TW_LOG_DEBUG;
	if (*level > TW_LOG_ERROR)
		*level = TW_LOG_ERROR;
	if (*level < __atomic_load_n(&log_state.level, __ATOMIC_RELAXED))
		return false;
	if (!*who || !**who)
		*who = "host";
	pthread_mutex_lock(&log_state.lock);
	may = limit_take(*who, *level, dropped);
	pthread_mutex_unlock(&log_state.lock);
	return may;
}

static void say(const struct saying *s)
{
	struct line line;

	pthread_mutex_lock(&log_state.lock);
	line.len = 0;
	if (log_state.format == LOG_JSON)
		make_json(&line, s);
	else
		make_text(&line, s);
	line.text[line.len++] = '\n';
	/* The hooks must not log: they run under the lock that keeps lines apart. */
	if (log_state.before)
		log_state.before();
	write_line(&line);
	if (log_state.after)
		log_state.after();
	pthread_mutex_unlock(&log_state.lock);
}

void log_linev(int32_t level, const char *who, const char *fmt, __builtin_va_list ap)
{
	char text[TEXT_MAX_BYTES];
	uint64_t dropped = 0;
	int n, saved = errno;

	if (!may_say(&level, &who, &dropped))
		return;
	n = format_text(text, sizeof text, fmt, ap);
	if (n < 0)
		memcpy(text, "?", 2);
	else if ((size_t)n >= sizeof text)
		memcpy(text + sizeof text - 4, "...", 4);
	say(&(struct saying){ .level = level, .who = who, .text = text, .dropped = dropped });
	errno = saved;
}

void log_fields(int32_t level, const char *who, const char *text, const struct tw_field *fields, uint32_t n)
{
	uint64_t dropped = 0;
	int saved = errno;

	if (may_say(&level, &who, &dropped))
		say(&(struct saying){ .level = level,
				      .who = who,
				      .text = text ? text : "",
				      .fields = fields,
				      .n_fields = n < FIELDS_MAX ? n : FIELDS_MAX,
				      .dropped = dropped });
	errno = saved;
}

void log_line(int32_t level, const char *who, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_linev(level, who, fmt, ap);
	va_end(ap);
}
