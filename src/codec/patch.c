#include "codec/patch.h"

#include <stdlib.h>

#include "codec/json-int.h"

struct patcher {
	struct arena *arena;
	struct err *err;
	struct json *root;
	uint64_t steps;
	uint64_t copied_bytes;
	bool is_spent;	       /* the limit of steps is passed */
	struct json **reached; /* containers on the way of a path, repeated */
	size_t reached_count, reached_cap;
};

/* One operation; value is NULL where it is null or absent. */
struct operation {
	struct str op, path, from;
	bool has_path, has_from;
	const struct json *value;
};

/* A place that may not exist yet: a member of an object or an item of an array. */
struct place {
	struct json *parent;
	struct str key; /* unescaped */
};

static enum rc reject(struct patcher *p, const char *fmt, struct str what)
{
	return err_set(p->err, RC_INVALID, fmt, STR_FMT(what));
}

static enum rc spend(struct patcher *p, uint64_t steps)
{
	p->steps += steps;
	p->is_spent = p->steps > PATCH_MAX_STEPS;
	if (p->is_spent)
		return err_set(p->err, RC_TOO_LARGE,
			       "the patch takes more than the limit of %u steps in this document",
			       PATCH_MAX_STEPS);
	return RC_OK;
}

static bool is_present(const struct json *value)
{
	return value && value->type != JSON_NULL;
}

/* ---- paths ------------------------------------------------------------------------------------
 */

static struct str unescape(struct arena *a, struct str segment)
{
	if (segment.len == 0 || !memchr(segment.at, '~', segment.len))
		return segment;
	char *text = arena_alloc(a, segment.len + 1), *to = text;
	for (size_t i = 0; i < segment.len; i++) {
		char next = i + 1 < segment.len ? segment.at[i + 1] : '\0';
		bool is_escape = segment.at[i] == '~' && (next == '0' || next == '1');
		if (is_escape)
			i++;
		*to++ = is_escape ? (next == '0' ? '~' : '/') : segment.at[i];
	}
	return str_n(text, (size_t)(to - text));
}

/* An index within count items; negative ones count from the end. */
static enum rc parse_index(struct patcher *p, struct str text, size_t count, size_t *ret_index)
{
	int64_t index;
	struct str digits = text.len && text.at[0] == '+' ? str_skip(text, 1) : text;
	if (!str_to_i64(digits, &index))
		return reject(p, "value '%.*s' is not an index of a list", text);
	if (index < 0)
		index += (int64_t)count;
	if (index < 0 || index >= (int64_t)count)
		return reject(p, "Unable to access invalid index: %.*s: invalid index referenced",
			      text);
	*ret_index = (size_t)index;
	return RC_OK;
}

/* The value at key, NULL where an object has none; an error where an array has none. */
static enum rc get(struct patcher *p, struct place place, struct json **ret_value)
{
	struct json *parent = place.parent;
	size_t index;
	if (parent->type == JSON_OBJECT) {
		TRY(spend(p, parent->object.count));
		*ret_value = json_get(parent, place.key);
		return RC_OK;
	}
	TRY(parse_index(p, place.key, parent->array.count, &index));
	*ret_value = parent->array.items[index];
	return RC_OK;
}

static bool is_container(const struct json *value)
{
	return value && (value->type == JSON_OBJECT || value->type == JSON_ARRAY);
}

/* Go's library keeps what a path has reached as a map: its members are written by their keys. */
static void reach(struct patcher *p, struct json *container)
{
	if (container->type != JSON_OBJECT ||
	    (p->reached_count && p->reached[p->reached_count - 1] == container))
		return;
	p->reached = arena_grow(p->arena, p->reached, p->reached_count, &p->reached_cap,
				sizeof(*p->reached));
	p->reached[p->reached_count++] = container;
}

static int compare_places(const void *left, const void *right)
{
	uintptr_t l = (uintptr_t)(*(struct json *const *)left);
	uintptr_t r = (uintptr_t)(*(struct json *const *)right);
	return (l > r) - (l < r);
}

static void sort_reached(struct patcher *p)
{
	if (p->reached_count)
		qsort(p->reached, p->reached_count, sizeof(*p->reached), compare_places);
	for (size_t i = 0; i < p->reached_count; i++)
		if (i == 0 || p->reached[i] != p->reached[i - 1])
			json_sort_members(p->reached[i]);
}

/* Finds the container of the last segment of path; missing is the message when there is none. */
static enum rc find(struct patcher *p, struct str path, const char *missing,
		    struct place *ret_place)
{
	struct str rest = str_skip(path, 1), segment;
	struct place place = {.parent = p->root};
	if (path.len == 0 || path.at[0] != '/')
		return reject(p, missing, path);
	while (str_cut(rest, '/', &segment, &rest)) {
		if (!is_container(place.parent))
			return reject(p, missing, path);
		place.key = unescape(p->arena, segment);
		if (get(p, place, &place.parent) != RC_OK)
			return reject(p, missing, path);
		if (is_container(place.parent))
			reach(p, place.parent);
	}
	if (!is_container(place.parent))
		return reject(p, missing, path);
	place.key = unescape(p->arena, segment);
	*ret_place = place;
	return RC_OK;
}

/* ---- changes ----------------------------------------------------------------------------------
 */

static enum rc insert_item(struct patcher *p, struct json *array, struct str key,
			   struct json *value)
{
	size_t index = array->array.count;
	if (!str_is(key, "-"))
		TRY(parse_index(p, key, array->array.count + 1, &index));
	size_t after = array->array.count - index;
	TRY(spend(p, after / 8));
	json_append(p->arena, array, value);
	memmove(array->array.items + index + 1, array->array.items + index,
		after * sizeof(struct json *));
	array->array.items[index] = value;
	return RC_OK;
}

static enum rc add_at(struct patcher *p, struct place place, struct json *value)
{
	if (place.parent->type == JSON_ARRAY)
		return insert_item(p, place.parent, place.key, value);
	TRY(spend(p, place.parent->object.count));
	json_set(p->arena, place.parent, place.key, value);
	return RC_OK;
}

static enum rc remove_at(struct patcher *p, struct place place)
{
	size_t index;
	if (place.parent->type == JSON_ARRAY) {
		TRY(parse_index(p, place.key, place.parent->array.count, &index));
		TRY(spend(p, (place.parent->array.count - index) / 8));
		json_remove_at(place.parent, index);
		return RC_OK;
	}
	TRY(spend(p, 2 * place.parent->object.count));
	if (!json_remove(place.parent, place.key))
		return reject(p, "Unable to remove nonexistent key: %.*s: missing value",
			      place.key);
	return RC_OK;
}

static struct json *value_or_null(struct patcher *p, const struct json *value)
{
	return value ? json_clone(p->arena, value) : json_null(p->arena);
}

/* Bytes of value as JSON, about; stops when *budget is used up or value is too deep to be copied.
 */
static bool measure(const struct json *value, uint64_t *budget, int depth)
{
	uint64_t bytes = value->type == JSON_STRING ? value->string.len + 3 : 6;
	if (bytes > *budget || depth > JSON_MAX_DEPTH)
		return false;
	*budget -= bytes;
	if (value->type == JSON_ARRAY)
		for (size_t i = 0; i < value->array.count; i++)
			if (!measure(value->array.items[i], budget, depth + 1))
				return false;
	if (value->type == JSON_OBJECT)
		for (size_t i = 0; i < value->object.count; i++) {
			uint64_t key_bytes = value->object.members[i].key.len + 4;
			if (key_bytes > *budget)
				return false;
			*budget -= key_bytes;
			if (!measure(value->object.members[i].value, budget, depth + 1))
				return false;
		}
	return true;
}

/* ---- operations -------------------------------------------------------------------------------
 */

static enum rc do_add(struct patcher *p, const struct operation *o)
{
	struct place place;
	TRY(find(p, o->path,
		 "add operation does not apply: doc is missing path: \"%.*s\": missing value",
		 &place));
	if (add_at(p, place, value_or_null(p, o->value)) != RC_OK)
		return err_wrap(p->err, "error in add for path: '%.*s'", STR_FMT(o->path));
	return RC_OK;
}

static enum rc do_remove(struct patcher *p, const struct operation *o)
{
	struct place place;
	TRY(find(p, o->path,
		 "remove operation does not apply: doc is missing path: \"%.*s\": missing value",
		 &place));
	if (remove_at(p, place) != RC_OK)
		return err_wrap(p->err, "error in remove for path: '%.*s'", STR_FMT(o->path));
	return RC_OK;
}

static enum rc do_replace(struct patcher *p, const struct operation *o)
{
	struct place place;
	size_t index;
	if (o->path.len == 0) {
		p->root = value_or_null(p, o->value);
		return RC_OK;
	}
	TRY(find(p, o->path,
		 "replace operation does not apply: doc is missing path: %.*s: missing value",
		 &place));
	if (place.parent->type == JSON_OBJECT)
		return add_at(p, place, value_or_null(p, o->value));
	if (parse_index(p, place.key, place.parent->array.count, &index) != RC_OK)
		return err_wrap(p->err,
				"replace operation does not apply: doc is missing key: %.*s",
				STR_FMT(o->path));
	place.parent->array.items[index] = value_or_null(p, o->value);
	return RC_OK;
}

static enum rc do_move(struct patcher *p, const struct operation *o)
{
	static const char missing[] =
		"move operation does not apply: doc is missing from path: %.*s: missing value";
	struct place place;
	struct json *value;
	TRY(find(p, o->from, missing, &place));
	if (get(p, place, &value) != RC_OK || remove_at(p, place) != RC_OK)
		return err_wrap(p->err, "error in move for path: '%.*s'", STR_FMT(o->from));
	TRY(find(p, o->path,
		 "move operation does not apply: doc is missing destination path: %.*s: missing "
		 "value",
		 &place));
	if (add_at(p, place, value) != RC_OK)
		return err_wrap(p->err, "error in move for path: '%.*s'", STR_FMT(o->path));
	return RC_OK;
}

static enum rc do_copy(struct patcher *p, const struct operation *o)
{
	static const char missing[] =
		"copy operation does not apply: doc is missing from path: %.*s: missing value";
	struct place place;
	struct json *value;
	uint64_t left = PATCH_MAX_COPY_BYTES - p->copied_bytes;
	TRY(find(p, o->from, missing, &place));
	if (get(p, place, &value) != RC_OK)
		return err_wrap(p->err, "error in copy for from: '%.*s'", STR_FMT(o->from));
	if (value && !measure(value, &left, 0))
		return err_set(p->err, RC_INVALID,
			       "Unable to complete the copy, the accumulated size increase of copy "
			       "exceeds the limit %u",
			       PATCH_MAX_COPY_BYTES);
	p->copied_bytes = PATCH_MAX_COPY_BYTES - left;
	TRY(find(p, o->path,
		 "copy operation does not apply: doc is missing destination path: %.*s: missing "
		 "value",
		 &place));
	if (add_at(p, place, value_or_null(p, value)) != RC_OK)
		return err_wrap(p->err, "error while adding value during copy");
	return RC_OK;
}

static bool is_same(const struct json *a, const struct json *b)
{
	return a->type == b->type && json_equal(a, b);
}

static enum rc do_test(struct patcher *p, const struct operation *o)
{
	struct place place;
	struct json *value = p->root;
	if (o->path.len) {
		TRY(find(p, o->path,
			 "test operation does not apply: doc is missing path: %.*s: missing value",
			 &place));
		if (get(p, place, &value) != RC_OK)
			return err_wrap(p->err, "error in test for path: '%.*s'", STR_FMT(o->path));
	}
	bool is_equal = is_present(value) ? o->value && is_same(value, o->value) : !o->value;
	if (!is_equal)
		return reject(p, "testing value %.*s failed: test failed", o->path);
	return RC_OK;
}

static const struct {
	const char *name;
	bool needs_from;
	enum rc (*run)(struct patcher *p, const struct operation *o);
} operations[] = {
	{"add", false, do_add},	 {"remove", false, do_remove}, {"replace", false, do_replace},
	{"move", true, do_move}, {"copy", true, do_copy},      {"test", false, do_test},
};

static enum rc run(struct patcher *p, const struct operation *o)
{
	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		if (!str_is(o->op, operations[i].name))
			continue;
		if (!o->has_path || (operations[i].needs_from && !o->has_from))
			return reject(p, "%.*s operation has no path or from: missing value",
				      o->op);
		return operations[i].run(p, o);
	}
	return reject(p, "Unexpected kind: %.*s", o->op);
}

/* ---- decoding ---------------------------------------------------------------------------------
 */

static enum rc decode_text(struct patcher *p, const struct json *item, const char *field,
			   struct str *ret_text, bool *ret_is_there)
{
	const struct json *value = json_get(item, str_of(field));
	*ret_is_there = is_present(value);
	*ret_text = json_str(value);
	if (*ret_is_there && value->type != JSON_STRING)
		return err_set(
			p->err, RC_BAD_REQUEST,
			"error decoding patch: json: cannot unmarshal %s into Go struct field "
			"jsonPatchOp.%s of type string",
			json_type_name(value), field);
	return RC_OK;
}

static enum rc decode(struct patcher *p, const struct json *item, struct operation *ret_operation)
{
	struct operation o = {};
	bool has_op;
	if (is_present(item) && item->type != JSON_OBJECT)
		return err_set(
			p->err, RC_BAD_REQUEST,
			"error decoding patch: json: cannot unmarshal %s into Go value of type "
			"handlers.jsonPatchOp",
			json_type_name(item));
	TRY(decode_text(p, item, "op", &o.op, &has_op));
	TRY(decode_text(p, item, "path", &o.path, &o.has_path));
	TRY(decode_text(p, item, "from", &o.from, &o.has_from));
	const struct json *value = json_get(item, STR("value"));
	o.value = is_present(value) ? value : NULL;
	*ret_operation = o;
	return RC_OK;
}

static enum rc check_list(const struct json *patch, struct err *err)
{
	if (patch->type != JSON_ARRAY)
		return err_set(
			err, RC_BAD_REQUEST,
			"error decoding patch: json: cannot unmarshal %s into Go value of type "
			"[]handlers.jsonPatchOp",
			json_type_name(patch));
	if (patch->array.count > PATCH_MAX_OPERATIONS)
		return err_set(err, RC_TOO_LARGE,
			       "Request entity too large: The allowed maximum operations in a "
			       "JSON patch is %u, got %zu",
			       PATCH_MAX_OPERATIONS, patch->array.count);
	return RC_OK;
}

static enum rc check_depth(const struct json *tree, struct err *err)
{
	if (json_depth(tree, JSON_MAX_DEPTH) > JSON_MAX_DEPTH)
		return err_set(err, RC_INVALID,
			       "the patched document exceeds the depth of %d levels",
			       JSON_MAX_DEPTH);
	return RC_OK;
}

enum rc json_patch_apply(struct arena *a, struct json **target, const struct json *patch,
			 struct err *err)
{
	struct patcher p = {.arena = a, .err = err, .root = *target};
	struct operation operation;
	if (patch->type == JSON_NULL)
		return RC_OK;
	TRY(check_list(patch, err));
	reach(&p, p.root);
	for (size_t i = 0; i < patch->array.count; i++)
		TRY(decode(&p, patch->array.items[i], &operation));
	for (size_t i = 0; i < patch->array.count; i++) {
		TRY(decode(&p, patch->array.items[i], &operation));
		if (run(&p, &operation) != RC_OK) {
			err_wrap(err, "operation %zu", i);
			return p.is_spent ? RC_TOO_LARGE : RC_INVALID;
		}
	}
	TRY(check_depth(p.root, err));
	sort_reached(&p);
	*target = p.root;
	return RC_OK;
}
