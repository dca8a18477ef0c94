#include "api/typed.h"

static bool is_null(const struct json *v)
{
	return !v || v->type == JSON_NULL;
}

/* ---- All paths ---- */

static void walk_set(struct arena *a, struct schema_ref ref, const struct json *v,
		     struct field_set *set, bool *ret_member);

static void walk_list(struct arena *a, struct schema_ref ref, const struct atom *atom,
		      const struct json *v, struct field_set *set)
{
	struct typed_items items = typed_items_of(a, ref, atom, v);
	struct schema_ref element = schema_element(ref);
	for (size_t i = 0; i < items.count; i++) {
		struct field_set below = {};
		bool is_member = true;
		walk_set(a, element, items.values[i], &below, &is_member);
		field_set_add(a, set, items.steps[i], true, below);
	}
}

static void walk_map(struct arena *a, struct schema_ref ref, const struct json *v,
		     struct field_set *set)
{
	for (size_t i = 0; i < v->object.count; i++) {
		const struct json_member *m = &v->object.members[i];
		struct schema_ref child;
		struct field_set below = {};
		bool is_member = !schema_child(ref, m->key, &child);
		walk_set(a, child, m->value, &below, &is_member);
		is_member |= is_null(m->value) ||
			     (m->value->type == JSON_OBJECT && !m->value->object.count);
		field_set_add(a, set, path_field(m->key), is_member, below);
	}
}

static void walk_set(struct arena *a, struct schema_ref ref, const struct json *v,
		     struct field_set *set, bool *ret_member)
{
	struct atom atom = schema_atom(ref, v);
	if (atom.kind == ATOM_SCALAR || atom.is_atomic)
		*ret_member = true;
	else if (atom.kind == ATOM_LIST && v->type == JSON_ARRAY)
		walk_list(a, ref, &atom, v, set);
	else if (atom.kind == ATOM_MAP && v->type == JSON_OBJECT)
		walk_map(a, ref, v, set);
}

struct field_set typed_set(struct arena *a, struct schema_ref ref, const struct json *value)
{
	struct field_set set = {};
	bool is_member;
	walk_set(a, ref, value, &set, &is_member);
	return set;
}

struct field_set typed_named_members(struct arena *a, struct schema_ref ref,
				     const struct field_set *set)
{
	struct field_set out = {};
	struct atom atom = schema_atom(ref, NULL);
	for (size_t i = 0; i < set->count; i++) {
		const struct field_node *n = &set->nodes[i];
		struct schema_ref child;
		bool is_member = n->is_member;
		if (n->element.step != STEP_FIELD)
			child = schema_element(ref);
		else if (schema_child(ref, n->element.text, &child) && atom.kind == ATOM_MAP)
			is_member |= n->below.count > 0;
		field_set_add(a, &out, n->element, is_member,
			      typed_named_members(a, child, &n->below));
	}
	return out;
}

bool typed_declares(struct schema_ref ref, const struct field_set *set)
{
	struct atom atom = schema_atom(ref, NULL);
	if (atom.kind == ATOM_SCALAR || atom.is_atomic)
		return true;
	for (size_t i = 0; i < set->count; i++) {
		const struct field_node *n = &set->nodes[i];
		struct schema_ref child = schema_element(ref);
		bool is_field = atom.kind == ATOM_MAP;
		if (is_field && n->element.step != STEP_FIELD)
			return false;
		if (is_field && !schema_child(ref, n->element.text, &child) &&
		    schema_is_closed(ref))
			return false;
		if (!typed_declares(child, &n->below))
			return false;
	}
	return true;
}

/* ---- Differences ---- */

struct marks {
	bool is_added, is_modified, is_removed;
};

static void walk_compare(struct arena *a, struct schema_ref ref, const struct json *l,
			 const struct json *r, struct typed_diff *diff, struct marks *marks);

static void add_difference(struct arena *a, struct typed_diff *diff, struct path_element step,
			   const struct typed_diff *below, const struct marks *marks)
{
	field_set_add(a, &diff->added, step, marks->is_added, below->added);
	field_set_add(a, &diff->modified, step, marks->is_modified, below->modified);
	field_set_add(a, &diff->removed, step, marks->is_removed, below->removed);
}

static void compare_child(struct arena *a, struct schema_ref ref, struct path_element step,
			  const struct json *l, const struct json *r, struct typed_diff *diff)
{
	struct typed_diff below = {};
	struct marks marks = {};
	walk_compare(a, ref, l, r, &below, &marks);
	add_difference(a, diff, step, &below, &marks);
}

static void compare_leaf(const struct json *l, const struct json *r, struct marks *marks)
{
	if (!l)
		marks->is_added = true;
	else if (!r)
		marks->is_removed = true;
	else if (!json_equal(l, r))
		marks->is_modified = true;
}

static struct json *whole(struct arena *a, const struct typed_items *items,
			  const struct path_element *step)
{
	struct json *all = json_array(a);
	for (size_t i = 0; i < items->count; i++)
		if (path_compare(&items->steps[i], step) == 0)
			json_append(a, all, items->values[i]);
	return all;
}

static void compare_item(struct arena *a, struct schema_ref element,
			 const struct path_element *step, const struct typed_items *left,
			 const struct typed_items *right, struct typed_diff *diff)
{
	bool is_repeated[2];
	ptrdiff_t l = typed_items_find(left, step, &is_repeated[0]);
	ptrdiff_t r = typed_items_find(right, step, &is_repeated[1]);
	if (!is_repeated[0] && !is_repeated[1]) {
		compare_child(a, element, *step, l < 0 ? NULL : left->values[l],
			      r < 0 ? NULL : right->values[r], diff);
		return;
	}
	struct typed_diff none = {};
	struct marks marks = {.is_added = l < 0, .is_removed = r < 0};
	if (l >= 0 && r >= 0)
		marks.is_modified = !json_equal(whole(a, left, step), whole(a, right, step));
	add_difference(a, diff, *step, &none, &marks);
}

static void compare_lists(struct arena *a, struct schema_ref ref, const struct atom *atom,
			  const struct json *l, const struct json *r, struct typed_diff *diff)
{
	struct typed_items left = typed_items_of(a, ref, atom, l);
	struct typed_items right = typed_items_of(a, ref, atom, r);
	struct schema_ref element = schema_element(ref);
	bool is_repeated;
	for (size_t i = 0; i < left.count; i++)
		if (typed_items_find(&left, &left.steps[i], &is_repeated) == (ptrdiff_t)i)
			compare_item(a, element, &left.steps[i], &left, &right, diff);
	for (size_t i = 0; i < right.count; i++)
		if (typed_items_find(&right, &right.steps[i], &is_repeated) == (ptrdiff_t)i &&
		    typed_items_find(&left, &right.steps[i], &is_repeated) < 0)
			compare_item(a, element, &right.steps[i], &left, &right, diff);
}

static const struct json *member_near(const struct json *object, struct str key, size_t i)
{
	if (i < json_count(object) && str_eq(object->object.members[i].key, key))
		return object->object.members[i].value;
	return json_get(object, key);
}

static void compare_maps(struct arena *a, struct schema_ref ref, const struct json *l,
			 const struct json *r, struct typed_diff *diff)
{
	struct schema_ref child;
	for (size_t i = 0; i < json_count(l); i++) {
		const struct json_member *m = &l->object.members[i];
		schema_child(ref, m->key, &child);
		compare_child(a, child, path_field(m->key), m->value, member_near(r, m->key, i),
			      diff);
	}
	for (size_t i = 0; i < json_count(r); i++) {
		const struct json_member *m = &r->object.members[i];
		if (member_near(l, m->key, i))
			continue;
		schema_child(ref, m->key, &child);
		compare_child(a, child, path_field(m->key), NULL, m->value, diff);
	}
}

/* Of both sides nothing is left to look into: empty differs from absent. */
static bool is_leaf(const struct atom *atom, const struct json *l, const struct json *r)
{
	enum json_type type = atom->kind == ATOM_LIST ? JSON_ARRAY : JSON_OBJECT;
	if (atom->kind == ATOM_SCALAR || atom->is_atomic)
		return true;
	if ((!is_null(l) && l->type != type) || (!is_null(r) && r->type != type))
		return true; /* one of them does not fit the schema */
	return json_count(l) == 0 && json_count(r) == 0;
}

static void walk_compare(struct arena *a, struct schema_ref ref, const struct json *l,
			 const struct json *r, struct typed_diff *diff, struct marks *marks)
{
	struct atom atom = schema_atom(ref, is_null(r) ? l : r);
	if (is_leaf(&atom, l, r)) {
		compare_leaf(l, r, marks);
		return;
	}
	if (atom.kind == ATOM_LIST)
		compare_lists(a, ref, &atom, l, r, diff);
	else
		compare_maps(a, ref, l, r, diff);
	marks->is_added = !l;
	marks->is_removed = !r;
}

struct typed_diff typed_compare(struct arena *a, struct schema_ref ref, const struct json *before,
				const struct json *after)
{
	struct typed_diff diff = {};
	struct marks marks = {};
	if (json_equal(before, after))
		return diff; /* usual for what is applied again and again */
	walk_compare(a, ref, before, after, &diff, &marks);
	return diff;
}

bool typed_diff_is_empty(const struct typed_diff *d)
{
	return !d->added.count && !d->modified.count && !d->removed.count;
}
