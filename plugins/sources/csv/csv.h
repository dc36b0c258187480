/* SPDX-License-Identifier: Apache-2.0
 *
 * The csv source inside: bytes become lines (reader), the first line of a file decides on a layout (format_*), a layout
 * turns lines into rows (row, format_truefx, format_statement), and the files' rows are merged by time (merge).
 */
#ifndef CSV_H
#define CSV_H

#include <locale.h>
#include <stdbool.h>
#include <tapewatch/push.h>
#include <zlib.h>
#include <zstd.h>

#define LINE_MAX_BYTES (1u << 20) /* a longer line is rejected */
#define RAW_MAX_BYTES 4096u       /* of a refused row that are kept */
#define SORT_MAX_BYTES (256u << 20) /* of text in one file that is put in order of time */
#define FILES_MAX 1024u
#define COLUMNS_MAX 256u
#define HEAD_BYTES 4096u /* of each file's rows that the fingerprint of a position covers */
#define TAIL_BYTES 1024u /* of a single plain file, before the offset of a position */
#define PAD_BYTES 64u    /* readable bytes behind the text of a buffer */

int32_t csv_fail(struct tw_err *e, int32_t code, const char *fmt, ...) TW_PRINTF(3, 4);
uint64_t csv_hash(uint64_t seed, const void *data, size_t n);

/* ---- number.c ---- */
struct number_style {
	char decimal;   /* '.' or ',' */
	bool group;     /* "1 403.03": spaces, and the other one of '.' and ',', may part groups of three digits */
	locale_t c;     /* the C locale, for the numbers that need strtod */
};
/* An empty text and the usual words for nothing are NaN. false: not a number. */
bool number_read(const struct number_style *, const char *p, size_t n, double *ret);
/* The same, with what calendars add: "<0.10%", "52.3K", "1.2B". */
bool number_read_scaled(const struct number_style *, const char *p, size_t n, double *ret);
extern const double number_powers[23];

/* ---- timezone.c ---- */
struct zone_step {
	int64_t at; /* UTC seconds */
	int32_t before, after; /* seconds east of UTC */
};
struct zone {
	int32_t fixed; /* when there are no steps */
	uint32_t n;
	struct zone_step *steps;
	int64_t lo, hi; /* wall-clock seconds for which cached holds */
	int32_t cached;
};
/* "UTC", "+02:00", "EST", "metatrader", or an IANA name that is read from folder. */
int32_t zone_load(struct zone *, const char *name, const char *folder, struct tw_err *);
/* Is it one of the names that need no file? Fills ret. */
bool zone_fixed(const char *name, int32_t *ret);
/* The bytes of a TZif file. false: damaged. */
bool zone_decode(struct zone *, const unsigned char *p, size_t n);
/* A time that occurs twice is the first one; one that was skipped is read with the offset before it. */
int64_t zone_utc(struct zone *, int64_t wall);
void zone_free(struct zone *);

/* ---- timestamp.c ---- */
enum time_format { TIME_AUTO, TIME_ISO, TIME_UNIX, TIME_UNIX_MS, TIME_UNIX_US, TIME_UNIX_NS, TIME_PATTERN };
enum { TIME_ZONED = 1, TIME_MONTH_FIRST = 2, TIME_DATE_ONLY = 4, TIME_EPOCH = 8, TIME_FRACTION = 16 }; /* what was seen */
struct time_style {
	enum time_format format;
	const char *pattern;
	struct zone *zone;
};
bool time_read(const struct time_style *, const char *p, size_t n, int64_t *ret, unsigned *seen);
int64_t time_days(int64_t y, unsigned m, unsigned d); /* since 1970 */
bool time_valid_date(int64_t y, unsigned m, unsigned d);
void time_text(char out[64], int64_t ts); /* 2014-05-01 05:00:01.787000000 */
/* Does a pattern use only what we know? NULL, or the character behind '%' that is not known. */
const char *time_pattern_fault(const char *pattern);

/* ---- reader.c ---- */
enum packing { PLAIN, GZIP, ZSTANDARD };
enum line_status { LINE_OK, LINE_END, LINE_LONG, LINE_TRUNCATED, LINE_DAMAGED, LINE_IO };
struct reader {
	int fd; /* -1: reads from memory */
	const unsigned char *mem;
	size_t mem_len, mem_at;
	enum packing packing;
	bool eof, packed_open, discarding;
	bool open_ended;        /* the last line had no newline */
	enum line_status fault; /* LINE_OK: none; what ended the bytes early */
	int error;              /* errno of LINE_IO */
	char *buf;
	size_t cap, pos, end;
	uint64_t offset;   /* of buf[0] in the text */
	uint64_t bytes_in; /* read from the file, as stored */
	unsigned char *in; /* packed bytes */
	size_t in_cap, in_pos, in_end;
	z_stream gz;
	ZSTD_DStream *zs;
};
int32_t reader_open(struct reader *, int fd, size_t buffer, struct tw_err *); /* takes the fd */
int32_t reader_open_memory(struct reader *, const void *data, size_t n, struct tw_err *);
void reader_close(struct reader *);
/* The next line without its end. The bytes live until the next call. LINE_LONG: its first RAW_MAX_BYTES; reading goes
 * on behind its newline. LINE_TRUNCATED, LINE_DAMAGED: what is left of the last line. */
enum line_status reader_line(struct reader *, const char **p, size_t *n);
/* More bytes into the buffer, if there are any: false at the end and on a fault. */
bool reader_fill(struct reader *);
bool reader_seek(struct reader *, uint64_t offset); /* plain files */

/* ---- rows ---- */
enum field {
	F_NONE, F_TS, F_TS2, F_OPEN_TS, F_SYMBOL, F_ACCOUNT, F_COUNTERPARTY, F_BID, F_ASK, F_BID_SIZE, F_ASK_SIZE, F_PRICE,
	F_SIZE, F_SIDE, F_TRADE_ID, F_OPEN, F_HIGH, F_LOW, F_CLOSE, F_VOLUME, F_COUNT, F_ORDER_ID, F_ACTION, F_REMAINING,
	F_TICKET, F_OPEN_PRICE, F_CLOSE_PRICE, F_STOP_LOSS, F_TAKE_PROFIT, F_COMMISSION, F_TAXES, F_SWAP, F_PROFIT, F_COMMENT,
	F_TYPE, F_VALUE, F_P_VALUE, F_DETECTOR, F_EVENT, F_AMOUNT, F_BALANCE, F_EQUITY, F_MARGIN, F_LEVERAGE, F_CURRENCY,
	F_GROUP, F_TITLE, F_IMPACT, F_CATEGORY, F_SOURCE, F_ID, F_ACTUAL, F_FORECAST, F_PREVIOUS, F_INTERVAL, F_FROM, F_TO,
	F_ALERT_ID, F_VERDICT, F_AUTHOR, F_REF_SEQ, FIELDS
};
extern const char *const field_names[FIELDS];
enum field field_find(const char *name, size_t n); /* F_NONE: there is none */

struct cell {
	const char *p;
	size_t n;
};

enum format { FORMAT_AUTO, FORMAT_TRUEFX, FORMAT_HISTDATA, FORMAT_OHLCV, FORMAT_MQL5, FORMAT_COLUMNS };

/* How the lines of one file become rows. */
struct layout {
	enum format format;
	char delimiter;
	bool header;    /* the first line is one */
	bool statement; /* the type of each row decides: deal, order or account */
	bool tickets;   /* rows carry no ticket: make one from the row */
	bool fast;      /* the hand parser of format_truefx.c */
	bool by_time;   /* rows stand in another order than time */
	bool broker_time, zone_needed; /* say so when no timezone is set */
	uint32_t kind;
	const char *zone; /* what the format itself says; NULL: nothing */
	uint32_t n_columns, need;
	int16_t column[FIELDS]; /* from 0; -1: absent */
};

enum item_status { ITEM_EVENT, ITEM_SKIP, ITEM_BAD, ITEM_END, ITEM_FAILED, ITEM_IO };
/* One row that is ready to be handed over. Texts live until the file's next row. */
struct item {
	enum item_status status;
	uint32_t kind;
	int64_t ts;
	union tw_num n[10];
	struct tw_str s[8];
	const char *raw;
	size_t raw_len;
	const char *reason;
	uint32_t column; /* from 1; 0: the row as a whole */
	char detail[200];
};

struct sorted_row {
	int64_t ts;
	uint64_t offset, line, hash;
	uint32_t len;
	uint32_t status; /* enum line_status */
};

struct file {
	struct csv *csv;
	char *path;
	uint32_t index;
	bool layout_known, at_end;
	struct reader r;
	struct layout lay;
	struct time_style time;
	struct number_style number;
	struct item item;
	char *symbol, *account, *name; /* what rows without them carry; name: the stem */
	uint64_t line;       /* of the current row */
	uint64_t header_line;
	uint32_t repeat;     /* how many rows just before it are the same, in sorted files */
	uint64_t rows;       /* handed over or skipped */
	uint64_t head_hash;
	uint32_t head_len;
	int64_t last_ts;
	uint64_t backward;
	uint64_t size;       /* bytes, as stored, at the start */
	char *scratch;       /* for unquoting; as long as the longest line so far */
	size_t scratch_cap;
	char number_text[128];
	char ticket[32];
	/* format_truefx.c */
	uint64_t symbol_key, day_key;
	uint32_t symbol_len;
	int64_t day_ns;
	int64_t zone_ns;     /* of a fixed zone */
	/* sort.c */
	char *text;
	size_t text_len;
	struct sorted_row *sorted;
	uint64_t n_sorted, sorted_at;
	char *where; /* "path:" and the line number, kept up to date for tw_writer.where */
	size_t where_prefix, where_len, where_cap;
};

struct csv {
	/* options */
	struct tw_list path, columns;
	int64_t format, kind, header, order, interval, strict;
	const char *symbol, *account, *time_format, *timezone, *delimiter, *decimal, *speed;
	/* run */
	const struct tw_host *host;
	struct file *files;
	uint32_t n_files, n_heap;
	uint32_t *heap;
	struct file *given;  /* its row was handed over: the next step is its next row */
	uint64_t rows;       /* handed over or skipped, in merge order */
	uint64_t done_offset, done_line; /* behind the last of them, in its file */
	int64_t done_ts;
	bool done_open, done_inside; /* it had no newline; it was too long and goes on */
	bool single;         /* one plain file in its own order: positions are byte offsets */
	bool zone_said, failed;
	uint64_t backward_said;
	struct zone zone;        /* the option's */
	struct zone zone_format; /* the format's own */
	locale_t c_locale;
	double pace; /* 0: as fast as it goes */
	int64_t pace_wall, pace_ts;
	int wake_fd; /* +1; 0: none */
	struct tw_err failure;
	const void *memory; /* a file in memory instead of path, for tests and the fuzzer */
	size_t memory_len;
};

static inline bool layout_has(const struct layout *l, enum field f)
{
	return l->column[f] >= 0;
}

/* ---- layout.c, format_*.c: a layout from a file's first line ---- */
int32_t layout_make(struct file *, const char *line, size_t n, struct tw_err *);
bool layout_header(struct layout *, const struct cell *, uint32_t n);        /* by the names of a header */
bool layout_statement(struct layout *, const struct cell *, uint32_t n);     /* mql5 exports, MT statements */
bool layout_bare(struct layout *, const struct cell *, uint32_t n, const struct number_style *); /* without a header */
int32_t layout_columns(struct file *, const struct cell *, uint32_t n, struct tw_err *);
uint32_t layout_kind(const struct layout *); /* of the mapped fields; 0: cannot tell */
int32_t layout_finish(struct file *, struct tw_err *);
enum field header_field(const char *p, size_t n); /* a loosely written name */
const char *columns_fault(const struct csv *, char *out, size_t size); /* of the option; NULL: none */

/* ---- row.c ---- */
uint32_t row_split(struct file *, char delimiter, const char *p, size_t n, struct cell *cells);
void row_parse(struct file *, const char *p, size_t n);
void row_bad(struct file *, const char *reason, uint32_t column, const char *fmt, ...) TW_PRINTF(4, 5);
bool row_time(struct file *, const struct cell *, enum field, int64_t *ret);
bool row_number(struct file *, const struct cell *, uint32_t n, enum field, double *ret);
const struct cell *row_cell(const struct file *, const struct cell *, uint32_t n, enum field);
bool cell_is(const struct cell *, const char *word); /* whatever the case */
void statement_parse(struct file *, const struct cell *, uint32_t n); /* format_statement.c */
/* format_truefx.c: a line that begins at p, with `room` readable bytes. Its length with the newline, or 0: leave it to
 * row_parse(). */
size_t truefx_parse(struct file *, const char *p, size_t room);

/* ---- file.c, sort.c ---- */
int32_t file_open(struct file *, struct tw_err *);
int32_t file_open_reader(struct file *, struct tw_err *); /* the bytes again, from the start */
void file_next(struct file *); /* the next row into f->item */
void file_close(struct file *);
int32_t file_sort(struct file *, struct tw_err *);
bool file_next_sorted(struct file *);
void file_where(struct file *);

/* ---- paths.c ---- */
int32_t paths_expand(struct csv *, struct tw_err *);

/* ---- merge.c ---- */
void merge_start(struct csv *);
struct file *merge_top(struct csv *); /* the file whose row is next; NULL at the end */
void merge_take(struct csv *, struct file *); /* its row is done */
void position_write(struct csv *, struct tw_pos *);
int32_t position_resume(struct csv *, const struct tw_pos *, struct tw_err *);

#endif
