#include "codec/json.h"

#include <math.h>
#include <stdarg.h>

#include "codec/json-int.h"

static struct json *json_new(struct arena *a, enum json_type type)
{
	struct json *value = ARENA_NEW(a, struct json);
	value->type = type;
	return value;
}

struct json *json_null(struct arena *a)
{
	return json_new(a, JSON_NULL);
}

struct json *json_bool(struct arena *a, bool value)
{
	struct json *json = json_new(a, JSON_BOOL);
	json->boolean = value;
	return json;
}

struct json *json_int(struct arena *a, int64_t value)
{
	struct json *json = json_new(a, JSON_INT);
	json->integer = value;
	return json;
}

struct json *json_double(struct arena *a, double value)
{
	struct json *json = json_new(a, JSON_DOUBLE);
	json->number = value;
	return json;
}

struct json *json_string(struct arena *a, struct str value)
{
	struct json *json = json_new(a, JSON_STRING);
	json->string = value.at ? value : STR("");
	return json;
}

struct json *json_cstring(struct arena *a, const char *value)
{
	return json_string(a, str_of(value));
}

struct json *json_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct str text = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return json_string(a, text);
}

struct json *json_array(struct arena *a)
{
	return json_new(a, JSON_ARRAY);
}

struct json *json_object(struct arena *a)
{
	return json_new(a, JSON_OBJECT);
}

static void copy_items(struct arena *a, struct json *copy)
{
	size_t count = copy->array.count;
	struct json **items = count ? ARENA_ARRAY(a, struct json *, count) : NULL;
	for (size_t i = 0; i < count; i++)
		items[i] = json_copy(a, copy->array.items[i]);
	copy->array.items = items;
	copy->array.cap = count;
}

static void copy_members(struct arena *a, struct json *copy)
{
	size_t count = copy->object.count;
	struct json_member *members = count ? ARENA_ARRAY(a, struct json_member, count) : NULL;
	for (size_t i = 0; i < count; i++) {
		members[i].key = arena_str(a, copy->object.members[i].key);
		members[i].value = json_copy(a, copy->object.members[i].value);
	}
	copy->object.members = members;
	copy->object.cap = count;
}

struct json *json_copy(struct arena *a, const struct json *tree)
{
	if (!tree)
		return NULL;
	struct json *copy = arena_copy(a, tree, sizeof(*tree));
	if (tree->type == JSON_STRING)
		copy->string = arena_str(a, tree->string);
	else if (tree->type == JSON_ARRAY)
		copy_items(a, copy);
	else if (tree->type == JSON_OBJECT)
		copy_members(a, copy);
	return copy;
}

struct json *json_clone(struct arena *a, const struct json *tree)
{
	if (!tree)
		return NULL;
	struct json *copy = arena_copy(a, tree, sizeof(*tree));
	if (tree->type == JSON_ARRAY) {
		copy->array.items = ARENA_ARRAY(a, struct json *, tree->array.count);
		copy->array.cap = tree->array.count;
		for (size_t i = 0; i < tree->array.count; i++)
			copy->array.items[i] = json_clone(a, tree->array.items[i]);
	} else if (tree->type == JSON_OBJECT) {
		copy->object.members = ARENA_ARRAY(a, struct json_member, tree->object.count);
		copy->object.cap = tree->object.count;
		for (size_t i = 0; i < tree->object.count; i++)
			copy->object.members[i] =
				(struct json_member){tree->object.members[i].key,
						     json_clone(a, tree->object.members[i].value)};
	}
	return copy;
}

const char *json_type_name(const struct json *value)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",	  [JSON_BOOL] = "bool",	    [JSON_INT] = "number",
		[JSON_DOUBLE] = "number", [JSON_STRING] = "string", [JSON_ARRAY] = "array",
		[JSON_OBJECT] = "object",
	};
	return names[value->type];
}

static struct json_member *find_member(const struct json *object, struct str key)
{
	if (!object || object->type != JSON_OBJECT)
		return NULL;
	struct json_member *members = object->object.members;
	for (size_t i = 0; i < object->object.count; i++)
		if (str_eq(members[i].key, key))
			return &members[i];
	return NULL;
}

struct json *json_get(const struct json *object, struct str key)
{
	const struct json_member *member = find_member(object, key);
	return member ? member->value : NULL;
}

struct json *json_at(const struct json *array, size_t index)
{
	if (!array || array->type != JSON_ARRAY || index >= array->array.count)
		return NULL;
	return array->array.items[index];
}

struct json *json_child(const struct json *value, size_t index)
{
	if (value && value->type == JSON_OBJECT && index < value->object.count)
		return value->object.members[index].value;
	return json_at(value, index);
}

size_t json_count(const struct json *value)
{
	if (value && value->type == JSON_ARRAY)
		return value->array.count;
	return value && value->type == JSON_OBJECT ? value->object.count : 0;
}

struct str json_str(const struct json *value)
{
	return value && value->type == JSON_STRING ? value->string : (struct str){};
}

int64_t json_i64(const struct json *value)
{
	if (!value)
		return 0;
	if (value->type == JSON_INT)
		return value->integer;
	/* A double that is a whole number within range counts as one; the comparison refuses NaN.
	 */
	if (value->type == JSON_DOUBLE && value->number >= -0x1p63 && value->number < 0x1p63 &&
	    trunc(value->number) == value->number)
		return (int64_t)value->number;
	return 0;
}

double json_f64(const struct json *value)
{
	return value && value->type == JSON_DOUBLE ? value->number : (double)json_i64(value);
}

bool json_is_true(const struct json *value)
{
	return value && value->type == JSON_BOOL && value->boolean;
}

struct json *json_path(const struct json *tree, const char *dotted)
{
	struct str rest = str_of(dotted), key;
	struct json *at = (struct json *)tree;
	while (at && rest.at) {
		str_cut(rest, '.', &key, &rest);
		at = json_get(at, key);
	}
	return at;
}

struct str json_path_str(const struct json *tree, const char *dotted)
{
	return json_str(json_path(tree, dotted));
}

static bool equal_arrays(const struct json *a, const struct json *b)
{
	if (a->array.count != b->array.count)
		return false;
	for (size_t i = 0; i < a->array.count; i++)
		if (!json_equal(a->array.items[i], b->array.items[i]))
			return false;
	return true;
}

static bool equal_objects_any_order(const struct json *a, const struct json *b)
{
	struct json_lookup in_b;
	json_lookup_init(&in_b, b);
	bool is_equal = true;
	for (size_t i = 0; is_equal && i < a->object.count; i++) {
		const struct json *other = json_lookup_get(&in_b, a->object.members[i].key);
		is_equal = other && json_equal(a->object.members[i].value, other);
	}
	json_lookup_done(&in_b);
	return is_equal;
}

static bool has_same_keys(const struct json *a, const struct json *b)
{
	for (size_t i = 0; i < a->object.count; i++)
		if (!str_eq(a->object.members[i].key, b->object.members[i].key))
			return false;
	return true;
}

static bool equal_objects(const struct json *a, const struct json *b)
{
	if (a->object.count != b->object.count)
		return false;
	if (!has_same_keys(a, b))
		return equal_objects_any_order(a, b);
	for (size_t i = 0; i < a->object.count; i++)
		if (!json_equal(a->object.members[i].value, b->object.members[i].value))
			return false;
	return true;
}

static bool equal_numbers(const struct json *a, const struct json *b)
{
	if (a->type == b->type)
		return a->type == JSON_INT ? a->integer == b->integer : a->number == b->number;
	return a->type == JSON_INT ? (double)a->integer == b->number
				   : a->number == (double)b->integer;
}

static bool is_number(const struct json *value)
{
	return value->type == JSON_INT || value->type == JSON_DOUBLE;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (!a || !b || a == b)
		return a == b;
	if (is_number(a) && is_number(b))
		return equal_numbers(a, b);
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case JSON_BOOL:
		return a->boolean == b->boolean;
	case JSON_STRING:
		return str_eq(a->string, b->string);
	case JSON_ARRAY:
		return equal_arrays(a, b);
	case JSON_OBJECT:
		return equal_objects(a, b);
	default:
		return true;
	}
}

static uint64_t hash_mixed(uint64_t h, uint64_t value)
{
	return (h ^ value) * UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t json_hash(const struct json *value)
{
	uint64_t h = value->type;
	if (is_number(value))
		return hash_mixed(JSON_INT, (uint64_t)json_i64(value));
	if (value->type == JSON_STRING)
		return hash_mixed(h, str_hash(value->string));
	if (value->type == JSON_BOOL)
		return hash_mixed(h, value->boolean);
	for (size_t i = 0; value->type == JSON_ARRAY && i < value->array.count; i++)
		h = hash_mixed(h, json_hash(value->array.items[i]));
	for (size_t i = 0; value->type == JSON_OBJECT && i < value->object.count; i++) {
		const struct json_member *m = &value->object.members[i];
		h += hash_mixed(str_hash(m->key), json_hash(m->value)); /* in any order */
	}
	return h;
}

void json_add(struct arena *a, struct json *object, struct str key, struct json *value)
{
	ASSERT(object->type == JSON_OBJECT && value);
	object->object.members = arena_grow(a, object->object.members, object->object.count,
					    &object->object.cap, sizeof(struct json_member));
	object->object.members[object->object.count++] = (struct json_member){key, value};
}

void json_set(struct arena *a, struct json *object, struct str key, struct json *value)
{
	ASSERT(object->type == JSON_OBJECT && value);
	struct json_member *member = find_member(object, key);
	if (member)
		member->value = value;
	else
		json_add(a, object, key, value);
}

void json_set_str(struct arena *a, struct json *object, struct str key, struct str value)
{
	json_set(a, object, key, json_string(a, value));
}

bool json_remove(struct json *object, struct str key)
{
	struct json_member *member = find_member(object, key);
	if (!member)
		return false;
	size_t after = (size_t)(object->object.members + object->object.count - member) - 1;
	memmove(member, member + 1, after * sizeof(*member));
	object->object.count--;
	return true;
}

void json_append(struct arena *a, struct json *array, struct json *value)
{
	ASSERT(array->type == JSON_ARRAY && value);
	array->array.items = arena_grow(a, array->array.items, array->array.count,
					&array->array.cap, sizeof(struct json *));
	array->array.items[array->array.count++] = value;
}

void json_remove_at(struct json *array, size_t index)
{
	ASSERT(array->type == JSON_ARRAY && index < array->array.count);
	struct json **item = array->array.items + index;
	memmove(item, item + 1, (array->array.count - index - 1) * sizeof(struct json *));
	array->array.count--;
}

static struct json *need(struct arena *a, struct json *object, struct str key, enum json_type type,
			 struct json *(*make)(struct arena *))
{
	struct json *value = json_get(object, key);
	if (value && value->type == type)
		return value;
	value = make(a);
	json_set(a, object, key, value);
	return value;
}

struct json *json_need_object(struct arena *a, struct json *object, struct str key)
{
	return need(a, object, key, JSON_OBJECT, json_object);
}

struct json *json_need_array(struct arena *a, struct json *object, struct str key)
{
	return need(a, object, key, JSON_ARRAY, json_array);
}

size_t json_find(const struct json *array, const struct json *item)
{
	size_t i = 0;
	while (i < json_count(array) && !json_equal(json_at(array, i), item))
		i++;
	return i;
}

bool json_has_text(const struct json *array, struct str text)
{
	for (size_t i = 0; i < json_count(array); i++)
		if (str_eq(json_str(json_at(array, i)), text))
			return true;
	return false;
}

void json_duplicates_add(struct arena *a, struct json_duplicates *d, struct str path,
			 struct str key, uint32_t line, uint32_t place)
{
	if (d->count >= JSON_MAX_DUPLICATES)
		return;
	for (size_t i = 0; i < d->count; i++)
		if (d->lines[i] == line && str_eq(d->paths[i], path))
			return;
	if (!d->paths) {
		d->cap = JSON_MAX_DUPLICATES;
		d->paths = ARENA_ARRAY(a, struct str, d->cap);
		d->keys = ARENA_ARRAY(a, struct str, d->cap);
		d->lines = ARENA_ARRAY(a, uint32_t, d->cap);
		d->places = ARENA_ARRAY(a, uint32_t, d->cap);
	}
	d->paths[d->count] = path;
	d->keys[d->count] = key;
	d->places[d->count] = place;
	d->lines[d->count++] = line;
}

int json_depth(const struct json *tree, int limit)
{
	int deepest = 0;
	if (limit < 0 || !tree || (tree->type != JSON_ARRAY && tree->type != JSON_OBJECT))
		return 0;
	for (size_t i = 0; i < json_count(tree) && deepest <= limit; i++) {
		const struct json *child = tree->type == JSON_ARRAY ? tree->array.items[i]
								    : tree->object.members[i].value;
		int depth = json_depth(child, limit - 1);
		deepest = MAX(deepest, depth);
	}
	return deepest + 1;
}
