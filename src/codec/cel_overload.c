/* Which overloads a call of CEL may mean, by the types of its arguments. */
#include "codec/cel-int.h"

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
	in->types[in->count] = checker_new_variable(k);
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
		fits_all = checker_fits(k, read_type(k, &in, &at), target->type);
		at++;
	}
	for (at++; fits_all && *at != ')'; i++) {
		if (*at == ',')
			at += 2;
		const struct cel_type *wanted = read_type(k, &in, &at);
		fits_all = i < call->count && checker_fits(k, wanted, call->args[i]->type);
	}
	if (!fits_all || i != call->count) {
		checker_undo(k, before);
		return NULL;
	}
	at += 2;
	return checker_substitute(k, read_type(k, &in, &at), false);
}

static bool is_named(const struct cel_overload *o, struct str name)
{
	return strncmp(o->function, name.at, name.len) == 0 && !o->function[name.len];
}

bool cel_has_function(struct str name)
{
	for (const struct cel_overload *o = cel_overloads; o->function; o++)
		if (is_named(o, name))
			return true;
	return false;
}

static void refuse_arguments(struct checker *k, const struct cel_expr *call,
			     const struct cel_expr *target)
{
	CLEANUP_BUF b = BUF_INIT(CEL_TEXT_MAX);
	if (target) {
		cel_type_show(&b, checker_substitute(k, target->type, true), true);
		buf_add_char(&b, '.');
	}
	buf_add_char(&b, '(');
	for (size_t i = 0; i < call->count; i++) {
		if (i)
			buf_add_cstr(&b, ", ");
		cel_type_show(&b, checker_substitute(k, call->args[i]->type, true), true);
	}
	buf_add_char(&b, ')');
	cel_fault(k->c, call->at, "found no matching overload for '%.*s' applied to '%s'",
		  STR_FMT(call->name), b.data);
}

void checker_resolve(struct checker *k, struct cel_expr *call, const struct cel_expr *target)
{
	const struct cel_type *result = NULL;
	size_t cap = 0;
	for (const struct cel_overload *o = cel_overloads; o->function; o++) {
		const struct cel_type *t;
		if (!is_named(o, call->name) || !(t = try_overload(k, o, call, target)))
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
