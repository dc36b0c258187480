/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of texts: aligned for people, or as CSV.
 */
#ifndef CLI_CLI_TABLE_H
#define CLI_CLI_TABLE_H

#include "base/buf.h"
#include <stdbool.h>

#define CLI_TABLE_COLUMNS 40u

struct cli_table {
	struct arena arena;
	const char *heads[CLI_TABLE_COLUMNS];
	bool left[CLI_TABLE_COLUMNS];
	uint32_t columns, rows, cap, at; /* at: the next cell of the last row */
	const char **cells;
	bool *strong;                    /* by row */
	bool memory_out;
};

/* A column; before the first row. Numbers stand to the right. */
void cli_table_column(struct cli_table *, const char *head, bool left);
void cli_table_row(struct cli_table *, bool strong);
void cli_table_cell(struct cli_table *, const char *fmt, ...) TW_PRINTF(2, 3);
/* A number with so many digits behind the point; "-" when it is none. */
void cli_table_number(struct cli_table *, double, int digits);
/* Append to out. 0, or -1 when memory is (or was) out. */
int cli_table_text(const struct cli_table *, struct buf *out, bool colour);
int cli_table_csv(const struct cli_table *, struct buf *out);
void cli_table_free(struct cli_table *);

#endif
