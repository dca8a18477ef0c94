/* Sizes of CEL values, as far as an estimate of costs knows them: of literals, of what calls made,
 * or from the declared type that a value is reached through (struct cel_expr.bound). */
#include <math.h>

#include "codec/cel-int.h"

/* ---- numbers that do not overflow ---- */

uint64_t cost_plus(uint64_t x, uint64_t y)
{
	return x > UINT64_MAX - y ? UINT64_MAX : x + y;
}

static uint64_t times(uint64_t x, uint64_t y)
{
	return y != 0 && x > UINT64_MAX / y ? UINT64_MAX : x * y;
}

static uint64_t scaled(uint64_t x, double factor)
{
	double result = ceil((double)x * factor);
	return result >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)result;
}

range range_fixed(uint64_t value)
{
	return (range){value, value};
}

range range_add(range a, range b)
{
	return (range){cost_plus(a.min, b.min), cost_plus(a.max, b.max)};
}

range range_multiply(range a, range b)
{
	return (range){times(a.min, b.min), times(a.max, b.max)};
}

range range_scale(range a, double factor)
{
	return (range){scaled(a.min, factor), scaled(a.max, factor)};
}

range range_both(range a, range b)
{
	return (range){a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max};
}

const range range_unknown = {0, UINT64_MAX};

/* ---- sizes ---- */

const struct cost_local *coster_local(const struct coster *k, const struct cel_expr *e)
{
	if (e->node != CEL_NODE_IDENT)
		return NULL;
	for (const struct cost_local *l = k->locals; l; l = l->up)
		if (str_eq(l->name, e->name))
			return l;
	return NULL;
}

/* A path that leads to nothing that is declared. */
static const struct cel_type nowhere = {.kind = CEL_ERROR};

/* The type that bounds are looked up in: that of the first variable. */
static const struct cel_type *root_bound(const struct coster *k)
{
	const struct cel_env *env = k->c->env;
	return env && env->variable_count ? env->variables[0].type : &nowhere;
}

/* What is reached through nothing that is declared counts from the root, as it does upstream. */
const struct cel_type *coster_part_bound(const struct coster *k, const struct cel_type *of,
					 size_t i)
{
	if (!of)
		return root_bound(k);
	if (of->kind == CEL_LIST && i == 1)
		return of->of[0];
	if (of->kind == CEL_MAP)
		return of->of[i];
	return &nowhere;
}

const struct cel_type *coster_field_bound(const struct coster *k, const struct cel_type *of,
					  struct str field)
{
	const struct cel_type *found;
	if (!of)
		return root_bound(k);
	found = cel_field_type(of, field);
	return found ? found : &nowhere;
}

const struct cel_type *coster_bound(const struct coster *k, const struct cel_expr *e)
{
	const struct cost_local *l = coster_local(k, e);
	return l ? l->bound : e->bound;
}

static bool own_size(const struct cel_expr *e, range *ret_size)
{
	if (e->node == CEL_NODE_LIST || e->node == CEL_NODE_MAP)
		*ret_size = range_fixed(e->count);
	else if (e->node != CEL_NODE_LITERAL)
		return false;
	else if (e->literal == CEL_STRING)
		*ret_size = range_fixed(str_code_points(e->name));
	else
		*ret_size = range_fixed(e->literal == CEL_BYTES ? e->name.len : 1);
	return true;
}

static bool is_scalar(const struct cel_type *t)
{
	switch (t->kind) {
	case CEL_BOOL:
	case CEL_DOUBLE:
	case CEL_DURATION:
	case CEL_INT:
	case CEL_TIMESTAMP:
	case CEL_UINT:
		return true;
	case CEL_OPAQUE:
		return str_is(t->name, "optional_type") && t->of[0] && is_scalar(t->of[0]);
	default:
		return false;
	}
}

void cel_set_size(struct cel_expr *e, range size)
{
	e->size = size;
	e->has_size = true;
}

bool coster_find_size(struct coster *k, struct cel_expr *e, range *ret_size)
{
	const struct cel_type *bound;
	const struct cost_local *l = coster_local(k, e);
	if (e->has_size) {
		*ret_size = e->size;
		return true;
	}
	if (own_size(e, ret_size))
		return true;
	bound = coster_bound(k, e);
	if (bound && bound != &nowhere && bound->has_max) {
		cel_set_size(e, (range){0, bound->max_elements});
		*ret_size = e->size;
		return true;
	}
	if (e->type && is_scalar(e->type)) {
		*ret_size = range_fixed(1);
		return true;
	}
	if (l && l->has_size)
		*ret_size = l->size;
	return l && l->has_size;
}

range coster_size(struct coster *k, struct cel_expr *e)
{
	range size;
	return coster_find_size(k, e, &size) ? size : range_unknown;
}

bool coster_find_entries(const struct coster *k, const struct cel_expr *e, struct entry_sizes *ret)
{
	const struct cost_local *l = coster_local(k, e);
	if (e->has_entries)
		*ret = (struct entry_sizes){e->key_size, e->value_size, e->entries_are_list};
	else if (l && l->has_entries)
		*ret = (struct entry_sizes){l->key_size, l->value_size, l->entries_are_list};
	return e->has_entries || (l && l->has_entries);
}

void cel_set_entries(struct cel_expr *e, struct entry_sizes entries)
{
	e->key_size = entries.key;
	e->value_size = entries.value;
	e->entries_are_list = entries.are_list;
	e->has_entries = true;
}

bool coster_join_entries(const struct coster *k, const struct cel_expr *a, const struct cel_expr *b,
			 struct entry_sizes *ret)
{
	struct entry_sizes x, y;
	if (!coster_find_entries(k, a, &x) || !coster_find_entries(k, b, &y))
		return false;
	*ret = (struct entry_sizes){range_both(x.key, y.key), range_both(x.value, y.value),
				    x.are_list};
	return true;
}

/* The size of the items of a declared list. */
range coster_item_size(const struct coster *k, const struct cel_expr *of)
{
	const struct cel_type *bound = coster_bound(k, of);
	if (!bound)
		return range_unknown;
	const struct cel_type *item = coster_part_bound(k, bound, 1);
	return item != &nowhere && item->has_max ? (range){0, item->max_elements} : range_unknown;
}
