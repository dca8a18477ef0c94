/* Types of a CEL expression.
 *
 * Every node gets a type.  Overloads have parameters (list(A)); each use of one gets fresh
 * variables, and what they turn out to be is kept in a journal of bindings, the newest valid:
 * a candidate that fails is undone by cutting the journal.  What nobody has bound in the end is
 * dyn.  Source: cel-go's checker, whose order and words the faults follow. */
#include "codec/cel-int.h"

/* A change of what is known of a variable. */
struct binding {
	uint64_t variable;
	const struct cel_type *before;
};

struct scope {
	struct str name;
	const struct cel_type *type;
	const struct scope *up;
};

struct checker {
	struct cel *c;
	struct binding *bindings;
	size_t binding_count, binding_cap;
	const struct cel_type **known; /* by number of the variable; NULL: nothing */
	size_t variable_count, known_cap;
	const struct scope *scope;
};

static void check(struct checker *k, struct cel_expr *e);

/* ---- bindings ---- */

/* Its number is kept where declared types have their bound. */
static uint64_t number_of(const struct cel_type *variable)
{
	ASSERT(variable->kind == CEL_PARAM);
	return variable->max_elements;
}

static const struct cel_type *new_variable(struct checker *k)
{
	struct cel_type *t = ARENA_NEW(k->c->arena, struct cel_type);
	k->known = arena_grow(k->c->arena, k->known, k->variable_count, &k->known_cap,
			      sizeof(*k->known));
	k->known[k->variable_count] = NULL;
	*t = (struct cel_type){.kind = CEL_PARAM,
			       .name = arena_printf(k->c->arena, "_var%zu", k->variable_count),
			       .max_elements = k->variable_count};
	k->variable_count++;
	return t;
}

static const struct cel_type *find(const struct checker *k, const struct cel_type *variable)
{
	return k->known[number_of(variable)];
}

static void bind(struct checker *k, const struct cel_type *variable, const struct cel_type *type)
{
	uint64_t number = number_of(variable);
	k->bindings = arena_grow(k->c->arena, k->bindings, k->binding_count, &k->binding_cap,
				 sizeof(*k->bindings));
	k->bindings[k->binding_count++] = (struct binding){number, k->known[number]};
	k->known[number] = type;
}

static void undo(struct checker *k, size_t binding_count)
{
	while (k->binding_count > binding_count) {
		struct binding last = k->bindings[--k->binding_count];
		k->known[last.variable] = last.before;
	}
}

/* With what is known of its variables; is_final: the others become dyn. */
static const struct cel_type *substitute(struct checker *k, const struct cel_type *t, bool is_final)
{
	if (t->kind == CEL_PARAM) {
		const struct cel_type *known = find(k, t);
		if (known)
			return substitute(k, known, is_final);
		return is_final ? &cel_dyn : t;
	}
	if (!t->of[0] || t->kind == CEL_STRUCT)
		return t;
	const struct cel_type *first = substitute(k, t->of[0], is_final);
	const struct cel_type *second = t->of[1] ? substitute(k, t->of[1], is_final) : NULL;
	if (first == t->of[0] && second == t->of[1])
		return t;
	struct cel_type *copy = arena_copy(k->c->arena, t, sizeof(*t));
	copy->of[0] = first;
	copy->of[1] = second;
	return copy;
}

/* Counts down the parts of a type, with what is known of its variables; false: too many. */
static bool has_at_most(const struct checker *k, const struct cel_type *t, size_t *parts)
{
	const struct cel_type *known = t->kind == CEL_PARAM ? find(k, t) : NULL;
	if (*parts == 0)
		return false;
	--*parts;
	if (known)
		return has_at_most(k, known, parts);
	for (size_t i = 0; i < ARRAY_LEN(t->of); i++)
		if (t->of[i] && !has_at_most(k, t->of[i], parts))
			return false;
	return true;
}

/* A type is a tree: each {x: x} doubles it, and what walks it would never end. */
static void refuse_large_type(struct checker *k, struct cel_expr *e)
{
	size_t parts = CEL_TYPE_MAX;
	if (has_at_most(k, e->type, &parts))
		return;
	cel_fault(k->c, e->at, "type has more than %d parts", CEL_TYPE_MAX);
	e->type = &cel_error;
}

static bool is_free_of(const struct checker *k, const struct cel_type *variable,
		       const struct cel_type *t)
{
	if (t->kind == CEL_PARAM) {
		const struct cel_type *known;
		if (str_eq(t->name, variable->name))
			return false;
		known = find(k, t);
		return !known || is_free_of(k, variable, known);
	}
	for (size_t i = 0; i < ARRAY_LEN(t->of); i++)
		if (t->of[i] && !is_free_of(k, variable, t->of[i]))
			return false;
	return true;
}

/* ---- assignability ---- */

static bool is_less_specific(const struct cel_type *a, const struct cel_type *b)
{
	if (cel_is_dyn(a) || a->kind == CEL_PARAM)
		return true;
	if (cel_is_dyn(b) || b->kind == CEL_PARAM || a->kind != b->kind ||
	    !str_eq(a->name, b->name))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(a->of); i++)
		if (a->of[i] && b->of[i] && !is_less_specific(a->of[i], b->of[i]))
			return false;
	return true;
}

static const struct cel_type *more_general(const struct cel_type *a, const struct cel_type *b)
{
	return is_less_specific(a, b) ? a : b;
}

static bool fits(struct checker *k, const struct cel_type *to, const struct cel_type *from);

/* May the variable stand for the type?  *ret_known: something is known of it already. */
static bool fits_variable(struct checker *k, const struct cel_type *t,
			  const struct cel_type *variable, bool *ret_known)
{
	const struct cel_type *known = find(k, variable);
	*ret_known = true;
	if (cel_type_equal(t, variable))
		return true;
	if (!known) {
		*ret_known = false;
		if (!is_free_of(k, variable, t))
			return false;
		bind(k, variable, t);
		return true;
	}
	if (cel_type_equal(t, known))
		return true;
	if (!fits(k, t, known))
		return false;
	const struct cel_type *wider = more_general(t, known);
	if (is_free_of(k, variable, wider))
		bind(k, variable, wider);
	return true;
}

static bool takes_null(const struct cel_type *t)
{
	return t->kind == CEL_NULL || t->kind == CEL_STRUCT || t->kind == CEL_OPAQUE ||
	       t->kind == CEL_TIMESTAMP || t->kind == CEL_DURATION;
}

static bool fits(struct checker *k, const struct cel_type *to, const struct cel_type *from)
{
	bool is_known;
	if (from->kind == CEL_PARAM) {
		if (fits_variable(k, to, from, &is_known))
			return true;
		if (is_known)
			return false;
	}
	if (to->kind == CEL_PARAM)
		return fits_variable(k, from, to, &is_known);
	if (cel_is_dyn(to) || cel_is_dyn(from))
		return true;
	if (to->kind == CEL_NULL || from->kind == CEL_NULL)
		return takes_null(to->kind == CEL_NULL ? from : to);
	if (to->kind != from->kind || !str_eq(to->name, from->name))
		return false;
	if (to->kind == CEL_TYPE || to->kind == CEL_STRUCT)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(to->of); i++)
		if (to->of[i] && (!from->of[i] || !fits(k, to->of[i], from->of[i])))
			return false;
	return true;
}

static bool is_assignable(struct checker *k, const struct cel_type *to, const struct cel_type *from)
{
	size_t before = k->binding_count;
	if (fits(k, to, from))
		return true;
	undo(k, before);
	return false;
}

/* ---- faults ---- */

static void show(struct checker *k, struct buf *b, const struct cel_type *t)
{
	cel_type_show(b, substitute(k, t, false), true);
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
		(void)is_assignable(k, &cel_dyn, t);
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
	const struct cel_type *t = substitute(k, from->type, false);
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

/* Names of the parameters of one use of an overload and what stands for them. */
struct instance {
	struct str names[4];
	const struct cel_type *types[4];
	size_t count;
};

static const struct cel_type *parameter(struct checker *k, struct instance *in, struct str name)
{
	for (size_t i = 0; i < in->count; i++)
		if (str_eq(in->names[i], name))
			return in->types[i];
	ASSERT(in->count < ARRAY_LEN(in->names));
	in->names[in->count] = name;
	in->types[in->count] = new_variable(k);
	return in->types[in->count++];
}

static const struct cel_type *basic_type(struct str name)
{
	static const struct {
		const char *name;
		const struct cel_type *type;
	} rows[] = {
		{"dyn", &cel_dyn},     {"bool", &cel_bool},	    {"int", &cel_int},
		{"uint", &cel_uint},   {"double", &cel_double},	    {"string", &cel_string},
		{"bytes", &cel_bytes}, {"duration", &cel_duration}, {"timestamp", &cel_timestamp}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(name, rows[i].name))
			return rows[i].type;
	return NULL;
}

static bool is_object_name(struct str name)
{
	return str_has_prefix(name, STR("kubernetes.")) && !str_is(name, "kubernetes.Semver");
}

/* Reads one type of a signature and moves past it. */
static const struct cel_type *read_type(struct checker *k, struct instance *in, const char **at)
{
	const struct cel_type *of[2] = {};
	const char *start = *at;
	while (**at && !strchr("(), ", **at) && !(**at == '.' && (*at)[1] == '('))
		++*at;
	struct str name = str_n(start, (size_t)(*at - start));
	const struct cel_type *basic = basic_type(name);
	if (basic)
		return basic;
	if (name.len == 1)
		return parameter(k, in, name);
	if (**at == '(') {
		for (size_t i = 0; i < ARRAY_LEN(of) && **at != ')'; i++) {
			*at += i == 0 ? 1 : 2;
			of[i] = read_type(k, in, at);
		}
		++*at;
	}
	if (str_is(name, "list"))
		return cel_list_of(k->c->arena, of[0]);
	if (str_is(name, "map"))
		return cel_map_of(k->c->arena, of[0], of[1]);
	if (str_is(name, "type"))
		return cel_type_new(k->c->arena, CEL_TYPE, (struct str){}, of[0], NULL);
	return cel_type_new(k->c->arena, is_object_name(name) ? CEL_STRUCT : CEL_OPAQUE, name,
			    of[0], NULL);
}

static bool is_member(const struct cel_overload *o)
{
	return o->signature[0] != '(';
}

/* The result when the target and arguments fit; NULL when not. */
static const struct cel_type *try_overload(struct checker *k, const struct cel_overload *o,
					   const struct cel_expr *call,
					   const struct cel_expr *target)
{
	struct instance in = {};
	const char *at = o->signature;
	size_t before = k->binding_count, i = 0;
	bool fits_all = (target != NULL) == is_member(o);
	if (!fits_all)
		return NULL;
	if (target) {
		fits_all = fits(k, read_type(k, &in, &at), target->type);
		at++;
	}
	for (at++; fits_all && *at != ')'; i++) {
		if (*at == ',')
			at += 2;
		const struct cel_type *wanted = read_type(k, &in, &at);
		fits_all = i < call->count && fits(k, wanted, call->args[i]->type);
	}
	if (!fits_all || i != call->count) {
		undo(k, before);
		return NULL;
	}
	at += 2;
	return substitute(k, read_type(k, &in, &at), false);
}

static bool has_function(struct str name)
{
	for (const struct cel_overload *o = cel_overloads; o->function; o++)
		if (str_is(name, o->function))
			return true;
	return false;
}

static void refuse_arguments(struct checker *k, const struct cel_expr *call,
			     const struct cel_expr *target)
{
	CLEANUP_BUF b = BUF_INIT(CEL_TEXT_MAX);
	if (target) {
		cel_type_show(&b, substitute(k, target->type, true), true);
		buf_add_char(&b, '.');
	}
	buf_add_char(&b, '(');
	for (size_t i = 0; i < call->count; i++) {
		if (i)
			buf_add_cstr(&b, ", ");
		cel_type_show(&b, substitute(k, call->args[i]->type, true), true);
	}
	buf_add_char(&b, ')');
	cel_fault(k->c, call->at, "found no matching overload for '%.*s' applied to '%s'",
		  STR_FMT(call->name), b.data);
}

static void resolve(struct checker *k, struct cel_expr *call, const struct cel_expr *target)
{
	const struct cel_type *result = NULL;
	size_t cap = 0;
	for (const struct cel_overload *o = cel_overloads; o->function; o++) {
		const struct cel_type *t;
		if (!str_is(call->name, o->function) || !(t = try_overload(k, o, call, target)))
			continue;
		call->overloads = arena_grow(k->c->arena, call->overloads, call->overload_count,
					     &cap, sizeof(*call->overloads));
		call->overloads[call->overload_count++] = o;
		if (!result)
			result = t;
		else if (!cel_is_dyn(result) && !cel_type_equal(t, result))
			result = &cel_dyn;
	}
	call->type = result ? result : &cel_error;
	if (!result)
		refuse_arguments(k, call, target);
}

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
		if (has_function(full)) {
			e->name = full;
			e->target = NULL;
		}
	}
	if (e->target)
		check(k, e->target);
	else
		e->name = without_dot(e->name);
	if (has_function(e->name)) {
		resolve(k, e, e->target);
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
	if (is_assignable(k, so_far, t))
		return more_general(so_far, t);
	refuse_type(k, e, so_far, t);
	return &cel_error;
}

/* An entry with '?' must be optional; what it holds counts. */
static const struct cel_type *entry_type(struct checker *k, const struct cel_expr *e, bool has_mark)
{
	const struct cel_type *t = e->type;
	if (!has_mark)
		return t;
	t = substitute(k, t, false);
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
	e->type = cel_list_of(k->c->arena, item ? item : new_variable(k));
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
	e->type = cel_map_of(k->c->arena, key ? key : new_variable(k),
			     value ? value : new_variable(k));
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
	if (!is_assignable(k, wanted, e->type))
		refuse_type(k, e, wanted, e->type);
}

/* What the variables of a fold are. */
static void item_types(struct checker *k, const struct cel_expr *e, const struct cel_type **ret_one,
		       const struct cel_type **ret_two)
{
	const struct cel_type *range = substitute(k, e->range->type, false);
	*ret_one = *ret_two = &cel_dyn;
	switch (range->kind) {
	case CEL_LIST:
		*ret_one = e->item2.at ? &cel_int : range->of[0];
		*ret_two = range->of[0];
		return;
	case CEL_MAP:
		*ret_one = range->of[0];
		*ret_two = range->of[1];
		return;
	case CEL_DYN:
	case CEL_ERROR:
	case CEL_PARAM:
		(void)is_assignable(k, &cel_dyn, range);
		return;
	default:
		*ret_one = *ret_two = &cel_error;
		refuse_of(k, e->range, range,
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
	e->type = substitute(k, e->result->type, false);
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
		e->type = substitute(k, e->type, true);
	}
	cel_each_part(e, settle, data);
}

void cel_check(struct cel *c)
{
	struct checker k = {.c = c};
	check(&k, c->root);
	settle(c->root, &k);
}
