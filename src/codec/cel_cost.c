/* What an evaluation of a CEL expression may cost at most.
 *
 * A walk from the leaves: each node costs one or so, a call costs what its kind says of the sizes
 * of its arguments, a fold costs its step times the size of its range.  Sizes are known of
 * literals, follow from the calls that make values, or come from the declared type that a value is
 * reached through (struct cel_expr.bound).  All sums and products stop at the largest number.
 *
 * These numbers decide which CustomResourceDefinitions are accepted: they are an interface.
 * Source: cel-go's checker/cost.go and the cost estimator of Kubernetes' CEL library. */
#include "codec/cel-int.h"

#define LIST_BASE   10
#define MAP_BASE    30
#define STRUCT_BASE 40

static range cost_of(struct coster *k, struct cel_expr *e);

/* An index reaches an item through what it indexes. */
static void note_index(struct coster *k, struct cel_expr *e, const char *id,
		       struct cost_estimate *sum)
{
	struct entry_sizes entries;
	if (!str_is(str_of(id), "index_list") && !str_is(str_of(id), "index_map"))
		return;
	sum->has_size = coster_find_entries(k, e->args[0], &entries);
	sum->size = sum->has_size ? entries.value : range_unknown;
	e->bound = coster_part_bound(k, coster_bound(k, e->args[0]), 1);
}

static range cost_of_call(struct coster *k, struct cel_expr *e)
{
	struct cost_call call = {
		.k = k, .e = e, .arg_costs = ARENA_ARRAY(k->c->arena, range, e->count + 1)};
	struct cost_estimate sum = {.cost = {UINT64_MAX, 0}};
	range target = {};
	for (size_t i = 0; i < e->count; i++) {
		call.arg_costs[i] = cost_of(k, e->args[i]);
		call.args = range_add(call.args, call.arg_costs[i]);
	}
	if (str_is(e->name, "dyn") && e->count == 1) {
		struct entry_sizes entries;
		if (coster_find_size(k, e->args[0], &sum.size))
			cel_set_size(e, sum.size);
		if (coster_find_entries(k, e->args[0], &entries))
			cel_set_entries(e, entries);
		return range_add(range_fixed(1), call.args);
	}
	if (e->overload_count == 0)
		return (range){};
	if (e->target)
		target = cost_of(k, e->target);
	for (size_t i = 0; i < e->overload_count; i++) {
		call.id = e->overloads[i]->id;
		struct cost_estimate one = cost_estimate(&call);
		sum.cost = range_both(sum.cost, one.cost);
		if (one.has_size)
			sum.size = sum.has_size ? range_both(sum.size, one.size) : one.size;
		sum.has_size |= one.has_size;
		note_index(k, e, call.id, &sum);
		if (!sum.has_size)
			sum.has_size = coster_find_size(k, e, &sum.size);
	}
	if (sum.has_size)
		cel_set_size(e, sum.size);
	return range_add(target, sum.cost);
}

static range cost_of_ident(struct coster *k, struct cel_expr *e)
{
	const struct cost_local *l = coster_local(k, e);
	const struct cel_env *env = k->c->env;
	if (l)
		e->bound = l->bound;
	for (size_t i = 0; !l && env && i < env->variable_count; i++)
		if (str_eq(env->variables[i].name, e->name))
			e->bound = env->variables[i].type;
	return range_fixed(1);
}

static range cost_of_select(struct coster *k, struct cel_expr *e)
{
	range sum = cost_of(k, e->target);
	enum cel_kind kind = e->target->type->kind;
	if (e->is_test)
		return sum;
	if (kind == CEL_MAP || kind == CEL_STRUCT)
		sum = range_add(sum, range_fixed(1));
	e->bound = coster_field_bound(k, coster_bound(k, e->target), e->name);
	return sum;
}

static range cost_of_list(struct coster *k, struct cel_expr *e)
{
	range sum = range_fixed(LIST_BASE), item = {e->count ? UINT64_MAX : 0, 0};
	for (size_t i = 0; i < e->count; i++) {
		sum = range_add(sum, cost_of(k, e->args[i]));
		item = range_both(item, coster_size(k, e->args[i]));
	}
	cel_set_entries(e, (struct entry_sizes){range_fixed(1), item, true});
	return sum;
}

static range cost_of_map(struct coster *k, struct cel_expr *e)
{
	range sum = range_fixed(MAP_BASE), key = {e->count ? UINT64_MAX : 0, 0}, value = key;
	for (size_t i = 0; i < e->count; i++) {
		sum = range_add(sum, range_add(cost_of(k, e->args[i]), cost_of(k, e->values[i])));
		key = range_both(key, coster_size(k, e->args[i]));
		value = range_both(value, coster_size(k, e->values[i]));
	}
	cel_set_entries(e, (struct entry_sizes){key, value, false});
	return sum;
}

static range cost_of_structure(struct coster *k, struct cel_expr *e)
{
	range sum = range_fixed(STRUCT_BASE);
	for (size_t i = 0; i < e->count; i++)
		sum = range_add(sum, cost_of(k, e->values[i]));
	return sum;
}

/* A variable that walks over e: part 0 its keys or places, 1 its values or items. */
static struct cost_local item_local(struct coster *k, struct cel_expr *e, struct str name,
				    size_t part)
{
	struct entry_sizes entries;
	struct cost_local l = {.name = name, .up = k->locals};
	l.has_size = coster_find_entries(k, e, &entries);
	l.size = part == 0 ? entries.key : entries.value;
	l.bound = coster_part_bound(k, coster_bound(k, e), part);
	return l;
}

static struct cost_local accumulator_local(struct coster *k, const struct cel_expr *fold)
{
	struct entry_sizes entries;
	struct cost_local l = {
		.name = fold->accumulator, .up = k->locals, .bound = coster_bound(k, fold->init)};
	l.has_size = coster_find_size(k, fold->init, &l.size);
	l.has_entries = coster_find_entries(k, fold->init, &entries);
	if (l.has_entries) {
		l.key_size = entries.key;
		l.value_size = entries.value;
		l.entries_are_list = entries.are_list;
	}
	return l;
}

/* cel.bind() and its like: a fold over nothing. */
static bool is_bind(const struct cel_expr *e)
{
	return e->range->node == CEL_NODE_LIST && e->range->count == 0 &&
	       e->condition->node == CEL_NODE_LITERAL && !e->condition->value.boolean;
}

static range cost_of_bind(struct coster *k, struct cel_expr *e)
{
	const struct cost_local *outer = k->locals;
	struct entry_sizes entries;
	range sum = range_add(cost_of(k, e->range), cost_of(k, e->init)), size;
	struct cost_local total = accumulator_local(k, e);
	k->locals = &total;
	sum = range_add(sum, cost_of(k, e->result));
	k->locals = outer;
	if (coster_find_size(k, e->result, &size))
		cel_set_size(e, size);
	if (coster_find_entries(k, e->result, &entries))
		cel_set_entries(e, entries);
	return sum;
}

static bool is_over_list(const struct coster *k, const struct cel_expr *range_expr)
{
	struct entry_sizes entries;
	if (coster_find_entries(k, range_expr, &entries))
		return entries.are_list;
	return range_expr->type->kind == CEL_LIST;
}

static range cost_of_fold(struct coster *k, struct cel_expr *e)
{
	const struct cost_local *outer = k->locals;
	struct entry_sizes entries;
	range size, sum = range_add(cost_of(k, e->range), cost_of(k, e->init));
	struct cost_local total = accumulator_local(k, e);
	k->locals = &total;
	bool has_two = e->item2.at != NULL;
	struct cost_local item =
		item_local(k, e->range, e->item, !has_two && is_over_list(k, e->range));
	k->locals = &item;
	struct cost_local item2 = item_local(k, e->range, e->item2, 1);
	if (has_two)
		k->locals = &item2;
	range each = range_add(cost_of(k, e->condition), cost_of(k, e->step));
	k->locals = &total;
	sum = range_add(sum, cost_of(k, e->result));
	k->locals = outer;
	range count = coster_size(k, e->range);
	sum = range_add(sum, range_multiply(count, each));
	if (e->init->node == CEL_NODE_LITERAL && coster_find_size(k, e->init, &size)) {
		cel_set_size(e, size);
	} else if (e->init->node == CEL_NODE_LIST || e->init->node == CEL_NODE_MAP) {
		cel_set_size(e, count);
		if (coster_find_entries(k, e->step, &entries))
			cel_set_entries(e, entries);
	}
	return sum;
}

static range cost_of(struct coster *k, struct cel_expr *e)
{
	switch (e->node) {
	case CEL_NODE_LITERAL:
		return range_fixed(0);
	case CEL_NODE_IDENT:
		return cost_of_ident(k, e);
	case CEL_NODE_SELECT:
		return cost_of_select(k, e);
	case CEL_NODE_CALL:
		return cost_of_call(k, e);
	case CEL_NODE_LIST:
		return cost_of_list(k, e);
	case CEL_NODE_MAP:
		return cost_of_map(k, e);
	case CEL_NODE_STRUCT:
		return cost_of_structure(k, e);
	case CEL_NODE_FOLD:
		return is_bind(e) ? cost_of_bind(k, e) : cost_of_fold(k, e);
	}
	return range_fixed(0);
}

uint64_t cel_cost_max(struct cel *c)
{
	struct coster k = {.c = c};
	ASSERT(c->root && c->fault_count == 0);
	return cost_of(&k, c->root).max;
}
