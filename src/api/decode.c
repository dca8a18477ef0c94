#include "api/decode.h"

#include <math.h>

#include "api/api_ids.h"
#include "api/gotext.h"
#include "api/quantity.h"
#include "base/encode.h"
#include "base/timefmt.h"

/* Go's decoder keeps the first mismatch of types and goes on, so that the complaint of a type that
 * reads itself (Time, Quantity) comes first wherever it stands: that one ends everything. */
struct walk {
	struct arena *a;
	struct unknown_fields *unknown;
	size_t value_count;
	struct err saved; /* rc == RC_OK: none */
	struct err hard;
};

/* Where the walk is: a chain on the stack, read only when something is wrong. */
struct place {
	const struct place *up;
	const struct api_type *type;   /* of the struct that has the field */
	const struct api_field *field; /* NULL: an element of the list or map above */
	struct str key;
	int64_t index; /* of a list, else -1 */
};

static bool struct_value(struct walk *w, const struct place *up, const struct api_type *type,
			 struct str go_type, const struct json *v, struct json **ret_out);

/* ---- Words ---- */

/* Names of the embedded structs through which Go reaches the field. */
static void add_embedding(struct buf *out, const struct api_type *type,
			  const struct api_field *field)
{
	uint32_t at = (uint32_t)(field - type->fields);
	for (uint32_t i = 0; i < at; i++) {
		const struct api_field *mark = &type->fields[i];
		if (!(mark->flags & FIELD_INLINE))
			continue;
		const struct api_type *inner = api_type(api_builtin(), mark->type);
		if (at <= i + inner->field_count)
			buf_printf(out, ".%.*s", STR_FMT(inner->name));
		else
			i += inner->field_count;
	}
}

static void add_go_path(struct buf *out, const struct place *p)
{
	if (!p)
		return;
	add_go_path(out, p->up);
	if (!p->field)
		return;
	add_embedding(out, p->type, p->field);
	buf_printf(out, ".%.*s", STR_FMT(p->field->name));
}

static void add_path(struct buf *out, const struct place *p)
{
	if (!p)
		return;
	add_path(out, p->up);
	if (p->index < 0 && out->len)
		buf_add_char(out, '.');
	if (p->index >= 0)
		buf_printf(out, "[%lld]", (long long)p->index);
	else
		buf_add_str(out, p->key); /* which may have any byte */
}

static const char *type_word(const struct json *v)
{
	switch (v->type) {
	case JSON_BOOL:
		return "bool";
	case JSON_INT:
	case JSON_DOUBLE:
		return "number";
	case JSON_STRING:
		return "string";
	case JSON_ARRAY:
		return "array";
	case JSON_OBJECT:
	case JSON_NULL:
		break;
	}
	return "object";
}

static void write_mismatch(struct err *err, const struct place *p, const char *word,
			   struct str go_type)
{
	CLEANUP_BUF path = BUF_INIT(ERR_TEXT_MAX * 4);
	const struct place *owner = p;
	while (owner && !owner->field)
		owner = owner->up;
	add_go_path(&path, p);
	if (owner)
		err_set(err, RC_BAD_REQUEST,
			"json: cannot unmarshal %s into Go struct field %.*s%s of type %.*s", word,
			STR_FMT(owner->type->name), path.data, STR_FMT(go_type));
	else
		err_set(err, RC_BAD_REQUEST, "json: cannot unmarshal %s into Go value of type %.*s",
			word, STR_FMT(go_type));
}

static void save_mismatch(struct walk *w, const struct place *p, const char *word,
			  struct str go_type)
{
	if (w->saved.rc == RC_OK)
		write_mismatch(&w->saved, p, word, go_type);
}

/* "number 1.5": a number that the type cannot hold. */
static struct str number_word(struct walk *w, const struct json *v)
{
	CLEANUP_BUF text = BUF_INIT(512);
	buf_add_cstr(&text, "number ");
	if (v->type == JSON_DOUBLE && fabs(v->number) < 1e15 && floor(v->number) == v->number)
		buf_printf(&text, "%.1f", v->number);
	else
		json_write(&text, v);
	return arena_str(w->a, buf_str(&text));
}

static void note_unknown(struct walk *w, const struct place *up, struct str key)
{
	struct unknown_fields *u = w->unknown;
	if (!u || u->count >= UNKNOWN_FIELDS_MAX)
		return;
	CLEANUP_BUF path = BUF_INIT(JSON_MAX_BYTES);
	struct place p = {.up = up, .key = key, .index = -1};
	add_path(&path, &p);
	u->paths = arena_grow(w->a, u->paths, u->count, &u->cap, sizeof(*u->paths));
	u->paths[u->count++] = arena_str(w->a, buf_str(&path));
}

/* ---- Scalars: false is the end of everything; *ret_out stays NULL for a zero value ---- */

static bool int_value(struct walk *w, const struct place *p, const struct json *v, bool is_32,
		      struct str go_type, const struct json **ret_out)
{
	bool fits = v->type == JSON_INT &&
		    (!is_32 || (v->integer >= INT32_MIN && v->integer <= INT32_MAX));
	if (fits)
		*ret_out = v;
	else if (v->type == JSON_INT || v->type == JSON_DOUBLE)
		save_mismatch(w, p, number_word(w, v).at, go_type);
	else
		save_mismatch(w, p, type_word(v), go_type);
	return true;
}

static unsigned char byte_of_number(struct walk *w, const struct place *p, const struct json *v)
{
	bool is_number = v->type == JSON_INT || v->type == JSON_DOUBLE;
	if (v->type == JSON_INT && v->integer >= 0 && v->integer <= UINT8_MAX)
		return (unsigned char)v->integer;
	if (v->type != JSON_NULL)
		save_mismatch(w, p, is_number ? number_word(w, v).at : type_word(v), STR("uint8"));
	return 0;
}

/* A list of numbers is as good as base64 of them. */
static void bytes_of_numbers(struct walk *w, const struct place *p, const struct json *v,
			     const struct json **ret_out)
{
	CLEANUP_BUF bytes = BUF_INIT(JSON_MAX_BYTES), text = BUF_INIT(SIZE_MAX);
	for (size_t i = 0; i < json_count(v); i++)
		buf_add_char(&bytes, (char)byte_of_number(w, p, json_at(v, i)));
	base64_add(&text, buf_str(&bytes));
	*ret_out = json_string(w->a, arena_str(w->a, buf_str(&text)));
}

static bool bytes_value(struct walk *w, const struct place *p, const struct json *v,
			const struct json **ret_out)
{
	struct str bytes;
	struct err err;
	if (v->type == JSON_ARRAY) {
		bytes_of_numbers(w, p, v, ret_out);
		return true;
	}
	if (v->type != JSON_STRING) {
		save_mismatch(w, p, type_word(v), STR("[]uint8"));
		return true;
	}
	if (gotext_base64(w->a, v->string, &bytes, &err) != RC_OK) {
		if (w->saved.rc == RC_OK)
			w->saved = err;
		return true;
	}
	*ret_out = v;
	bool is_plain = !v->string.len || (!memchr(v->string.at, '\n', v->string.len) &&
					   !memchr(v->string.at, '\r', v->string.len) &&
					   v->string.at[v->string.len - 1] != '=');
	if (!is_plain) {
		CLEANUP_BUF text = BUF_INIT(SIZE_MAX);
		base64_add(&text, bytes);
		*ret_out = json_string(w->a, arena_str(w->a, buf_str(&text)));
	}
	return true;
}

static bool time_value(struct walk *w, const struct place *p, const struct json *v, bool is_micro,
		       const struct json **ret_out)
{
	int64_t time_us;
	bool is_zero;
	char text[TIME_TEXT_MAX];
	if (v->type != JSON_STRING) {
		write_mismatch(&w->hard, p, type_word(v), STR("string"));
		return false;
	}
	if (gotext_time(v->string, is_micro, &time_us, &is_zero, &w->hard) != RC_OK)
		return false;
	if (is_zero)
		return true;
	size_t len = is_micro ? time_format_micro(time_us, text) : time_format(time_us, text);
	if (str_eq(str_n(text, len), v->string))
		*ret_out = v;
	else
		*ret_out = json_string(w->a, arena_str(w->a, str_n(text, len)));
	return true;
}

static bool quantity_value_of(struct walk *w, const struct json *v, const struct json **ret_out)
{
	CLEANUP_BUF raw = BUF_INIT(JSON_MAX_BYTES);
	char text[QUANTITY_TEXT_MAX];
	struct quantity q;
	struct str written = v->type == JSON_STRING ? v->string : (struct str){};
	if (v->type != JSON_STRING) {
		json_write(&raw, v);
		written = buf_str(&raw);
	}
	if (quantity_parse(str_trim(written), &q, &w->hard) != RC_OK)
		return false;
	size_t len = quantity_format(q, text);
	if (v->type == JSON_STRING && str_eq(str_n(text, len), v->string))
		*ret_out = v;
	else
		*ret_out = json_string(w->a, arena_str(w->a, str_n(text, len)));
	return true;
}

/* It reads itself: what it finds wrong ends everything. */
static bool int_or_string_value(struct walk *w, const struct place *p, const struct json *v,
				const struct json **ret_out)
{
	bool fits = v->type == JSON_STRING ||
		    (v->type == JSON_INT && v->integer >= INT32_MIN && v->integer <= INT32_MAX);
	if (fits) {
		*ret_out = v;
		return true;
	}
	bool is_number = v->type == JSON_INT || v->type == JSON_DOUBLE;
	write_mismatch(&w->hard, p, is_number ? number_word(w, v).at : type_word(v), STR("int32"));
	return false;
}

static bool plain_value(struct walk *w, const struct place *p, const struct json *v, bool fits,
			struct str go_type, const struct json **ret_out)
{
	if (fits)
		*ret_out = v;
	else
		save_mismatch(w, p, type_word(v), go_type);
	return true;
}

/* ---- Schemas in place of which something else may stand ---- */

static bool schema_value(struct walk *w, const struct place *p, const struct json *v,
			 struct json **ret_out)
{
	struct unknown_fields *unknown = w->unknown;
	w->unknown = NULL; /* Go decodes these by themselves, not strictly */
	bool is_ok = struct_value(w, p,
				  api_type(api_builtin(), TYPE_APIEXTENSIONS_V1_JSON_SCHEMA_PROPS),
				  STR("v1.JSONSchemaProps"), v, ret_out);
	w->unknown = unknown;
	return is_ok;
}

static bool schema_list(struct walk *w, const struct place *p, const struct json *v,
			struct json **ret_out)
{
	struct json *list = json_array(w->a);
	for (size_t i = 0; i < v->array.count; i++) {
		struct json *out = NULL;
		if (!schema_value(w, p, v->array.items[i], &out))
			return false;
		if (out)
			json_append(w->a, list, out);
	}
	if (list->array.count)
		*ret_out = list;
	return true;
}

static bool schema_or(struct walk *w, const struct place *p, const struct json *v,
		      enum field_form form, struct json **ret_out)
{
	if (v->type == JSON_OBJECT)
		return schema_value(w, p, v, ret_out);
	if (form == FORM_SCHEMA_OR_ARRAY && v->type == JSON_ARRAY)
		return schema_list(w, p, v, ret_out);
	if (form == FORM_SCHEMA_OR_STRINGS && v->type == JSON_ARRAY)
		*ret_out = json_copy(w->a, v);
	if (form == FORM_SCHEMA_OR_BOOL && v->type != JSON_BOOL) {
		err_set(&w->hard, RC_BAD_REQUEST, "boolean or JSON schema expected");
		return false;
	}
	if (form == FORM_SCHEMA_OR_BOOL)
		*ret_out = json_bool(w->a, v->boolean);
	return true;
}

/* ---- Values, lists, maps ---- */

static bool one_value(struct walk *w, const struct place *p, const struct api_field *f,
		      struct str go_type, const struct json *v, struct json **ret_out)
{
	const struct json **leaf = (const struct json **)ret_out;
	if (w->value_count > DECODE_MAX_VALUES) {
		err_set(&w->hard, RC_TOO_LARGE, "the object has more than %u values: split it",
			DECODE_MAX_VALUES);
		return false;
	}
	w->value_count++;
	if (v->type == JSON_NULL)
		return true;
	switch ((enum field_form)f->form) {
	case FORM_BOOL:
		return plain_value(w, p, v, v->type == JSON_BOOL, go_type, leaf);
	case FORM_INT32:
	case FORM_INT64:
		return int_value(w, p, v, f->form == FORM_INT32, go_type, leaf);
	case FORM_DOUBLE:
		return plain_value(w, p, v, v->type == JSON_INT || v->type == JSON_DOUBLE, go_type,
				   leaf);
	case FORM_STRING:
		return plain_value(w, p, v, v->type == JSON_STRING, go_type, leaf);
	case FORM_DURATION:
		return plain_value(w, p, v, v->type == JSON_STRING, STR("string"), leaf);
	case FORM_BYTES:
		return bytes_value(w, p, v, leaf);
	case FORM_TIME:
	case FORM_MICRO_TIME:
		return time_value(w, p, v, f->form == FORM_MICRO_TIME, leaf);
	case FORM_QUANTITY:
		return quantity_value_of(w, v, leaf);
	case FORM_INT_OR_STRING:
		return int_or_string_value(w, p, v, leaf);
	case FORM_RAW:
		*leaf = v;
		return true;
	case FORM_STRUCT:
		return struct_value(w, p, api_type(api_builtin(), f->type), go_type, v, ret_out);
	case FORM_SCHEMA_OR_BOOL:
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS:
		return schema_or(w, p, v, f->form, ret_out);
	}
	return true;
}

static bool empty_struct(struct walk *w, int32_t type, struct json **ret_out)
{
	struct json nothing = {.type = JSON_OBJECT};
	return struct_value(w, NULL, api_type(api_builtin(), type), STR(""), &nothing, ret_out);
}

/* What Go writes for the zero value of one value. */
static struct json *zero_value(struct walk *w, const struct api_field *f)
{
	struct json *out = NULL;
	switch ((enum field_form)f->form) {
	case FORM_BOOL:
		return json_bool(w->a, false);
	case FORM_INT32:
	case FORM_INT64:
	case FORM_DOUBLE:
	case FORM_INT_OR_STRING:
		return json_int(w->a, 0);
	case FORM_STRING:
		return json_cstring(w->a, "");
	case FORM_DURATION:
		return json_cstring(w->a, "0s");
	case FORM_QUANTITY:
		return json_cstring(w->a, "0");
	case FORM_STRUCT:
		if (empty_struct(w, f->type, &out))
			return out;
		break;
	case FORM_BYTES:
	case FORM_TIME:
	case FORM_MICRO_TIME:
	case FORM_RAW:
	case FORM_SCHEMA_OR_BOOL:
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS:
		break;
	}
	return json_null(w->a);
}

static bool list_value(struct walk *w, const struct place *up, const struct api_field *f,
		       struct str go_type, struct str element_go_type, const struct json *v,
		       struct json **ret_out)
{
	if (v->type != JSON_ARRAY) {
		save_mismatch(w, up, type_word(v), go_type);
		return true;
	}
	struct json *list = json_array(w->a);
	for (size_t i = 0; i < v->array.count; i++) {
		struct place p = {.up = up, .index = (int64_t)i};
		struct json *out = NULL;
		if (!one_value(w, &p, f, element_go_type, v->array.items[i], &out))
			return false;
		json_append(w->a, list, out ? out : zero_value(w, f));
	}
	*ret_out = list;
	return true;
}

static int compare_keys(const void *left, const void *right)
{
	return str_cmp(((const struct json_member *)left)->key,
		       ((const struct json_member *)right)->key);
}

static void sort_members(struct json *map)
{
	struct json_member *m = map->object.members;
	for (size_t i = 1; i < map->object.count; i++)
		if (compare_keys(&m[i - 1], &m[i]) > 0) {
			qsort(m, map->object.count, sizeof(*m), compare_keys);
			return;
		}
}

static bool map_entry(struct walk *w, const struct place *p, const struct api_field *f,
		      const struct json *v, struct json **ret_out)
{
	if (f->shape != SHAPE_MAP_OF_LISTS) {
		if (!one_value(w, p, f, f->element_go_type, v, ret_out))
			return false;
		if (!*ret_out) /* the store keeps absent bytes as none */
			*ret_out = f->form == FORM_BYTES ? json_cstring(w->a, "")
							 : zero_value(w, f);
		return true;
	}
	if (v->type != JSON_NULL &&
	    !list_value(w, p, f, f->element_go_type, STR("string"), v, ret_out))
		return false;
	*ret_out = *ret_out ? *ret_out : json_null(w->a);
	return true;
}

static bool map_value(struct walk *w, const struct place *up, const struct api_field *f,
		      const struct json *v, struct json **ret_out)
{
	if (v->type != JSON_OBJECT) {
		save_mismatch(w, up, type_word(v), f->go_type);
		return true;
	}
	struct json *map = json_object(w->a);
	for (size_t i = 0; i < v->object.count; i++) {
		const struct json_member *m = &v->object.members[i];
		struct place p = {.up = up, .key = m->key, .index = -1};
		struct json *out = NULL;
		if (!map_entry(w, &p, f, m->value, &out))
			return false;
		json_add(w->a, map, m->key, out);
	}
	sort_members(map);
	*ret_out = map;
	return true;
}

/* ---- Structs ---- */

static bool field_value(struct walk *w, const struct place *p, const struct json *v,
			struct json **ret_out)
{
	const struct api_field *f = p->field;
	if (f->shape == SHAPE_LIST)
		return list_value(w, p, f, f->go_type, f->element_go_type, v, ret_out);
	if (f->shape != SHAPE_ONE)
		return map_value(w, p, f, v, ret_out);
	return one_value(w, p, f, f->go_type, v, ret_out);
}

/* omitempty. */
static bool is_left_out(const struct api_field *f, const struct json *out)
{
	if (!(f->flags & FIELD_OMIT_EMPTY))
		return false;
	if (!out)
		return true;
	if (f->shape != SHAPE_ONE)
		return json_count(out) == 0 && !(f->flags & FIELD_KEEP_EMPTY);
	if (f->flags & FIELD_POINTER)
		return false;
	switch (out->type) {
	case JSON_BOOL:
		return !out->boolean;
	case JSON_INT:
		return out->integer == 0;
	case JSON_DOUBLE:
		return out->number == 0;
	case JSON_STRING:
		return out->string.len == 0;
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	return false;
}

static struct json *zero_field(struct walk *w, const struct api_field *f)
{
	bool is_nil = f->shape != SHAPE_ONE || f->flags & FIELD_POINTER;
	return is_nil ? json_null(w->a) : zero_value(w, f);
}

static struct json *struct_from_slots(struct walk *w, const struct api_type *type,
				      struct json *const *slots)
{
	struct json *tree = json_object(w->a);
	w->value_count += type->field_count / 4; /* what stands for absent ones */
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct api_field *f = &type->fields[i];
		if (f->flags & FIELD_INLINE || is_left_out(f, slots[i]))
			continue;
		json_add(w->a, tree, f->name, slots[i] ? slots[i] : zero_field(w, f));
	}
	return tree;
}

static bool struct_value(struct walk *w, const struct place *up, const struct api_type *type,
			 struct str go_type, const struct json *v, struct json **ret_out)
{
	struct json *slots[API_FIELDS_MAX];
	uint32_t hint = 0;
	ASSERT(type->field_count <= API_FIELDS_MAX);
	memset(slots, 0, type->field_count * sizeof(slots[0])); /* most types have few */
	if (v->type != JSON_OBJECT) {
		save_mismatch(w, up, type_word(v), go_type);
		return true;
	}
	for (size_t i = 0; i < v->object.count; i++) {
		const struct json_member *m = &v->object.members[i];
		const struct api_field *f = api_field_near(type, m->key, &hint);
		struct place p = {up, type, f, m->key, -1};
		if (!f)
			note_unknown(w, up, m->key);
		else if (m->value->type != JSON_NULL &&
			 !field_value(w, &p, m->value, &slots[f - type->fields]))
			return false;
	}
	*ret_out = struct_from_slots(w, type, slots);
	return true;
}

enum rc api_normalise(struct arena *a, const struct api_type *type, const struct json *tree,
		      struct unknown_fields *unknown, struct json **ret_tree, struct err *err)
{
	struct walk w = {.a = a, .unknown = unknown};
	struct json *out = NULL;
	struct str go_type = arena_printf(a, "v1.%.*s", STR_FMT(type->name));
	if (!struct_value(&w, NULL, type, go_type, tree, &out))
		return err_set(err, w.hard.rc, "%s", w.hard.text);
	if (w.saved.rc != RC_OK)
		return err_set(err, RC_BAD_REQUEST, "%s", w.saved.text);
	ASSERT(out);
	*ret_tree = out;
	return RC_OK;
}
