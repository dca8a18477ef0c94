/* What an evaluation of a CEL expression may cost at most.
 *
 * A walk from the leaves: each node costs one or so, a call costs what its kind says of the sizes
 * of its arguments, a fold costs its step times the size of its range.  Sizes are known of
 * literals, follow from the calls that make values, or come from the declared type that a value is
 * reached through (struct cel_expr.bound).  All sums and products stop at the largest number.
 *
 * These numbers decide which CustomResourceDefinitions are accepted: they are an interface.
 * Source: cel-go's checker/cost.go and the cost estimator of Kubernetes' CEL library. */
#include <math.h>

#include "codec/cel-int.h"

#define TRAVERSAL   0.1	 /* of a string or bytes, per code point */
#define REGEX	    0.25 /* of a regular expression, per code point */
#define LIST_BASE   10
#define MAP_BASE    30
#define STRUCT_BASE 40
#define AUTHORIZE   350000

struct local {
	struct str name;
	const struct cel_type *bound;
	struct cel_size size, key_size, value_size;
	bool has_size, has_entries, entries_are_list;
	const struct local *up;
};

struct coster {
	struct cel *c;
	const struct local *locals;
};

typedef struct cel_size range; /* of sizes or of costs */

static range cost_of(struct coster *k, struct cel_expr *e);

/* ---- numbers that do not overflow ---- */

static uint64_t plus(uint64_t x, uint64_t y)
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

static range fixed(uint64_t value)
{
	return (range){value, value};
}

static range add(range a, range b)
{
	return (range){plus(a.min, b.min), plus(a.max, b.max)};
}

static range multiply(range a, range b)
{
	return (range){times(a.min, b.min), times(a.max, b.max)};
}

static range scale(range a, double factor)
{
	return (range){scaled(a.min, factor), scaled(a.max, factor)};
}

static range both(range a, range b)
{
	return (range){a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max};
}

static const range unknown = {0, UINT64_MAX};

/* ---- sizes ---- */

static const struct local *local_of(const struct coster *k, const struct cel_expr *e)
{
	if (e->node != CEL_NODE_IDENT)
		return NULL;
	for (const struct local *l = k->locals; l; l = l->up)
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
static const struct cel_type *part_bound(const struct coster *k, const struct cel_type *of,
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

static const struct cel_type *field_bound(const struct coster *k, const struct cel_type *of,
					  struct str field)
{
	const struct cel_type *found;
	if (!of)
		return root_bound(k);
	found = cel_field_type(of, field);
	return found ? found : &nowhere;
}

static const struct cel_type *bound_of(const struct coster *k, const struct cel_expr *e)
{
	const struct local *l = local_of(k, e);
	return l ? l->bound : e->bound;
}

static bool own_size(const struct cel_expr *e, range *ret_size)
{
	if (e->node == CEL_NODE_LIST || e->node == CEL_NODE_MAP)
		*ret_size = fixed(e->count);
	else if (e->node != CEL_NODE_LITERAL)
		return false;
	else if (e->literal == CEL_STRING)
		*ret_size = fixed(cel_code_points(e->name));
	else
		*ret_size = fixed(e->literal == CEL_BYTES ? e->name.len : 1);
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

static void set_size(struct cel_expr *e, range size)
{
	e->size = size;
	e->has_size = true;
}

static bool find_size(struct coster *k, struct cel_expr *e, range *ret_size)
{
	const struct cel_type *bound;
	const struct local *l = local_of(k, e);
	if (e->has_size) {
		*ret_size = e->size;
		return true;
	}
	if (own_size(e, ret_size))
		return true;
	bound = bound_of(k, e);
	if (bound && bound != &nowhere && bound->has_max) {
		set_size(e, (range){0, bound->max_elements});
		*ret_size = e->size;
		return true;
	}
	if (e->type && is_scalar(e->type)) {
		*ret_size = fixed(1);
		return true;
	}
	if (l && l->has_size)
		*ret_size = l->size;
	return l && l->has_size;
}

static range size_of(struct coster *k, struct cel_expr *e)
{
	range size;
	return find_size(k, e, &size) ? size : unknown;
}

struct entries {
	range key, value;
	bool are_list;
};

static bool find_entries(const struct coster *k, const struct cel_expr *e, struct entries *ret)
{
	const struct local *l = local_of(k, e);
	if (e->has_entries)
		*ret = (struct entries){e->key_size, e->value_size, e->entries_are_list};
	else if (l && l->has_entries)
		*ret = (struct entries){l->key_size, l->value_size, l->entries_are_list};
	return e->has_entries || (l && l->has_entries);
}

static void set_entries(struct cel_expr *e, struct entries entries)
{
	e->key_size = entries.key;
	e->value_size = entries.value;
	e->entries_are_list = entries.are_list;
	e->has_entries = true;
}

static bool join_entries(const struct coster *k, const struct cel_expr *a, const struct cel_expr *b,
			 struct entries *ret)
{
	struct entries x, y;
	if (!find_entries(k, a, &x) || !find_entries(k, b, &y))
		return false;
	*ret = (struct entries){both(x.key, y.key), both(x.value, y.value), x.are_list};
	return true;
}

/* ---- calls ---- */

struct estimate {
	range cost, size;
	bool has_size;
};

struct call {
	struct coster *k;
	struct cel_expr *e;
	const char *id; /* of the overload */
	range args;	/* what they cost together */
	range *arg_costs;
};

#define SIZED(cost_range, size_range) ((struct estimate){cost_range, size_range, true})
#define COST(cost_range)	      ((struct estimate){.cost = cost_range})

static range target_size(const struct call *call)
{
	return call->e->target ? size_of(call->k, call->e->target) : unknown;
}

static range arg_size(const struct call *call, size_t i)
{
	return i < call->e->count ? size_of(call->k, call->e->args[i]) : unknown;
}

static struct estimate estimate_one(const struct call *call)
{
	(void)call;
	return COST(fixed(1));
}

static struct estimate estimate_authorize(const struct call *call)
{
	(void)call;
	return COST(fixed(AUTHORIZE));
}

static struct estimate estimate_traverse_target(const struct call *call)
{
	range size = target_size(call);
	return SIZED(scale(size, TRAVERSAL), size);
}

/* How long the result is, nobody knows. */
static struct estimate estimate_format(const struct call *call)
{
	return COST(scale(target_size(call), TRAVERSAL));
}

static struct estimate estimate_traverse_arg(const struct call *call)
{
	return COST(scale(arg_size(call, 0), TRAVERSAL));
}

/* The size of the items of a declared list. */
static range item_size(const struct call *call, const struct cel_expr *of)
{
	const struct cel_type *bound = bound_of(call->k, of);
	if (!bound)
		return unknown;
	const struct cel_type *item = part_bound(call->k, bound, 1);
	return item != &nowhere && item->has_max ? (range){0, item->max_elements} : unknown;
}

static struct estimate estimate_each_item(const struct call *call)
{
	const struct cel_expr *target = call->e->target;
	range one = fixed(1), size = target_size(call);
	if (target->type->kind != CEL_LIST)
		return COST(scale(size, TRAVERSAL));
	const struct cel_type *item = target->type->of[0];
	if (item->kind == CEL_STRING || item->kind == CEL_BYTES)
		one = add(one, scale(item_size(call, target), TRAVERSAL));
	return COST(multiply(size, one));
}

static uint64_t replaced_max(range size, range old, range new, uint64_t *ret_kept)
{
	*ret_kept = 0;
	if (old.min == 0) {
		*ret_kept = size.max;
		return plus(size.max, 1);
	}
	if (new.max <= old.min) {
		*ret_kept = size.max;
		return 0;
	}
	return (uint64_t)fmin(ceil((double)size.max / (double)old.min), 18446744073709549568.0);
}

static uint64_t replaced_min(range size, range old, range new, uint64_t *ret_kept)
{
	*ret_kept = 0;
	if (old.max == 0) {
		*ret_kept = size.min;
		return plus(size.min, 1);
	}
	if (old.max <= new.min) {
		*ret_kept = size.min;
		return 0;
	}
	return (uint64_t)ceil((double)size.min / (double)old.max);
}

static struct estimate estimate_replace(const struct call *call)
{
	range size = target_size(call), old = arg_size(call, 0), new = arg_size(call, 1);
	range kept, count = {replaced_min(size, old, new, &kept.min),
			     replaced_max(size, old, new, &kept.max)};
	return SIZED(scale(size, 2 * TRAVERSAL), add(multiply(count, new), kept));
}

static struct estimate estimate_split(const struct call *call)
{
	range size = target_size(call);
	const struct cel_expr *limit = call->e->count > 1 ? call->e->args[1] : NULL;
	uint64_t max = size.max;
	if (limit && limit->node == CEL_NODE_LITERAL && limit->value.integer >= 0)
		max = limit->value.natural;
	return SIZED(scale(size, 2 * TRAVERSAL), ((range){0, max}));
}

static struct estimate estimate_join(const struct call *call)
{
	range list = target_size(call);
	range size = multiply(list, item_size(call, call->e->target));
	range gaps = {list.min ? list.min - 1 : 0, list.max ? list.max - 1 : 0};
	if (call->e->count > 0)
		size = add(size, multiply(arg_size(call, 0), gaps));
	return SIZED(scale(size, TRAVERSAL), size);
}

static struct estimate estimate_find(const struct call *call)
{
	range size = target_size(call);
	range text = scale(add(size, fixed(1)), TRAVERSAL);
	range regex = scale(arg_size(call, 0), REGEX);
	return SIZED(multiply(text, regex), ((range){0, size.max}));
}

static struct estimate estimate_matches(const struct call *call)
{
	range regex = scale(arg_size(call, 0), REGEX);
	return COST(multiply(scale(add(target_size(call), fixed(1)), TRAVERSAL), regex));
}

static struct estimate estimate_contains_address(const struct call *call)
{
	range address = {4, 16};
	range cost = scale(add(address, address), TRAVERSAL);
	bool is_cidr = str_is(call->e->name, "containsCIDR");
	if (is_cidr)
		cost = add(cost, add(scale(address, TRAVERSAL), fixed(1)));
	if (str_has_suffix(str_of(call->id), STR("_string")))
		cost = add(cost, scale(arg_size(call, 0), TRAVERSAL));
	return COST(cost);
}

static struct estimate estimate_contains(const struct call *call)
{
	return COST(
		multiply(scale(target_size(call), TRAVERSAL), scale(arg_size(call, 0), TRAVERSAL)));
}

static struct estimate estimate_to_bytes(const struct call *call)
{
	range size = arg_size(call, 0);
	return SIZED(scale(size, TRAVERSAL), ((range){size.min, size.max * 4}));
}

static struct estimate estimate_to_text(const struct call *call)
{
	range size = arg_size(call, 0);
	return SIZED(scale(size, TRAVERSAL), ((range){size.min / 4, size.max}));
}

static struct estimate estimate_quote(const struct call *call)
{
	range size = arg_size(call, 0);
	return SIZED(scale(size, TRAVERSAL), ((range){size.min + 2, size.max * 2 + 2}));
}

static struct estimate estimate_in_list(const struct call *call)
{
	return COST(scale(arg_size(call, 1), 1));
}

static struct estimate estimate_compare(const struct call *call)
{
	range left = arg_size(call, 0), right = arg_size(call, 1);
	uint64_t max = left.max < right.max ? left.max : right.max;
	return COST(scale(((range){max > 0, max}), TRAVERSAL));
}

/* Lists of quantities and sets: each with each. */
static struct estimate estimate_sets(const struct call *call)
{
	range left = arg_size(call, 0), right = arg_size(call, 1);
	double factor = str_is(call->e->name, "sets.equivalent") ? 2 : 1;
	return COST(add(scale(multiply(left, right), factor), fixed(1)));
}

static struct estimate estimate_concatenate(const struct call *call)
{
	range size = add(arg_size(call, 0), arg_size(call, 1));
	struct entries entries;
	if (join_entries(call->k, call->e->args[0], call->e->args[1], &entries))
		set_entries(call->e, entries);
	if (str_is(str_of(call->id), "add_list"))
		return SIZED(fixed(1), size);
	return SIZED(scale(size, TRAVERSAL), size);
}

static const struct {
	const char *function; /* NULL: any */
	const char *id;	      /* a prefix of the overload; NULL: any */
	struct estimate (*estimate)(const struct call *call);
} estimates[] = {
	{"check", NULL, estimate_authorize},
	{"isSorted", NULL, estimate_each_item},
	{"sum", NULL, estimate_each_item},
	{"max", NULL, estimate_each_item},
	{"min", NULL, estimate_each_item},
	{"indexOf", NULL, estimate_each_item},
	{"lastIndexOf", NULL, estimate_each_item},
	{"url", NULL, estimate_traverse_arg},
	{"lowerAscii", NULL, estimate_traverse_target},
	{"upperAscii", NULL, estimate_traverse_target},
	{"substring", NULL, estimate_traverse_target},
	{"trim", NULL, estimate_traverse_target},
	{"replace", NULL, estimate_replace},
	{"split", NULL, estimate_split},
	{"join", NULL, estimate_join},
	{"find", NULL, estimate_find},
	{"findAll", NULL, estimate_find},
	{"containsIP", NULL, estimate_contains_address},
	{"containsCIDR", NULL, estimate_contains_address},
	{"semver", NULL, estimate_traverse_arg},
	{"isSemver", NULL, estimate_traverse_arg},
	{"validate", NULL, estimate_traverse_arg},
	{NULL, "list_sets_", estimate_sets},
	{NULL, "string_to_bytes", estimate_to_bytes},
	{NULL, "bytes_to_string", estimate_to_text},
	{NULL, "strings_quote", estimate_quote},
	{NULL, "string_format", estimate_format},
	{NULL, "starts_with_string", estimate_traverse_arg},
	{NULL, "ends_with_string", estimate_traverse_arg},
	{NULL, "in_list", estimate_in_list},
	{NULL, "matches_string", estimate_matches},
	{NULL, "contains_string", estimate_contains},
	{NULL, "add_string", estimate_concatenate},
	{NULL, "add_bytes", estimate_concatenate},
	{NULL, "add_list", estimate_concatenate},
	{"_<_", "less_string", estimate_compare},
	{"_<_", "less_bytes", estimate_compare},
	{"_<=_", "less_equals_string", estimate_compare},
	{"_<=_", "less_equals_bytes", estimate_compare},
	{"_>_", "greater_string", estimate_compare},
	{"_>_", "greater_bytes", estimate_compare},
	{"_>=_", "greater_equals_string", estimate_compare},
	{"_>=_", "greater_equals_bytes", estimate_compare},
	{NULL, "equals", estimate_compare},
	{NULL, "not_equals", estimate_compare},
	{NULL, NULL, estimate_one},
};

static bool is_branch(const char *id)
{
	return str_is(str_of(id), "conditional") || str_is(str_of(id), "logical_and") ||
	       str_is(str_of(id), "logical_or");
}

/* Operators that evaluate only some of their operands. */
static struct estimate estimate_branch(const struct call *call)
{
	const range *costs = call->arg_costs;
	struct cel_expr *const *args = call->e->args;
	struct entries entries;
	if (!str_is(str_of(call->id), "conditional"))
		return COST(((range){costs[0].min, plus(costs[0].max, costs[1].max)}));
	if (join_entries(call->k, args[1], args[2], &entries))
		set_entries(call->e, entries);
	return SIZED(add(costs[0], both(costs[1], costs[2])),
		     both(arg_size(call, 1), arg_size(call, 2)));
}

static struct estimate estimate_overload(const struct call *call)
{
	size_t i = 0;
	if (is_branch(call->id))
		return estimate_branch(call);
	while ((estimates[i].function && !str_is(call->e->name, estimates[i].function)) ||
	       (estimates[i].id && !str_has_prefix(str_of(call->id), str_of(estimates[i].id))))
		i++;
	struct estimate one = estimates[i].estimate(call);
	one.cost = add(one.cost, call->args);
	return one;
}

/* An index reaches an item through what it indexes. */
static void note_index(struct coster *k, struct cel_expr *e, const char *id, struct estimate *sum)
{
	struct entries entries;
	if (!str_is(str_of(id), "index_list") && !str_is(str_of(id), "index_map"))
		return;
	sum->has_size = find_entries(k, e->args[0], &entries);
	sum->size = sum->has_size ? entries.value : unknown;
	e->bound = part_bound(k, bound_of(k, e->args[0]), 1);
}

static range cost_of_call(struct coster *k, struct cel_expr *e)
{
	struct call call = {
		.k = k, .e = e, .arg_costs = ARENA_ARRAY(k->c->arena, range, e->count + 1)};
	struct estimate sum = {.cost = {UINT64_MAX, 0}};
	range target = {};
	for (size_t i = 0; i < e->count; i++) {
		call.arg_costs[i] = cost_of(k, e->args[i]);
		call.args = add(call.args, call.arg_costs[i]);
	}
	if (str_is(e->name, "dyn") && e->count == 1) {
		struct entries entries;
		if (find_size(k, e->args[0], &sum.size))
			set_size(e, sum.size);
		if (find_entries(k, e->args[0], &entries))
			set_entries(e, entries);
		return add(fixed(1), call.args);
	}
	if (e->overload_count == 0)
		return (range){};
	if (e->target)
		target = cost_of(k, e->target);
	for (size_t i = 0; i < e->overload_count; i++) {
		call.id = e->overloads[i]->id;
		struct estimate one = estimate_overload(&call);
		sum.cost = both(sum.cost, one.cost);
		if (one.has_size)
			sum.size = sum.has_size ? both(sum.size, one.size) : one.size;
		sum.has_size |= one.has_size;
		note_index(k, e, call.id, &sum);
		if (!sum.has_size)
			sum.has_size = find_size(k, e, &sum.size);
	}
	if (sum.has_size)
		set_size(e, sum.size);
	return add(target, sum.cost);
}

/* ---- the rest ---- */

static range cost_of_ident(struct coster *k, struct cel_expr *e)
{
	const struct local *l = local_of(k, e);
	const struct cel_env *env = k->c->env;
	if (l)
		e->bound = l->bound;
	for (size_t i = 0; !l && env && i < env->variable_count; i++)
		if (str_eq(env->variables[i].name, e->name))
			e->bound = env->variables[i].type;
	return fixed(1);
}

static range cost_of_select(struct coster *k, struct cel_expr *e)
{
	range sum = cost_of(k, e->target);
	enum cel_kind kind = e->target->type->kind;
	if (e->is_test)
		return sum;
	if (kind == CEL_MAP || kind == CEL_STRUCT)
		sum = add(sum, fixed(1));
	e->bound = field_bound(k, bound_of(k, e->target), e->name);
	return sum;
}

static range cost_of_list(struct coster *k, struct cel_expr *e)
{
	range sum = fixed(LIST_BASE), item = {e->count ? UINT64_MAX : 0, 0};
	for (size_t i = 0; i < e->count; i++) {
		sum = add(sum, cost_of(k, e->args[i]));
		item = both(item, size_of(k, e->args[i]));
	}
	set_entries(e, (struct entries){fixed(1), item, true});
	return sum;
}

static range cost_of_map(struct coster *k, struct cel_expr *e)
{
	range sum = fixed(MAP_BASE), key = {e->count ? UINT64_MAX : 0, 0}, value = key;
	for (size_t i = 0; i < e->count; i++) {
		sum = add(sum, add(cost_of(k, e->args[i]), cost_of(k, e->values[i])));
		key = both(key, size_of(k, e->args[i]));
		value = both(value, size_of(k, e->values[i]));
	}
	set_entries(e, (struct entries){key, value, false});
	return sum;
}

static range cost_of_structure(struct coster *k, struct cel_expr *e)
{
	range sum = fixed(STRUCT_BASE);
	for (size_t i = 0; i < e->count; i++)
		sum = add(sum, cost_of(k, e->values[i]));
	return sum;
}

/* A variable that walks over e: part 0 its keys or places, 1 its values or items. */
static struct local item_local(struct coster *k, struct cel_expr *e, struct str name, size_t part)
{
	struct entries entries;
	struct local l = {.name = name, .up = k->locals};
	l.has_size = find_entries(k, e, &entries);
	l.size = part == 0 ? entries.key : entries.value;
	l.bound = part_bound(k, bound_of(k, e), part);
	return l;
}

static struct local accumulator_local(struct coster *k, const struct cel_expr *fold)
{
	struct entries entries;
	struct local l = {
		.name = fold->accumulator, .up = k->locals, .bound = bound_of(k, fold->init)};
	l.has_size = find_size(k, fold->init, &l.size);
	l.has_entries = find_entries(k, fold->init, &entries);
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
	const struct local *outer = k->locals;
	struct entries entries;
	range sum = add(cost_of(k, e->range), cost_of(k, e->init)), size;
	struct local total = accumulator_local(k, e);
	k->locals = &total;
	sum = add(sum, cost_of(k, e->result));
	k->locals = outer;
	if (find_size(k, e->result, &size))
		set_size(e, size);
	if (find_entries(k, e->result, &entries))
		set_entries(e, entries);
	return sum;
}

static bool is_over_list(const struct coster *k, const struct cel_expr *range_expr)
{
	struct entries entries;
	if (find_entries(k, range_expr, &entries))
		return entries.are_list;
	return range_expr->type->kind == CEL_LIST;
}

static range cost_of_fold(struct coster *k, struct cel_expr *e)
{
	const struct local *outer = k->locals;
	struct entries entries;
	range size, sum = add(cost_of(k, e->range), cost_of(k, e->init));
	struct local total = accumulator_local(k, e);
	k->locals = &total;
	bool has_two = e->item2.at != NULL;
	struct local item = item_local(k, e->range, e->item, !has_two && is_over_list(k, e->range));
	k->locals = &item;
	struct local item2 = item_local(k, e->range, e->item2, 1);
	if (has_two)
		k->locals = &item2;
	range each = add(cost_of(k, e->condition), cost_of(k, e->step));
	k->locals = &total;
	sum = add(sum, cost_of(k, e->result));
	k->locals = outer;
	range count = size_of(k, e->range);
	sum = add(sum, multiply(count, each));
	if (e->init->node == CEL_NODE_LITERAL && find_size(k, e->init, &size)) {
		set_size(e, size);
	} else if (e->init->node == CEL_NODE_LIST || e->init->node == CEL_NODE_MAP) {
		set_size(e, count);
		if (find_entries(k, e->step, &entries))
			set_entries(e, entries);
	}
	return sum;
}

static range cost_of(struct coster *k, struct cel_expr *e)
{
	switch (e->node) {
	case CEL_NODE_LITERAL:
		return fixed(0);
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
	return fixed(0);
}

uint64_t cel_cost_max(struct cel *c)
{
	struct coster k = {.c = c};
	ASSERT(c->root && c->fault_count == 0);
	return cost_of(&k, c->root).max;
}
