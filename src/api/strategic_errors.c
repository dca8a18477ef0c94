#include "api/strategic-int.h"
#include "base/buf.h"

static const char *go_type(const struct json *v)
{
	static const char *const names[] = {
		[JSON_NULL] = "%!s(<nil>)",
		[JSON_BOOL] = "bool",
		[JSON_INT] = "int64",
		[JSON_DOUBLE] = "float64",
		[JSON_STRING] = "string",
		[JSON_ARRAY] = "[]interface {}",
		[JSON_OBJECT] = "map[string]interface {}",
	};
	return names[v->type];
}

/* Go's %s of a value: of all but a string it says that this is none. */
static void go_text_write(struct buf *out, const struct json *v)
{
	if (v->type == JSON_STRING) {
		buf_add_str(out, v->string);
		return;
	}
	buf_printf(out, "%%!s(%s=", go_type(v));
	go_value_write(out, v);
	buf_add_char(out, ')');
}

enum rc strategic_bad_directive(const struct json *directive, const struct json *map,
				struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(ERR_TEXT_MAX * 4);
	buf_add_cstr(&text, "unknown patch type: ");
	go_text_write(&text, directive);
	buf_add_cstr(&text, " in map: ");
	go_value_write(&text, map);
	return err_set(err, RC_INTERNAL, "%s", text.data);
}

enum rc strategic_no_merge_key(const struct json *item, struct str key, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(ERR_TEXT_MAX * 4);
	go_value_write(&text, item);
	return err_set(err, RC_INTERNAL, "map: %s does not contain declared merge key: %.*s",
		       text.data, STR_FMT(key));
}

enum rc strategic_bad_shape(const char *expected, const struct json *v, struct err *err)
{
	return err_set(err, RC_INTERNAL, "expected a %s, but received a %s", expected, go_type(v));
}

enum rc strategic_unknown_field(struct str type, struct str name, struct err *err)
{
	struct str package, rest;
	if (str_cut(type, '.', &package, &rest))
		type = rest;
	return err_set(err, RC_INTERNAL,
		       "unable to find api field in struct %.*s for the json field \"%.*s\"",
		       STR_FMT(type), STR_FMT(name));
}

enum rc strategic_mixed_items(const struct json *original, const struct json *patch,
			      struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(64u << 10);
	go_value_write(&text, original);
	buf_add_char(&text, ' ');
	go_value_write(&text, patch);
	return err_set(err, RC_INTERNAL, "list element types are not identical: [%s]",
		       text.data ? text.data : "");
}

enum rc strategic_order_mismatch(const struct json *patch, const struct json *order,
				 struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(64u << 10);
	buf_add_cstr(&text, "The order in patch list:\n");
	go_value_write(&text, patch);
	buf_add_cstr(&text, "\n doesn't match $setElementOrder list:\n");
	go_value_write(&text, order);
	buf_add_char(&text, '\n');
	return err_set(err, RC_INTERNAL, "%s", text.data ? text.data : "");
}
