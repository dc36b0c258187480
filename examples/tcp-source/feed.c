/* SPDX-License-Identifier: Apache-2.0
 *
 * feed: quotes and trades from a broker that numbers its messages and can send them again.
 *
 *   we say    {"resume_from": 17}                              once, after connecting
 *   it says   {"feed": "acme-7", "first": 1, "next": 42}       what it has, then from 17 on:
 *             {"seq": 17, "ts": 1767607200000000000, "kind": "quote", "symbol": "EURUSD", "bid": 1.1, "ask": 1.2}
 *             {"seq": 18, "ts": ..., "kind": "trade", "symbol": ..., "price": ..., "size": ..., "side": "buy"}
 *             {"heartbeat": true, "next": 19}                  when nothing else happens
 *             {"end": true, "next": 43}                        after the last one there will ever be
 *   we say    {"done": true}                                   to that
 *
 * A heartbeat says what comes next, or the loss of the last message would go unnoticed until there is another.
 *
 * Every message gets in exactly once. The position is the number that comes next, recorded by the host in one commit
 * with the events before it; a number below it is a repetition, one above it a gap. What is missing is asked for again
 * once; what the broker does not have any more goes to the dead letters as `gap`, so that the books balance.
 *
 * A line that cannot be read has no number. It takes the place of a number if that is missing then; until that is
 * known it is counted in the position, so that it does not become a second dead letter after a restart.
 */
#include "feed.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct feed {
	const char *host; /* options */
	int64_t port, timeout;
	struct connection *connection;
	uint64_t next;     /* the number that is to come */
	uint64_t unread;   /* lines without a number since the last that had one */
	uint64_t repeated; /* of those, how many are still to come again after a restart */
	uint64_t asked;    /* what is missing before this number was asked for already */
	char name[64];     /* of the feed; "" before the first hello */
};

struct position { /* what struct tw_pos holds */
	char magic[8];
	uint64_t next, unread;
	char name[64];
};
static const char magic[8] = "feed 1";

static const struct tw_option options[] = {
	TW_STRING(struct feed, host, "127.0.0.1", "where the broker listens"),
	TW_INT(struct feed, port, TW_REQUIRED, "1", "65535", "its port"),
	TW_DURATION(struct feed, timeout, "5s", "10ms", "1h", "connect, and hear something, within this time"),
	TW_END,
};

static int32_t TW_PRINTF(3, 4) say(struct tw_err *e, int32_t code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return e->code = code;
}

/* ---- the beginning ---- */

static void feed_close(void *self)
{
	struct feed *f = self;

	if (f->connection)
		connection_close(f->connection);
	free(f->connection);
	f->connection = NULL;
}

static int32_t check_hello(struct feed *f, json_t *hello, struct tw_err *e)
{
	const char *name = json_string_value(json_object_get(hello, "feed"));
	json_int_t first = json_integer_value(json_object_get(hello, "first"));
	json_int_t next = json_integer_value(json_object_get(hello, "next"));

	if (!name || !*name || strlen(name) >= sizeof f->name || first < 1 || next < first)
		return say(e, TW_E_IO, "expected a hello with feed, first and next as the first line");
	if (f->name[0] && strcmp(name, f->name) != 0)
		return say(e, TW_E_FATAL,
			   "this is feed '%s' and the tape has '%s', so numbers mean something else; "
			   "begin with a new folder (-d)",
			   name, f->name);
	if ((uint64_t)next < f->next)
		return say(e, TW_E_FATAL,
			   "the broker is at message %" PRIu64 " and the tape at %" PRIu64
			   ", so it has forgotten what it sent; begin with a new folder (-d)",
			   (uint64_t)next, f->next);
	snprintf(f->name, sizeof f->name, "%s", name);
	if ((uint64_t)first > f->next)
		f->asked = f->next; /* it does not have them: no use in asking */
	return TW_OK;
}

static int32_t greet(struct feed *f, struct tw_err *e)
{
	int64_t end = monotonic_ns() + f->timeout;
	const char *line;
	uint32_t len;
	char text[64];
	json_t *hello;
	int32_t rc;
	int got;

	snprintf(text, sizeof text, "{\"resume_from\": %" PRIu64 "}\n", f->next);
	rc = connection_send(f->connection, text, e);
	if (rc < 0)
		return rc;
	while ((got = connection_line(f->connection, &line, &len)) == LINE_NONE && monotonic_ns() < end)
		connection_wait(f->connection, 100);
	if (got != LINE)
		return say(e, TW_E_IO, "the broker does not say hello");
	hello = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	rc = check_hello(f, hello, e);
	json_decref(hello);
	return rc;
}

/* The host calls this again, with a longer pause each time, after everything that ended in TW_E_IO. */
static int32_t feed_open(void *self, const struct tw_host *host, const struct tw_pos *resume, struct tw_err *e)
{
	struct feed *f = self;
	struct position p = { .next = 1 };
	int32_t rc;

	if (resume) {
		if (resume->len != sizeof p || memcmp(resume->data, magic, sizeof magic) != 0)
			return say(e, TW_E_FATAL, "the position on the tape is not of this plugin");
		memcpy(&p, resume->data, sizeof p);
	}
	f->next = p.next;
	f->unread = f->repeated = p.unread;
	snprintf(f->name, sizeof f->name, "%.*s", (int)sizeof p.name - 1, p.name);
	f->connection = malloc(sizeof *f->connection);
	if (!f->connection)
		return say(e, TW_E_FATAL, "memory is out");
	rc = connection_open(f->connection, f->host, f->port, f->timeout, e);
	if (rc == TW_OK)
		rc = greet(f, e);
	if (rc < 0)
		feed_close(f);
	else
		host->log(host, TW_LOG_INFO, "feed '%s', from message %" PRIu64, f->name, f->next);
	return rc;
}

/* ---- events ---- */

static int32_t mark(const struct feed *f, struct tw_writer *w)
{
	struct position p = { .next = f->next, .unread = f->unread };
	struct tw_pos pos = { .len = sizeof p };

	memcpy(p.magic, magic, sizeof magic);
	memcpy(p.name, f->name, sizeof p.name);
	memcpy(pos.data, &p, sizeof p);
	return w->mark(w, &pos);
}

static struct tw_str text(json_t *o, const char *name)
{
	json_t *v = json_object_get(o, name);

	return tw_text(json_string_value(v), json_string_length(v)); /* absent when it is no text */
}

static double number(json_t *o, const char *name)
{
	json_t *v = json_object_get(o, name);

	return json_is_number(v) ? json_number_value(v) : TW_NONE;
}

static int is(struct tw_str s, const char *word)
{
	return s.s && s.len == strlen(word) && memcmp(s.s, word, s.len) == 0;
}

/* What is no valid event the host puts among the dead letters by itself, with the line and its number. */
static int32_t push(struct tw_writer *w, json_t *o, const char *where, const char *line, uint32_t len)
{
	int64_t ts = json_integer_value(json_object_get(o, "ts"));
	struct tw_str kind = text(o, "kind"), side = text(o, "side");
	int32_t rc;

	w->where = where;
	w->raw = line;
	w->raw_len = len;
	if (is(kind, "quote"))
		rc = tw_push_quote(w, ts, text(o, "symbol"), number(o, "bid"), number(o, "ask"), number(o, "bid_size"),
				   number(o, "ask_size"));
	else if (is(kind, "trade"))
		rc = tw_push_trade(w, ts, text(o, "symbol"), number(o, "price"), number(o, "size"),
				   is(side, "buy")    ? TW_BUY
				   : is(side, "sell") ? TW_SELL
						      : TW_SIDE_NONE,
				   text(o, "account"), tw_none, text(o, "trade_id"));
	else
		rc = w->reject(w, "unknown_kind", where, "expected kind quote or trade", line, len);
	w->where = w->raw = NULL;
	w->raw_len = 0;
	return rc == TW_E_DATA ? TW_OK : rc; /* the host keeps the books of max_bad */
}

/* ---- lines ---- */

enum { GO_ON, PAUSE, AGAIN }; /* PAUSE: end this poll; AGAIN: and look at the same line once more in the next */

/* Messages up to `seq` are not here. */
static int32_t missing(struct feed *f, struct tw_writer *w, uint64_t seq, int *todo, struct tw_err *e)
{
	char detail[128];
	int32_t rc;

	if (f->asked != f->next) {
		f->asked = f->next;
		return say(e, TW_E_IO, "message %" PRIu64 " was to come and %" PRIu64 " came: asking again", f->next,
			   seq);
	}
	snprintf(detail, sizeof detail, "messages %" PRIu64 " to %" PRIu64 " are lost: the broker does not have them",
		 f->next, seq - 1);
	rc = w->reject(w, "gap", f->name, detail, NULL, 0);
	f->next = seq;
	f->unread = f->repeated = 0;
	*todo = AGAIN;
	return rc;
}

/* A line that tells nothing. It ends the poll, so that position and dead letter are recorded together. */
static int32_t unreadable(struct feed *f, struct tw_writer *w, const char *detail, const char *line, uint32_t len,
			  int *todo)
{
	char where[96];

	if (f->repeated) { /* said before the restart */
		f->repeated--;
		w->skip(w, 1);
		return TW_OK;
	}
	snprintf(where, sizeof where, "%s:%" PRIu64, f->name, f->next + f->unread);
	f->unread++;
	*todo = PAUSE;
	return w->reject(w, "bad_line", where, detail, line, len);
}

static int32_t message(struct feed *f, struct tw_writer *w, json_t *o, const char *line, uint32_t len, int *todo,
		       struct tw_err *e)
{
	json_t *number_of = json_object_get(o, "seq");
	uint64_t seq = (uint64_t)json_integer_value(number_of);
	json_int_t next = json_integer_value(json_object_get(o, "next"));
	int heartbeat = json_is_true(json_object_get(o, "heartbeat")), end = json_is_true(json_object_get(o, "end"));
	char where[96];

	if (heartbeat || end) {
		if (next > 0 && (uint64_t)next > f->next + f->unread)
			return missing(f, w, (uint64_t)next, todo, e);
		if (heartbeat)
			return TW_OK;
		(void)connection_send(f->connection, "{\"done\": true}\n", e);
		return TW_DONE;
	}
	if (!json_is_integer(number_of) || json_integer_value(number_of) < 1)
		return unreadable(f, w, "expected a message with seq, an integer from 1", line, len, todo);
	if (seq < f->next) { /* sent twice */
		w->skip(w, 1);
		return TW_OK;
	}
	if (seq > f->next + f->unread)
		return missing(f, w, seq, todo, e);
	f->next = seq + 1;
	f->unread = f->repeated = 0;
	snprintf(where, sizeof where, "%s:%" PRIu64, f->name, seq);
	return push(w, o, where, line, len);
}

static int32_t one_line(struct feed *f, struct tw_writer *w, int got, const char *line, uint32_t len, int *todo,
			struct tw_err *e)
{
	json_error_t why;
	json_t *o;
	int32_t rc;

	if (got == LINE_TOO_LONG)
		return unreadable(f, w, "the line is longer than 64 KiB", line, len, todo);
	o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(o))
		rc = unreadable(f, w, o ? "expected an object" : why.text, line, len, todo);
	else
		rc = message(f, w, o, line, len, todo, e);
	json_decref(o);
	return rc;
}

static int32_t feed_poll(void *self, struct tw_writer *w, int32_t timeout_ms, struct tw_err *e)
{
	struct feed *f = self;
	int32_t rc = TW_OK, marked;
	int got = LINE_NONE, todo = GO_ON;
	uint32_t taken = 0;
	uint64_t next = f->next, unread = f->unread;

	for (; rc == TW_OK && todo == GO_ON && taken < w->credit; taken++) {
		const char *line = NULL;
		uint32_t len = 0;
		got = connection_line(f->connection, &line, &len);
		if (got == LINE_NONE && !taken) {
			connection_wait(f->connection, timeout_ms);
			got = connection_line(f->connection, &line, &len);
		}
		if (got != LINE && got != LINE_TOO_LONG)
			break;
		rc = one_line(f, w, got, line, len, &todo, e);
		if (todo == AGAIN)
			connection_unread(f->connection, len);
	}
	if (f->next != next || f->unread != unread) {
		marked = mark(f, w);
		if (marked < 0 && rc >= 0)
			return say(e, marked, "the position could not be recorded");
	}
	if (rc == TW_E_DATA)
		return say(e, rc, "too many lines are no messages (max_bad)");
	if (rc != TW_OK)
		return rc;
	if (got == LINE_END)
		return say(e, TW_E_IO, "the broker has closed the connection");
	if (got == LINE_ERROR)
		return say(e, TW_E_IO, "the connection has broken");
	if (got == LINE_NONE && monotonic_ns() - f->connection->heard > f->timeout)
		return say(e, TW_E_IO, "nothing was heard for %.6g s, not even a heartbeat", (double)f->timeout / 1e9);
	return taken ? TW_OK : TW_AGAIN;
}

TW_SOURCE(.name = "feed", .version = "1.0.0", .summary = "a broker's messages, JSON lines over TCP, each exactly once",
	  .options = options, .self_size = sizeof(struct feed), .open = feed_open, .poll = feed_poll,
	  .close = feed_close)
