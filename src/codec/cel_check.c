/* Types of a CEL expression: every node gets one.  What is not known in the end is dyn.
 * Source: cel-go's checker, whose order and words the faults follow. */
#include "codec/cel-int.h"

static void check(struct checker *k, struct cel_expr *e);

/* ---- faults ---- */

/* A type is a tree: each {x: x} doubles it, and what walks it would never end. */
static void refuse_large_type(struct checker *k, struct cel_expr *e)
{
	size_t parts = CEL_TYPE_MAX;
	if (checker_has_at_most(k, e->type, &parts))
		return;
	cel_fault(k->c, e->at, "type has more than %d parts", CEL_TYPE_MAX);
	e->type = &cel_error;
}

static void show(struct checker *k, struct buf *b, const struct cel_type *t)
{
	cel_type_show(b, checker_substitute(k, t, false), true);
}

static void refuse_type(struct checker *k, const struct cel_expr *e, const struct cel_type *wanted,
			const struct cel_type *got)
{
	CLEANUP_BUF a = BUF_INIT(CEL_TEXT_MAX), b = BUF_INIT(CEL_TEXT_MAX);
	show(k, &a, wanted);
	show(k, &b, got);
	cel_fault(k->c, e->at, "expected type '%s' but found '%s'", a.data, b.data);
}

static void refuse_name(struct checker *k, const struct cel_expr *e, struct str name)
{
	cel_fault(k->c, e->at, "undeclared reference to '%.*s' (in container '')", STR_FMT(name));
}

static void refuse_of(struct checker *k, const struct cel_expr *e, const struct cel_type *type,
		      const char *what)
{
	CLEANUP_BUF b = BUF_INIT(CEL_TEXT_MAX);
	show(k, &b, type);
	cel_fault(k->c, e->at, what, b.data);
}

/* ---- names ---- */

static struct str without_dot(struct str name)
{
	return str_has_prefix(name, STR(".")) ? str_skip(name, 1) : name;
}

static const struct cel_type *type_named(struct checker *k, struct str name)
{
	static const struct cel_type list = {.kind = CEL_LIST, .of = {&cel_dyn}},
				     map = {.kind = CEL_MAP, .of = {&cel_dyn, &cel_dyn}},
				     type = {.kind = CEL_TYPE};
	static const struct {
		const char *name;
		const struct cel_type *type;
	} rows[] = {{"bool", &cel_bool},
		    {"bytes", &cel_bytes},
		    {"double", &cel_double},
		    {"int", &cel_int},
		    {"uint", &cel_uint},
		    {"string", &cel_string},
		    {"null_type", &cel_null},
		    {"list", &list},
		    {"map", &map},
		    {"type", &type},
		    {"google.protobuf.Timestamp", &cel_timestamp},
		    {"google.protobuf.Duration", &cel_duration}};
	static const char *const opaque[] = {"net.IP", "net.CIDR", "kubernetes.Quantity",
					     "kubernetes.URL", "kubernetes.Semver"};
	struct arena *a = k->c->arena;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(name, rows[i].name))
			return cel_type_new(a, CEL_TYPE, (struct str){}, rows[i].type, NULL);
	for (size_t i = 0; i < ARRAY_LEN(opaque); i++)
		if (str_is(name, opaque[i]))
			return cel_type_new(a, CEL_TYPE, (struct str){},
					    cel_type_new(a, CEL_OPAQUE, name, NULL, NULL), NULL);
	return NULL;
}

static const struct cel_type *lookup(struct checker *k, struct str name)
{
	const struct cel_env *env = k->c->env;
	if (!str_has_prefix(name, STR(".")))
		for (const struct scope *s = k->scope; s; s = s->up)
			if (str_eq(s->name, name))
				return s->type;
	name = without_dot(name);
	for (size_t i = 0; env && i < env->variable_count; i++)
		if (str_eq(env->variables[i].name, name))
			return env->variables[i].type;
	return type_named(k, name);
}

static bool prepend(char text[CEL_NAME_MAX], size_t *at, struct str part)
{
	if (part.len > *at)
		return false;
	*at -= part.len;
	memcpy(text + *at, part.at, part.len);
	return true;
}

/* "a.b.c" when the tree is only that, and not longer than what can be declared. */
static bool qualified_name(struct checker *k, const struct cel_expr *e, struct str *ret_name)
{
	char text[CEL_NAME_MAX];
	size_t at = sizeof(text);
	for (; e->node == CEL_NODE_SELECT && !e->is_test; e = e->target)
		if (!prepend(text, &at, e->name) || !prepend(text, &at, STR(".")))
			return false;
	if (e->node != CEL_NODE_IDENT || !prepend(text, &at, e->name))
		return false;
	*ret_name = arena_str(k->c->arena, str_n(text + at, sizeof(text) - at));
	return true;
}

static void check_ident(struct checker *k, struct cel_expr *e)
{
	e->type = lookup(k, e->name);
	if (str_is(e->name, "oldSelf"))
		k->c->uses_old = true;
	if (e->type)
		return;
	e->type = &cel_error;
	refuse_name(k, e, without_dot(e->name));
}

/* ---- fields ---- */

static const struct cel_type *optional_of(struct checker *k, const struct cel_type *t)
{
	return cel_type_new(k->c->arena, CEL_OPAQUE, STR("optional_type"), t, NULL);
}

static bool is_optional(const struct cel_type *t)
{
	return t->kind == CEL_OPAQUE && str_is(t->name, "optional_type") && t->of[0];
}

static const struct cel_type *field_of(struct checker *k, struct cel_expr *e,
				       const struct cel_type *t, struct str field)
{
	const struct cel_type *found;
	switch (t->kind) {
	case CEL_MAP:
		return t->of[1];
	case CEL_STRUCT:
		found = cel_field_type(t, field);
		if (!t->fields)
			cel_fault(k->c, e->at, "unexpected failed resolution of '%.*s'",
				  STR_FMT(t->name));
		else if (!found)
			cel_fault(k->c, e->at, "undefined field '%.*s'", STR_FMT(field));
		return found ? found : &cel_error;
	case CEL_PARAM:
		(void)checker_is_assignable(k, &cel_dyn, t);
		return &cel_dyn;
	default:
		if (!cel_is_dyn(t))
			refuse_of(k, e, t, "type '%s' does not support field selection");
		return &cel_dyn;
	}
}

static const struct cel_type *select_field(struct checker *k, struct cel_expr *e,
					   struct cel_expr *from, struct str field,
					   bool makes_optional)
{
	check(k, from);
	const struct cel_type *t = checker_substitute(k, from->type, false);
	bool was_optional = is_optional(t);
	const struct cel_type *result = field_of(k, e, was_optional ? t->of[0] : t, field);
	return was_optional || makes_optional ? optional_of(k, result) : result;
}

static void check_select(struct checker *k, struct cel_expr *e)
{
	struct str name;
	if (!e->is_test && qualified_name(k, e, &name)) {
		const struct cel_type *t = lookup(k, name);
		if (t) {
			e->node = CEL_NODE_IDENT;
			e->name = name;
			e->type = t;
			return;
		}
	}
	e->type = select_field(k, e, e->target, e->name, false);
	if (e->is_test)
		e->type = &cel_bool;
}

/* ---- calls ---- */

static void check_optional_select(struct checker *k, struct cel_expr *e)
{
	e->type = select_field(k, e, e->args[0], e->args[1]->name, true);
	e->args[1]->type = &cel_string;
}

static void check_call(struct checker *k, struct cel_expr *e)
{
	struct str prefix;
	if (str_is(e->name, "_?._")) {
		check_optional_select(k, e);
		return;
	}
	for (size_t i = 0; i < e->count; i++)
		check(k, e->args[i]);
	if (e->target && qualified_name(k, e->target, &prefix)) {
		struct str full = arena_printf(k->c->arena, "%.*s.%.*s",
					       STR_FMT(without_dot(prefix)), STR_FMT(e->name));
		if (cel_has_function(full)) {
			e->name = full;
			e->target = NULL;
		}
	}
	if (e->target)
		check(k, e->target);
	else
		e->name = without_dot(e->name);
	if (cel_has_function(e->name)) {
		checker_resolve(k, e, e->target);
		return;
	}
	e->type = &cel_error;
	refuse_name(k, e, e->name);
}

/* ---- lists, maps, structures ---- */

static const struct cel_type *join(struct checker *k, const struct cel_expr *e,
				   const struct cel_type *so_far, const struct cel_type *t)
{
	if (!so_far)
		return t;
	if (checker_is_assignable(k, so_far, t))
		return cel_more_general(so_far, t);
	refuse_type(k, e, so_far, t);
	return &cel_error;
}

/* An entry with '?' must be optional; what it holds counts. */
static const struct cel_type *entry_type(struct checker *k, const struct cel_expr *e, bool has_mark)
{
	const struct cel_type *t = e->type;
	if (!has_mark)
		return t;
	t = checker_substitute(k, t, false);
	if (is_optional(t))
		return t->of[0];
	if (!cel_is_dyn(t))
		refuse_type(k, e, optional_of(k, t), t);
	return t;
}

static void check_list(struct checker *k, struct cel_expr *e)
{
	const struct cel_type *item = NULL;
	for (size_t i = 0; i < e->count; i++) {
		check(k, e->args[i]);
		item = join(k, e->args[i], item, entry_type(k, e->args[i], e->is_optional[i]));
	}
	e->type = cel_list_of(k->c->arena, item ? item : checker_new_variable(k));
}

static void check_map(struct checker *k, struct cel_expr *e)
{
	const struct cel_type *key = NULL, *value = NULL;
	for (size_t i = 0; i < e->count; i++) {
		check(k, e->args[i]);
		key = join(k, e->args[i], key, e->args[i]->type);
		check(k, e->values[i]);
		value = join(k, e->values[i], value,
			     entry_type(k, e->values[i], e->is_optional[i]));
	}
	e->type = cel_map_of(k->c->arena, key ? key : checker_new_variable(k),
			     value ? value : checker_new_variable(k));
}

static void check_structure(struct checker *k, struct cel_expr *e)
{
	const struct cel_type *t = lookup(k, e->name);
	e->type = &cel_error;
	if (!t)
		refuse_name(k, e, without_dot(e->name));
	else if (t->kind != CEL_TYPE)
		cel_fault(k->c, e->at, "'%.*s' is not a type", STR_FMT(e->name));
	else
		cel_fault(k->c, e->at, "'%.*s' is not a message type", STR_FMT(e->name));
	for (size_t i = 0; t && i < e->count; i++)
		check(k, e->values[i]);
}

/* ---- folds ---- */

static void require(struct checker *k, const struct cel_expr *e, const struct cel_type *wanted)
{
	if (!checker_is_assignable(k, wanted, e->type))
		refuse_type(k, e, wanted, e->type);
}

/* What the variables of a fold are. */
static void item_types(struct checker *k, const struct cel_expr *e, const struct cel_type **ret_one,
		       const struct cel_type **ret_two)
{
	const struct cel_type *walked = checker_substitute(k, e->range->type, false);
	*ret_one = *ret_two = &cel_dyn;
	switch (walked->kind) {
	case CEL_LIST:
		*ret_one = e->item2.at ? &cel_int : walked->of[0];
		*ret_two = walked->of[0];
		return;
	case CEL_MAP:
		*ret_one = walked->of[0];
		*ret_two = walked->of[1];
		return;
	case CEL_DYN:
	case CEL_ERROR:
	case CEL_PARAM:
		(void)checker_is_assignable(k, &cel_dyn, walked);
		return;
	default:
		*ret_one = *ret_two = &cel_error;
		refuse_of(k, e->range, walked,
			  "expression of type '%s' cannot be range of a comprehension (must be "
			  "list, map, or dynamic)");
	}
}

static void check_fold(struct checker *k, struct cel_expr *e)
{
	const struct cel_type *one, *two;
	const struct scope *outer = k->scope;
	check(k, e->range);
	check(k, e->init);
	item_types(k, e, &one, &two);
	struct scope total = {e->accumulator, e->init->type, outer};
	struct scope item = {e->item, one, &total};
	struct scope item2 = {e->item2, two, &item};
	k->scope = e->item2.at ? &item2 : &item;
	check(k, e->condition);
	require(k, e->condition, &cel_bool);
	check(k, e->step);
	require(k, e->step, e->init->type);
	k->scope = &total;
	check(k, e->result);
	k->scope = outer;
	e->type = checker_substitute(k, e->result->type, false);
}

static void check_literal(struct cel_expr *e)
{
	static const struct cel_type *const types[] = {
		[CEL_NULL] = &cel_null,	 [CEL_BOOL] = &cel_bool,     [CEL_INT] = &cel_int,
		[CEL_UINT] = &cel_uint,	 [CEL_DOUBLE] = &cel_double, [CEL_STRING] = &cel_string,
		[CEL_BYTES] = &cel_bytes};
	e->type = types[e->literal];
}

static void check(struct checker *k, struct cel_expr *e)
{
	switch (e->node) {
	case CEL_NODE_LITERAL:
		check_literal(e);
		break;
	case CEL_NODE_IDENT:
		check_ident(k, e);
		break;
	case CEL_NODE_SELECT:
		check_select(k, e);
		break;
	case CEL_NODE_CALL:
		check_call(k, e);
		break;
	case CEL_NODE_LIST:
		check_list(k, e);
		break;
	case CEL_NODE_MAP:
		check_map(k, e);
		break;
	case CEL_NODE_STRUCT:
		check_structure(k, e);
		break;
	case CEL_NODE_FOLD:
		check_fold(k, e);
		break;
	}
	refuse_large_type(k, e);
}

static void settle(struct cel_expr *e, void *data)
{
	struct checker *k = data;
	if (e->type) {
		refuse_large_type(k, e);
		e->type = checker_substitute(k, e->type, true);
	}
	cel_each_part(e, settle, data);
}

void cel_check(struct cel *c)
{
	struct checker k = {.c = c};
	check(&k, c->root);
	settle(c->root, &k);
}
