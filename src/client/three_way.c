#include "client/three_way.h"

static const struct api_type *type_of(const struct api_field *field)
{
	return field && field->type >= 0 ? api_type(api_builtin(), field->type) : NULL;
}

/* Of a union (a volume's source, a strategy) only what the file has stays. */
static void retain_keys(struct arena *a, struct json *patch, const struct json *modified)
{
	struct json *keys = json_array(a);
	for (size_t i = 0; i < json_count(modified); i++)
		json_append(a, keys, json_string(a, modified->object.members[i].key));
	json_set(a, patch, STR("$retainKeys"), keys);
}

static const struct api_field *field_of(const struct api_type *type, struct str key)
{
	return type ? api_field(type, key) : NULL;
}

/* ---- lists that merge ---- */

static bool is_merged_list(const struct api_field *field, const struct json *value)
{
	return field && value && value->type == JSON_ARRAY && (field->flags & FIELD_PATCH_MERGE);
}

/* What tells an item of the list from the others: its key, or itself. */
static struct json *identity(const struct api_field *field, struct json *item)
{
	return field->merge_key.len ? json_get(item, field->merge_key) : item;
}

static struct json *find_item(const struct api_field *field, const struct json *list,
			      const struct json *id)
{
	for (size_t i = 0; id && i < json_count(list); i++) {
		const struct json *other = identity(field, json_at(list, i));
		if (other && json_equal(other, id))
			return json_at(list, i);
	}
	return NULL;
}

static struct json *deleted_item(struct arena *a, struct str key, struct json *value)
{
	struct json *item = json_object(a);
	json_set_str(a, item, STR("$patch"), STR("delete"));
	json_set(a, item, key, value);
	return item;
}

/* NULL when the item is there as it should be; one that is not there is taken as it is. */
static struct json *item_patch(struct arena *a, const struct api_field *field,
			       const struct json *original, struct json *item,
			       const struct json *current)
{
	struct json *id = identity(field, item), *now = find_item(field, current, id);
	if (!now || !field->merge_key.len)
		return now ? NULL : item;
	struct json *part =
		three_way_patch(a, type_of(field), find_item(field, original, id), item, now);
	if (!part)
		return NULL;
	if (field->flags & FIELD_PATCH_RETAIN_KEYS)
		retain_keys(a, part, item);
	json_set(a, part, field->merge_key, id);
	return part;
}

/* Those that the file had and has no more: by a directive among the items, scalars by a list. */
static void items_delete(struct arena *a, const struct api_field *field,
			 const struct json *original, const struct json *modified,
			 const struct json *current, struct json *patch, struct json *scalars)
{
	for (size_t i = 0; i < json_count(original); i++) {
		struct json *id = identity(field, json_at(original, i));
		if (!id || find_item(field, modified, id) || !find_item(field, current, id))
			continue;
		if (field->merge_key.len)
			json_append(a, patch, deleted_item(a, field->merge_key, id));
		else
			json_append(a, scalars, id);
	}
}

/* Do the items that both have stand in the same order? */
static bool is_same_order(const struct api_field *field, const struct json *modified,
			  const struct json *current)
{
	size_t at = 0;
	for (size_t i = 0; i < json_count(current); i++) {
		struct json *id = identity(field, json_at(current, i));
		if (!find_item(field, modified, id))
			continue;
		while (at < json_count(modified) &&
		       !find_item(field, current, identity(field, json_at(modified, at))))
			at++;
		struct json *wanted = identity(field, json_at(modified, at++));
		if (!wanted || !json_equal(wanted, id))
			return false;
	}
	return true;
}

static struct json *order_of(struct arena *a, const struct api_field *field,
			     const struct json *modified)
{
	struct json *order = json_array(a);
	for (size_t i = 0; i < json_count(modified); i++) {
		struct json *id = identity(field, json_at(modified, i)), *entry = id;
		if (id && field->merge_key.len) {
			entry = json_object(a);
			json_set(a, entry, field->merge_key, id);
		}
		if (entry)
			json_append(a, order, entry);
	}
	return order;
}

static void directive_set(struct arena *a, struct json *patch, const char *directive,
			  const struct api_field *field, struct json *value)
{
	json_set(a, patch, arena_printf(a, "$%s/%.*s", directive, STR_FMT(field->name)), value);
}

/* Adds to patch what makes the list of the field as the file has it. */
static void list_patch(struct arena *a, const struct api_field *field, struct json *patch,
		       const struct json *original, const struct json *modified,
		       const struct json *current)
{
	struct json *items = json_array(a), *scalars = json_array(a);
	for (size_t i = 0; i < json_count(modified); i++) {
		struct json *part = item_patch(a, field, original, json_at(modified, i), current);
		if (part)
			json_append(a, items, part);
	}
	items_delete(a, field, original, modified, current, items, scalars);
	if (json_count(items))
		json_set(a, patch, field->name, items);
	if (json_count(scalars))
		directive_set(a, patch, "deleteFromPrimitiveList", field, scalars);
	if (json_count(modified) &&
	    (json_count(items) || json_count(scalars) || !is_same_order(field, modified, current)))
		directive_set(a, patch, "setElementOrder", field, order_of(a, field, modified));
}

/* ---- values ---- */

static struct json *value_patch(struct arena *a, const struct api_field *field,
				const struct json *original, struct json *modified,
				const struct json *current)
{
	if (modified->type == JSON_OBJECT && current->type == JSON_OBJECT) {
		struct json *patch =
			three_way_patch(a, type_of(field), original, modified, current);
		if (patch && field && (field->flags & FIELD_PATCH_RETAIN_KEYS))
			retain_keys(a, patch, modified);
		return patch;
	}
	return json_equal(modified, current) ? NULL : modified;
}

static void member_patch(struct arena *a, const struct api_field *field, struct json *patch,
			 const struct json *original, const struct json_member *m,
			 const struct json *now)
{
	struct json *part = m->value;
	if (is_merged_list(field, m->value) && now && now->type == JSON_ARRAY) {
		list_patch(a, field, patch, original, m->value, now);
		return;
	}
	if (now)
		part = value_patch(a, field, original, m->value, now);
	else if (part->type == JSON_NULL)
		part = NULL;
	if (part)
		json_set(a, patch, m->key, part);
}

struct json *three_way_patch(struct arena *a, const struct api_type *type,
			     const struct json *original, const struct json *modified,
			     const struct json *current)
{
	struct json *patch = json_object(a);
	for (size_t i = 0; i < json_count(modified); i++) {
		const struct json_member *m = &modified->object.members[i];
		member_patch(a, field_of(type, m->key), patch, json_get(original, m->key), m,
			     json_get(current, m->key));
	}
	bool is_object = original && original->type == JSON_OBJECT;
	for (size_t i = 0; is_object && i < json_count(original); i++) {
		struct str key = original->object.members[i].key;
		if (!json_get(modified, key) && json_get(current, key))
			json_set(a, patch, key, json_null(a));
	}
	return json_count(patch) ? patch : NULL;
}
