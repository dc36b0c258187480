/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch alerts: reads the alert log, also while another process writes it.
 */
#include "base/os.h"
#include "cli/cli.h"
#include "config/config.h"
#include "event/event.h"
#include "state/digest.h"
#include "state/store.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FOLLOW_PAUSE_NS 100000000
#define FLUSH_BYTES     65536u

struct args {
	const char *dir, *symbol, *account, *detector, *severity, *since;
	bool json, follow, digest;
	uint64_t limit;
};

static const struct cli_option options[] = {
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct args, dir), "the data folder (default " CLI_DEFAULT_DIR ")" },
	{ "json", 'j', CLI_FLAG, NULL, offsetof(struct args, json), "one JSON object a line, with every field" },
	{ "symbol", 's', CLI_TEXT, "GLOB", offsetof(struct args, symbol), "alerts about these symbols; * and ? match" },
	{ "account", 'a', CLI_TEXT, "GLOB", offsetof(struct args, account), "alerts about these accounts" },
	{ "detector", 'D', CLI_TEXT, "GLOB", offsetof(struct args, detector),
	  "alerts of these detectors (instance names)" },
	{ "severity", 0, CLI_TEXT, "LEVEL", offsetof(struct args, severity),
	  "this severe or more: info, low, medium, high, critical" },
	{ "since", 0, CLI_TEXT, "TIME", offsetof(struct args, since),
	  "from this event time on: 2026-01-31, 2026-01-31T10:30:00Z, or 1h back from now" },
	{ "limit", 'n', CLI_NUMBER, "N", offsetof(struct args, limit), "end after N alerts" },
	{ "follow", 'f', CLI_FLAG, NULL, offsetof(struct args, follow), "wait for more" },
	{ "digest", 0, CLI_FLAG, NULL, offsetof(struct args, digest),
	  "print one SHA-256 over all alerts, the same for every run over the same input" },
	CLI_END,
};

static int run(int argc, char **argv);
const struct verb verb_alerts = {
	.name = "alerts",
	.summary = "read the alert log",
	.usage = "[-d DIR] [--json] [--symbol GLOB] [--account GLOB] [--detector GLOB]\n"
		 " [--severity LEVEL] [--since TIME] [--limit N] [--follow]\n"
		 "[-d DIR] --digest",
	.run = run,
	.options = options,
	.more = "On a terminal a table; in a pipe one line each: time, severity, detector, symbol, account, type and\n"
		"reason between tabs.",
};

struct view {
	const struct args *args;
	uint32_t severity;
	int64_t since;
	uint64_t shown;
	int width; /* of the terminal; 0: a pipe */
	bool colour;
	struct buf out;
	struct arena scratch;
};

static bool matches(const char *glob, struct tw_str s, struct arena *scratch)
{
	if (!glob)
		return true;
	const char *text = arena_text(scratch, s.s ? s.s : "", s.s ? s.len : 0);
	return text && glob_match(glob, text);
}

static bool wanted(struct view *v, const struct tw_event *ev)
{
	const struct tw_alert *a = &ev->alert;

	return ev->kind == TW_ALERT && ev->ts >= v->since && a->severity >= v->severity &&
	       matches(v->args->symbol, a->symbol, &v->scratch) && matches(v->args->account, a->account, &v->scratch) &&
	       matches(v->args->detector, a->detector, &v->scratch);
}

static const char *severity_name(uint32_t severity)
{
	static const char *const names[] = { "-", "info", "low", "medium", "high", "critical" };
	return names[severity <= TW_CRITICAL ? severity : 0];
}

/* Text in a column of its own width: cut or filled with blanks, two blanks behind it. */
static int column(struct buf *out, struct tw_str s, uint32_t width)
{
	size_t from = out->len;
	if (cli_text(out, s.s, s.s ? s.len : 0, width))
		return -1;
	size_t columns = 0;
	for (size_t i = from; i < out->len; i++)
		columns += (out->data[i] & 0xc0) != 0x80;
	return buf_addf(out, "%*s", (int)(width - columns) + 2, "");
}

static int table_head(struct buf *out)
{
	return buf_addf(out, "%-23s  %-8s  %-16s  %-20s  %s\n", "TIME (UTC)", "SEVERITY", "DETECTOR", "SUBJECT",
			"REASON");
}

static int table_line(struct view *v, const struct tw_event *ev)
{
	static const char *const colours[] = { "", "\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1;97;41m" };
	const struct tw_alert *a = &ev->alert;
	uint32_t severity = a->severity <= TW_CRITICAL ? a->severity : 0;
	struct tw_str subject = a->symbol;
	int bad = 0;

	if (a->account.len && a->symbol.len) {
		subject.s = arena_printf(&v->scratch, "%.*s %.*s", (int)a->symbol.len, a->symbol.s, (int)a->account.len,
					 a->account.s);
		subject.len = subject.s ? a->symbol.len + 1 + a->account.len : 0;
	} else if (a->account.len) {
		subject = a->account;
	}
	bad |= cli_stamp(&v->out, ev->ts);
	bad |= buf_addf(&v->out, "  %s%-8s%s  ", v->colour ? colours[severity] : "", severity_name(severity),
			v->colour ? "\x1b[0m" : "");
	bad |= column(&v->out, a->detector, 16);
	bad |= column(&v->out, subject, 20);
	bad |= cli_text(&v->out, a->reason.s, a->reason.s ? a->reason.len : 0, 0);
	return bad | buf_addf(&v->out, "\n");
}

static int pipe_line(struct view *v, const struct tw_event *ev)
{
	const struct tw_alert *a = &ev->alert;
	const struct tw_str texts[] = { a->detector, a->symbol, a->account, a->type, a->reason };
	int bad = cli_stamp(&v->out, ev->ts);

	bad |= buf_addf(&v->out, "\t%s", severity_name(a->severity));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		bad |= buf_addf(&v->out, "\t");
		bad |= cli_text(&v->out, texts[i].s, texts[i].s ? texts[i].len : 0, 0);
	}
	return bad | buf_addf(&v->out, "\n");
}

static int show(struct view *v, const struct tw_event *ev)
{
	if (v->args->json)
		return event_json(&v->out, ev, NULL) < 0 ? -1 : buf_addf(&v->out, "\n");
	if (!v->width)
		return pipe_line(v, ev);
	return (v->shown ? 0 : table_head(&v->out)) | table_line(v, ev);
}

/* CLI_GO: read on. */
static int show_block(struct view *v, const struct block *b)
{
	const unsigned char *bytes;
	size_t at = 0, len;
	struct tw_event ev;
	int code;

	while (alert_record(b, &at, &bytes, &len)) {
		arena_reset(&v->scratch);
		if (event_decode(&ev, bytes, len, NULL, &v->scratch) != len)
			return cli_fail(CLI_STORE, "alerts", "a record behind number %" PRIu64 " cannot be read",
					b->first);
		if (!wanted(v, &ev))
			continue;
		if (show(v, &ev))
			return cli_fail(CLI_GAVE_UP, "alerts", "out of memory");
		v->shown++;
		if (v->out.len >= FLUSH_BYTES && !cli_write(&v->out, "alerts", &code))
			return code;
		if (v->shown == v->args->limit)
			return cli_write(&v->out, "alerts", &code) ? CLI_OK : code;
	}
	return CLI_GO;
}

/* Wait a little; false when nobody reads our output any more. */
static bool pause_for_more(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO };
	struct timespec pause = { 0, FOLLOW_PAUSE_NS };
	return ppoll(&p, 1, &pause, NULL) <= 0 || !(p.revents & (POLLERR | POLLNVAL));
}

static int read_log(struct view *v, struct store *s)
{
	struct log_reader *reader = NULL;
	struct tw_err e = { 0 };
	struct block b;
	int code = CLI_GO;

	int32_t rc = log_reader_open(&reader, s, LOG_ALERTS, 1, &e);
	while (rc >= 0 && code == CLI_GO) {
		rc = log_reader_next(reader, &b, &e);
		if (rc == TW_OK)
			code = show_block(v, &b);
		else if (rc > 0 && !cli_write(&v->out, "alerts", &code))
			break;
		else if (rc > 0 && (!v->args->follow || !pause_for_more()))
			code = CLI_OK;
	}
	if (rc < 0) {
		int written;
		cli_write(&v->out, "alerts", &written);
		code = cli_fail(cli_store_code(rc), "alerts", "%s", e.msg);
	}
	log_reader_close(reader);
	return code;
}

static int print_digest(struct store *s)
{
	char hex[65];
	struct tw_err e = { 0 };
	struct buf out = { 0 };
	int code = CLI_OK;

	uint64_t first = store_first_alert(s);

	int32_t rc = alerts_digest(s, hex, NULL, &e);
	if (rc < 0)
		return cli_fail(cli_store_code(rc), "alerts", "%s", e.msg);
	if (first > 1) /* two digests may differ for this reason alone */
		cli_fail(CLI_OK, "alerts",
			 "the log begins with record %" PRIu64
			 ", what was before is given up; the digest is of the rest",
			 first);
	if (buf_addf(&out, "%s\n", hex) || !cli_write(&out, "alerts", &code))
		code = code ? code : CLI_GAVE_UP;
	buf_free(&out);
	return code;
}

static int check_args(const struct args *a, struct view *v)
{
	if (a->severity && !(v->severity = cli_severity(a->severity)))
		return cli_misuse(&verb_alerts, "--severity: '%s' is none of info, low, medium, high, critical",
				  a->severity);
	if (a->since && parse_time(a->since, os->wall(), &v->since) < 0)
		return cli_misuse(&verb_alerts,
				  "--since: '%s' is no time such as 2026-01-31, 2026-01-31T10:30:00Z or 1h", a->since);
	if (a->digest &&
	    (a->symbol || a->account || a->detector || a->severity || a->since || a->limit || a->follow || a->json))
		return cli_misuse(&verb_alerts, "--digest is over all alerts; it takes no other option than -d");
	return CLI_GO;
}

static int run(int argc, char **argv)
{
	struct args a = { .dir = CLI_DEFAULT_DIR };
	struct view v = { .args = &a, .since = INT64_MIN };
	struct store *s = NULL;
	struct tw_err e = { 0 };

	int code = cli_parse(&verb_alerts, &argc, argv, &a, 0);
	if (code == CLI_GO)
		code = check_args(&a, &v);
	if (code != CLI_GO)
		return code;
	if (!store_exists(a.dir))
		return cli_fail(CLI_USAGE, "alerts", "there is no store in %s; name the data folder of a run with -d",
				a.dir);
	v.width = cli_width(stdout);
	v.colour = cli_colour(stdout);

	int32_t rc = cli_store_read(&s, a.dir, &e);
	if (rc < 0)
		return cli_fail(cli_store_code(rc), "alerts", "%s", e.msg);
	code = a.digest ? print_digest(s) : read_log(&v, s);
	store_close(s);
	buf_free(&v.out);
	arena_free(&v.scratch);
	return code;
}
