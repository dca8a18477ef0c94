#include "api/field_set.h"

#include <stdlib.h>

/* ---- Elements ---- */

struct path_element path_field(struct str name)
{
	return (struct path_element){STEP_FIELD, name, NULL};
}

static int compare_members(const void *left, const void *right)
{
	return str_cmp(((const struct json_member *)left)->key,
		       ((const struct json_member *)right)->key);
}

static struct str compact(struct arena *a, const struct json *value)
{
	CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
	json_write(&text, value);
	return arena_str(a, buf_str(&text));
}

struct path_element path_keys(struct arena *a, const struct json *keys)
{
	struct json *sorted = json_object(a);
	for (size_t i = 0; i < keys->object.count; i++)
		json_add(a, sorted, keys->object.members[i].key, keys->object.members[i].value);
	if (sorted->object.count > 1)
		qsort(sorted->object.members, sorted->object.count, sizeof(struct json_member),
		      compare_members);
	return (struct path_element){STEP_KEYS, compact(a, sorted), sorted};
}

struct path_element path_value(struct arena *a, const struct json *value)
{
	return (struct path_element){STEP_VALUE, compact(a, value), value};
}

struct path_element path_index(struct arena *a, size_t index)
{
	return (struct path_element){STEP_INDEX, arena_printf(a, "%zu", index), NULL};
}

static int rank_of(const struct json *v)
{
	switch (v->type) {
	case JSON_INT:
	case JSON_DOUBLE:
		return 0;
	case JSON_STRING:
		return 1;
	case JSON_BOOL:
		return 2;
	case JSON_ARRAY:
		return 3;
	case JSON_OBJECT:
		return 4;
	case JSON_NULL:
		break;
	}
	return 5;
}

static int compare_numbers(const struct json *a, const struct json *b)
{
	if (a->type == JSON_INT && b->type == JSON_INT)
		return (a->integer > b->integer) - (a->integer < b->integer);
	double x = json_f64(a);
	double y = json_f64(b);
	return (x > y) - (x < y);
}

static int compare_scalars(const struct json *a, const struct json *b)
{
	int rank = rank_of(a);
	if (rank != rank_of(b))
		return rank < rank_of(b) ? -1 : 1;
	if (rank == 0)
		return compare_numbers(a, b);
	if (rank == 1)
		return str_cmp(a->string, b->string);
	return rank == 2 ? a->boolean - b->boolean : 0;
}

static int compare_keys(const struct json *a, const struct json *b)
{
	for (size_t i = 0; i < a->object.count && i < b->object.count; i++) {
		const struct json_member *x = &a->object.members[i], *y = &b->object.members[i];
		int order = str_cmp(x->key, y->key);
		order = order ? order : compare_scalars(x->value, y->value);
		if (order)
			return order;
	}
	return (a->object.count > b->object.count) - (a->object.count < b->object.count);
}

int path_compare(const struct path_element *a, const struct path_element *b)
{
	int order = 0;
	int64_t x = 0, y = 0;
	if (a->step != b->step)
		return a->step < b->step ? -1 : 1;
	if (a->step == STEP_KEYS)
		order = compare_keys(a->value, b->value);
	else if (a->step == STEP_VALUE)
		order = compare_scalars(a->value, b->value);
	else if (a->step == STEP_INDEX && str_to_i64(a->text, &x) && str_to_i64(b->text, &y))
		return (x > y) - (x < y);
	return order ? order : str_cmp(a->text, b->text);
}

void path_write(struct buf *out, const struct path_element *e)
{
	if (e->step == STEP_FIELD) {
		buf_printf(out, ".%.*s", STR_FMT(e->text));
		return;
	}
	buf_add_char(out, '[');
	if (e->step == STEP_KEYS)
		for (size_t i = 0; i < e->value->object.count; i++) {
			const struct json_member *m = &e->value->object.members[i];
			buf_printf(out, "%s%.*s=", i ? "," : "", STR_FMT(m->key));
			json_write(out, m->value);
		}
	else
		buf_printf(out, "%s%.*s", e->step == STEP_VALUE ? "=" : "", STR_FMT(e->text));
	buf_add_char(out, ']');
}

/* ---- Sets ---- */

/* Where e is, or where it would be. */
static size_t position(const struct field_set *s, const struct path_element *e, bool *ret_found)
{
	size_t low = 0, high = s->count;
	*ret_found = false;
	if (high && path_compare(&s->nodes[high - 1].element, e) < 0)
		return high; /* usual while a set is built */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = path_compare(&s->nodes[middle].element, e);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert_at(struct arena *a, struct field_set *s, size_t at, struct field_node node)
{
	s->nodes = arena_grow(a, s->nodes, s->count, &s->cap, sizeof(*s->nodes));
	memmove(s->nodes + at + 1, s->nodes + at, (s->count - at) * sizeof(*s->nodes));
	s->nodes[at] = node;
	s->count++;
}

void field_set_add(struct arena *a, struct field_set *s, struct path_element element,
		   bool is_member, struct field_set below)
{
	bool is_found;
	if (!is_member && !below.count)
		return;
	size_t at = position(s, &element, &is_found);
	if (!is_found) {
		insert_at(a, s, at, (struct field_node){element, is_member, below});
		return;
	}
	s->nodes[at].is_member |= is_member;
	s->nodes[at].below = field_set_union(a, &s->nodes[at].below, &below);
}

const struct field_node *field_set_find(const struct field_set *s, const struct path_element *e)
{
	bool is_found;
	size_t at = position(s, e, &is_found);
	return is_found ? &s->nodes[at] : NULL;
}

bool field_set_has(const struct field_set *s, const char *dotted)
{
	struct str rest = str_of(dotted), name;
	for (;;) {
		bool is_last = !str_cut(rest, '.', &name, &rest);
		struct path_element e = path_field(name);
		const struct field_node *node = field_set_find(s, &e);
		if (!node || is_last)
			return node && node->is_member;
		s = &node->below;
	}
}

/* Ordered nodes only ever arrive at the end. */
static void append(struct arena *a, struct field_set *s, const struct path_element *e,
		   bool is_member, struct field_set below)
{
	if (is_member || below.count)
		insert_at(a, s, s->count, (struct field_node){*e, is_member, below});
}

struct field_set field_set_union(struct arena *a, const struct field_set *x,
				 const struct field_set *y)
{
	struct field_set out = {};
	size_t i = 0, j = 0;
	if (!x->count || !y->count)
		return x->count ? *x : *y;
	while (i < x->count || j < y->count) {
		const struct field_node *l = i < x->count ? &x->nodes[i] : NULL;
		const struct field_node *r = j < y->count ? &y->nodes[j] : NULL;
		int order = !l ? 1 : !r ? -1 : path_compare(&l->element, &r->element);
		if (order < 0)
			append(a, &out, &l->element, l->is_member, l->below);
		else if (order > 0)
			append(a, &out, &r->element, r->is_member, r->below);
		else
			append(a, &out, &l->element, l->is_member || r->is_member,
			       field_set_union(a, &l->below, &r->below));
		i += order <= 0;
		j += order >= 0;
	}
	return out;
}

struct field_set field_set_intersection(struct arena *a, const struct field_set *x,
					const struct field_set *y)
{
	struct field_set out = {};
	for (size_t i = 0, j = 0; i < x->count && j < y->count;) {
		const struct field_node *l = &x->nodes[i], *r = &y->nodes[j];
		int order = path_compare(&l->element, &r->element);
		if (order == 0)
			append(a, &out, &l->element, l->is_member && r->is_member,
			       field_set_intersection(a, &l->below, &r->below));
		i += order <= 0;
		j += order >= 0;
	}
	return out;
}

struct field_set field_set_difference(struct arena *a, const struct field_set *x,
				      const struct field_set *y, bool is_deep)
{
	struct field_set out = {};
	if (!y->count)
		return *x;
	for (size_t i = 0, j = 0; i < x->count;) {
		const struct field_node *l = &x->nodes[i];
		const struct field_node *r = j < y->count ? &y->nodes[j] : NULL;
		int order = r ? path_compare(&l->element, &r->element) : -1;
		if (order < 0)
			append(a, &out, &l->element, l->is_member, l->below);
		else if (order == 0 && !(is_deep && r->is_member))
			append(a, &out, &l->element, l->is_member && !r->is_member,
			       field_set_difference(a, &l->below, &r->below, is_deep));
		i += order <= 0;
		j += order >= 0;
	}
	return out;
}

/* ---- fieldsV1 ---- */

static const char step_letters[] = "fkvi";

static struct str step_key(struct arena *a, const struct path_element *e)
{
	char *key = arena_alloc(a, e->text.len + 3);
	key[0] = step_letters[e->step];
	key[1] = ':';
	memcpy(key + 2, e->text.at, e->text.len);
	return str_n(key, e->text.len + 2);
}

static void add_nodes(struct arena *a, struct json *out, const struct field_set *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct field_node *n = &s->nodes[i];
		struct json *below = json_object(a);
		if (n->is_member && n->below.count)
			json_add(a, below, STR("."), json_object(a));
		add_nodes(a, below, &n->below);
		json_add(a, out, step_key(a, &n->element), below);
	}
}

struct json *field_set_to_json(struct arena *a, const struct field_set *s)
{
	struct json *out = json_object(a);
	add_nodes(a, out, s);
	return out;
}

/* false: a kind of step that this release does not know. */
static enum rc parse_element(struct arena *a, struct str key, struct path_element *ret_element,
			     bool *ret_known, struct err *err)
{
	struct str text = str_skip(key, 2);
	struct json *value;
	const char *letter = key.len > 1 && key.at[1] == ':' ? strchr(step_letters, key.at[0])
							     : NULL;
	if (key.len < 2)
		return err_set(err, RC_BAD_REQUEST, "key must be 2 characters long");
	*ret_known = letter && *letter;
	if (!*ret_known)
		return RC_OK;
	*ret_element = (struct path_element){(enum path_step)(letter - step_letters), text, NULL};
	if (*letter == 'f' || *letter == 'i')
		return RC_OK;
	TRY(json_parse(a, text, &value, NULL, err));
	if (*letter == 'v')
		*ret_element = path_value(a, value);
	else if (value->type == JSON_OBJECT)
		*ret_element = path_keys(a, value);
	else
		return err_set(err, RC_BAD_REQUEST, "'%.*s' is no key of a list", STR_FMT(key));
	return RC_OK;
}

/* An object without a step that is known makes its path a member. */
static enum rc parse_node(struct arena *a, const struct json *v, struct field_set *ret_set,
			  bool *ret_member, struct err *err)
{
	if (v->type != JSON_OBJECT)
		return err_set(err, RC_BAD_REQUEST, "fieldsV1 has a value that is no object");
	for (size_t i = 0; i < v->object.count; i++) {
		const struct json_member *m = &v->object.members[i];
		struct path_element e;
		struct field_set below = {};
		bool is_known, is_member = false;
		if (str_is(m->key, ".")) {
			*ret_member = true;
			continue;
		}
		TRY(parse_element(a, m->key, &e, &is_known, err));
		if (!is_known)
			continue;
		TRY(parse_node(a, m->value, &below, &is_member, err));
		field_set_add(a, ret_set, e, is_member, below);
	}
	*ret_member |= !ret_set->count;
	return RC_OK;
}

enum rc field_set_parse(struct arena *a, const struct json *fields_v1, struct field_set *ret_set,
			struct err *err)
{
	struct field_set set = {};
	bool is_member = false;
	if (!fields_v1)
		return err_set(err, RC_BAD_REQUEST, "fieldsV1 is missing");
	TRY(parse_node(a, fields_v1, &set, &is_member, err));
	*ret_set = set;
	return RC_OK;
}
