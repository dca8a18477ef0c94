/* Macros of CEL: has(), the folds over lists and maps, and those of optional values.
 *
 * A fold walks a list or map and keeps an accumulator:
 *
 *     list.exists(x, p)  ->  accumulator = false; while not accumulator: accumulator || p
 *
 * All nodes that a macro makes stand at the parenthesis of its call, where upstream reports what
 * is wrong with them. */
#include "codec/cel-int.h"

#define ACCUMULATOR STR("@result")

static struct cel_expr *ident(struct cel *c, uint32_t at, struct str name)
{
	struct cel_expr *e = cel_new(c, CEL_NODE_IDENT, at);
	e->name = name;
	return e;
}

static struct cel_expr *boolean(struct cel *c, uint32_t at, bool value)
{
	struct cel_expr *e = cel_new(c, CEL_NODE_LITERAL, at);
	e->literal = CEL_BOOL;
	e->value.boolean = value;
	return e;
}

static struct cel_expr *integer(struct cel *c, uint32_t at, int64_t value)
{
	struct cel_expr *e = cel_new(c, CEL_NODE_LITERAL, at);
	e->literal = CEL_INT;
	e->value.integer = value;
	return e;
}

#define CALL(c, at, function, ...)                                                                 \
	cel_new_call(c, at, STR(function),                                                         \
		     sizeof((struct cel_expr *[]){__VA_ARGS__}) / sizeof(struct cel_expr *),       \
		     (struct cel_expr *[]){__VA_ARGS__})

static struct cel_expr *list(struct cel *c, uint32_t at, struct cel_expr *item)
{
	struct cel_expr *e = cel_new(c, CEL_NODE_LIST, at);
	e->count = item != NULL;
	e->args = arena_copy(c->arena, &item, sizeof(item));
	e->is_optional = ARENA_ARRAY(c->arena, bool, 1);
	return e;
}

static struct cel_expr *accumulator(struct cel *c, uint32_t at)
{
	return ident(c, at, ACCUMULATOR);
}

struct fold {
	struct cel *c;
	struct cel_expr *call;
	uint32_t at;
	struct str item, item2;
	struct cel_expr **rest; /* arguments after the names */
	size_t rest_count;
};

static struct cel_expr *new_fold(const struct fold *f, struct cel_expr *init,
				 struct cel_expr *condition, struct cel_expr *step,
				 struct cel_expr *result)
{
	struct cel_expr *e = cel_new(f->c, CEL_NODE_FOLD, f->at);
	e->range = f->call->target;
	e->item = f->item;
	e->item2 = f->item2;
	e->accumulator = ACCUMULATOR;
	e->init = init;
	e->condition = condition;
	e->step = step;
	e->result = result;
	return e;
}

static struct cel_expr *fold_all(const struct fold *f)
{
	struct cel *c = f->c;
	uint32_t at = f->at;
	return new_fold(f, boolean(c, at, true),
			CALL(c, at, "@not_strictly_false", accumulator(c, at)),
			CALL(c, at, "_&&_", accumulator(c, at), f->rest[0]), accumulator(c, at));
}

static struct cel_expr *fold_exists(const struct fold *f)
{
	struct cel *c = f->c;
	uint32_t at = f->at;
	return new_fold(f, boolean(c, at, false),
			CALL(c, at, "@not_strictly_false", CALL(c, at, "!_", accumulator(c, at))),
			CALL(c, at, "_||_", accumulator(c, at), f->rest[0]), accumulator(c, at));
}

static struct cel_expr *fold_exists_one(const struct fold *f)
{
	struct cel *c = f->c;
	uint32_t at = f->at;
	return new_fold(f, integer(c, at, 0), boolean(c, at, true),
			CALL(c, at, "_?_:_", f->rest[0],
			     CALL(c, at, "_+_", accumulator(c, at), integer(c, at, 1)),
			     accumulator(c, at)),
			CALL(c, at, "_==_", accumulator(c, at), integer(c, at, 1)));
}

static struct cel_expr *fold_collect(const struct fold *f, struct cel_expr *init,
				     struct cel_expr *filter, struct cel_expr *step)
{
	struct cel *c = f->c;
	uint32_t at = f->at;
	if (filter)
		step = CALL(c, at, "_?_:_", filter, step, accumulator(c, at));
	return new_fold(f, init, boolean(c, at, true), step, accumulator(c, at));
}

/* map(x, f), map(x, p, f), transformList(i, x, f) and with a filter */
static struct cel_expr *fold_map(const struct fold *f)
{
	struct cel *c = f->c;
	struct cel_expr *filter = f->rest_count > 1 ? f->rest[0] : NULL;
	struct cel_expr *value = f->rest[f->rest_count - 1];
	return fold_collect(f, list(c, f->at, NULL), filter,
			    CALL(c, f->at, "_+_", accumulator(c, f->at), list(c, f->at, value)));
}

static struct cel_expr *fold_filter(const struct fold *f)
{
	struct cel *c = f->c;
	return fold_collect(
		f, list(c, f->at, NULL), f->rest[0],
		CALL(c, f->at, "_+_", accumulator(c, f->at), list(c, f->at, f->call->args[0])));
}

static struct cel_expr *fold_transform_map(const struct fold *f)
{
	struct cel *c = f->c;
	struct cel_expr *filter = f->rest_count > 1 ? f->rest[0] : NULL;
	struct cel_expr *value = f->rest[f->rest_count - 1];
	return fold_collect(f, cel_new(c, CEL_NODE_MAP, f->at), filter,
			    CALL(c, f->at, "cel.@mapInsert", accumulator(c, f->at),
				 ident(c, f->at, f->item), value));
}

static struct cel_expr *fold_transform_entry(const struct fold *f)
{
	struct cel *c = f->c;
	struct cel_expr *filter = f->rest_count > 1 ? f->rest[0] : NULL;
	struct cel_expr *entry = f->rest[f->rest_count - 1];
	return fold_collect(f, cel_new(c, CEL_NODE_MAP, f->at), filter,
			    CALL(c, f->at, "cel.@mapInsert", accumulator(c, f->at), entry));
}

static const struct {
	const char *name;
	size_t args, names;
	struct cel_expr *(*expand)(const struct fold *f);
	const char *bad_name; /* what is said of an argument that is no name */
} folds[] = {
	{"all", 2, 1, fold_all, "argument must be a simple name"},
	{"exists", 2, 1, fold_exists, "argument must be a simple name"},
	{"exists_one", 2, 1, fold_exists_one, "argument must be a simple name"},
	{"existsOne", 2, 1, fold_exists_one, "argument must be a simple name"},
	{"map", 2, 1, fold_map, "argument is not an identifier"},
	{"map", 3, 1, fold_map, "argument is not an identifier"},
	{"filter", 2, 1, fold_filter, "argument is not an identifier"},
	{"all", 3, 2, fold_all, "argument must be a simple name"},
	{"exists", 3, 2, fold_exists, "argument must be a simple name"},
	{"exists_one", 3, 2, fold_exists_one, "argument must be a simple name"},
	{"existsOne", 3, 2, fold_exists_one, "argument must be a simple name"},
	{"transformList", 3, 2, fold_map, "argument must be a simple name"},
	{"transformList", 4, 2, fold_map, "argument must be a simple name"},
	{"transformMap", 3, 2, fold_transform_map, "argument must be a simple name"},
	{"transformMap", 4, 2, fold_transform_map, "argument must be a simple name"},
	{"transformMapEntry", 3, 2, fold_transform_entry, "argument must be a simple name"},
	{"transformMapEntry", 4, 2, fold_transform_entry, "argument must be a simple name"},
};

static bool is_name(const struct cel_expr *e)
{
	return e->node == CEL_NODE_IDENT && e->name.at[0] != '.';
}

/* Are the arguments that should be names so?  Reports the first that is not. */
static bool has_names(struct cel *c, const struct cel_expr *call, size_t names, const char *bad)
{
	for (size_t i = 0; i < names; i++) {
		if (!is_name(call->args[i])) {
			cel_fault(c, call->args[i]->at, "%s", bad);
			return false;
		}
		if (str_is(call->args[i]->name, "__result__")) {
			cel_fault(c, call->args[i]->at,
				  "iteration variable overwrites accumulator variable");
			return false;
		}
	}
	if (names == 2 && str_eq(call->args[0]->name, call->args[1]->name)) {
		cel_fault(c, call->args[1]->at, "duplicate variable name: %.*s",
			  STR_FMT(call->args[1]->name));
		return false;
	}
	return true;
}

/* target.optMap(x, f): what f gives of the value, when there is one. */
static struct cel_expr *expand_optional(struct cel *c, struct cel_expr *call, bool is_flat)
{
	uint32_t at = call->at;
	struct str target = STR("@target");
	if (!has_names(c, call, 1,
		       is_flat ? "optFlatMap() variable name must be a simple identifier"
			       : "optMap() variable name must be a simple identifier"))
		return call;
	struct cel_expr *value = cel_new_call(c, at, STR("value"), 0, NULL);
	value->target = ident(c, at, target);
	struct cel_expr *has_value = cel_new_call(c, at, STR("hasValue"), 0, NULL);
	has_value->target = ident(c, at, target);
	struct cel_expr *inner = cel_new(c, CEL_NODE_FOLD, at);
	*inner = (struct cel_expr){.node = CEL_NODE_FOLD,
				   .at = at,
				   .range = list(c, at, NULL),
				   .item = STR("#unused"),
				   .accumulator = call->args[0]->name,
				   .init = value,
				   .condition = boolean(c, at, false),
				   .step = ident(c, at, call->args[0]->name),
				   .result = call->args[1]};
	struct cel_expr *some = is_flat ? inner : CALL(c, at, "optional.of", inner);
	struct cel_expr *none = cel_new_call(c, at, STR("optional.none"), 0, NULL);
	struct cel_expr *outer = cel_new(c, CEL_NODE_FOLD, at);
	*outer = (struct cel_expr){.node = CEL_NODE_FOLD,
				   .at = at,
				   .range = list(c, at, NULL),
				   .item = STR("#unused"),
				   .accumulator = target,
				   .init = call->target,
				   .condition = boolean(c, at, false),
				   .step = ident(c, at, target),
				   .result = CALL(c, at, "_?_:_", has_value, some, none)};
	return outer;
}

static struct cel_expr *expand_bind(struct cel *c, struct cel_expr *call)
{
	if (!is_name(call->args[0])) {
		cel_fault(c, call->args[0]->at,
			  "cel.bind() variable names must be simple identifiers");
		return call;
	}
	struct cel_expr *e = cel_new(c, CEL_NODE_FOLD, call->at);
	e->range = list(c, call->at, NULL);
	e->item = STR("#unused");
	e->accumulator = call->args[0]->name;
	e->init = call->args[1];
	e->condition = boolean(c, call->at, false);
	e->step = ident(c, call->at, call->args[0]->name);
	e->result = call->args[2];
	return e;
}

static struct cel_expr *expand_has(struct cel *c, struct cel_expr *call)
{
	struct cel_expr *arg = call->args[0];
	if (arg->node != CEL_NODE_SELECT || arg->is_test) {
		cel_fault(c, arg->at, "invalid argument to has() macro");
		return call;
	}
	struct cel_expr *e = cel_new(c, CEL_NODE_SELECT, call->at);
	e->target = arg->target;
	e->name = arg->name;
	e->is_test = true;
	return e;
}

struct cel_expr *cel_macro(struct cel *c, struct cel_expr *call)
{
	const struct cel_expr *target = call->target;
	if (!target)
		return str_is(call->name, "has") && call->count == 1 ? expand_has(c, call) : call;
	for (size_t i = 0; i < ARRAY_LEN(folds); i++) {
		if (!str_is(call->name, folds[i].name) || call->count != folds[i].args)
			continue;
		size_t names = folds[i].names;
		if (!has_names(c, call, names, folds[i].bad_name))
			return call;
		struct fold f = {c,
				 call,
				 call->at,
				 call->args[0]->name,
				 names > 1 ? call->args[1]->name : (struct str){},
				 call->args + names,
				 call->count - names};
		return folds[i].expand(&f);
	}
	if (call->count == 2 && str_is(call->name, "optMap"))
		return expand_optional(c, call, false);
	if (call->count == 2 && str_is(call->name, "optFlatMap"))
		return expand_optional(c, call, true);
	if (c->env && c->env->has_bind && call->count == 3 && str_is(call->name, "bind") &&
	    target->node == CEL_NODE_IDENT && str_is(target->name, "cel"))
		return expand_bind(c, call);
	return call;
}
