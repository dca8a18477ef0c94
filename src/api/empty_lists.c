#include "api/empty_lists.h"

static void settle_value(struct arena *a, const struct api_field *f, struct json *v)
{
	const struct api_type *type = f->form == FORM_STRUCT ? api_type(api_builtin(), f->type)
							     : NULL;
	if (!type)
		return;
	if (f->shape == SHAPE_ONE)
		api_empty_lists_to_null(a, type, v);
	for (size_t i = 0; f->shape != SHAPE_ONE && i < json_count(v); i++)
		api_empty_lists_to_null(a, type, json_child(v, i));
}

static bool is_empty(const struct api_field *f, const struct json *v)
{
	return f->shape != SHAPE_ONE && (v->type == JSON_ARRAY || v->type == JSON_OBJECT) &&
	       json_count(v) == 0;
}

void api_empty_lists_to_null(struct arena *a, const struct api_type *type, struct json *tree)
{
	uint32_t hint = 0;
	if (tree->type != JSON_OBJECT)
		return;
	for (size_t i = 0; i < tree->object.count;) {
		struct json_member *m = &tree->object.members[i];
		const struct api_field *f = api_field_near(type, m->key, &hint);
		if (f && is_empty(f, m->value) && f->flags & FIELD_OMIT_EMPTY) {
			json_remove(tree, m->key);
			continue;
		}
		if (f && is_empty(f, m->value))
			m->value = json_null(a);
		else if (f)
			settle_value(a, f, m->value);
		i++;
	}
}
