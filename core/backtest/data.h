/* SPDX-License-Identifier: Apache-2.0
 *
 * What --data names: files in the place of a pipeline's sources, or a recording.
 *
 *   FILE          for the one source that the pipeline has; several files are merged by time
 *   NAME=FILE     for the source of that name
 *   FOLDER, X.tape  a store or a tape: events go to the inputs of the name they were recorded under
 *
 * A source that reads csv keeps its other options; any other becomes csv, with the format told from the file. Sources
 * that no file is given for stay as they are.
 */
#ifndef BACKTEST_DATA_H
#define BACKTEST_DATA_H

#include "backtest/labels.h"
#include "config/edit.h"

#define DATA_FILES_MAX 1024u

struct data {
	struct arena arena;
	const char *recording;   /* NULL: files */
	struct config_edit *edits;
	uint32_t n_edits;
	struct data_files files; /* of all sources that read files, also of those that stay as they are */
	const char **list;       /* files.paths */
};

/* c: what the configuration says before any edit. TW_OK or TW_E_CONFIG with a sentence. */
int32_t data_resolve(struct data *, const struct config *c, const char *const *args, uint32_t n, struct tw_err *);
/* Labels are about files, of several: rows that carry no symbol get the name of their file as one. */
void data_name_by_file(struct data *, const struct config *c);
void data_free(struct data *);

#endif
