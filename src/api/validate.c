#include "api/validate-int.h"

static const struct kind_rules *const groups[] = {
	validate_core, validate_apps,	   validate_net,    validate_storage, validate_rbac,
	validate_flow, validate_admission, validate_device, validate_crd,     validate_other,
};

static const struct kind_rules *rules_find(const struct api_kind *kind)
{
	for (size_t g = 0; g < ARRAY_LEN(groups); g++)
		for (const struct kind_rules *r = groups[g]; r->kind; r++)
			if (str_is(kind->kind, r->kind) && str_is(kind->group, r->group))
				return r;
	return NULL;
}

void api_validate_create(const struct api_kind *kind, const struct json *tree,
			 struct field_errors *errors)
{
	const struct kind_rules *rules = rules_find(kind);
	struct check v = {.errors = errors, .arena = errors->arena, .kind = kind};
	bool is_generic = rules && rules->name == NAME_GENERIC;
	if (!is_generic)
		check_meta_create(&v, tree, rules ? rules->name : NAME_PATH_SEGMENT);
	if (rules && rules->create)
		rules->create(&v, tree);
	if (is_generic && errors->count == 0)
		check_meta_path_segment(&v, tree);
}

static const char *steps_of(const struct kind_rules *rules, bool is_part)
{
	const char *own = rules ? (is_part ? rules->part_steps : rules->steps) : NULL;
	return own ? own : is_part ? "us" : "ucs";
}

static void own_update_rules(struct check *v, const struct kind_rules *rules,
			     const struct json *old, const struct json *tree,
			     const char *subresource)
{
	if (*subresource) {
		if (rules->part)
			rules->part(v, old, tree, subresource);
	} else if (rules->update) {
		rules->update(v, old, tree);
	} else if (rules->create) {
		rules->create(v, tree);
	}
}

void api_validate_update(const struct api_kind *kind, const struct json *old,
			 const struct json *tree, const char *subresource,
			 struct field_errors *errors)
{
	const struct kind_rules *rules = rules_find(kind);
	struct check v = {
		.errors = errors, .arena = errors->arena, .kind = kind, .is_update = true};
	check_meta_path_segment(&v, tree);
	check_meta_change(&v, old, tree);
	for (const char *step = steps_of(rules, *subresource); *step; step++) {
		if (*step == 'u')
			check_meta_update(&v, old, tree);
		else if (*step == 'c')
			check_meta_create(&v, tree, rules ? rules->name : NAME_PATH_SEGMENT);
		else if (rules && *step == 'r')
			rules->create(&v, tree);
		else if (rules)
			own_update_rules(&v, rules, old, tree, subresource);
	}
}

static bool said_before(const struct field_errors *errors, size_t i)
{
	const struct field_error *e = &errors->items[i];
	for (size_t k = 0; k < i; k++) {
		const struct field_error *other = &errors->items[k];
		if (e->type == other->type && str_eq(e->path, other->path) &&
		    str_eq(e->value, other->value) && str_eq(e->detail, other->detail))
			return true;
	}
	return false;
}

void api_invalid_message(struct buf *out, struct str kind_text, struct str name,
			 const struct field_errors *errors)
{
	size_t distinct = 0;
	const char *separator = "";
	for (size_t i = 0; i < errors->count; i++)
		distinct += !said_before(errors, i);
	buf_printf(out, "%.*s \"%.*s\" is invalid: %s", STR_FMT(kind_text), STR_FMT(name),
		   distinct > 1 ? "[" : "");
	for (size_t i = 0; i < errors->count; i++) {
		if (said_before(errors, i))
			continue;
		buf_add_cstr(out, separator);
		field_error_write(out, &errors->items[i]);
		separator = ", ";
	}
	buf_add_cstr(out, distinct > 1 ? "]" : "");
}
