/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch state drop and mv. Each is one transaction over the newest checkpoint, or over the cursors of the sinks;
 * what does not change is not written.
 */
#include "cli/state.h"
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

struct change {
	const struct state_args *args;
	const char *name;
	struct catalogue *c;
	struct state_value *values; /* what goes */
	uint64_t n, cap;
	struct buf lines;
};

static bool add_value(struct change *ch, struct state_value v)
{
	if (ch->n == ch->cap) {
		uint64_t cap = ch->cap ? 2 * ch->cap : 256;
		struct state_value *more = realloc(ch->values, cap * sizeof *more);

		if (!more)
			return false;
		ch->values = more;
		ch->cap = cap;
	}
	ch->values[ch->n++] = v;
	return true;
}

static int32_t choose(void *arg, const struct state_entry *e, struct tw_err *err)
{
	struct change *ch = arg;
	const struct catalogue_instance *in = catalogue_find(ch->c, ch->name);
	uint32_t space = SPACE_STATE + (uint32_t)(in - ch->c->instances);

	if (ch->args->key && !state_key_matches(in, e, ch->args->key))
		return TW_OK;
	if (add_value(ch, (struct state_value){ .space = space, .key = e->key }))
		return TW_OK;
	if (err)
		*err = (struct tw_err){ .code = TW_E_FATAL, .msg = "memory is out" };
	return TW_E_FATAL;
}

static int change_begin(struct change *ch, const struct state_args *a, const char *name)
{
	*ch = (struct change){ .args = a, .name = name, .c = calloc(1, sizeof *ch->c) };
	return ch->c ? CLI_GO : cli_fail(CLI_GAVE_UP, "state", "out of memory");
}

static void change_end(struct change *ch)
{
	if (ch->c)
		catalogue_free(ch->c);
	free(ch->c);
	free(ch->values);
	buf_free(&ch->lines);
}

/* As of the same event, with the same note. */
static int commit(struct change *ch, struct store *s)
{
	struct checkpoint cp = {
		.seq = ch->c->seq, .note = (const char *)ch->c->note.data, .values = ch->values, .n = ch->n
	};
	struct tw_err e = { 0 };
	int32_t rc = store_commit_checkpoint(s, &cp, &e);

	return rc == TW_OK ? CLI_OK : cli_fail(CLI_STORE, "state", "%s; nothing was changed", e.msg);
}

/* Another name in the lines of the catalogue. */
static bool add_renamed(struct change *ch, const char *to)
{
	struct state_value v = { .space = SPACE_CATALOGUE };

	if (catalogue_rename(ch->c, ch->name, to, &ch->lines) < 0)
		return false;
	v.data = ch->lines.data;
	v.len = (uint32_t)ch->lines.len;
	return add_value(ch, v);
}

static void say_behind(const struct catalogue *c, struct store *s)
{
	uint64_t last = store_last_seq(s);

	if (last > c->seq)
		fprintf(stderr,
			"this is as of event %" PRIu64 ": the next run judges events %" PRIu64 " to %" PRIu64
			" of the tape again\n",
			c->seq, c->seq + 1, last);
}

/* TW_AGAIN: there is no sink of that name. */
static int32_t move_cursor(struct store *s, const char *name, const char *to, int *code)
{
	struct tw_err e = { 0 };
	int32_t rc = store_move_cursor(s, name, to, &e);

	*code = CLI_OK;
	if (rc < 0 || rc == STORE_FULL)
		*code = cli_fail(rc == STORE_FULL ? CLI_STORE : cli_store_code(rc), "state", "%s", e.msg);
	return rc;
}

static int drop_instance(struct change *ch, struct store *s)
{
	uint64_t n = ch->n;
	int code;

	if (ch->args->key && !n)
		return cli_fail(CLI_USAGE, "state", "'%s' has no state of the key '%s'", ch->name, ch->args->key);
	/* A whole instance goes with its line: its version and its errors are forgotten too. */
	if (!ch->args->key && !add_renamed(ch, CATALOGUE_NOBODY))
		return cli_fail(CLI_GAVE_UP, "state", "out of memory");
	code = commit(ch, s);
	if (code != CLI_OK)
		return code;
	fprintf(stderr, "dropped %" PRIu64 " state%s of '%s'\n", n, n == 1 ? "" : "s", ch->name);
	say_behind(ch->c, s);
	return CLI_OK;
}

int state_drop(const struct state_args *a, struct store *s, const char *name)
{
	struct change ch;
	struct tw_err e = { 0 };
	int32_t rc;
	int code = change_begin(&ch, a, name);

	if (code != CLI_GO)
		return code;
	rc = catalogue_read(ch.c, s, name, choose, &ch, &e);
	if (rc < 0)
		code = cli_fail(cli_store_code(rc), "state", "%s", e.msg);
	else if (catalogue_find(ch.c, name))
		code = drop_instance(&ch, s);
	else if (a->key)
		code = state_no_instance(ch.c, name);
	else if (move_cursor(s, name, NULL, &code) == TW_AGAIN)
		code = state_no_instance(ch.c, name);
	else if (code == CLI_OK)
		fprintf(stderr,
			"the cursor of the sink '%s' is forgotten: it holds nothing back, and would begin with the "
			"oldest "
			"alert that is kept\n",
			name);
	change_end(&ch);
	return code;
}

/* As a configuration would have it. */
static bool is_name(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

	return n > 0 && n <= 64 && !s[n] && !strchr("0123456789.-", s[0]);
}

static int rename_instance(struct change *ch, struct store *s, const char *to)
{
	int code;

	if (catalogue_find(ch->c, to))
		return cli_fail(CLI_USAGE, "state", "there is a state of '%s' already; `tapewatch state drop %s` first",
				to, to);
	if (!add_renamed(ch, to))
		return cli_fail(CLI_GAVE_UP, "state", "out of memory");
	code = commit(ch, s);
	if (code != CLI_OK)
		return code;
	fprintf(stderr, "the state of '%s' belongs to '%s' now\n", ch->name, to);
	say_behind(ch->c, s);
	return CLI_OK;
}

static int rename_sink(const struct catalogue *c, struct store *s, const char *from, const char *to)
{
	struct tw_err e = { 0 };
	uint64_t record;
	int32_t rc = store_cursor(s, to, &record, &e);
	int code;

	if (rc < 0)
		return cli_fail(cli_store_code(rc), "state", "%s", e.msg);
	if (rc == TW_OK)
		return cli_fail(CLI_USAGE, "state",
				"the sink '%s' has a cursor already; `tapewatch state drop %s` first", to, to);
	if (move_cursor(s, from, to, &code) == TW_AGAIN)
		return state_no_instance(c, from);
	if (code == CLI_OK)
		fprintf(stderr, "the cursor of the sink '%s' belongs to '%s' now\n", from, to);
	return code;
}

int state_mv(const struct state_args *a, struct store *s, const char *from, const char *to)
{
	struct change ch;
	struct tw_err e = { 0 };
	int32_t rc;
	int code;

	if (!is_name(to))
		return cli_misuse(&verb_state,
				  "'%s' is not a name; use up to 64 letters, digits, '_', '.' and '-', a letter or '_' "
				  "first",
				  to);
	code = change_begin(&ch, a, from);
	if (code != CLI_GO)
		return code;
	rc = catalogue_read(ch.c, s, NULL, NULL, NULL, &e);
	if (rc < 0)
		code = cli_fail(cli_store_code(rc), "state", "%s", e.msg);
	else if (catalogue_find(ch.c, from))
		code = rename_instance(&ch, s, to);
	else
		code = rename_sink(ch.c, s, from, to);
	change_end(&ch);
	return code;
}
