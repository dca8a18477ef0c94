#include "api/strategic.h"

#include "api/strategic-int.h"
#include "base/mem.h"

#define RETAIN_KEYS "$retainKeys"
#define DELETE_LIST "$deleteFromPrimitiveList/"
#define SET_ORDER   "$setElementOrder/"

struct list_rule {
	const struct api_type *type; /* of the items; NULL when they are no structs */
	bool is_merged;
	struct str merge_key; /* absent for scalars */
};

static const struct api_type *struct_type(const struct api_field *f)
{
	return f && f->type >= 0 ? api_type(api_builtin(), f->type) : NULL;
}

static struct list_rule list_rule(const struct api_type *type, struct str name)
{
	const struct api_field *f = type ? api_field(type, name) : NULL;
	if (!f)
		return (struct list_rule){};
	return (struct list_rule){struct_type(f), f->flags & FIELD_PATCH_MERGE, f->merge_key};
}

/* Nulls that say nothing of what has no counterpart; those in lists stay. */
static void drop_nulls(struct json *value)
{
	for (size_t i = json_count(value); i-- > 0;) {
		bool is_map = value->type == JSON_OBJECT;
		struct json *v = json_child(value, i);
		if (is_map && v->type == JSON_NULL)
			json_remove(value, value->object.members[i].key);
		else
			drop_nulls(v);
	}
}

/* What has a directive and no counterpart is left out; false: that is the value itself. */
static bool drop_directives(struct json *value)
{
	if (value->type == JSON_OBJECT && json_get(value, STR(STRATEGIC_DIRECTIVE)))
		return false;
	for (size_t i = json_count(value); i-- > 0;) {
		if (drop_directives(json_child(value, i)))
			continue;
		if (value->type == JSON_ARRAY)
			json_remove_at(value, i);
		else
			json_remove(value, value->object.members[i].key);
	}
	return true;
}

static enum rc retain_keys(struct json *original, struct json *patch, struct err *err)
{
	static const char message[] = "invalid patch format of retainKeys";
	const struct json *keys = json_get(patch, STR(RETAIN_KEYS));
	if (!keys)
		return RC_OK;
	json_remove(patch, STR(RETAIN_KEYS));
	if (keys->type != JSON_ARRAY)
		return err_set(err, RC_BAD_REQUEST, "%s", message);
	for (size_t i = 0; i < json_count(patch); i++) {
		struct json_member m = patch->object.members[i];
		if (m.value->type != JSON_NULL && !str_has_prefix(m.key, STR(DELETE_LIST)) &&
		    !str_has_prefix(m.key, STR(SET_ORDER)) && !json_has_text(keys, m.key))
			return err_set(err, RC_BAD_REQUEST, "%s", message);
	}
	for (size_t i = original->object.count; i-- > 0;)
		if (!json_has_text(keys, original->object.members[i].key))
			json_remove(original, original->object.members[i].key);
	return RC_OK;
}

/* ---- lists ---- */

/* What the tables say of a map: its struct, or the field whose value it is. */
struct map_rule {
	const struct api_type *type;   /* NULL: no struct */
	const struct api_field *field; /* then: a Go map, or a value of any shape */
};

static enum rc merge_map(struct arena *a, struct map_rule rule, struct json *original,
			 struct json *patch, struct json **ret_map, struct err *err);

static ptrdiff_t item_index(const struct json *list, const struct json *item, struct str key)
{
	for (size_t i = 0; i < json_count(list); i++)
		if (strategic_same_item(json_at(list, i), item, key))
			return (ptrdiff_t)i;
	return -1;
}

/* All items are of one Go type. */
static enum rc items_check(const struct json *original, const struct json *patch,
			   bool *ret_are_maps, struct err *err)
{
	const struct json *lists[] = {original, patch}, *first = NULL;
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < json_count(lists[l]); i++) {
			const struct json *item = json_at(lists[l], i);
			if (!first && item->type == JSON_ARRAY)
				return err_set(err, RC_INVALID, "lists of lists are not supported");
			if (first && first->type != item->type)
				return strategic_mixed_items(original, patch, err);
			first = item;
		}
	*ret_are_maps = first && first->type == JSON_OBJECT;
	return RC_OK;
}

static enum rc keys_check(const struct json *list, struct str key, struct err *err)
{
	for (size_t i = 0; i < json_count(list); i++) {
		if (json_at(list, i)->type != JSON_OBJECT)
			return strategic_bad_shape("map[string]interface {}", json_at(list, i),
						   err);
		if (!json_get(json_at(list, i), key))
			return strategic_no_merge_key(json_at(list, i), key, err);
	}
	return RC_OK;
}

static struct json *list_copy(struct arena *a, const struct json *list)
{
	struct json *copy = json_array(a);
	for (size_t i = 0; i < json_count(list); i++)
		json_append(a, copy, json_at(list, i));
	return copy;
}

static void delete_matching(struct json *list, const struct json *item, struct str key)
{
	for (size_t i = list->array.count; i-- > 0;)
		if (strategic_same_item(list->array.items[i], item, key))
			json_remove_at(list, i);
}

/* Items with `$patch` act on original and leave the patch; *ret_replaces: the rest is all there is.
 */
static enum rc special_items(struct json *original, struct json *patch, struct str key,
			     bool *ret_replaces, struct err *err)
{
	*ret_replaces = false;
	for (size_t i = 0; i < json_count(patch);) {
		struct json *item = json_at(patch, i);
		const struct json *directive = json_get(item, STR(STRATEGIC_DIRECTIVE));
		if (!directive) {
			i++;
			continue;
		}
		if (str_is(json_str(directive), "delete")) {
			if (!json_get(item, key))
				return strategic_no_merge_key(item, key, err);
			delete_matching(original, item, key);
		} else if (str_is(json_str(directive), "replace")) {
			*ret_replaces = true;
		} else if (str_is(json_str(directive), "merge")) {
			return err_set(err, RC_INTERNAL,
				       "merging lists cannot yet be specified in the patch");
		} else {
			return strategic_bad_directive(directive, item, err);
		}
		json_remove_at(patch, i);
	}
	return RC_OK;
}

static enum rc merge_items(struct arena *a, const struct list_rule *rule, struct json *merged,
			   const struct json *patch, struct err *err)
{
	for (size_t i = 0; i < json_count(patch); i++) {
		struct json *item = json_at(patch, i);
		if (!json_get(item, rule->merge_key))
			return strategic_no_merge_key(item, rule->merge_key, err);
		ptrdiff_t at = item_index(merged, item, rule->merge_key);
		if (at >= 0)
			TRY(merge_map(a, (struct map_rule){.type = rule->type},
				      merged->array.items[at], item, &merged->array.items[at],
				      err));
		else
			json_append(a, merged, item);
	}
	return RC_OK;
}

static enum rc merge_scalars(struct arena *a, struct json *original, struct json *patch,
			     bool is_deletion, struct json **ret_list, struct err *err)
{
	if (json_count(original) > STRATEGIC_MAX_VALUES)
		return err_set(
			err, RC_TOO_LARGE,
			"a list of more than the limit of %u values is not merged; replace it "
			"by a merge patch",
			STRATEGIC_MAX_VALUES);
	struct json *merged = json_array(a);
	struct str none = {};
	for (size_t i = 0; i < json_count(original); i++) {
		struct json *item = json_at(original, i);
		if (is_deletion ? item_index(patch, item, none) < 0
				: item_index(merged, item, none) < 0)
			json_append(a, merged, item);
	}
	for (size_t i = 0; !is_deletion && i < json_count(patch); i++)
		if (item_index(merged, json_at(patch, i), none) < 0)
			json_append(a, merged, json_at(patch, i));
	*ret_list = is_deletion ? merged : strategic_order(a, merged, patch, original, none);
	return RC_OK;
}

static enum rc merge_list(struct arena *a, const struct list_rule *rule, struct json *original,
			  struct json *patch, bool is_deletion, struct json **ret_list,
			  struct err *err)
{
	bool are_maps = false, replaces = false;
	if (!rule->is_merged && !is_deletion) {
		*ret_list = patch;
		return RC_OK;
	}
	TRY(items_check(original, patch, &are_maps, err));
	if (!are_maps)
		return merge_scalars(a, original, patch, is_deletion, ret_list, err);
	if (!rule->merge_key.at)
		return err_set(err, RC_INTERNAL, "cannot merge lists without merge key for struct");
	TRY(special_items(original, patch, rule->merge_key, &replaces, err));
	if (replaces) {
		*ret_list = patch;
		return RC_OK;
	}
	struct json *merged = list_copy(a, original);
	TRY(merge_items(a, rule, merged, patch, err));
	*ret_list = strategic_order(a, merged, patch, original, rule->merge_key);
	return RC_OK;
}

/* ---- $setElementOrder ---- */

static enum rc set_order(struct arena *a, const struct api_type *type, struct json *original,
			 struct json *patch, struct str name, const struct json *order,
			 struct err *err)
{
	struct list_rule rule = list_rule(type, name);
	struct json *had = json_get(original, name), *wanted = json_get(patch, name), *merged;
	if (order->type != JSON_ARRAY)
		return strategic_bad_shape("[]interface {}", order, err);
	if (had && had->type != JSON_ARRAY)
		return strategic_bad_shape("[]interface {}", had, err);
	if (wanted && wanted->type != JSON_ARRAY)
		return strategic_bad_shape("[]interface {}", wanted, err);
	if (type && !api_field(type, name))
		return strategic_unknown_field(type->name, name, err);
	if (!had && !wanted)
		return RC_OK;
	if (rule.merge_key.at)
		TRY(keys_check(order, rule.merge_key, err));
	TRY(strategic_check_order(wanted, order, rule.merge_key, err));
	if (!json_count(had) && !json_count(wanted))
		return err_set(err, RC_INTERNAL, "no elements in any of the given slices");
	if (!had) {
		drop_directives(wanted);
		merged = wanted;
	} else if (!wanted) {
		merged = had;
	} else {
		TRY(merge_list(a, &rule, had, wanted, false, &merged, err));
	}
	json_set(a, original, name, strategic_order(a, merged, order, had, rule.merge_key));
	json_remove(patch, name);
	return RC_OK;
}

static enum rc set_orders(struct arena *a, const struct api_type *type, struct json *original,
			  struct json *patch, struct err *err)
{
	for (size_t i = 0; i < json_count(patch);) {
		struct json_member m = patch->object.members[i];
		if (!str_has_prefix(m.key, STR(SET_ORDER))) {
			i++;
			continue;
		}
		json_remove(patch, m.key);
		TRY(set_order(a, type, original, patch, str_skip(m.key, strlen(SET_ORDER)), m.value,
			      err));
		i = 0;
	}
	return RC_OK;
}

/* ---- maps ---- */

/* Only structs say how what is in them merges. */
static enum rc no_rule(struct map_rule rule, struct str name, struct err *err)
{
	if (rule.field && rule.field->shape == SHAPE_ONE)
		return strategic_unknown_field(rule.field->go_type, name, err);
	return err_set(err, RC_INTERNAL,
		       "merging an object in json but data type is not struct, instead is: map");
}

/* A value in the place of none, or of one of another shape. */
static void take_value(struct arena *a, struct json *original, struct str name, struct json *value)
{
	drop_nulls(value);
	if (drop_directives(value))
		json_set(a, original, name, value);
	else
		json_remove(original, name);
}

static enum rc merge_member(struct arena *a, struct map_rule rule, struct json *original,
			    struct str name, struct json *value, bool is_deletion, struct err *err)
{
	struct json *had = json_get(original, name), *merged = value;
	const struct api_field *field = rule.type ? api_field(rule.type, name) : NULL;
	bool is_container = value->type == JSON_OBJECT || value->type == JSON_ARRAY;
	if (value->type == JSON_NULL) {
		json_remove(original, name);
		return RC_OK;
	}
	if (!had || had->type != value->type) {
		if (!is_deletion)
			take_value(a, original, name, value);
		return RC_OK;
	}
	if (is_container && !rule.type)
		return no_rule(rule, name, err);
	if (value->type == JSON_OBJECT && !(field && field->flags & FIELD_PATCH_REPLACE)) {
		bool is_struct = field && field->shape == SHAPE_ONE && struct_type(field);
		struct map_rule below = {is_struct ? struct_type(field) : NULL, field};
		TRY(merge_map(a, below, had, value, &merged, err));
	} else if (value->type == JSON_ARRAY) {
		struct list_rule list = list_rule(rule.type, name);
		TRY(merge_list(a, &list, had, value, is_deletion, &merged, err));
	}
	json_set(a, original, name, merged);
	return RC_OK;
}

static enum rc merge_map(struct arena *a, struct map_rule rule, struct json *original,
			 struct json *patch, struct json **ret_map, struct err *err)
{
	const struct json *directive = json_get(patch, STR(STRATEGIC_DIRECTIVE));
	if (directive) {
		bool is_replace = str_is(json_str(directive), "replace");
		if (!is_replace && !str_is(json_str(directive), "delete"))
			return strategic_bad_directive(directive, patch, err);
		if (is_replace)
			json_remove(patch, STR(STRATEGIC_DIRECTIVE));
		*ret_map = is_replace ? patch : json_object(a);
		return RC_OK;
	}
	TRY(retain_keys(original, patch, err));
	TRY(set_orders(a, rule.type, original, patch, err));
	for (size_t i = 0; i < json_count(patch); i++) {
		struct json_member m = patch->object.members[i];
		bool is_deletion = str_has_prefix(m.key, STR(DELETE_LIST));
		struct str name = is_deletion ? str_skip(m.key, strlen(DELETE_LIST)) : m.key;
		TRY(merge_member(a, rule, original, name, m.value, is_deletion, err));
	}
	*ret_map = original;
	return RC_OK;
}

/* ---- what a merge may cost ---- */

/* Every part of the patch is looked for in at most the largest of all objects and lists. */
static void measure(const struct json *tree, uint64_t *parts, uint64_t *largest)
{
	uint64_t count = json_count(tree);
	*parts += count;
	*largest = MAX(*largest, count);
	for (size_t i = 0; i < count; i++)
		measure(json_child(tree, i), parts, largest);
}

static enum rc check_cost(const struct json *original, const struct json *patch, struct err *err)
{
	uint64_t parts = 0, others = 0, largest = 0;
	measure(patch, &parts, &largest);
	measure(original, &others, &largest);
	if (parts * largest > STRATEGIC_MAX_STEPS)
		return err_set(err, RC_TOO_LARGE,
			       "the patch may take more than the limit of %u steps in this object; "
			       "send a merge patch",
			       STRATEGIC_MAX_STEPS);
	return RC_OK;
}

enum rc strategic_merge(struct arena *a, const struct api_type *type, struct json *original,
			struct json *patch, struct json **ret_tree, struct field_errors *errors,
			struct err *err)
{
	struct json *result;
	ASSERT(original->type == JSON_OBJECT);
	if (patch->type == JSON_NULL)
		patch = json_object(a);
	if (patch->type != JSON_OBJECT)
		return err_set(
			err, RC_BAD_REQUEST,
			"json: cannot unmarshal %s into Go value of type map[string]interface {}",
			go_kind_of_json(patch));
	TRY(check_cost(original, patch, err));
	TRY(merge_map(a, (struct map_rule){.type = type}, original, patch, &result, err));
	TRY(strategic_check_types(type, result, patch, errors, err));
	*ret_tree = result;
	return RC_OK;
}
