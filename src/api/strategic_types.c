#include "api/strategic-int.h"

#include <math.h>
#include <stdlib.h>

#include "api/gotext.h"
#include "base/mem.h"

static int by_key(const void *a, const void *b)
{
	return str_cmp(((const struct json_member *)a)->key, ((const struct json_member *)b)->key);
}

static void map_write(struct buf *out, const struct json *tree)
{
	size_t size = sizeof(struct json_member) * tree->object.count;
	CLEANUP(free_p) struct json_member *sorted = mem_alloc(size + 1);
	if (size > 0)
		memcpy(sorted, tree->object.members, size);
	qsort(sorted, tree->object.count, sizeof(*sorted), by_key);
	buf_add_cstr(out, "map[");
	for (size_t i = 0; i < tree->object.count; i++) {
		buf_add_cstr(out, i ? " " : "");
		buf_add_str(out, sorted[i].key);
		buf_add_char(out, ':');
		go_value_write(out, sorted[i].value);
	}
	buf_add_char(out, ']');
}

void go_value_write(struct buf *out, const struct json *tree)
{
	if (!tree || tree->type == JSON_NULL) {
		buf_add_cstr(out, "<nil>");
	} else if (tree->type == JSON_STRING) {
		buf_add_str(out, tree->string);
	} else if (tree->type == JSON_ARRAY) {
		buf_add_char(out, '[');
		for (size_t i = 0; i < tree->array.count; i++) {
			buf_add_cstr(out, i ? " " : "");
			go_value_write(out, tree->array.items[i]);
		}
		buf_add_char(out, ']');
	} else if (tree->type == JSON_OBJECT) {
		map_write(out, tree);
	} else {
		json_write(out, tree);
	}
}

const char *go_kind_of_json(const struct json *value)
{
	static const char *const kinds[] = {
		[JSON_NULL] = "null",	  [JSON_BOOL] = "bool",	    [JSON_INT] = "number",
		[JSON_DOUBLE] = "number", [JSON_STRING] = "string", [JSON_ARRAY] = "array",
		[JSON_OBJECT] = "object",
	};
	return kinds[value->type];
}

static const char *reflect_kind(const struct json *value)
{
	static const char *const kinds[] = {
		[JSON_NULL] = "invalid",   [JSON_BOOL] = "bool",     [JSON_INT] = "int64",
		[JSON_DOUBLE] = "float64", [JSON_STRING] = "string", [JSON_ARRAY] = "slice",
		[JSON_OBJECT] = "map",
	};
	return kinds[value->type];
}

struct checker {
	struct arena *arena;
	struct str fault; /* absent: none yet */
};

static void check_struct(struct checker *c, const struct api_type *type, const struct json *tree);

/* Go's kind of a form, as long as it is a simple one: types with an unmarshaller of their own judge
 * their text later. */
static const char *simple_kind(enum field_form form)
{
	switch (form) {
	case FORM_BOOL:
		return "bool";
	case FORM_INT32:
		return "int32";
	case FORM_INT64:
		return "int64";
	case FORM_STRING:
		return "string";
	default:
		return NULL;
	}
}

static bool form_takes(enum field_form form, const struct json *value)
{
	if (form == FORM_BOOL)
		return value->type == JSON_BOOL;
	if (form == FORM_STRING)
		return value->type == JSON_STRING;
	return value->type == JSON_INT ||
	       (value->type == JSON_DOUBLE && value->number == trunc(value->number));
}

/* Go converts integers to strings and numbers to each other, so it says that it will not; of all
 * else it knows no way. */
static void check_simple(struct checker *c, enum field_form form, const struct json *value,
			 struct str go_type)
{
	bool is_number = value->type == JSON_INT || value->type == JSON_DOUBLE;
	bool is_convertible = form == FORM_STRING ? value->type == JSON_INT
						  : form != FORM_BOOL && is_number;
	if (form_takes(form, value))
		return;
	c->fault = is_convertible
			   ? arena_printf(c->arena, "cannot convert %s to %.*s",
					  reflect_kind(value), STR_FMT(go_type))
			   : arena_printf(c->arena, "unrecognized type: %s", simple_kind(form));
}

/* Text of bytes is base64; a list of numbers would do as well. */
static void check_bytes(struct checker *c, const struct json *value)
{
	struct str bytes;
	struct err why;
	if (value->type == JSON_STRING && gotext_base64(c->arena, value->string, &bytes, &why))
		c->fault = arena_printf(c->arena, "error decoding from json: %s", why.text);
	else if (value->type != JSON_STRING && value->type != JSON_ARRAY)
		c->fault =
			arena_printf(c->arena, "cannot restore slice from %s", reflect_kind(value));
}

/* Times read themselves. */
static void check_time(struct checker *c, const struct json *value, bool is_micro)
{
	int64_t time_us;
	bool is_zero;
	struct err why;
	if (value->type != JSON_STRING)
		c->fault = arena_printf(c->arena,
					"json: cannot unmarshal %s into Go value of type string",
					go_kind_of_json(value));
	else if (gotext_time(value->string, is_micro, &time_us, &is_zero, &why) != RC_OK)
		c->fault = arena_str(c->arena, str_of(why.text));
}

static void check_one(struct checker *c, const struct api_field *f, const struct json *value,
		      struct str go_type)
{
	if (value->type == JSON_NULL || c->fault.at)
		return;
	if (f->form == FORM_STRUCT)
		check_struct(c, api_type(api_builtin(), f->type), value);
	else if (f->form == FORM_TIME || f->form == FORM_MICRO_TIME)
		check_time(c, value, f->form == FORM_MICRO_TIME);
	else if (f->form == FORM_BYTES)
		check_bytes(c, value);
	else if (simple_kind(f->form))
		check_simple(c, f->form, value, go_type);
}

static void check_field(struct checker *c, const struct api_field *f, const struct json *value)
{
	bool is_list = f->shape == SHAPE_LIST;
	if (f->shape == SHAPE_ONE) {
		check_one(c, f, value, f->go_type);
		return;
	}
	if (value->type == JSON_NULL)
		return;
	if (value->type != (is_list ? JSON_ARRAY : JSON_OBJECT)) {
		c->fault = arena_printf(c->arena, "cannot restore %s from %s",
					is_list ? "slice" : "map", reflect_kind(value));
		return;
	}
	if (f->shape == SHAPE_MAP_OF_LISTS)
		return;
	for (size_t i = 0; i < json_count(value); i++)
		check_one(c, f, is_list ? value->array.items[i] : value->object.members[i].value,
			  f->element_go_type);
}

static void check_struct(struct checker *c, const struct api_type *type, const struct json *tree)
{
	uint32_t hint = 0;
	if (tree->type != JSON_OBJECT) {
		c->fault = arena_printf(c->arena, "cannot restore struct from: %s",
					reflect_kind(tree));
		return;
	}
	for (size_t i = 0; i < json_count(tree) && !c->fault.at; i++) {
		struct json_member m = tree->object.members[i];
		const struct api_field *f = api_field_near(type, m.key, &hint);
		if (f)
			check_field(c, f, m.value);
	}
}

enum rc strategic_check_types(const struct api_type *type, const struct json *tree,
			      const struct json *patch, struct field_errors *errors,
			      struct err *err)
{
	struct checker c = {.arena = errors->arena};
	check_struct(&c, type, tree);
	if (!c.fault.at)
		return RC_OK;
	CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
	go_value_write(&text, patch);
	struct json *shown = json_string(errors->arena, arena_str(errors->arena, buf_str(&text)));
	field_error_add(errors, FIELD_ERROR_INVALID, STR("patch"), shown, "%.*s", STR_FMT(c.fault));
	return err_set(err, RC_INVALID, "%.*s", STR_FMT(c.fault));
}
