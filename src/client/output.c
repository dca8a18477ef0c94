#include "client/output.h"

#include <stdio.h>

#include "client/resource_types.h"
#include "io/file.h"

#define FILE_BYTES_MAX (1u << 20)
#define FORMS                                                                                      \
	"custom-columns,custom-columns-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,"    \
	"wide,yaml"

/* ---- reading -o ---- */

static enum rc take_template(struct arena *a, struct str value, struct output *o, struct err *err)
{
	enum rc rc = jsonpath_parse(a, value, &o->template, err);
	o->form = OUTPUT_JSONPATH;
	return rc == RC_OK ? rc : err_wrap(err, "error parsing jsonpath %.*s", STR_FMT(value));
}

static enum rc take_template_json(struct arena *a, struct str value, struct output *o,
				  struct err *err)
{
	o->is_json = true;
	return take_template(a, value, o, err);
}

static enum rc take_template_file(struct arena *a, struct str value, struct output *o,
				  struct err *err)
{
	struct str text;
	TRY(file_read(arena_cstr(a, value), FILE_BYTES_MAX, a, &text, err));
	return take_template(a, text, o, err);
}

static enum rc add_column(struct arena *a, struct output *o, size_t *cap, struct str head,
			  struct str path, struct err *err)
{
	struct output_column column = {.head = head};
	TRY(jsonpath_parse_relaxed(a, path, &column.path, err));
	o->columns = arena_grow(a, o->columns, o->column_count, cap, sizeof(*o->columns));
	o->columns[o->column_count++] = column;
	return RC_OK;
}

/* Commas within brackets belong to a path. */
static struct str cut_column(struct str *rest)
{
	int depth = 0;
	size_t at = 0;
	for (; at < rest->len; at++) {
		char c = rest->at[at];
		depth += (c == '[') - (c == ']');
		if (c == ',' && depth <= 0)
			break;
	}
	struct str column = str_n(rest->at, at);
	*rest = str_skip(*rest, at + 1);
	return column;
}

static enum rc take_columns(struct arena *a, struct str value, struct output *o, struct err *err)
{
	size_t cap = 0;
	o->form = OUTPUT_COLUMNS;
	while (value.len) {
		struct str column = cut_column(&value), head, path;
		if (!str_cut(column, ':', &head, &path) || !path.len)
			return err_set(err, RC_BAD_REQUEST,
				       "unexpected custom-columns spec: %.*s, expected "
				       "<header>:<json-path-expr>",
				       STR_FMT(column));
		TRY(add_column(a, o, &cap, head, path, err));
	}
	if (o->column_count == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "custom-columns format specified but no custom columns given");
	return RC_OK;
}

/* Two lines: heads, and below each its path. */
static enum rc take_columns_file(struct arena *a, struct str value, struct output *o,
				 struct err *err)
{
	struct str text, heads, paths, rest, head, path;
	size_t cap = 0;
	o->form = OUTPUT_COLUMNS;
	TRY(file_read(arena_cstr(a, value), FILE_BYTES_MAX, a, &text, err));
	str_cut(text, '\n', &heads, &rest);
	str_cut(rest, '\n', &paths, &rest);
	heads = str_trim(heads);
	paths = str_trim(paths);
	while (heads.len && paths.len) {
		str_cut(heads, ' ', &head, &heads);
		str_cut(paths, ' ', &path, &paths);
		heads = str_trim(heads);
		paths = str_trim(paths);
		TRY(add_column(a, o, &cap, head, path, err));
	}
	if (heads.len || paths.len || o->column_count == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "'%.*s': a line of heads and a line of as many paths are expected",
			       STR_FMT(value));
	return RC_OK;
}

static enum rc refuse_go(struct arena *a, struct str value, struct output *o, struct err *err)
{
	return err_set(err, RC_BAD_REQUEST,
		       "templates of Go are not read; write -o jsonpath='{.metadata.name}' or -o "
		       "custom-columns=NAME:.metadata.name instead");
}

static const struct {
	const char *name;
	enum rc (*take)(struct arena *a, struct str value, struct output *o, struct err *err);
} valued[] = {
	{"jsonpath", take_template},
	{"jsonpath-as-json", take_template_json},
	{"jsonpath-file", take_template_file},
	{"custom-columns", take_columns},
	{"custom-columns-file", take_columns_file},
	{"go-template", refuse_go},
	{"go-template-file", refuse_go},
	{"template", refuse_go},
	{"templatefile", refuse_go},
};

static const struct {
	const char *name;
	enum output_form form;
} plain[] = {
	{"wide", OUTPUT_WIDE},
	{"yaml", OUTPUT_YAML},
	{"json", OUTPUT_JSON},
	{"name", OUTPUT_NAME},
};

enum rc output_parse(struct arena *a, const char *text, struct output *ret_output, struct err *err)
{
	struct str name, value;
	*ret_output = (struct output){.form = OUTPUT_TABLE};
	if (!text || !*text)
		return RC_OK;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (strcmp(text, plain[i].name) != 0)
			continue;
		ret_output->form = plain[i].form;
		return RC_OK;
	}
	bool has_value = str_cut(str_of(text), '=', &name, &value);
	for (size_t i = 0; i < ARRAY_LEN(valued); i++) {
		if (!str_is(name, valued[i].name))
			continue;
		if (!has_value || !value.len)
			return err_set(err, RC_BAD_REQUEST,
				       "template format specified but no template given");
		return valued[i].take(a, value, ret_output, err);
	}
	return err_set(err, RC_BAD_REQUEST,
		       "unable to match a printer suitable for the output format \"%s\", allowed "
		       "formats are: " FORMS,
		       text);
}

/* ---- printing ---- */

static bool is_list(const struct json *tree)
{
	return json_get(tree, STR("items")) &&
	       str_has_suffix(json_path_str(tree, "kind"), STR("List"));
}

static void drop_managed_fields(struct json *tree)
{
	struct json *items = is_list(tree) ? json_get(tree, STR("items")) : NULL;
	object_drop_managed_fields(tree);
	for (size_t i = 0; i < json_count(items); i++)
		object_drop_managed_fields(json_at(items, i));
}

static enum rc cell(struct arena *a, const struct output_column *c, const struct json *object,
		    struct str *ret_text, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(OBJECT_OUTPUT_BYTES_MAX);
	struct jsonpath_results found;
	TRY(jsonpath_find(c->path, a, object, &found, err));
	for (size_t i = 0; i < found.count; i++) {
		if (i)
			buf_add_char(&text, ',');
		if (found.items[i]->type == JSON_NULL)
			buf_add_cstr(&text, "<nil>");
		else
			jsonpath_value_print(&text, found.items[i]);
	}
	*ret_text = found.count ? arena_str(a, buf_str(&text)) : STR("<none>");
	return buf_check(&text, "a cell", err);
}

static enum rc print_columns(struct output *o, struct arena *a, struct json *tree, struct err *err)
{
	struct str *cells = ARENA_ARRAY(a, struct str, o->column_count);
	struct json *items = is_list(tree) ? json_get(tree, STR("items")) : NULL;
	size_t count = is_list(tree) ? json_count(items) : 1;
	for (size_t k = 0; k < o->column_count; k++)
		cells[k] = o->columns[k].head;
	if (!o->has_no_heads && o->printed++ == 0)
		text_table_add(&o->table, a, cells, o->column_count);
	for (size_t i = 0; i < count; i++) {
		const struct json *object = items ? json_at(items, i) : tree;
		for (size_t k = 0; k < o->column_count; k++)
			TRY(cell(a, &o->columns[k], object, &cells[k], err));
		text_table_add(&o->table, a, cells, o->column_count);
	}
	text_table_print(&o->table);
	return RC_OK;
}

static enum rc print_template(struct output *o, struct arena *a, struct json *tree, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(OBJECT_OUTPUT_BYTES_MAX);
	enum rc rc;
	if (o->is_json) {
		struct jsonpath_results found;
		struct json *list = json_array(a);
		TRY(jsonpath_find(o->template, a, tree, &found, err));
		for (size_t i = 0; i < found.count; i++)
			json_append(a, list, json_clone(a, found.items[i]));
		json_write_indent(&text, list, 4);
		buf_add_char(&text, '\n');
		rc = RC_OK;
	} else {
		rc = jsonpath_print(o->template, a, tree, &text, err);
	}
	if (rc != RC_OK)
		return err_wrap(err, "error executing jsonpath: Error executing template");
	fwrite(buf_str(&text).at, 1, text.len, stdout);
	fflush(stdout);
	return RC_OK;
}

static void print_name(struct arena *a, const struct json *object)
{
	const struct api_kind *kind = api_by_api_version(
		api_builtin(), json_path_str(object, "apiVersion"), json_path_str(object, "kind"));
	if (kind)
		object_print_name(a, kind, json_path_str(object, "metadata.name"));
}

enum rc output_print(struct output *o, struct arena *a, struct json *tree, struct err *err)
{
	if (!o->shows_managed_fields)
		drop_managed_fields(tree);
	json_sort_keys(tree);
	switch (o->form) {
	case OUTPUT_JSONPATH:
		return print_template(o, a, tree, err);
	case OUTPUT_COLUMNS:
		return print_columns(o, a, tree, err);
	case OUTPUT_NAME:
		if (!is_list(tree))
			print_name(a, tree);
		for (size_t i = 0; is_list(tree) && i < json_count(json_get(tree, STR("items")));
		     i++)
			print_name(a, json_at(json_get(tree, STR("items")), i));
		return RC_OK;
	default:
		if (o->form == OUTPUT_YAML && o->printed++)
			printf("---\n");
		return object_print(tree, o->form, err);
	}
}
