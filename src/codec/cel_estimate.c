/* What one call of a CEL function costs, and the size of what it gives, by the sizes of its
 * arguments.
 * Source: cel-go's checker/cost.go and the cost estimator of Kubernetes' CEL library. */
#include <math.h>

#include "codec/cel-int.h"

#define TRAVERSAL 0.1  /* of a string or bytes, per code point */
#define REGEX	  0.25 /* of a regular expression, per code point */
#define AUTHORIZE 350000

#define SIZED(cost_range, size_range) ((struct cost_estimate){cost_range, size_range, true})
#define COST(cost_range)	      ((struct cost_estimate){.cost = cost_range})

static range target_size(const struct cost_call *call)
{
	return call->e->target ? coster_size(call->k, call->e->target) : range_unknown;
}

static range arg_size(const struct cost_call *call, size_t i)
{
	return i < call->e->count ? coster_size(call->k, call->e->args[i]) : range_unknown;
}

static struct cost_estimate estimate_one(const struct cost_call *call)
{
	(void)call;
	return COST(range_fixed(1));
}

static struct cost_estimate estimate_authorize(const struct cost_call *call)
{
	(void)call;
	return COST(range_fixed(AUTHORIZE));
}

static struct cost_estimate estimate_traverse_target(const struct cost_call *call)
{
	range size = target_size(call);
	return SIZED(range_scale(size, TRAVERSAL), size);
}

/* How long the result is, nobody knows. */
static struct cost_estimate estimate_format(const struct cost_call *call)
{
	return COST(range_scale(target_size(call), TRAVERSAL));
}

static struct cost_estimate estimate_traverse_arg(const struct cost_call *call)
{
	return COST(range_scale(arg_size(call, 0), TRAVERSAL));
}

static struct cost_estimate estimate_each_item(const struct cost_call *call)
{
	const struct cel_expr *target = call->e->target;
	range one = range_fixed(1), size = target_size(call);
	if (target->type->kind != CEL_LIST)
		return COST(range_scale(size, TRAVERSAL));
	const struct cel_type *item = target->type->of[0];
	if (item->kind == CEL_STRING || item->kind == CEL_BYTES)
		one = range_add(one, range_scale(coster_item_size(call->k, target), TRAVERSAL));
	return COST(range_multiply(size, one));
}

static uint64_t replaced_max(range size, range old, range new, uint64_t *ret_kept)
{
	*ret_kept = 0;
	if (old.min == 0) {
		*ret_kept = size.max;
		return cost_plus(size.max, 1);
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
		return cost_plus(size.min, 1);
	}
	if (old.max <= new.min) {
		*ret_kept = size.min;
		return 0;
	}
	return (uint64_t)ceil((double)size.min / (double)old.max);
}

static struct cost_estimate estimate_replace(const struct cost_call *call)
{
	range size = target_size(call), old = arg_size(call, 0), new = arg_size(call, 1);
	range kept, count = {replaced_min(size, old, new, &kept.min),
			     replaced_max(size, old, new, &kept.max)};
	return SIZED(range_scale(size, 2 * TRAVERSAL), range_add(range_multiply(count, new), kept));
}

static struct cost_estimate estimate_split(const struct cost_call *call)
{
	range size = target_size(call);
	const struct cel_expr *limit = call->e->count > 1 ? call->e->args[1] : NULL;
	uint64_t max = size.max;
	if (limit && limit->node == CEL_NODE_LITERAL && limit->value.integer >= 0)
		max = limit->value.natural;
	return SIZED(range_scale(size, 2 * TRAVERSAL), ((range){0, max}));
}

static struct cost_estimate estimate_join(const struct cost_call *call)
{
	range list = target_size(call);
	range size = range_multiply(list, coster_item_size(call->k, call->e->target));
	range gaps = {list.min ? list.min - 1 : 0, list.max ? list.max - 1 : 0};
	if (call->e->count > 0)
		size = range_add(size, range_multiply(arg_size(call, 0), gaps));
	return SIZED(range_scale(size, TRAVERSAL), size);
}

static struct cost_estimate estimate_find(const struct cost_call *call)
{
	range size = target_size(call);
	range text = range_scale(range_add(size, range_fixed(1)), TRAVERSAL);
	range regex = range_scale(arg_size(call, 0), REGEX);
	return SIZED(range_multiply(text, regex), ((range){0, size.max}));
}

static struct cost_estimate estimate_matches(const struct cost_call *call)
{
	range regex = range_scale(arg_size(call, 0), REGEX);
	return COST(range_multiply(
		range_scale(range_add(target_size(call), range_fixed(1)), TRAVERSAL), regex));
}

static struct cost_estimate estimate_contains_address(const struct cost_call *call)
{
	range address = {4, 16};
	range cost = range_scale(range_add(address, address), TRAVERSAL);
	bool is_cidr = str_is(call->e->name, "containsCIDR");
	if (is_cidr)
		cost = range_add(cost, range_add(range_scale(address, TRAVERSAL), range_fixed(1)));
	if (str_has_suffix(str_of(call->id), STR("_string")))
		cost = range_add(cost, range_scale(arg_size(call, 0), TRAVERSAL));
	return COST(cost);
}

static struct cost_estimate estimate_contains(const struct cost_call *call)
{
	return COST(range_multiply(range_scale(target_size(call), TRAVERSAL),
				   range_scale(arg_size(call, 0), TRAVERSAL)));
}

static struct cost_estimate estimate_to_bytes(const struct cost_call *call)
{
	range size = arg_size(call, 0);
	return SIZED(range_scale(size, TRAVERSAL), ((range){size.min, size.max * 4}));
}

static struct cost_estimate estimate_to_text(const struct cost_call *call)
{
	range size = arg_size(call, 0);
	return SIZED(range_scale(size, TRAVERSAL), ((range){size.min / 4, size.max}));
}

static struct cost_estimate estimate_quote(const struct cost_call *call)
{
	range size = arg_size(call, 0);
	return SIZED(range_scale(size, TRAVERSAL), ((range){size.min + 2, size.max * 2 + 2}));
}

static struct cost_estimate estimate_in_list(const struct cost_call *call)
{
	return COST(range_scale(arg_size(call, 1), 1));
}

static struct cost_estimate estimate_compare(const struct cost_call *call)
{
	range left = arg_size(call, 0), right = arg_size(call, 1);
	uint64_t max = left.max < right.max ? left.max : right.max;
	return COST(range_scale(((range){max > 0, max}), TRAVERSAL));
}

/* Lists of quantities and sets: each with each. */
static struct cost_estimate estimate_sets(const struct cost_call *call)
{
	range left = arg_size(call, 0), right = arg_size(call, 1);
	double factor = str_is(call->e->name, "sets.equivalent") ? 2 : 1;
	return COST(range_add(range_scale(range_multiply(left, right), factor), range_fixed(1)));
}

static struct cost_estimate estimate_concatenate(const struct cost_call *call)
{
	range size = range_add(arg_size(call, 0), arg_size(call, 1));
	struct entry_sizes entries;
	if (coster_join_entries(call->k, call->e->args[0], call->e->args[1], &entries))
		cel_set_entries(call->e, entries);
	if (str_is(str_of(call->id), "add_list"))
		return SIZED(range_fixed(1), size);
	return SIZED(range_scale(size, TRAVERSAL), size);
}

static const struct {
	const char *function; /* NULL: any */
	const char *id;	      /* a prefix of the overload; NULL: any */
	struct cost_estimate (*estimate)(const struct cost_call *call);
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
static struct cost_estimate estimate_branch(const struct cost_call *call)
{
	const range *costs = call->arg_costs;
	struct cel_expr *const *args = call->e->args;
	struct entry_sizes entries;
	if (!str_is(str_of(call->id), "conditional"))
		return COST(((range){costs[0].min, cost_plus(costs[0].max, costs[1].max)}));
	if (coster_join_entries(call->k, args[1], args[2], &entries))
		cel_set_entries(call->e, entries);
	return SIZED(range_add(costs[0], range_both(costs[1], costs[2])),
		     range_both(arg_size(call, 1), arg_size(call, 2)));
}

struct cost_estimate cost_estimate(const struct cost_call *call)
{
	size_t i = 0;
	if (is_branch(call->id))
		return estimate_branch(call);
	while ((estimates[i].function && !str_is(call->e->name, estimates[i].function)) ||
	       (estimates[i].id && !str_has_prefix(str_of(call->id), str_of(estimates[i].id))))
		i++;
	struct cost_estimate one = estimates[i].estimate(call);
	one.cost = range_add(one.cost, call->args);
	return one;
}
