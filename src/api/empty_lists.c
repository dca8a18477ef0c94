#include "api/empty_lists.h"

/* What a walk does with an empty list or map of a field. */
typedef bool empty_visit(struct arena *a, const struct api_field *f, struct json *tree,
			 struct json_member *m);

static bool is_empty(const struct api_field *f, const struct json *v)
{
	return f->shape != SHAPE_ONE && (v->type == JSON_ARRAY || v->type == JSON_OBJECT) &&
	       json_count(v) == 0;
}

static bool walk(struct arena *a, const struct api_type *type, struct json *tree,
		 empty_visit *visit);

static bool walk_value(struct arena *a, const struct api_field *f, struct json *v,
		       empty_visit *visit)
{
	const struct api_type *type = f->form == FORM_STRUCT ? api_type(api_builtin(), f->type)
							     : NULL;
	if (!type)
		return false;
	if (f->shape == SHAPE_ONE)
		return walk(a, type, v, visit);
	for (size_t i = 0; i < json_count(v); i++)
		if (walk(a, type, json_child(v, i), visit))
			return true;
	return false;
}

/* true: the visit has seen enough. */
static bool walk(struct arena *a, const struct api_type *type, struct json *tree,
		 empty_visit *visit)
{
	uint32_t hint = 0;
	if (tree->type != JSON_OBJECT)
		return false;
	for (size_t i = 0; i < tree->object.count;) {
		struct json_member *m = &tree->object.members[i];
		const struct api_field *f = api_field_near(type, m->key, &hint);
		size_t count = tree->object.count;
		bool is_done = false;
		if (f && is_empty(f, m->value))
			is_done = visit(a, f, tree, m);
		else if (f)
			is_done = walk_value(a, f, m->value, visit);
		if (is_done)
			return true;
		if (tree->object.count == count)
			i++;
	}
	return false;
}

static bool is_left_out(struct arena *a, const struct api_field *f, struct json *tree,
			struct json_member *m)
{
	return f->flags & FIELD_OMIT_EMPTY;
}

static bool leave_out(struct arena *a, const struct api_field *f, struct json *tree,
		      struct json_member *m)
{
	if (f->flags & FIELD_OMIT_EMPTY)
		json_remove(tree, m->key);
	return false;
}

static bool settle(struct arena *a, const struct api_field *f, struct json *tree,
		   struct json_member *m)
{
	if (f->flags & FIELD_OMIT_EMPTY)
		json_remove(tree, m->key);
	else
		m->value = json_null(a);
	return false;
}

void api_empty_lists_to_null(struct arena *a, const struct api_type *type, struct json *tree)
{
	walk(a, type, tree, settle);
}

struct json *api_without_empty_lists(struct arena *a, const struct api_type *type,
				     struct json *tree)
{
	if (!walk(a, type, tree, is_left_out))
		return tree;
	struct json *copy = json_copy(a, tree);
	walk(a, type, copy, leave_out);
	return copy;
}
