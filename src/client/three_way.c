#include "client/three_way.h"

static const struct api_type *type_of(const struct api_field *field)
{
	return field && field->type >= 0 ? api_type(api_builtin(), field->type) : NULL;
}

static bool is_merged_list(const struct api_field *field, const struct json *value)
{
	return field && value && value->type == JSON_ARRAY && field->merge_key.len &&
	       (field->flags & FIELD_PATCH_MERGE);
}

static struct json *find_item(const struct json *list, struct str key, const struct json *value)
{
	for (size_t i = 0; value && i < json_count(list); i++) {
		const struct json *other = json_get(json_at(list, i), key);
		if (other && json_equal(other, value))
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

/* An item that is not there before becomes part of the patch as it is. */
static struct json *list_patch(struct arena *a, const struct api_field *field,
			       const struct json *original, const struct json *modified,
			       const struct json *current)
{
	struct json *patch = json_array(a);
	struct str key = field->merge_key;
	for (size_t i = 0; i < json_count(modified); i++) {
		struct json *item = json_at(modified, i), *value = json_get(item, key);
		struct json *now = find_item(current, key, value);
		struct json *part = item;
		if (now)
			part = three_way_patch(a, type_of(field), find_item(original, key, value),
					       item, now);
		if (part && now)
			json_set(a, part, key, value);
		if (part)
			json_append(a, patch, part);
	}
	for (size_t i = 0; i < json_count(original); i++) {
		struct json *value = json_get(json_at(original, i), key);
		if (value && !find_item(modified, key, value) && find_item(current, key, value))
			json_append(a, patch, deleted_item(a, key, value));
	}
	return json_count(patch) ? patch : NULL;
}

/* Of a union (a volume's source, a strategy) only what the file has stays. */
static void retain_keys(struct arena *a, struct json *patch, const struct json *modified)
{
	struct json *keys = json_array(a);
	for (size_t i = 0; i < json_count(modified); i++)
		json_append(a, keys, json_string(a, modified->object.members[i].key));
	json_set(a, patch, STR("$retainKeys"), keys);
}

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
	if (is_merged_list(field, modified) && current->type == JSON_ARRAY)
		return list_patch(a, field, original, modified, current);
	return json_equal(modified, current) ? NULL : modified;
}

static const struct api_field *field_of(const struct api_type *type, struct str key)
{
	return type ? api_field(type, key) : NULL;
}

struct json *three_way_patch(struct arena *a, const struct api_type *type,
			     const struct json *original, const struct json *modified,
			     const struct json *current)
{
	struct json *patch = json_object(a);
	for (size_t i = 0; i < json_count(modified); i++) {
		const struct json_member *m = &modified->object.members[i];
		struct json *now = json_get(current, m->key), *part = m->value;
		if (now)
			part = value_patch(a, field_of(type, m->key), json_get(original, m->key),
					   m->value, now);
		else if (part->type == JSON_NULL)
			part = NULL;
		if (part)
			json_set(a, patch, m->key, part);
	}
	bool is_object = original && original->type == JSON_OBJECT;
	for (size_t i = 0; is_object && i < json_count(original); i++) {
		struct str key = original->object.members[i].key;
		if (!json_get(modified, key) && json_get(current, key))
			json_set(a, patch, key, json_null(a));
	}
	return json_count(patch) ? patch : NULL;
}
