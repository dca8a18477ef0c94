/* text_table: columns of text as kubectl lays them out: each as wide as its widest cell and three
 * spaces more (six at least), the last one as it is.
 *
 * Rows wait until text_table_write(); widths are kept, so that rows of a watch stand below the
 * former ones.  Characters count, not bytes.  A cell ends at its first line break, followed by
 * "..."; the escape character is written as "^[" so that no object can command a terminal.
 * Limits: TEXT_TABLE_COLUMNS_MAX, cells beyond it are left out. */
#ifndef SKEG_CLIENT_TEXT_TABLE_H
#define SKEG_CLIENT_TEXT_TABLE_H

#include "base/arena.h"
#include "base/buf.h"

#define TEXT_TABLE_COLUMNS_MAX 64
#define TEXT_TABLE_BYTES_MAX   (256u << 20)

struct text_row {
	const struct str *cells;
	size_t count;
};

struct text_table {
	size_t widths[TEXT_TABLE_COLUMNS_MAX]; /* in characters, without padding */
	struct text_row *rows;
	size_t count, cap;
};

/* Copies the cells into the arena, which must live until the rows are written. */
void text_table_add(struct text_table *t, struct arena *a, const struct str *cells, size_t count);
void text_table_write(struct text_table *t, struct buf *out);
/* The same to standard output, at once. */
void text_table_print(struct text_table *t);

#endif
