#include "api/view.h"

#include "base/encode.h"
#include "base/timefmt.h"

/* Every array and map of views.h has this layout, and a pair of a map is a key and a value. */
struct items {
	void *at;
	uint32_t count;
};

#define PAIR_VALUE_OFFSET sizeof(struct str)

static const struct api_type *type_of(const struct api_field *f)
{
	return api_type(api_builtin(), f->type);
}

/* Bytes of one value in its C form. */
static size_t value_size(const struct api_field *f)
{
	switch ((enum field_form)f->form) {
	case FORM_BOOL:
		return sizeof(bool);
	case FORM_INT32:
		return sizeof(int32_t);
	case FORM_INT64:
	case FORM_TIME:
	case FORM_MICRO_TIME:
		return sizeof(int64_t);
	case FORM_DOUBLE:
		return sizeof(double);
	case FORM_STRING:
	case FORM_BYTES:
	case FORM_DURATION:
	case FORM_QUANTITY:
		return sizeof(struct str);
	case FORM_INT_OR_STRING:
		return sizeof(struct int_or_string);
	case FORM_RAW:
	case FORM_SCHEMA_OR_BOOL:
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS:
		return sizeof(struct json *);
	case FORM_STRUCT:
		return type_of(f)->view_size;
	}
	return 0;
}

static size_t pair_size(const struct api_field *f)
{
	size_t value = f->shape == SHAPE_MAP_OF_LISTS ? sizeof(struct str_array) : value_size(f);
	return PAIR_VALUE_OFFSET + (value + 7) / 8 * 8;
}

/* Pointers whose NULL stands for absent; the others have an absent value of their own. */
static bool is_boxed(const struct api_field *f)
{
	if (!(f->flags & FIELD_POINTER))
		return false;
	return f->form == FORM_BOOL || f->form == FORM_INT32 || f->form == FORM_INT64 ||
	       f->form == FORM_DOUBLE || f->form == FORM_INT_OR_STRING || f->form == FORM_STRUCT;
}

/* ---- From the tree ---- */

struct making {
	struct arena *arena;
	bool is_shared;	 /* strings and documents of the tree may be pointed to */
	struct str text; /* else only strings in here */
};

static struct str kept(struct making *m, struct str s)
{
	bool is_inside = s.at >= m->text.at && s.at < m->text.at + m->text.len;
	return m->is_shared || is_inside ? s : arena_str(m->arena, s);
}

static void struct_from_tree(struct making *m, const struct api_type *type, const struct json *tree,
			     char *ret_view);

static struct str bytes_from_tree(struct making *m, const struct json *v)
{
	struct str bytes = {};
	if (v->type == JSON_STRING && !base64_decode(m->arena, v->string, &bytes))
		return (struct str){};
	return bytes;
}

static int64_t time_from_tree(const struct json *v)
{
	int64_t time_us = 0;
	return time_parse(json_str(v), &time_us) ? time_us : 0;
}

static void value_from_tree(struct making *m, const struct api_field *f, const struct json *v,
			    void *ret_value)
{
	switch ((enum field_form)f->form) {
	case FORM_BOOL:
		*(bool *)ret_value = json_is_true(v);
		return;
	case FORM_INT32:
		*(int32_t *)ret_value = (int32_t)json_i64(v);
		return;
	case FORM_INT64:
		*(int64_t *)ret_value = json_i64(v);
		return;
	case FORM_TIME:
	case FORM_MICRO_TIME:
		*(int64_t *)ret_value = time_from_tree(v);
		return;
	case FORM_DOUBLE:
		*(double *)ret_value = json_f64(v);
		return;
	case FORM_STRING:
	case FORM_DURATION:
	case FORM_QUANTITY:
		*(struct str *)ret_value = kept(m, json_str(v));
		return;
	case FORM_BYTES:
		*(struct str *)ret_value = bytes_from_tree(m, v);
		return;
	case FORM_INT_OR_STRING:
		*(struct int_or_string *)ret_value = (struct int_or_string){
			.is_string = v->type == JSON_STRING,
			.number = (int32_t)json_i64(v),
			.text = kept(m, json_str(v)),
		};
		return;
	case FORM_RAW:
	case FORM_SCHEMA_OR_BOOL:
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS:
		*(const struct json **)ret_value = m->is_shared ? v : json_copy(m->arena, v);
		return;
	case FORM_STRUCT:
		struct_from_tree(m, type_of(f), v, ret_value);
		return;
	}
}

static struct items list_from_tree(struct making *m, const struct api_field *f,
				   const struct json *v)
{
	if (v->type != JSON_ARRAY)
		return (struct items){};
	size_t size = value_size(f);
	struct items list = {arena_alloc(m->arena, v->array.count * size),
			     (uint32_t)v->array.count};
	for (uint32_t i = 0; i < list.count; i++)
		value_from_tree(m, f, v->array.items[i], (char *)list.at + i * size);
	return list;
}

static struct items map_from_tree(struct making *m, const struct api_field *f, const struct json *v)
{
	if (v->type != JSON_OBJECT)
		return (struct items){};
	size_t size = pair_size(f);
	struct items map = {arena_alloc(m->arena, v->object.count * size),
			    (uint32_t)v->object.count};
	for (uint32_t i = 0; i < map.count; i++) {
		char *pair = (char *)map.at + i * size;
		*(struct str *)pair = kept(m, v->object.members[i].key);
		if (f->shape == SHAPE_MAP_OF_LISTS)
			*(struct items *)(pair + PAIR_VALUE_OFFSET) =
				list_from_tree(m, f, v->object.members[i].value);
		else
			value_from_tree(m, f, v->object.members[i].value, pair + PAIR_VALUE_OFFSET);
	}
	return map;
}

static void field_from_tree(struct making *m, const struct api_field *f, const struct json *v,
			    void *ret_slot)
{
	if (v->type == JSON_NULL)
		return;
	if (f->shape == SHAPE_LIST) {
		*(struct items *)ret_slot = list_from_tree(m, f, v);
	} else if (f->shape != SHAPE_ONE) {
		*(struct items *)ret_slot = map_from_tree(m, f, v);
	} else if (is_boxed(f)) {
		void *box = arena_alloc(m->arena, value_size(f));
		value_from_tree(m, f, v, box);
		*(void **)ret_slot = box;
	} else {
		value_from_tree(m, f, v, ret_slot);
	}
}

static void struct_from_tree(struct making *m, const struct api_type *type, const struct json *tree,
			     char *ret_view)
{
	uint32_t hint = 0;
	if (!tree || tree->type != JSON_OBJECT)
		return;
	for (size_t i = 0; i < tree->object.count; i++) {
		const struct json_member *member = &tree->object.members[i];
		const struct api_field *f = api_field_near(type, member->key, &hint);
		if (f)
			field_from_tree(m, f, member->value, ret_view + f->view_offset);
	}
}

void *view_from_tree(struct arena *a, const struct api_type *type, const struct json *tree)
{
	struct making m = {.arena = a, .is_shared = true};
	char *view = arena_alloc(a, type->view_size);
	struct_from_tree(&m, type, tree, view);
	return view;
}

void *view_from_text(struct arena *a, const struct api_type *type, const struct json *tree,
		     struct str text)
{
	struct making m = {.arena = a, .text = text};
	char *view = arena_alloc(a, type->view_size);
	struct_from_tree(&m, type, tree, view);
	return view;
}

/* ---- To the tree ---- */

static struct json *struct_to_tree(struct arena *a, const struct api_type *type, const char *view);

static struct json *time_to_tree(struct arena *a, int64_t time_us, bool is_micro)
{
	char text[TIME_TEXT_MAX];
	if (!time_us)
		return json_null(a);
	size_t len = is_micro ? time_format_micro(time_us, text) : time_format(time_us, text);
	return json_string(a, arena_str(a, str_n(text, len)));
}

static struct json *bytes_to_tree(struct arena *a, struct str bytes)
{
	if (!bytes.at)
		return json_null(a);
	CLEANUP_BUF text = BUF_INIT(SIZE_MAX);
	base64_add(&text, bytes);
	return json_string(a, arena_str(a, buf_str(&text)));
}

static struct json *text_to_tree(struct arena *a, struct str text, const char *zero)
{
	return text.len ? json_string(a, text) : json_cstring(a, zero);
}

static struct json *value_to_tree(struct arena *a, const struct api_field *f, const void *value)
{
	switch ((enum field_form)f->form) {
	case FORM_BOOL:
		return json_bool(a, *(const bool *)value);
	case FORM_INT32:
		return json_int(a, *(const int32_t *)value);
	case FORM_INT64:
		return json_int(a, *(const int64_t *)value);
	case FORM_TIME:
	case FORM_MICRO_TIME:
		return time_to_tree(a, *(const int64_t *)value, f->form == FORM_MICRO_TIME);
	case FORM_DOUBLE:
		return json_double(a, *(const double *)value);
	case FORM_STRING:
		return text_to_tree(a, *(const struct str *)value, "");
	case FORM_DURATION:
		return text_to_tree(a, *(const struct str *)value, "0s");
	case FORM_QUANTITY:
		return text_to_tree(a, *(const struct str *)value, "0");
	case FORM_BYTES:
		return bytes_to_tree(a, *(const struct str *)value);
	case FORM_INT_OR_STRING: {
		const struct int_or_string *v = value;
		return v->is_string ? json_string(a, v->text) : json_int(a, v->number);
	}
	case FORM_RAW:
	case FORM_SCHEMA_OR_BOOL:
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS: {
		const struct json *v = *(const struct json *const *)value;
		return v ? json_copy(a, v) : json_null(a);
	}
	case FORM_STRUCT:
		return struct_to_tree(a, type_of(f), value);
	}
	return json_null(a);
}

static struct json *list_to_tree(struct arena *a, const struct api_field *f,
				 const struct items *list)
{
	if (!list->at)
		return json_null(a);
	struct json *tree = json_array(a);
	size_t size = value_size(f);
	for (uint32_t i = 0; i < list->count; i++)
		json_append(a, tree, value_to_tree(a, f, (const char *)list->at + i * size));
	return tree;
}

static struct json *map_to_tree(struct arena *a, const struct api_field *f, const struct items *map)
{
	if (!map->at)
		return json_null(a);
	struct json *tree = json_object(a);
	size_t size = pair_size(f);
	for (uint32_t i = 0; i < map->count; i++) {
		const char *pair = (const char *)map->at + i * size;
		const void *value = pair + PAIR_VALUE_OFFSET;
		json_add(a, tree, *(const struct str *)pair,
			 f->shape == SHAPE_MAP_OF_LISTS ? list_to_tree(a, f, value)
							: value_to_tree(a, f, value));
	}
	return tree;
}

/* What Go's omitempty leaves out: nil pointers, empty lists and maps, zero scalars. */
static bool is_empty(const struct api_field *f, const void *slot)
{
	if (f->shape != SHAPE_ONE)
		return ((const struct items *)slot)->count == 0;
	if (is_boxed(f))
		return !*(const void *const *)slot;
	switch ((enum field_form)f->form) {
	case FORM_BOOL:
		return !*(const bool *)slot;
	case FORM_INT32:
		return !*(const int32_t *)slot;
	case FORM_INT64:
	case FORM_TIME:
	case FORM_MICRO_TIME:
		return !*(const int64_t *)slot;
	case FORM_DOUBLE:
		return *(const double *)slot == 0;
	case FORM_RAW:
	case FORM_SCHEMA_OR_BOOL:
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS:
		return !*(const void *const *)slot;
	case FORM_STRING:
	case FORM_BYTES:
	case FORM_DURATION:
	case FORM_QUANTITY:
		return f->flags & FIELD_POINTER ? !((const struct str *)slot)->at
						: !((const struct str *)slot)->len;
	case FORM_INT_OR_STRING:
	case FORM_STRUCT:
		return false;
	}
	return false;
}

static struct json *field_to_tree(struct arena *a, const struct api_field *f, const void *slot)
{
	if (f->shape == SHAPE_LIST)
		return list_to_tree(a, f, slot);
	if (f->shape != SHAPE_ONE)
		return map_to_tree(a, f, slot);
	if (!is_boxed(f)) {
		bool is_nil = f->flags & FIELD_POINTER && is_empty(f, slot);
		return is_nil ? json_null(a) : value_to_tree(a, f, slot);
	}
	const void *box = *(const void *const *)slot;
	return box ? value_to_tree(a, f, box) : json_null(a);
}

static struct json *struct_to_tree(struct arena *a, const struct api_type *type, const char *view)
{
	struct json *tree = json_object(a);
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct api_field *f = &type->fields[i];
		const void *slot = view + f->view_offset;
		if (f->flags & FIELD_INLINE || (f->flags & FIELD_OMIT_EMPTY && is_empty(f, slot)))
			continue;
		json_add(a, tree, f->name, field_to_tree(a, f, slot));
	}
	return tree;
}

struct json *view_to_tree(struct arena *a, const struct api_type *type, const void *view)
{
	return struct_to_tree(a, type, view);
}

/* ---- Maps ---- */

struct str str_map_get(const struct str_map *map, struct str key)
{
	for (uint32_t i = 0; i < map->count; i++)
		if (str_eq(map->at[i].key, key))
			return map->at[i].value;
	return (struct str){};
}

struct str str_map_cget(const struct str_map *map, const char *key)
{
	return str_map_get(map, str_of(key));
}
