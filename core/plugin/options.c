/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin's option table: everything the host writes must land inside the plugin's own struct.
 */
#include "base/err.h"
#include "plugin/internal.h"
#include <stdalign.h>
#include <string.h>

/* Rows had all of these members from the first version of the ABI on. */
#define ROW_MIN (offsetof(struct tw_option, offset) + sizeof(uint32_t))
#define ROW_MAX 4096u

/* Bytes that the host writes for each type; 0: unknown. */
static uint32_t type_size(uint32_t type)
{
	switch (type) {
	case TW_T_INT:
	case TW_T_FLOAT:
	case TW_T_BOOL:
	case TW_T_DURATION:
	case TW_T_SIZE:
	case TW_T_ENUM:
		return 8;
	case TW_T_STRING:
	case TW_T_SECRET:
		return sizeof(const char *);
	case TW_T_LIST:
	case TW_T_MAP:
		return sizeof(struct tw_list);
	default:
		return 0;
	}
}

struct tw_option plugin_option(const struct plugin *p, uint32_t i)
{
	struct tw_option row = { 0 };
	size_t size = p->option_size < sizeof row ? p->option_size : sizeof row;

	memcpy(&row, (const char *)p->options + (size_t)i * p->option_size, size);
	return row;
}

/* Words that belong to the host in every instance. */
static bool reserved(const char *name)
{
	return strcmp(name, "plugin") == 0 || strcmp(name, "inputs") == 0 || strcmp(name, "where") == 0;
}

static int32_t check_row(const struct plugin *p, uint32_t i, const char *file, struct tw_err *e)
{
	const struct tw_option row = plugin_option(p, i);
	const char *name = row.name ? row.name : "";
	uint32_t size = type_size(row.type);

	if (!*name || strnlen(name, PLUGIN_NAME_MAX + 1) > PLUGIN_NAME_MAX)
		return err_set(e, TW_E_CONFIG, "%s: option %u of '%s' has no usable name; names have 1 to %d bytes",
			       file, i + 1, p->name, PLUGIN_NAME_MAX);
	if (size == 0)
		return err_set(e, TW_E_CONFIG,
			       "%s: option '%s' has the unknown type %u; build rows with TW_INT, TW_FLOAT ... and end "
			       "the table "
			       "with TW_END",
			       file, name, row.type);
	if (row.offset % alignof(int64_t) != 0 || row.offset > p->self_size || size > p->self_size - row.offset)
		return err_set(
			e, TW_E_CONFIG,
			"%s: option '%s' lies at bytes %u to %u of a struct of %u (.self_size), or is not aligned; set "
			".self_size to the sizeof of the struct that the table names",
			file, name, row.offset, row.offset + size, p->self_size);
	if (reserved(name))
		return err_set(e, TW_E_CONFIG, "%s: option '%s' has a name that belongs to the host; rename it", file,
			       name);
	for (uint32_t j = 0; j < i; j++) {
		const struct tw_option other = plugin_option(p, j);

		if (strcmp(other.name, name) == 0)
			return err_set(e, TW_E_CONFIG, "%s: option '%s' stands in the table twice", file, name);
		if (row.offset < other.offset + type_size(other.type) && other.offset < row.offset + size)
			return err_set(
				e, TW_E_CONFIG,
				"%s: options '%s' and '%s' lie at the same bytes of the struct; give each a member",
				file, other.name, name);
	}
	return TW_OK;
}

int32_t plugin_options_check(const struct plugin *p, const char *file, struct arena *a, struct tw_err *e)
{
	const char *wrong;
	uint32_t n = 0;
	int32_t rc;

	if (!p->options)
		return TW_OK;
	if (p->option_size < ROW_MIN || p->option_size > ROW_MAX || p->option_size % alignof(struct tw_option) != 0)
		return err_set(e, TW_E_CONFIG,
			       "%s: '%s' says that a row of its options has %u bytes, expected %zu or more; set "
			       ".option_size to "
			       "sizeof(struct tw_option)",
			       file, p->name, p->option_size, (size_t)ROW_MIN);
	for (; plugin_option(p, n).type != TW_T_END; n++) {
		if (n == PLUGIN_MAX_OPTIONS)
			return err_set(e, TW_E_CONFIG, "%s: '%s' has more than %d options, or its table lacks TW_END",
				       file, p->name, PLUGIN_MAX_OPTIONS);
		rc = check_row(p, n, file, e);
		if (rc)
			return rc;
	}
	wrong = options_lint(p->options, p->option_size, a);
	if (wrong)
		return err_set(e, TW_E_CONFIG, "%s: the option table of '%s' is wrong: %s", file, p->name, wrong);
	return TW_OK;
}
