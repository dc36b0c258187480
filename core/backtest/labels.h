/* SPDX-License-Identifier: Apache-2.0
 *
 * Ground truth: stretches of time in which something was there to be found, of a symbol, of an account, or of all.
 *
 * A labels file is one of
 *   CSV    with a header (separated by comma, semicolon or tab). Columns by name, whatever the case; a tail of _utc,
 *          _time, _ts or _at does not count:
 *            from, start, begin, onset, event, timestamp, time, ts, date, datetime    the beginning, or the moment
 *            to, end, until, stop                                 the end; without it a label is a moment
 *            symbol, account                                      whom it is about; absent: everybody
 *            file                                                 the data file it is about (see below)
 *            category, kind, type, what                           the kind of thing
 *            label, labelled, is_anomaly, anomaly, gt             0, no, false, normal or empty: the row is no label.
 *                                                                 Where a file has such a column and no end, rows that
 *                                                                 follow each other without a 0 between them (of the
 *                                                                 same subject) are one stretch: a labelled series
 *   JSON   {"file.csv": [["from","to"], "moment", ...]}           windows and points of the Numenta benchmark
 *          [{"from": ..., "to": ..., "symbol": ..., "account": ..., "category": ..., "file": ...}, ...]
 *   JSONL  one such object a line: what `tapewatch tape cat --json --kind label` prints, too
 *
 * Times are ISO ("2026-01-02", "2026-01-02 10:30:00.5", with Z or +02:00; UTC without), or numbers since 1970 in s, ms,
 * us or ns by their size. A date alone begins with the day and ends with it.
 *
 * A file is matched by the end of its path, or its last part. When there is one data file the label is about everybody;
 * when there are more it is about the symbol that is the file's name up to its first dot. Labels of files that are not
 * among the data are counted in left_out. A row that names a symbol or an account is about that, whatever its file.
 *
 * A label that nothing in the data could find is no label of it: its symbol or account does not occur, or not while the
 * label lasts. Such labels are counted in outside.
 */
#ifndef BACKTEST_LABELS_H
#define BACKTEST_LABELS_H

#include "event/event.h"
#include "state/store.h"

#define LABELS_MAX 262144u
#define LABELS_FILE_MAX (64u << 20) /* bytes */

struct label { /* names are numbers in an intern table; 0: absent */
	int64_t from, to;
	uint32_t symbol, account, category;
};

struct labels {
	struct label *list; /* by from, then as they came */
	uint32_t n, cap;
	int64_t longest;    /* to - from of the longest */
	uint64_t left_out, outside;
	bool by_file;       /* some are about files, of several */
};

struct data_files {
	const char *const *paths;
	uint32_t n;
};

/* Read a file into an empty struct. TW_OK, or TW_E_IO or TW_E_DATA with file and line. */
int32_t labels_read(struct labels *, const char *path, const struct data_files *, struct intern *names,
                    struct tw_err *);
/* The label events of a tape that are about a stretch of time, with the verdict "abuse" or none. */
int32_t labels_tape(struct labels *, struct store *, struct intern *names, struct tw_err *);
/* Take away the labels that lie outside of what the tape holds. TW_OK, or negative with a sentence. */
int32_t labels_within(struct labels *, const char *tape, int64_t tolerance, struct intern *names, struct tw_err *);
void labels_free(struct labels *);

/* ---- between the files of this subject ---- */
struct label_reader {
	struct labels *labels;
	const struct data_files *files;
	struct intern *names;
	const char *path; /* for errors */
};
/* One label from its texts, put at the end of the list, which is not sorted yet; absent texts have no s. line: of the
 * file, 0: none. TW_AGAIN: it is about a file that is not there. */
struct label_row {
	struct tw_str from, to, symbol, account, category, file;
};
int32_t labels_add(struct label_reader *, const struct label_row *, uint32_t line, struct tw_err *);
int32_t labels_csv(struct label_reader *, char *text, size_t len, struct tw_err *);
int32_t labels_json(struct label_reader *, const char *text, size_t len, struct tw_err *);
/* end: a date alone means its last nanosecond. */
bool label_time(struct tw_str, bool end, int64_t *ret);

#endif
