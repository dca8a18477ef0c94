#include "api/gates.h"

#include "base/mem.h"

#define GATES_MAX 64 /* different fields in use in one object */

struct gates {
	const struct api_field *in_use[GATES_MAX];
	size_t count;
	bool is_dropping;
};

static bool is_in_use(const struct gates *g, const struct api_field *f)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->in_use[i] == f)
			return true;
	return false;
}

static void walk(struct gates *g, const struct api_type *type, struct json *v);

static void walk_value(struct gates *g, const struct api_field *f, struct json *v)
{
	const struct api_type *type = f->form == FORM_STRUCT ? api_type(api_builtin(), f->type)
							     : NULL;
	if (!type)
		return;
	if (f->shape == SHAPE_ONE)
		walk(g, type, v);
	for (size_t i = 0; f->shape != SHAPE_ONE && i < json_count(v); i++)
		walk(g, type,
		     v->type == JSON_ARRAY ? v->array.items[i] : v->object.members[i].value);
}

static void walk(struct gates *g, const struct api_type *type, struct json *v)
{
	uint32_t hint = 0;
	if (v->type != JSON_OBJECT)
		return;
	for (size_t i = 0; i < v->object.count;) {
		struct json_member *m = &v->object.members[i];
		const struct api_field *f = api_field_near(type, m->key, &hint);
		bool is_gated = f && f->flags & FIELD_GATED_OFF;
		if (is_gated && g->is_dropping && !is_in_use(g, f)) {
			json_remove(v, m->key);
			continue;
		}
		if (is_gated && !g->is_dropping && !is_in_use(g, f) && g->count < GATES_MAX)
			g->in_use[g->count++] = f;
		if (f)
			walk_value(g, f, m->value);
		i++;
	}
}

void api_drop_gated(const struct api_type *type, struct json *tree, const struct json *old_tree)
{
	struct gates g = {};
	if (old_tree)
		walk(&g, type, (struct json *)old_tree); /* only looked at */
	g.is_dropping = true;
	walk(&g, type, tree);
}
