#include <stdlib.h>

#include "api/api_ids.h"
#include "api/typed.h"

struct schema_ref schema_ref_type(const struct api_type *type)
{
	return (struct schema_ref){.kind = REF_STRUCT, .type = type};
}

struct schema_ref schema_ref_custom(const struct json *open_api_v3_schema)
{
	return (struct schema_ref){.kind = REF_ROOT, .json = open_api_v3_schema};
}

static const struct schema_ref deduced = {.kind = REF_DEDUCED};

/* ---- The tables ---- */

static struct atom atom_of_form(const struct api_field *f)
{
	switch ((enum field_form)f->form) {
	case FORM_BOOL:
		return (struct atom){.scalar = SCALAR_BOOLEAN};
	case FORM_INT32:
	case FORM_INT64:
	case FORM_DOUBLE:
		return (struct atom){.scalar = SCALAR_NUMERIC};
	case FORM_STRING:
	case FORM_BYTES:
	case FORM_DURATION:
		return (struct atom){.scalar = SCALAR_STRING};
	case FORM_TIME:
	case FORM_MICRO_TIME:
	case FORM_QUANTITY:
	case FORM_INT_OR_STRING:
		return (struct atom){.scalar = SCALAR_UNTYPED};
	case FORM_STRUCT:
		return (struct atom){.kind = ATOM_MAP};
	case FORM_RAW:
	case FORM_SCHEMA_OR_BOOL:
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS:
		break;
	}
	return (struct atom){.scalar = SCALAR_ANY};
}

static struct atom atom_of_field(const struct api_field *f)
{
	struct atom atom;
	if (f->shape == SHAPE_LIST)
		return (struct atom){.kind = ATOM_LIST,
				     .is_atomic = f->list_type != LIST_SET &&
						  f->list_type != LIST_MAP,
				     .is_set = f->list_type == LIST_SET,
				     .keys = f->list_keys};
	if (f->shape == SHAPE_ONE)
		atom = atom_of_form(f);
	else
		atom = (struct atom){.kind = ATOM_MAP};
	atom.is_atomic = f->flags & FIELD_MAP_ATOMIC;
	return atom;
}

static struct atom atom_of_item(const struct api_field *f)
{
	if (f->shape == SHAPE_MAP_OF_LISTS)
		return (struct atom){.scalar = SCALAR_ANY};
	struct atom atom = atom_of_form(f);
	if (f->form == FORM_STRUCT)
		atom.is_atomic = api_type(api_builtin(), f->type)->is_atomic;
	return atom;
}

/* ---- Schemas of custom resources ---- */

static bool says(const struct json *schema, const char *key)
{
	return json_is_true(json_get(schema, str_of(key)));
}

static struct str word(const struct json *schema, const char *key)
{
	return json_str(json_get(schema, str_of(key)));
}

static bool is_open(const struct json *schema)
{
	return !schema || says(schema, "x-kubernetes-preserve-unknown-fields");
}

static struct atom atom_of_value(const struct json *value)
{
	if (value && value->type == JSON_OBJECT)
		return (struct atom){.kind = ATOM_MAP};
	if (value && value->type == JSON_ARRAY)
		return (struct atom){.kind = ATOM_LIST, .is_atomic = true};
	return (struct atom){.scalar = SCALAR_ANY};
}

static struct atom atom_of_array(const struct json *schema)
{
	struct str list_type = word(schema, "x-kubernetes-list-type");
	const struct json *keys = json_get(schema, STR("x-kubernetes-list-map-keys"));
	struct atom atom = {.kind = ATOM_LIST};
	atom.is_set = str_is(list_type, "set");
	atom.is_atomic = !atom.is_set && !(str_is(list_type, "map") && json_count(keys));
	return atom;
}

static struct atom atom_of_schema(const struct json *schema, const struct json *value)
{
	static const struct {
		const char *type;
		enum scalar_kind scalar;
	} scalars[] = {
		{"string", SCALAR_STRING},
		{"integer", SCALAR_NUMERIC},
		{"number", SCALAR_NUMERIC},
		{"boolean", SCALAR_BOOLEAN},
	};
	struct str type = word(schema, "type");
	if (says(schema, "x-kubernetes-int-or-string"))
		return (struct atom){.scalar = SCALAR_UNTYPED};
	if (str_is(type, "array"))
		return atom_of_array(schema);
	if (str_is(type, "object"))
		return (struct atom){
			.kind = ATOM_MAP,
			.is_atomic = str_is(word(schema, "x-kubernetes-map-type"), "atomic")};
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
		if (str_is(type, scalars[i].type))
			return (struct atom){.scalar = scalars[i].scalar};
	return atom_of_value(value);
}

static bool child_of_schema(const struct json *schema, struct str name, bool is_root,
			    struct schema_ref *ret_child)
{
	const struct json *properties = json_get(schema, STR("properties"));
	const struct json *child = json_get(properties, name);
	const struct json *others = json_get(schema, STR("additionalProperties"));
	if (is_root && str_is(name, "metadata")) {
		*ret_child = schema_ref_type(api_type(api_builtin(), TYPE_META_V1_OBJECT_META));
		return true;
	}
	if (is_root && (str_is(name, "kind") || str_is(name, "apiVersion"))) {
		*ret_child = deduced;
		return true;
	}
	*ret_child = deduced;
	if (!child && others && others->type == JSON_OBJECT)
		*ret_child = (struct schema_ref){.kind = REF_SCHEMA, .json = others};
	if (child)
		*ret_child = (struct schema_ref){.kind = REF_SCHEMA, .json = child};
	return child;
}

/* ---- Both ---- */

struct atom schema_atom(struct schema_ref ref, const struct json *value)
{
	switch (ref.kind) {
	case REF_STRUCT:
		return (struct atom){.kind = ATOM_MAP, .is_atomic = ref.type->is_atomic};
	case REF_FIELD:
		return atom_of_field(ref.field);
	case REF_ITEM:
		return atom_of_item(ref.field);
	case REF_ROOT:
		return (struct atom){.kind = ATOM_MAP};
	case REF_SCHEMA:
		return atom_of_schema(ref.json, value);
	case REF_DEDUCED:
		break;
	}
	return atom_of_value(value);
}

static bool child_of_type(const struct api_type *type, struct str name,
			  struct schema_ref *ret_child)
{
	const struct api_field *f = api_field(type, name);
	*ret_child = f ? (struct schema_ref){.kind = REF_FIELD, .field = f} : deduced;
	return f;
}

bool schema_child(struct schema_ref ref, struct str name, struct schema_ref *ret_child)
{
	bool is_struct = ref.field && ref.field->form == FORM_STRUCT &&
			 (ref.kind == REF_ITEM || ref.field->shape == SHAPE_ONE);
	switch (ref.kind) {
	case REF_STRUCT:
		return child_of_type(ref.type, name, ret_child);
	case REF_FIELD:
	case REF_ITEM:
		if (is_struct)
			return child_of_type(api_type(api_builtin(), ref.field->type), name,
					     ret_child);
		*ret_child = (struct schema_ref){.kind = REF_ITEM, .field = ref.field};
		return false;
	case REF_ROOT:
	case REF_SCHEMA:
		return child_of_schema(ref.json, name, ref.kind == REF_ROOT, ret_child);
	case REF_DEDUCED:
		break;
	}
	*ret_child = deduced;
	return false;
}

bool schema_is_closed(struct schema_ref ref)
{
	switch (ref.kind) {
	case REF_STRUCT:
		return true;
	case REF_FIELD:
		return ref.field->form == FORM_STRUCT && ref.field->shape == SHAPE_ONE;
	case REF_ITEM:
		return ref.field->form == FORM_STRUCT;
	case REF_ROOT:
	case REF_SCHEMA:
		return !is_open(ref.json) && json_get(ref.json, STR("properties")) &&
		       !json_get(ref.json, STR("additionalProperties"));
	case REF_DEDUCED:
		break;
	}
	return false;
}

struct schema_ref schema_element(struct schema_ref ref)
{
	if (ref.kind == REF_FIELD)
		return (struct schema_ref){.kind = REF_ITEM, .field = ref.field};
	const struct json *items = ref.kind == REF_SCHEMA ? json_get(ref.json, STR("items")) : NULL;
	return items ? (struct schema_ref){.kind = REF_SCHEMA, .json = items} : deduced;
}

/* ---- Elements of lists ---- */

/* A field that is always written has its zero value where a document leaves it out. */
static struct json *zero_value(struct arena *a, const struct api_field *f)
{
	if (f->shape != SHAPE_ONE || f->flags & (FIELD_OMIT_EMPTY | FIELD_POINTER))
		return NULL;
	switch (f->form) {
	case FORM_STRING:
		return json_cstring(a, "");
	case FORM_INT32:
	case FORM_INT64:
		return json_int(a, 0);
	case FORM_BOOL:
		return json_bool(a, false);
	default:
		return NULL;
	}
}

static struct json *key_default(struct arena *a, struct schema_ref element, struct str key)
{
	struct schema_ref child;
	struct json *value = NULL;
	if (!schema_child(element, key, &child))
		return NULL;
	if (child.kind == REF_SCHEMA)
		return json_get(child.json, STR("default"));
	if (child.kind != REF_FIELD)
		return NULL;
	if (!(child.field->flags & FIELD_HAS_DEFAULT))
		return zero_value(a, child.field);
	return json_parse(a, child.field->default_json, &value, NULL, NULL) == RC_OK ? value : NULL;
}

static void add_key(struct arena *a, struct schema_ref element, const struct json *item,
		    struct str key, struct json *keys)
{
	struct json *value = json_get(item, key);
	if (!value)
		value = key_default(a, element, key);
	if (value)
		json_add(a, keys, key, value);
}

static enum rc no_keys(struct schema_ref list, const struct atom *atom, struct err *err)
{
	CLEANUP_BUF names = BUF_INIT(ERR_TEXT_MAX);
	struct str rest = atom->keys, key;
	const struct json *keys = json_get(list.json, STR("x-kubernetes-list-map-keys"));
	while (rest.len) {
		str_cut(rest, ',', &key, &rest);
		buf_printf(&names, "%s\"%.*s\"", names.len ? " " : "", STR_FMT(key));
	}
	for (size_t i = 0; i < json_count(keys); i++)
		buf_printf(&names, "%s\"%.*s\"", i ? " " : "", STR_FMT(json_str(json_at(keys, i))));
	return err_set(
		err, RC_BAD_REQUEST,
		"associative list with keys has an element that omits all key fields [%s] (and "
		"doesn't have default values for any key fields)",
		names.data ? names.data : "");
}

static enum rc keyed_step(struct arena *a, struct schema_ref list, const struct atom *atom,
			  const struct json *item, struct path_element *ret_step, struct err *err)
{
	struct json *keys = json_object(a);
	struct schema_ref element = schema_element(list);
	struct str rest = atom->keys, key;
	const struct json *names = json_get(list.json, STR("x-kubernetes-list-map-keys"));
	if (item->type == JSON_NULL)
		return err_set(err, RC_BAD_REQUEST,
			       "associative list with keys may not have a null element");
	if (item->type != JSON_OBJECT)
		return err_set(err, RC_BAD_REQUEST,
			       "associative list with keys may not have non-map elements");
	while (rest.len) {
		str_cut(rest, ',', &key, &rest);
		add_key(a, element, item, key, keys);
	}
	for (size_t i = 0; i < json_count(names); i++)
		add_key(a, element, item, json_str(json_at(names, i)), keys);
	if (!keys->object.count)
		return no_keys(list, atom, err);
	*ret_step = path_keys(a, keys);
	return RC_OK;
}

enum rc schema_item_step(struct arena *a, struct schema_ref list, const struct atom *atom,
			 const struct json *item, struct path_element *ret_step, struct err *err)
{
	if (!atom->is_set)
		return keyed_step(a, list, atom, item, ret_step, err);
	if (item->type == JSON_OBJECT)
		return err_set(err, RC_BAD_REQUEST,
			       "associative list without keys has an element that's a map type");
	if (item->type == JSON_ARRAY)
		return err_set(err, RC_BAD_REQUEST,
			       "not supported: associative list with lists as elements");
	if (item->type == JSON_NULL)
		return err_set(
			err, RC_BAD_REQUEST,
			"associative list without keys has an element that's an explicit null");
	*ret_step = path_value(a, item);
	return RC_OK;
}

static int compare_order(const void *left, const void *right, void *arg)
{
	const struct typed_items *items = arg;
	size_t l = *(const size_t *)left, r = *(const size_t *)right;
	int order = path_compare(&items->steps[l], &items->steps[r]);
	return order ? order : (l > r) - (l < r);
}

struct typed_items typed_items_of(struct arena *a, struct schema_ref list, const struct atom *atom,
				  const struct json *value)
{
	struct typed_items items = {};
	size_t max = value && value->type == JSON_ARRAY ? value->array.count : 0;
	items.steps = ARENA_ARRAY(a, struct path_element, max + 1);
	items.values = ARENA_ARRAY(a, struct json *, max + 1);
	items.order = ARENA_ARRAY(a, size_t, max + 1);
	for (size_t i = 0; i < max; i++) {
		struct json *item = value->array.items[i];
		if (schema_item_step(a, list, atom, item, &items.steps[items.count], NULL) != RC_OK)
			continue;
		items.order[items.count] = items.count;
		items.values[items.count++] = item;
	}
	qsort_r(items.order, items.count, sizeof(*items.order), compare_order, &items);
	return items;
}

ptrdiff_t typed_items_find(const struct typed_items *items, const struct path_element *step,
			   bool *ret_repeated)
{
	size_t low = 0, high = items->count;
	*ret_repeated = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (path_compare(&items->steps[items->order[middle]], step) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == items->count || path_compare(&items->steps[items->order[low]], step) != 0)
		return -1;
	*ret_repeated = low + 1 < items->count &&
			path_compare(&items->steps[items->order[low + 1]], step) == 0;
	return (ptrdiff_t)items->order[low];
}
