/* SPDX-License-Identifier: Apache-2.0
 *
 * Labels from JSON: windows and points by file, a list of objects, or an object a line.
 */
#include "backtest/labels.h"
#include "base/err.h"
#include <jansson.h>
#include <string.h>

/* A number is as good as its digits. room keeps them. */
static struct tw_str text_of(const json_t *v, char room[32])
{
	int n;

	if (json_is_string(v))
		return (struct tw_str){ .s = json_string_value(v), .len = (uint32_t)json_string_length(v) };
	if (json_is_integer(v))
		n = snprintf(room, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v))
		n = snprintf(room, 32, "%.6f", json_real_value(v));
	else
		return (struct tw_str){ 0 };
	return (struct tw_str){ .s = room, .len = n > 0 && n < 32 ? (uint32_t)n : 0 };
}

static const json_t *either(const json_t *o, const char *a, const char *b, const char *c)
{
	const json_t *v = json_object_get(o, a);

	v = v ? v : json_object_get(o, b);
	return v ? v : json_object_get(o, c);
}

static int32_t add_object(struct label_reader *r, const json_t *o, uint32_t line, struct tw_err *e)
{
	char room[6][32];
	const json_t *verdict = json_object_get(o, "verdict");
	struct label_row row = { .from = text_of(either(o, "from", "start", "timestamp"), room[0]),
				 .to = text_of(either(o, "to", "end", "until"), room[1]),
				 .symbol = text_of(json_object_get(o, "symbol"), room[2]),
				 .account = text_of(json_object_get(o, "account"), room[3]),
				 .category = text_of(either(o, "category", "type", "what"), room[4]),
				 .file = text_of(json_object_get(o, "file"), room[5]) };
	int32_t rc;

	if (json_is_string(verdict) && strcmp(json_string_value(verdict), "abuse") != 0)
		return TW_OK;
	if (!row.from.len)
		row.from = text_of(json_object_get(o, "ts"), room[0]);
	rc = labels_add(r, &row, line, e);
	return rc < 0 ? rc : TW_OK;
}

/* "moment", or ["from", "to"] */
static int32_t add_window(struct label_reader *r, const char *file, const json_t *w, struct tw_err *e)
{
	char room[2][32];
	struct label_row row = { .file = { .s = file, .len = (uint32_t)strlen(file) } };
	int32_t rc;

	if (json_is_array(w) && json_array_size(w) == 2) {
		row.from = text_of(json_array_get(w, 0), room[0]);
		row.to = text_of(json_array_get(w, 1), room[1]);
	} else {
		row.from = text_of(w, room[0]);
	}
	if (!row.from.len)
		return err_set(e, TW_E_DATA, "%s: '%s': expected windows such as [\"from\", \"to\"], or moments",
			       r->path, file);
	rc = labels_add(r, &row, 0, e);
	return rc < 0 ? rc : TW_OK;
}

static int32_t add_files(struct label_reader *r, json_t *root, struct tw_err *e)
{
	const char *file;
	json_t *list, *w;
	size_t i;
	int32_t rc = TW_OK;

	json_object_foreach(root, file, list)
	{
		if (!json_is_array(list))
			return err_set(e, TW_E_DATA,
				       "%s: '%s': expected a list of windows; or a list of objects with from and to",
				       r->path, file);
		json_array_foreach(list, i, w) if (rc == TW_OK) rc = add_window(r, file, w, e);
	}
	return rc;
}

static int32_t add_list(struct label_reader *r, json_t *root, struct tw_err *e)
{
	size_t i;
	json_t *o;
	int32_t rc = TW_OK;

	json_array_foreach(root, i, o)
	{
		if (!json_is_object(o))
			return err_set(e, TW_E_DATA, "%s: entry %zu is no object with from and to", r->path, i + 1);
		if (rc == TW_OK)
			rc = add_object(r, o, 0, e);
	}
	return rc;
}

static int32_t add_lines(struct label_reader *r, const char *text, size_t len, struct tw_err *e)
{
	uint32_t line = 0;
	int32_t rc = TW_OK;

	for (size_t at = 0; at < len && rc == TW_OK;) {
		const char *stop = memchr(text + at, '\n', len - at);
		size_t n = stop ? (size_t)(stop - text) - at : len - at;
		json_error_t why;
		json_t *o = NULL;
		line++;
		if (n && memchr(text + at, '{', n)) {
			o = json_loadb(text + at, n, 0, &why);
			rc = o ? add_object(r, o, line, e)
			       : err_set(e, TW_E_DATA, "%s:%u: no JSON: %s", r->path, line, why.text);
			json_decref(o);
		}
		at += n + 1;
	}
	return rc;
}

/* One object that is a label by itself is a file of one line. */
static bool is_label(const json_t *o)
{
	const json_t *from = either(o, "from", "start", "timestamp");

	return json_is_object(o) && (json_is_string(from) || json_is_number(from));
}

int32_t labels_json(struct label_reader *r, const char *text, size_t len, struct tw_err *e)
{
	json_error_t why;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	int32_t rc;

	if (!root) {
		struct tw_err lines = { 0 };
		if (json_error_code(&why) == json_error_end_of_input_expected) {
			rc = add_lines(r, text, len, &lines);
			if (rc < 0 && e)
				*e = lines;
			return rc;
		}
		return err_set(e, TW_E_DATA, "%s:%d: no JSON: %s", r->path, why.line, why.text);
	}
	if (is_label(root))
		rc = add_object(r, root, 1, e);
	else if (json_is_object(root))
		rc = add_files(r, root, e);
	else
		rc = add_list(r, root, e);
	json_decref(root);
	return rc;
}
