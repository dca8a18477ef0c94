#include "client/text_table.h"

#define PADDING	  3
#define WIDTH_MIN 6

static struct str clean(struct arena *a, struct str cell)
{
	static const char breaks[] = "\f\n\r", escape = '\033';
	CLEANUP_BUF out = BUF_INIT(TEXT_TABLE_BYTES_MAX);
	size_t len = 0;
	while (len < cell.len && !(cell.at[len] && strchr(breaks, cell.at[len])))
		len++;
	if (len == cell.len && (len == 0 || !memchr(cell.at, escape, len)))
		return arena_str(a, cell.at ? cell : STR(""));
	for (size_t i = 0; i < len; i++) {
		if (cell.at[i] == escape)
			buf_add_cstr(&out, "^[");
		else
			buf_add_char(&out, cell.at[i]);
	}
	if (len < cell.len)
		buf_add_cstr(&out, "...");
	return arena_str(a, buf_str(&out));
}

void text_table_add(struct text_table *t, struct arena *a, const struct str *cells, size_t count)
{
	count = MIN(count, (size_t)TEXT_TABLE_COLUMNS_MAX);
	struct str *copy = ARENA_ARRAY(a, struct str, count + 1);
	for (size_t i = 0; i < count; i++) {
		copy[i] = clean(a, cells[i]);
		if (i + 1 < count)
			t->widths[i] = MAX(t->widths[i], str_code_points(copy[i]));
	}
	t->rows = arena_grow(a, t->rows, t->count, &t->cap, sizeof(*t->rows));
	t->rows[t->count++] = (struct text_row){copy, count};
}

static void write_row(const struct text_table *t, const struct text_row *row, struct buf *out)
{
	for (size_t i = 0; i < row->count; i++) {
		buf_add_str(out, row->cells[i]);
		if (i + 1 == row->count)
			break;
		size_t width = MAX(t->widths[i] + PADDING, (size_t)WIDTH_MIN);
		for (size_t n = str_code_points(row->cells[i]); n < width; n++)
			buf_add_char(out, ' ');
	}
	buf_add_char(out, '\n');
}

void text_table_write(struct text_table *t, struct buf *out)
{
	for (size_t i = 0; i < t->count; i++)
		write_row(t, &t->rows[i], out);
	t->rows = NULL;
	t->count = t->cap = 0;
}

void text_table_print(struct text_table *t)
{
	CLEANUP_BUF out = BUF_INIT(TEXT_TABLE_BYTES_MAX);
	text_table_write(t, &out);
	fwrite(buf_str(&out).at, 1, out.len, stdout);
	fflush(stdout);
}
