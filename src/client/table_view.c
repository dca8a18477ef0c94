#include "client/table_view.h"

#include <ctype.h>

#include "client/object_output.h"

#define LABELS_BYTES_MAX (1u << 20)

static struct str upper(struct arena *a, struct str text)
{
	char *copy = arena_cstr(a, text);
	for (size_t i = 0; i < text.len; i++)
		copy[i] = (char)toupper((unsigned char)copy[i]);
	return str_n(copy, text.len);
}

static struct str cell_text(struct arena *a, const struct json *cell)
{
	CLEANUP_BUF text = BUF_INIT(LABELS_BYTES_MAX);
	if (!cell || cell->type == JSON_NULL)
		return STR("");
	if (cell->type == JSON_STRING)
		return cell->string;
	json_write(&text, cell);
	return arena_str(a, buf_str(&text));
}

/* "a=1,b=2", sorted as kubectl sorts them. */
static struct str labels_text(struct arena *a, const struct json *labels)
{
	CLEANUP_BUF text = BUF_INIT(LABELS_BYTES_MAX);
	size_t count;
	const struct json_member *sorted = json_sorted_members(a, labels, &count);
	if (count == 0)
		return STR("<none>");
	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s%.*s=%.*s", i ? "," : "", STR_FMT(sorted[i].key),
			   STR_FMT(json_str(sorted[i].value)));
	return arena_str(a, buf_str(&text));
}

static void take_columns(struct table_view *v, const struct json *columns)
{
	v->column_count = MIN(json_count(columns), (size_t)TEXT_TABLE_COLUMNS_MAX / 2);
	v->name_column = v->column_count; /* none */
	for (size_t i = 0; i < v->column_count; i++) {
		const struct json *column = json_at(columns, i);
		v->is_shown[i] = v->is_wide || json_i64(json_get(column, STR("priority"))) == 0;
		if (v->name_column == v->column_count &&
		    str_is(json_path_str(column, "format"), "name"))
			v->name_column = i;
	}
	v->has_columns = v->column_count > 0;
}

static size_t label_column_count(const struct table_view *v)
{
	size_t most = TEXT_TABLE_COLUMNS_MAX / 2 - 2;
	return v->label_columns ? MIN(v->label_columns->count, most) : 0;
}

/* "node.kubernetes.io/zone" is ZONE. */
static struct str label_head(struct arena *a, struct str label)
{
	struct str group, name;
	str_cut_last(label, '/', &group, &name);
	return upper(a, name);
}

static void add_heads(struct table_view *v, struct arena *a, const struct json *columns)
{
	struct str cells[TEXT_TABLE_COLUMNS_MAX];
	size_t n = 0;
	if (v->has_namespace)
		cells[n++] = STR("NAMESPACE");
	for (size_t i = 0; i < v->column_count; i++)
		if (v->is_shown[i])
			cells[n++] = upper(a, json_path_str(json_at(columns, i), "name"));
	for (size_t i = 0; i < label_column_count(v); i++)
		cells[n++] = label_head(a, str_of(v->label_columns->at[i]));
	if (v->has_labels)
		cells[n++] = STR("LABELS");
	text_table_add(&v->text, a, cells, n);
}

static void add_row(struct table_view *v, struct arena *a, const struct json *row)
{
	struct str cells[TEXT_TABLE_COLUMNS_MAX];
	size_t n = 0;
	const struct json *values = json_get(row, STR("cells"));
	const struct json *metadata = json_path(row, "object.metadata");
	if (v->has_namespace)
		cells[n++] = json_path_str(metadata, "namespace");
	for (size_t i = 0; i < v->column_count; i++) {
		if (!v->is_shown[i])
			continue;
		cells[n] = cell_text(a, json_at(values, i));
		if (i == v->name_column && v->type.len)
			cells[n] =
				arena_printf(a, "%.*s/%.*s", STR_FMT(v->type), STR_FMT(cells[n]));
		n++;
	}
	for (size_t i = 0; i < label_column_count(v); i++)
		cells[n++] = json_str(json_get(json_get(metadata, STR("labels")),
					       str_of(v->label_columns->at[i])));
	if (v->has_labels)
		cells[n++] = labels_text(a, json_get(metadata, STR("labels")));
	text_table_add(&v->text, a, cells, n);
}

enum rc table_view_add(struct table_view *v, struct arena *a, const struct json *table,
		       struct err *err)
{
	const struct json *columns = json_get(table, STR("columnDefinitions"));
	const struct json *rows = json_get(table, STR("rows"));
	if (!str_is(json_path_str(table, "kind"), "Table"))
		return err_set(err, RC_INVALID,
			       "the server answered with a %.*s instead of a Table; ask for the "
			       "objects with -o yaml",
			       STR_FMT(json_path_str(table, "kind")));
	size_t count = json_count(rows);
	if (!v->has_columns)
		take_columns(v, columns);
	if (count && v->row_count == 0 && !v->has_no_heads)
		add_heads(v, a, columns);
	for (size_t i = 0; i < count; i++)
		add_row(v, a, json_at(rows, i));
	v->row_count += count;
	return RC_OK;
}
