#include "codec/json-int.h"
#include "codec/patch.h"

/* A copy of a patch's value for a place that had none: members that are null say "absent" and go.
 * What a patch reaches has its members in the order of their keys. */
static struct json *without_nulls(struct arena *a, const struct json *value)
{
	struct json *copy = arena_copy(a, value, sizeof(*value));
	if (value->type == JSON_ARRAY && value->array.count) {
		copy->array.items = ARENA_ARRAY(a, struct json *, value->array.count);
		copy->array.cap = value->array.count;
		for (size_t i = 0; i < value->array.count; i++)
			copy->array.items[i] = without_nulls(a, value->array.items[i]);
	} else if (value->type == JSON_OBJECT && value->object.count) {
		copy->object.members = ARENA_ARRAY(a, struct json_member, value->object.count);
		copy->object.cap = value->object.count;
		copy->object.count = 0;
		for (size_t i = 0; i < value->object.count; i++) {
			const struct json_member *member = &value->object.members[i];
			if (member->value->type == JSON_NULL)
				continue;
			copy->object.members[copy->object.count++] =
				(struct json_member){member->key, without_nulls(a, member->value)};
		}
		json_sort_members(copy);
	}
	return copy;
}

static struct json_member *find_in(const struct json *object, const struct json_index *index,
				   size_t indexed_count, struct str key)
{
	if (index->order) {
		ptrdiff_t at = json_index_find(index, key);
		return at < 0 ? NULL : &object->object.members[at];
	}
	for (size_t i = 0; i < indexed_count; i++)
		if (str_eq(object->object.members[i].key, key))
			return &object->object.members[i];
	return NULL;
}

static void drop_removed(struct json *object)
{
	size_t kept = 0;
	for (size_t i = 0; i < object->object.count; i++)
		if (object->object.members[i].value)
			object->object.members[kept++] = object->object.members[i];
	object->object.count = kept;
}

/* Keys of a patch are unique, so only the members that the target had before can match; those stay
 * where they are until the end, for the index.  (When the array grows, the index goes on to read
 * the keys of its old place, which the arena keeps.) */
static void merge_into(struct arena *a, struct json *target, const struct json *patch)
{
	struct json_index index = {};
	size_t count = target->object.count;
	if (count > JSON_INDEX_FROM && patch->object.count > 1)
		json_index_init(&index, target->object.members, count);
	for (size_t i = 0; i < patch->object.count; i++) {
		const struct json_member *change = &patch->object.members[i];
		struct json_member *member = find_in(target, &index, count, change->key);
		bool is_removal = change->value->type == JSON_NULL;
		if (member && !is_removal && member->value->type == JSON_OBJECT &&
		    change->value->type == JSON_OBJECT)
			merge_into(a, member->value, change->value);
		else if (member)
			member->value = is_removal ? NULL : without_nulls(a, change->value);
		else if (!is_removal)
			json_add(a, target, change->key, without_nulls(a, change->value));
	}
	json_index_done(&index);
	drop_removed(target);
	json_sort_members(target);
}

enum rc merge_patch_apply(struct arena *a, struct json **target, const struct json *patch,
			  struct err *err)
{
	if (patch->type == JSON_NULL)
		return err_set(err, RC_BAD_REQUEST, "Invalid JSON Patch");
	if (patch->type != JSON_OBJECT)
		return err_set(
			err, RC_BAD_REQUEST,
			"error decoding patch: json: cannot unmarshal %s into Go value of type "
			"map[string]interface {}",
			json_type_name(patch));
	if ((*target)->type != JSON_OBJECT)
		*target = json_object(a);
	merge_into(a, *target, patch);
	return RC_OK;
}

/* ---- patches from trees -----------------------------------------------------------------------
 */

enum { CHANGES = 1, REMOVALS = 2 };

static bool is_absent(const struct json *value)
{
	return !value || value->type == JSON_NULL;
}

static struct json *diff_objects(struct arena *a, const struct json *from, const struct json *to,
				 int wanted);

static void diff_member(struct arena *a, struct json *patch, const struct json *old,
			const struct json_member *member, int wanted)
{
	struct json *value = member->value;
	if (value->type == JSON_NULL)
		return;
	if (old && old->type == JSON_OBJECT && value->type == JSON_OBJECT) {
		struct json *inner = diff_objects(a, old, value, wanted);
		if (inner->object.count)
			json_add(a, patch, member->key, inner);
	} else if ((wanted & CHANGES) && !json_equal(old, value)) {
		json_add(a, patch, member->key, value);
	}
}

static struct json *diff_objects(struct arena *a, const struct json *from, const struct json *to,
				 int wanted)
{
	struct json *patch = json_object(a);
	struct json_lookup in_from, in_to;
	json_lookup_init(&in_from, from);
	json_lookup_init(&in_to, to);
	for (size_t i = 0; i < to->object.count; i++) {
		const struct json_member *member = &to->object.members[i];
		diff_member(a, patch, json_lookup_get(&in_from, member->key), member, wanted);
	}
	for (size_t i = 0; (wanted & REMOVALS) && i < from->object.count; i++) {
		const struct json_member *member = &from->object.members[i];
		if (!is_absent(member->value) && is_absent(json_lookup_get(&in_to, member->key)))
			json_add(a, patch, member->key, json_null(a));
	}
	json_lookup_done(&in_from);
	json_lookup_done(&in_to);
	return patch;
}

static bool are_objects(const struct json *a, const struct json *b)
{
	return a && b && a->type == JSON_OBJECT && b->type == JSON_OBJECT;
}

struct json *merge_patch_diff(struct arena *a, const struct json *from, const struct json *to)
{
	if (!are_objects(from, to))
		return json_equal(from, to) ? json_object(a) : json_clone(a, to);
	return diff_objects(a, from, to, CHANGES | REMOVALS);
}

/* Puts the changes of stronger over those of patch. */
static void overlay(struct arena *a, struct json *patch, const struct json *stronger)
{
	struct json_lookup in_patch;
	struct json before = *patch;
	json_lookup_init(&in_patch, &before);
	for (size_t i = 0; i < stronger->object.count; i++) {
		const struct json_member *member = &stronger->object.members[i];
		struct json *weaker = json_lookup_get(&in_patch, member->key);
		if (are_objects(weaker, member->value))
			overlay(a, weaker, member->value);
		else if (weaker)
			json_set(a, patch, member->key, member->value);
		else
			json_add(a, patch, member->key, member->value);
	}
	json_lookup_done(&in_patch);
}

struct json *merge_patch_three_way(struct arena *a, const struct json *original,
				   const struct json *modified, const struct json *current)
{
	if (!are_objects(modified, current))
		return merge_patch_diff(a, current, modified);
	struct json *patch = are_objects(original, modified)
				     ? diff_objects(a, original, modified, REMOVALS)
				     : json_object(a);
	overlay(a, patch, diff_objects(a, current, modified, CHANGES));
	return patch;
}
