/* SPDX-License-Identifier: Apache-2.0
 *
 * tapewatch state: ls, show, drop and mv over the newest checkpoint of a store.
 */
#include "cli/state.h"
#include "config/config.h"

#include <string.h>

static const struct cli_option options[] = {
	{ "dir", 'd', CLI_TEXT, "DIR", offsetof(struct state_args, dir),
	  "the data folder (default " CLI_DEFAULT_DIR ")" },
	{ "json", 'j', CLI_FLAG, NULL, offsetof(struct state_args, json), "ls, show: JSON" },
	{ "key", 'k', CLI_TEXT, "KEY", offsetof(struct state_args, key),
	  "show, drop: this key only: SYMBOL, ACCOUNT or SYMBOL,ACCOUNT, as the instance is keyed" },
	{ "limit", 'n', CLI_NUMBER, "N", offsetof(struct state_args, limit), "show: end after N keys" },
	CLI_END,
};

static int run(int argc, char **argv);
const struct verb verb_state = {
	.name = "state",
	.summary = "look into the detectors' states, drop or rename them: ls, show, drop, mv",
	.usage = "ls [-d DIR] [--json]\n"
		 "show NAME [-d DIR] [--key KEY] [--limit N] [--json]\n"
		 "drop NAME [-d DIR] [--key KEY]\n"
		 "mv OLD NEW [-d DIR]",
	.run = run,
	.options = options,
	.more = "drop makes a detector start afresh, or a sink from the oldest alert that is kept; mv gives the state\n"
		"of a detector, or the cursor of a sink, to another name. Both change the newest checkpoint, and are\n"
		"refused while a run has the store. They take effect as of the checkpoint: events that the tape holds\n"
		"behind it are judged again when the run starts, and alerts that are logged already stay as they are.",
};

const char *state_fields(uint32_t fields)
{
	static const char *const names[] = { "none", "symbol", "account", "symbol,account" };

	return names[fields & 3];
}

static bool equals(struct tw_str s, const char *text, size_t len)
{
	return s.len == len && (len == 0 || memcmp(s.s, text, len) == 0);
}

bool state_key_matches(const struct catalogue_instance *in, const struct state_entry *e, const char *key)
{
	size_t len = strlen(key);

	switch (in->fields & 3) {
	case 1:
		return equals(e->symbol, key, len);
	case 2:
		return equals(e->account, key, len);
	case 3: /* compared as a whole, for a symbol may have a comma */
		return len == (size_t)e->symbol.len + 1 + e->account.len && equals(e->symbol, key, e->symbol.len) &&
		       key[e->symbol.len] == ',' && equals(e->account, key + e->symbol.len + 1, e->account.len);
	default:
		return len == 0;
	}
}

int state_no_instance(const struct catalogue *c, const char *name)
{
	const char *words[CATALOGUE_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n; i++)
		if (strcmp(c->instances[i].name, CATALOGUE_NOBODY) != 0)
			words[n++] = c->instances[i].name;
	const char *near = nearest(name, words, n);
	return near ? cli_fail(CLI_USAGE, "state", "there is no state of '%s'; did you mean '%s'?", name, near)
		    : cli_fail(CLI_USAGE, "state",
			       "there is no state of '%s'; `tapewatch state ls` lists what there is", name);
}

enum action { LS, SHOW, DROP, MV };

static int find_action(const char *name, enum action *ret)
{
	static const char *const words[] = { "ls", "show", "drop", "mv" };

	for (int i = 0; i < 4; i++)
		if (strcmp(name, words[i]) == 0) {
			*ret = (enum action)i;
			return CLI_GO;
		}
	const char *near = nearest(name, words, 4);
	return near ? cli_misuse(&verb_state, "'%s' is none of ls, show, drop, mv; did you mean '%s'?", name, near)
		    : cli_misuse(&verb_state, "'%s' is none of ls, show, drop, mv", name);
}

static int check_args(const struct state_args *a, enum action action, int n)
{
	static const int operands[] = { 0, 1, 1, 2 };

	if (n < operands[action])
		return cli_misuse(&verb_state, action == MV ? "mv takes two names, the old and the new"
							    : "whose state? `tapewatch state ls` lists the names");
	if (n > operands[action])
		return cli_misuse(&verb_state, "one name too many");
	if (a->key && action != SHOW && action != DROP)
		return cli_misuse(&verb_state, "--key is for show and drop");
	if (a->limit && action != SHOW)
		return cli_misuse(&verb_state, "--limit is for show");
	if (a->json && action != LS && action != SHOW)
		return cli_misuse(&verb_state, "--json is for ls and show");
	return CLI_GO;
}

static int run(int argc, char **argv)
{
	struct state_args a = { .dir = CLI_DEFAULT_DIR };
	struct store *s = NULL;
	struct tw_err e = { 0 };
	enum action action = LS;

	int code = cli_parse(&verb_state, &argc, argv, &a, 3);
	if (code == CLI_GO && argc < 2)
		code = cli_misuse(&verb_state, "say what: ls, show, drop or mv");
	if (code == CLI_GO)
		code = find_action(argv[1], &action);
	if (code == CLI_GO)
		code = check_args(&a, action, argc - 2);
	if (code != CLI_GO)
		return code;
	if (!store_exists(a.dir))
		return cli_fail(CLI_USAGE, "state", "there is no store in %s; name the data folder of a run with -d",
				a.dir);

	bool changes = action == DROP || action == MV;
	int32_t rc = changes ? store_check_quick(a.dir, &e) : cli_store_read(&s, a.dir, &e);
	if (changes && rc == TW_OK)
		rc = store_open(&s, a.dir, STORE_WRITE, NULL, &e);
	if (rc < 0)
		return cli_fail(cli_store_code(rc), "state", "%s", e.msg);
	if (action == LS)
		code = state_ls(&a, s);
	else if (action == SHOW)
		code = state_show(&a, s, argv[2]);
	else
		code = action == DROP ? state_drop(&a, s, argv[2]) : state_mv(&a, s, argv[2], argv[3]);
	store_close(s);
	return code;
}
