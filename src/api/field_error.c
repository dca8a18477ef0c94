#include "api/field_error.h"

#include "api/gotext.h"

#define VALUE_TEXT_MAX (4u << 20)

static const struct {
	const char *reason, *words;
} types[] = {
#define X(code, reason, words) {reason, words},
	FIELD_ERROR_LIST(X)
#undef X
};

static struct field_error *next_error(struct field_errors *list)
{
	if (list->count == FIELD_ERRORS_MAX)
		return NULL;
	if (list->count == list->cap)
		list->items = arena_grow(list->arena, list->items, list->count, &list->cap,
					 sizeof(*list->items));
	struct field_error *e = &list->items[list->count++];
	*e = (struct field_error){};
	return e;
}

static struct str value_text(struct arena *a, const struct json *value)
{
	CLEANUP_BUF text = BUF_INIT(VALUE_TEXT_MAX);
	if (value->type == JSON_STRING)
		gotext_quote(&text, value->string);
	else
		json_write(&text, value);
	return arena_str(a, buf_str(&text));
}

void field_error_add(struct field_errors *list, enum field_error_type type, struct str path,
		     const struct json *value, const char *detail, ...)
{
	struct field_error *e = next_error(list);
	if (!e)
		return;
	va_list ap;
	va_start(ap, detail);
	e->type = type;
	e->path = path;
	e->value = value ? value_text(list->arena, value) : (struct str){};
	e->detail = arena_vprintf(list->arena, detail, ap);
	va_end(ap);
}

void field_error_not_supported(struct field_errors *list, struct str path, const struct json *value,
			       struct str supported)
{
	CLEANUP_BUF text = BUF_INIT(VALUE_TEXT_MAX);
	struct str item, rest = supported;
	const char *separator = "";
	for (bool more = true; more; separator = ", ") {
		more = str_cut(rest, ',', &item, &rest);
		buf_add_cstr(&text, separator);
		gotext_quote(&text, item);
	}
	field_error_add(list, FIELD_ERROR_NOT_SUPPORTED, path, value, "supported values: %.*s",
			STR_FMT(buf_str(&text)));
}

void field_error_write_body(struct buf *out, const struct field_error *e)
{
	buf_add_cstr(out, types[e->type].words);
	if (e->value.at) {
		buf_add_cstr(out, ": ");
		buf_add_str(out, e->value);
	}
	if (e->detail.len > 0) {
		buf_add_cstr(out, ": ");
		buf_add_str(out, e->detail);
	}
}

void field_error_write(struct buf *out, const struct field_error *e)
{
	buf_add_str(out, e->path);
	buf_add_cstr(out, ": ");
	field_error_write_body(out, e);
}

const char *field_error_reason(enum field_error_type type)
{
	ASSERT(type < ARRAY_LEN(types));
	return types[type].reason;
}
