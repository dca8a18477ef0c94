/* Types of CEL: making, comparing and naming them. */
#include "codec/cel-int.h"

const struct cel_type cel_dyn = {.kind = CEL_DYN}, cel_error = {.kind = CEL_ERROR},
		      cel_null = {.kind = CEL_NULL}, cel_bool = {.kind = CEL_BOOL},
		      cel_int = {.kind = CEL_INT}, cel_uint = {.kind = CEL_UINT},
		      cel_double = {.kind = CEL_DOUBLE}, cel_string = {.kind = CEL_STRING},
		      cel_bytes = {.kind = CEL_BYTES}, cel_timestamp = {.kind = CEL_TIMESTAMP},
		      cel_duration = {.kind = CEL_DURATION};

const struct cel_type *cel_type_new(struct arena *a, enum cel_kind kind, struct str name,
				    const struct cel_type *first, const struct cel_type *second)
{
	struct cel_type *t = ARENA_NEW(a, struct cel_type);
	*t = (struct cel_type){.kind = kind, .name = name, .of = {first, second}};
	return t;
}

const struct cel_type *cel_list_of(struct arena *a, const struct cel_type *item)
{
	return cel_type_new(a, CEL_LIST, (struct str){}, item, NULL);
}

const struct cel_type *cel_map_of(struct arena *a, const struct cel_type *key,
				  const struct cel_type *value)
{
	return cel_type_new(a, CEL_MAP, (struct str){}, key, value);
}

const struct cel_type *cel_field_type(const struct cel_type *type, struct str name)
{
	for (size_t i = 0; i < type->field_count; i++)
		if (str_eq(type->fields[i].name, name))
			return type->fields[i].type;
	return NULL;
}

bool cel_is_dyn(const struct cel_type *type)
{
	return type->kind == CEL_DYN || type->kind == CEL_ERROR;
}

bool cel_type_equal(const struct cel_type *a, const struct cel_type *b)
{
	if (a == b)
		return true;
	if (!a || !b || a->kind != b->kind || !str_eq(a->name, b->name))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(a->of); i++)
		if (a->of[i] != b->of[i] && !cel_type_equal(a->of[i], b->of[i]))
			return false;
	return true;
}

static const struct {
	const char *in_fault, *plain;
} names[] = {
	[CEL_DYN] = {"dyn", "dyn"},
	[CEL_ERROR] = {"!error!", "*error*"},
	[CEL_NULL] = {"null", "null_type"},
	[CEL_BOOL] = {"bool", "bool"},
	[CEL_INT] = {"int", "int"},
	[CEL_UINT] = {"uint", "uint"},
	[CEL_DOUBLE] = {"double", "double"},
	[CEL_STRING] = {"string", "string"},
	[CEL_BYTES] = {"bytes", "bytes"},
	[CEL_TIMESTAMP] = {"timestamp", "google.protobuf.Timestamp"},
	[CEL_DURATION] = {"duration", "google.protobuf.Duration"},
	[CEL_LIST] = {"list", "list"},
	[CEL_MAP] = {"map", "map"},
	[CEL_TYPE] = {"type", "type"},
};

void cel_type_show(struct buf *b, const struct cel_type *type, bool is_for_fault)
{
	if (type->kind == CEL_OPAQUE || type->kind == CEL_STRUCT || type->kind == CEL_PARAM)
		buf_add_str(b, type->name);
	else
		buf_add_cstr(b,
			     is_for_fault ? names[type->kind].in_fault : names[type->kind].plain);
	if (!type->of[0])
		return;
	buf_add_char(b, '(');
	cel_type_show(b, type->of[0], is_for_fault);
	if (type->of[1]) {
		buf_add_cstr(b, ", ");
		cel_type_show(b, type->of[1], is_for_fault);
	}
	buf_add_char(b, ')');
}

struct str cel_type_text(struct arena *a, const struct cel_type *type)
{
	CLEANUP_BUF b = BUF_INIT(CEL_TEXT_MAX);
	cel_type_show(&b, type, false);
	return arena_str(a, buf_str(&b));
}
