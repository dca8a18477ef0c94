/* What the variables of CEL types stand for.
 *
 * Overloads have parameters (list(A)); each use of one gets fresh variables, and what they turn out
 * to be is kept in a journal of bindings, the newest valid: a candidate that fails is undone by
 * cutting the journal. */
#include "codec/cel-int.h"

/* Its number is kept where declared types have their bound. */
static uint64_t number_of(const struct cel_type *variable)
{
	ASSERT(variable->kind == CEL_PARAM);
	return variable->max_elements;
}

const struct cel_type *checker_new_variable(struct checker *k)
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

void checker_undo(struct checker *k, size_t binding_count)
{
	while (k->binding_count > binding_count) {
		struct binding last = k->bindings[--k->binding_count];
		k->known[last.variable] = last.before;
	}
}

const struct cel_type *checker_substitute(struct checker *k, const struct cel_type *t,
					  bool is_final)
{
	if (t->kind == CEL_PARAM) {
		const struct cel_type *known = find(k, t);
		if (known)
			return checker_substitute(k, known, is_final);
		return is_final ? &cel_dyn : t;
	}
	if (!t->of[0] || t->kind == CEL_STRUCT)
		return t;
	const struct cel_type *first = checker_substitute(k, t->of[0], is_final);
	const struct cel_type *second = t->of[1] ? checker_substitute(k, t->of[1], is_final) : NULL;
	if (first == t->of[0] && second == t->of[1])
		return t;
	struct cel_type *copy = arena_copy(k->c->arena, t, sizeof(*t));
	copy->of[0] = first;
	copy->of[1] = second;
	return copy;
}

bool checker_has_at_most(const struct checker *k, const struct cel_type *t, size_t *parts)
{
	const struct cel_type *known = t->kind == CEL_PARAM ? find(k, t) : NULL;
	if (*parts == 0)
		return false;
	--*parts;
	if (known)
		return checker_has_at_most(k, known, parts);
	for (size_t i = 0; i < ARRAY_LEN(t->of); i++)
		if (t->of[i] && !checker_has_at_most(k, t->of[i], parts))
			return false;
	return true;
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

const struct cel_type *cel_more_general(const struct cel_type *a, const struct cel_type *b)
{
	return is_less_specific(a, b) ? a : b;
}

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
	if (!checker_fits(k, t, known))
		return false;
	const struct cel_type *wider = cel_more_general(t, known);
	if (is_free_of(k, variable, wider))
		bind(k, variable, wider);
	return true;
}

static bool takes_null(const struct cel_type *t)
{
	return t->kind == CEL_NULL || t->kind == CEL_STRUCT || t->kind == CEL_OPAQUE ||
	       t->kind == CEL_TIMESTAMP || t->kind == CEL_DURATION;
}

bool checker_fits(struct checker *k, const struct cel_type *to, const struct cel_type *from)
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
		if (to->of[i] && (!from->of[i] || !checker_fits(k, to->of[i], from->of[i])))
			return false;
	return true;
}

bool checker_is_assignable(struct checker *k, const struct cel_type *to,
			   const struct cel_type *from)
{
	size_t before = k->binding_count;
	if (checker_fits(k, to, from))
		return true;
	checker_undo(k, before);
	return false;
}
