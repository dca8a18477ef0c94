#include "client/tab_writer.h"

#define PADDING 2

struct row {
	struct str cells[TAB_WRITER_COLUMNS_MAX]; /* the last one has no tab */
	size_t count;
};

static void cut_row(struct str line, struct row *row)
{
	*row = (struct row){};
	bool has_more = true;
	while (has_more && row->count < TAB_WRITER_COLUMNS_MAX) {
		struct str rest = {};
		has_more = row->count + 1 < TAB_WRITER_COLUMNS_MAX &&
			   str_cut(line, '\t', &row->cells[row->count], &rest);
		if (!has_more)
			row->cells[row->count] = line;
		line = rest;
		row->count++;
	}
}

static void write_cell(struct str cell, size_t width, struct buf *out)
{
	buf_add_str(out, cell);
	for (size_t n = str_code_points(cell); n < width; n++)
		buf_add_char(out, ' ');
}

/* Widths of a column are those of a block: rows without a break that have a tab there.  A block's
 * inner columns are blocks within it, so widths are found from left to right. */
struct widths {
	size_t (*of)[TAB_WRITER_COLUMNS_MAX];
};

static void find_widths(const struct row *rows, size_t from, size_t to, size_t column,
			struct widths *w)
{
	for (size_t i = from; i < to;) {
		if (column + 1 >= rows[i].count) {
			i++;
			continue;
		}
		size_t end = i, width = 0;
		while (end < to && column + 1 < rows[end].count) {
			width = MAX(width, str_code_points(rows[end].cells[column]));
			end++;
		}
		for (size_t k = i; k < end; k++)
			w->of[k][column] = width + PADDING;
		find_widths(rows, i, end, column + 1, w);
		i = end;
	}
}

void tab_write(struct str text, struct buf *out)
{
	size_t count = 0, at = 0;
	for (size_t i = 0; i < text.len; i++)
		count += text.at[i] == '\n';
	CLEANUP(free_p) struct row *rows = mem_alloc((count + 1) * sizeof(*rows));
	CLEANUP(free_p)
	void *memory = mem_alloc((count + 1) * sizeof(size_t[TAB_WRITER_COLUMNS_MAX]));
	struct widths w = {memory};
	while (text.len) {
		struct str line;
		str_cut(text, '\n', &line, &text);
		cut_row(line, &rows[at++]);
	}
	find_widths(rows, 0, at, 0, &w);
	for (size_t i = 0; i < at; i++) {
		for (size_t k = 0; k + 1 < rows[i].count; k++)
			write_cell(rows[i].cells[k], w.of[i][k], out);
		buf_add_str(out, rows[i].cells[rows[i].count - 1]);
		buf_add_char(out, '\n');
	}
}
