/* x-kubernetes-validations of one level of a schema: what can be said of them without compiling. */
#include "api/validate-cel.h"

static bool has_line_break(struct str s)
{
	return s.len > 0 && (memchr(s.at, '\n', s.len) || memchr(s.at, '\r', s.len));
}

static void check_message(struct check *v, const struct path *at, const struct json *rule)
{
	struct str text = TEXT(rule, "rule"), message = TEXT(rule, "message");
	const struct path *here = MEMBER(at, "message");
	if (str_trim(text).len == 0)
		required(v, MEMBER(at, "rule"), "rule is not specified");
	else if (message.len > 0 && str_trim(message).len == 0)
		bad_text(v, here, message, "message must be non-empty if specified");
	else if (has_line_break(str_trim(message)))
		bad_text(v, here, message, "message must not contain line breaks");
	else if (has_line_break(str_trim(text)) && message.len == 0)
		required(v, here, "message must be specified if rule contains line breaks");
}

/* Cuts the first ".name" or "['name']" off a path; false: it does not begin so. */
static bool cut_step(struct str *path, struct str *ret_name)
{
	size_t i = 1;
	if (str_has_prefix(*path, STR("['"))) {
		const char *end = path->len > 2 ? memchr(path->at + 2, '\'', path->len - 2) : NULL;
		if (!end || !str_has_prefix(str_skip(*path, (size_t)(end - path->at)), STR("']")))
			return false;
		*ret_name = str_n(path->at + 2, (size_t)(end - path->at) - 2);
		*path = str_skip(*path, (size_t)(end - path->at) + 2);
		return true;
	}
	if (!str_has_prefix(*path, STR(".")))
		return false;
	while (i < path->len && path->at[i] != '.' && path->at[i] != '[')
		i++;
	*ret_name = str_n(path->at + 1, i - 1);
	*path = str_skip(*path, i);
	return ret_name->len > 0;
}

/* Does the path lead to something that the schema describes? */
static bool is_described(const struct json *schema, struct str path)
{
	struct str name;
	while (path.len > 0) {
		const struct json *others = GET(schema, "additionalProperties");
		if (!cut_step(&path, &name))
			return false;
		schema = others && others->type == JSON_OBJECT
				 ? others
				 : member_of(GET(schema, "properties"), name);
		if (!schema)
			return false;
	}
	return true;
}

static void check_field_path(struct check *v, const struct path *at, struct str path,
			     const struct json *schema)
{
	if (path.len == 0)
		return;
	if (str_trim(path).len == 0)
		bad_text(v, at, path, "fieldPath must be non-empty if specified");
	if (has_line_break(path))
		bad_text(v, at, path, "fieldPath must not contain line breaks");
	if (!is_described(schema, path))
		bad_text(v, at, path, "must be a valid path");
}

/* What can be said of rules without compiling them. */
void check_rules_of_schema(struct check *v, const struct path *at, const struct json *schema)
{
	const struct json *rules = GET(schema, "x-kubernetes-validations");
	FOR_ITEMS(i, rule, rules)
	{
		const struct path *here = ITEM(at, i);
		struct str text = TEXT(rule, "messageExpression");
		check_message(v, here, rule);
		if (text.len > 0 && str_trim(text).len == 0)
			required(v, MEMBER(here, "messageExpression"),
				 "messageExpression must be non-empty if specified");
		check_optional_enum(v, MEMBER(here, "reason"), GET(rule, "reason"),
				    "FieldValueDuplicate,FieldValueForbidden,FieldValueInvalid,"
				    "FieldValueRequired");
		check_field_path(v, MEMBER(here, "fieldPath"), TEXT(rule, "fieldPath"), schema);
	}
}
