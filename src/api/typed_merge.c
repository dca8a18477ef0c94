#include "api/typed.h"

static bool is_null(const struct json *v)
{
	return !v || v->type == JSON_NULL;
}

/* ---- Merge ---- */

static struct json *merge(struct arena *a, struct schema_ref ref, const struct json *l,
			  const struct json *r);

static struct json *merge_maps(struct arena *a, struct schema_ref ref, const struct json *l,
			       const struct json *r)
{
	struct json *out = json_object(a);
	struct schema_ref child;
	for (size_t i = 0; i < json_count(l); i++) {
		const struct json_member *m = &l->object.members[i];
		schema_child(ref, m->key, &child);
		struct json *value = merge(a, child, m->value, json_get(r, m->key));
		if (value)
			json_add(a, out, m->key, value);
	}
	for (size_t i = 0; i < json_count(r); i++) {
		const struct json_member *m = &r->object.members[i];
		if (json_get(l, m->key))
			continue;
		schema_child(ref, m->key, &child);
		struct json *value = merge(a, child, NULL, m->value);
		if (value)
			json_add(a, out, m->key, value);
	}
	return out->object.count ? out : NULL;
}

/* Both lists in one: the order of the right one is kept, and what only the left one has stays next
 * to its neighbours. */
struct list_merge {
	struct arena *a;
	struct schema_ref element;
	struct typed_items left, right;
	bool *is_taken;	    /* of the right ones */
	size_t next_shared; /* index of the right one that both have and that comes next */
	struct json *out;
};

static ptrdiff_t find_in(const struct typed_items *items, const struct path_element *step)
{
	bool is_repeated;
	return typed_items_find(items, step, &is_repeated);
}

static void skip_to_shared(struct list_merge *m, size_t from)
{
	while (from < m->right.count && find_in(&m->left, &m->right.steps[from]) < 0)
		from++;
	m->next_shared = from;
}

static void take_left(struct list_merge *m, size_t i)
{
	struct json *value = merge(m->a, m->element, m->left.values[i], NULL);
	if (value)
		json_append(m->a, m->out, value);
}

static void take_right(struct list_merge *m, size_t i)
{
	bool is_repeated;
	ptrdiff_t l = typed_items_find(&m->left, &m->right.steps[i], &is_repeated);
	struct json *with = l < 0 || is_repeated ? NULL : m->left.values[l];
	struct json *value = merge(m->a, m->element, with, m->right.values[i]);
	if (value)
		json_append(m->a, m->out, value);
	m->is_taken[i] = true;
	if (m->next_shared == i)
		skip_to_shared(m, i + 1);
}

static void merge_steps(struct list_merge *m)
{
	size_t l = 0, r = 0;
	while (l < m->left.count || r < m->right.count) {
		ptrdiff_t same = l < m->left.count ? find_in(&m->right, &m->left.steps[l]) : -1;
		if (l < m->left.count && r < m->right.count && same >= 0) {
			if ((size_t)same == r) {
				take_right(m, r++);
				l++;
				continue;
			}
			if (m->next_shared < m->right.count && (size_t)same != m->next_shared) {
				l++; /* shared, but its turn has not come */
				continue;
			}
		}
		if (l < m->left.count && same < 0) {
			take_left(m, l++);
			continue;
		}
		if (l < m->left.count && m->is_taken[same])
			l++;
		if (r < m->right.count)
			take_right(m, r++);
	}
}

static struct json *merge_lists(struct arena *a, struct schema_ref ref, const struct atom *atom,
				const struct json *l, const struct json *r)
{
	struct list_merge m = {
		.a = a,
		.element = schema_element(ref),
		.left = typed_items_of(a, ref, atom, l),
		.right = typed_items_of(a, ref, atom, r),
		.out = json_array(a),
	};
	m.is_taken = ARENA_ARRAY(a, bool, m.right.count + 1);
	skip_to_shared(&m, 0);
	merge_steps(&m);
	return m.out->array.count ? m.out : NULL;
}

static struct json *merge(struct arena *a, struct schema_ref ref, const struct json *l,
			  const struct json *r)
{
	struct atom atom = schema_atom(ref, is_null(r) ? l : r);
	enum json_type type = atom.kind == ATOM_LIST ? JSON_ARRAY : JSON_OBJECT;
	bool is_leaf = atom.kind == ATOM_SCALAR || atom.is_atomic ||
		       (json_count(l) == 0 && json_count(r) == 0) ||
		       (!is_null(r) && r->type != type) || (!is_null(l) && l->type != type);
	if (is_leaf)
		return (struct json *)(r ? r : l);
	return atom.kind == ATOM_LIST ? merge_lists(a, ref, &atom, l, r) : merge_maps(a, ref, l, r);
}

struct json *typed_merge(struct arena *a, struct schema_ref ref, const struct json *live,
			 const struct json *config)
{
	struct json *out = merge(a, ref, live, config);
	return out ? out : json_object(a);
}

/* ---- Remove ---- */

static struct json *remove_from(struct arena *a, struct schema_ref ref, const struct json *v,
				const struct field_set *set);

static struct json *remove_from_list(struct arena *a, struct schema_ref ref,
				     const struct atom *atom, const struct json *v,
				     const struct field_set *set)
{
	struct typed_items items = typed_items_of(a, ref, atom, v);
	struct schema_ref element = schema_element(ref);
	struct json *out = json_array(a);
	for (size_t i = 0; i < items.count; i++) {
		const struct field_node *n = field_set_find(set, &items.steps[i]);
		if (n && n->is_member)
			continue;
		json_append(a, out,
			    n ? remove_from(a, element, items.values[i], &n->below)
			      : items.values[i]);
	}
	return out->array.count ? out : NULL;
}

static struct json *remove_from_map(struct arena *a, struct schema_ref ref, const struct json *v,
				    const struct field_set *set)
{
	struct json *out = json_object(a);
	for (size_t i = 0; i < v->object.count; i++) {
		const struct json_member *m = &v->object.members[i];
		struct path_element step = path_field(m->key);
		const struct field_node *n = field_set_find(set, &step);
		struct schema_ref child;
		if (n && n->is_member)
			continue;
		schema_child(ref, m->key, &child);
		json_add(a, out, m->key, n ? remove_from(a, child, m->value, &n->below) : m->value);
	}
	return out->object.count ? out : NULL;
}

static struct json *remove_from(struct arena *a, struct schema_ref ref, const struct json *v,
				const struct field_set *set)
{
	struct atom atom = schema_atom(ref, v);
	struct json *out = NULL;
	if (atom.kind == ATOM_SCALAR)
		return (struct json *)v;
	if (atom.is_atomic)
		return json_null(a);
	if (atom.kind == ATOM_LIST && v->type == JSON_ARRAY)
		out = remove_from_list(a, ref, &atom, v, set);
	else if (atom.kind == ATOM_MAP && v->type == JSON_OBJECT)
		out = remove_from_map(a, ref, v, set);
	return out ? out : json_null(a);
}

struct json *typed_remove(struct arena *a, struct schema_ref ref, const struct json *value,
			  const struct field_set *set)
{
	struct json *out = remove_from(a, ref, value, set);
	return out->type == JSON_NULL ? json_object(a) : out;
}
