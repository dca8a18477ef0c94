#include "sync/placement.h"

bool toleration_matches(const struct toleration *t, const struct taint *taint)
{
	if (t->effect.len && !str_eq(t->effect, taint->effect))
		return false;
	if (t->key.len && !str_eq(t->key, taint->key))
		return false;
	if (str_is(t->operator, "Exists"))
		return true;
	return t->key.len && (!t->operator.len || str_is(t->operator, "Equal")) &&
	       str_eq(t->value, taint->value);
}

bool tolerates(const struct toleration_array *tolerations, const struct taint *taint)
{
	for (uint32_t i = 0; i < tolerations->count; i++)
		if (toleration_matches(&tolerations->at[i], taint))
			return true;
	return false;
}

static bool has_value(const struct str_array *values, struct str value)
{
	for (uint32_t i = 0; i < values->count; i++)
		if (str_eq(values->at[i], value))
			return true;
	return false;
}

static bool compares(const struct node_selector_requirement *r, struct str value)
{
	int64_t left, right;
	if (!value.at || r->values.count != 1 || !str_to_i64(value, &left) ||
	    !str_to_i64(r->values.at[0], &right))
		return false;
	return str_is(r->operator, "Gt") ? left > right : left < right;
}

/* value: absent when the node has no such label. */
static bool requirement_holds(const struct node_selector_requirement *r, struct str value)
{
	if (str_is(r->operator, "In"))
		return value.at && has_value(&r->values, value);
	if (str_is(r->operator, "NotIn"))
		return !value.at || !has_value(&r->values, value);
	if (str_is(r->operator, "Exists"))
		return value.at != NULL;
	if (str_is(r->operator, "DoesNotExist"))
		return value.at == NULL;
	return (str_is(r->operator, "Gt") || str_is(r->operator, "Lt")) && compares(r, value);
}

bool node_matches(const struct node_selector_term *term, const struct object *node)
{
	if (!term->match_expressions.count && !term->match_fields.count)
		return false;
	for (uint32_t i = 0; i < term->match_expressions.count; i++) {
		const struct node_selector_requirement *r = &term->match_expressions.at[i];
		if (!requirement_holds(r, object_label(node, r->key)))
			return false;
	}
	for (uint32_t i = 0; i < term->match_fields.count; i++) {
		const struct node_selector_requirement *r = &term->match_fields.at[i];
		if (!str_is(r->key, "metadata.name") || !requirement_holds(r, node->name))
			return false;
	}
	return true;
}

bool pod_wants_node(const struct pod_spec *spec, const struct object *node)
{
	const struct str_map *labels = &spec->node_selector;
	for (uint32_t i = 0; i < labels->count; i++) {
		struct str value = object_label(node, labels->at[i].key);
		if (!value.at || !str_eq(value, labels->at[i].value))
			return false;
	}
	const struct affinity *affinity = spec->affinity;
	if (!affinity || !affinity->node_affinity)
		return true;
	const struct node_selector *required =
		affinity->node_affinity->required_during_scheduling_ignored_during_execution;
	if (!required)
		return true;
	for (uint32_t i = 0; i < required->node_selector_terms.count; i++)
		if (node_matches(&required->node_selector_terms.at[i], node))
			return true;
	return false;
}
