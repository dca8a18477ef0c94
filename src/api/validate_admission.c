/* Webhook configurations and admission policies; expressions are compiled elsewhere. */
#include "api/validate-cel.h"

static bool has_star(const struct json *list)
{
	for (size_t i = 0; i < json_count(list); i++)
		if (str_is(json_str(json_at(list, i)), "*"))
			return true;
	return false;
}

static void check_list(struct check *v, const struct path *at, const struct json *list,
		       const char *what)
{
	if (json_count(list) == 0)
		required(v, at, "%s", "");
	else if (has_star(list) && json_count(list) > 1)
		bad(v, at, list, "if '*' is present, must not specify other %s", what);
	FOR_ITEMS(i, item, list)
	{
		if (!strcmp(what, "API versions") && json_str(item).len == 0)
			required(v, ITEM(at, i), "%s", "");
	}
}

/* All subresources of one resource, or one subresource of all, stand before it: it says nothing
 * new. */
static void check_covered(struct check *v, const struct path *at, const struct json *list, size_t i)
{
	struct str item = json_str(json_at(list, i)), resource, sub, other, other_sub;
	bool by_resource = false, by_sub = false;
	if (!str_cut(item, '/', &resource, &sub))
		return;
	for (size_t k = 0; k < i; k++) {
		if (!str_cut(json_str(json_at(list, k)), '/', &other, &other_sub))
			continue;
		by_resource |= str_is(other_sub, "*") && str_eq(other, resource);
		by_sub |= str_is(other, "*") && str_eq(other_sub, sub);
	}
	if (by_resource)
		bad_text(v, ITEM(at, i), item, "if '%.*s/*' is present, must not specify %.*s",
			 STR_FMT(resource), STR_FMT(item));
	if (by_sub)
		bad_text(v, ITEM(at, i), item, "if '*/%.*s' is present, must not specify %.*s",
			 STR_FMT(sub), STR_FMT(item));
}

static void check_resources(struct check *v, const struct path *at, const struct json *list)
{
	bool has_all = false, has_star_alone = false, has_plain = false;
	if (json_count(list) == 0)
		required(v, at, "%s", "");
	FOR_ITEMS(i, item, list)
	{
		struct str text = json_str(item);
		if (text.len == 0) {
			required(v, ITEM(at, i), "%s", "");
			continue;
		}
		has_all |= str_is(text, "*/*");
		has_star_alone |= str_is(text, "*");
		if (!memchr(text.at, '/', text.len))
			has_plain = !str_is(text, "*");
		check_covered(v, at, list, i);
	}
	if (json_count(list) > 1 && has_all)
		bad(v, at, list, "if '*/*' is present, must not specify other resources");
	if (has_star_alone && has_plain)
		bad(v, at, list,
		    "if '*' is present, must not specify other resources without subresources");
}

static void check_operations(struct check *v, const struct path *at, const struct json *list)
{
	if (json_count(list) == 0)
		required(v, at, "%s", "");
	else if (has_star(list) && json_count(list) > 1)
		bad(v, at, list, "if '*' is present, must not specify other operations");
	FOR_ITEMS(i, item, list)
	{
		check_enum(v, ITEM(at, i), json_str(item), "*,CONNECT,CREATE,DELETE,UPDATE");
	}
}

static void check_rule(struct check *v, const struct path *at, const struct json *rule)
{
	check_operations(v, MEMBER(at, "operations"), GET(rule, "operations"));
	check_list(v, MEMBER(at, "apiGroups"), GET(rule, "apiGroups"), "API groups");
	check_list(v, MEMBER(at, "apiVersions"), GET(rule, "apiVersions"), "API versions");
	check_resources(v, MEMBER(at, "resources"), GET(rule, "resources"));
	check_optional_enum(v, MEMBER(at, "scope"), GET(rule, "scope"), "*,Cluster,Namespaced");
}

#define MATCH_CONDITIONS_MAX 64

static void check_match_conditions(struct check *v, const struct path *at,
				   const struct json *conditions, bool has_params)
{
	struct policy_cel cel;
	policy_cel_init(v, &cel, has_params);
	if (json_count(conditions) > MATCH_CONDITIONS_MAX)
		too_many(v, at, json_count(conditions), MATCH_CONDITIONS_MAX);
	FOR_ITEMS(i, condition, conditions)
	{
		const struct path *here = ITEM(at, i);
		struct str name = TEXT(condition, "name");
		if (str_trim(TEXT(condition, "expression")).len == 0)
			required(v, MEMBER(here, "expression"), "%s", "");
		else
			check_policy_expression(v, MEMBER(here, "expression"),
						TEXT(condition, "expression"), &cel, true, false,
						CEL_WANT_BOOL);
		check_required_name(v, MEMBER(here, "name"), NAME_QUALIFIED, name);
		if (is_text_repeated(v, conditions, i, "name"))
			duplicate(v, MEMBER(here, "name"), name);
	}
}

/* At least three labels. */
static void check_hook_name(struct check *v, const struct path *at, struct str name)
{
	size_t dots = 0;
	if (name.len == 0) {
		required(v, at, "%s", "");
		return;
	}
	for (size_t i = 0; i < name.len; i++)
		dots += name.at[i] == '.';
	if (!name_is(NAME_DNS_SUBDOMAIN, name))
		check_name(v, at, NAME_DNS_SUBDOMAIN, name);
	else if (dots < 2)
		bad_text(v, at, name,
			 "should be a domain with at least three segments separated by dots");
}

static void check_hook(struct check *v, const struct path *at, const struct json *hook)
{
	const struct json *timeout = GET(hook, "timeoutSeconds");
	check_hook_name(v, MEMBER(at, "name"), TEXT(hook, "name"));
	FOR_ITEMS(i, rule, GET(hook, "rules"))
	{
		check_rule(v, ITEM(MEMBER(at, "rules"), i), rule);
	}
	check_optional_enum(v, MEMBER(at, "failurePolicy"), GET(hook, "failurePolicy"),
			    "Fail,Ignore");
	check_optional_enum(v, MEMBER(at, "matchPolicy"), GET(hook, "matchPolicy"),
			    "Equivalent,Exact");
	if (!GET(hook, "sideEffects"))
		required(v, MEMBER(at, "sideEffects"), "must specify one of None, NoneOnDryRun");
	else
		check_enum(v, MEMBER(at, "sideEffects"), TEXT(hook, "sideEffects"),
			   "None,NoneOnDryRun");
	if (timeout && (json_i64(timeout) < 1 || json_i64(timeout) > 30))
		bad(v, MEMBER(at, "timeoutSeconds"), timeout,
		    "the timeout value must be between 1 and 30 seconds");
	check_label_selector(v, MEMBER(at, "namespaceSelector"), GET(hook, "namespaceSelector"));
	check_label_selector(v, MEMBER(at, "objectSelector"), GET(hook, "objectSelector"));
	check_webhook_client(v, MEMBER(at, "clientConfig"), GET(hook, "clientConfig"), true);
	check_optional_enum(v, MEMBER(at, "reinvocationPolicy"), GET(hook, "reinvocationPolicy"),
			    "IfNeeded,Never");
	check_match_conditions(v, MEMBER(at, "matchConditions"), GET(hook, "matchConditions"),
			       false);
}

static void webhook_rules(struct check *v, const struct json *tree)
{
	const struct json *hooks = GET(tree, "webhooks");
	FOR_ITEMS(i, hook, hooks)
	{
		const struct path *at = ITEM(ROOT("webhooks"), i);
		check_hook(v, at, hook);
		check_review_versions(v, MEMBER(at, "admissionReviewVersions"),
				      GET(hook, "admissionReviewVersions"));
		if (TEXT(hook, "name").len > 0 && is_text_repeated(v, hooks, i, "name"))
			duplicate(v, MEMBER(at, "name"), TEXT(hook, "name"));
	}
}

/* ---- policies ---- */

static void check_named_rule(struct check *v, const struct path *at, const struct json *rule)
{
	const struct json *names = GET(rule, "resourceNames");
	check_rule(v, at, rule);
	FOR_ITEMS(i, name, names)
	{
		const struct path *here = ITEM(MEMBER(at, "resourceNames"), i);
		check_name(v, here, NAME_PATH_SEGMENT, json_str(name));
		if (is_repeated(v, names, i))
			duplicate_value(v, here, name);
	}
}

static void check_match_resources(struct check *v, const struct path *at, const struct json *match)
{
	check_optional_enum(v, MEMBER(at, "matchPolicy"), GET(match, "matchPolicy"),
			    "Equivalent,Exact");
	check_label_selector(v, MEMBER(at, "namespaceSelector"), GET(match, "namespaceSelector"));
	check_label_selector(v, MEMBER(at, "objectSelector"), GET(match, "objectSelector"));
	FOR_ITEMS(i, rule, GET(match, "resourceRules"))
	{
		check_named_rule(v, ITEM(MEMBER(at, "resourceRules"), i), rule);
	}
	FOR_ITEMS(k, rule, GET(match, "excludeResourceRules"))
	{
		check_named_rule(v, ITEM(MEMBER(at, "excludeResourceRules"), k), rule);
	}
}

static void check_param_kind(struct check *v, const struct path *at, const struct json *kind)
{
	struct str version = TEXT(kind, "apiVersion"), name = TEXT(kind, "kind"), group, tail;
	if (version.len == 0) {
		required(v, MEMBER(at, "apiVersion"), "%s", "");
	} else if (str_cut(version, '/', &group, &tail) && memchr(tail.at, '/', tail.len)) {
		bad_text(v, MEMBER(at, "apiVersion"), version,
			 "unexpected GroupVersion string: %.*s", STR_FMT(version));
	} else {
		if (!str_cut(version, '/', &group, &tail))
			tail = version;
		check_name(v, MEMBER(at, "apiVersion"), NAME_DNS_1035, tail);
	}
	if (name.len == 0) {
		required(v, MEMBER(at, "kind"), "%s", "");
		return;
	}
	struct faults f;
	char *low = arena_cstr(v->arena, name);
	for (size_t i = 0; i < name.len; i++)
		if (low[i] >= 'A' && low[i] <= 'Z')
			low[i] = (char)(low[i] - 'A' + 'a');
	name_check(&f, NAME_DNS_1035, str_n(low, name.len));
	for (size_t i = 0; i < f.count; i++)
		bad_text(v, MEMBER(at, "kind"), name,
			 "may have mixed case, but should otherwise match: %s", f.at[i]);
}

static void check_validation(struct check *v, const struct path *at, const struct json *validation,
			     const struct policy_cel *cel)
{
	struct str expression = TEXT(validation, "expression");
	struct str message_expression = TEXT(validation, "messageExpression");
	const struct json *message = GET(validation, "message");
	struct str text = json_str(message);
	if (str_trim(expression).len == 0)
		required(v, MEMBER(at, "expression"), "expression is not specified");
	else
		check_policy_expression(v, MEMBER(at, "expression"), expression, cel, true, true,
					CEL_WANT_BOOL);
	if (message_expression.len > 0 && str_trim(message_expression).len == 0)
		bad_text(v, MEMBER(at, "messageExpression"), message_expression,
			 "must be non-empty if specified");
	else if (message_expression.len > 0)
		check_policy_expression(v, MEMBER(at, "messageExpression"), message_expression, cel,
					false, true, CEL_WANT_STRING);
	if (text.len > 0 && str_trim(text).len == 0)
		bad(v, MEMBER(at, "message"), message, "must be non-empty if specified");
	else if (text.len > 0 && memchr(str_trim(text).at, '\n', str_trim(text).len))
		bad(v, MEMBER(at, "message"), message, "must not contain line breaks");
	check_optional_enum(v, MEMBER(at, "reason"), GET(validation, "reason"),
			    "Forbidden,Invalid,RequestEntityTooLarge");
}

#define VALUE_EXPRESSION_MAX 5120 /* bytes */

static void check_value_expression(struct check *v, const struct path *at, struct str text,
				   const struct policy_cel *cel)
{
	if (str_trim(text).len == 0)
		required(v, at, "valueExpression is not specified");
	else if (text.len > VALUE_EXPRESSION_MAX)
		required(v, at, "must not exceed %d bytes in length", VALUE_EXPRESSION_MAX);
	else
		check_policy_expression(v, at, text, cel, true, true, CEL_WANT_STRING_OR_NULL);
}

static void check_audit_annotations(struct check *v, const struct path *at, const struct json *list,
				    struct str policy, const struct policy_cel *cel)
{
	FOR_ITEMS(i, annotation, list)
	{
		const struct path *here = ITEM(at, i);
		struct str key = TEXT(annotation, "key");
		struct str full =
			arena_printf(v->arena, "%.*s/%.*s", STR_FMT(policy), STR_FMT(key));
		if (policy.len == 0)
			bad_text(v, MEMBER(here, "key"), key,
				 "requires metadata.name be non-empty");
		else
			check_name(v, MEMBER(here, "key"), NAME_QUALIFIED, full);
		check_value_expression(v, MEMBER(here, "valueExpression"),
				       TEXT(annotation, "valueExpression"), cel);
		if (is_text_repeated(v, list, i, "key"))
			duplicate(v, MEMBER(here, "key"), key);
	}
}

/* Each variable may name those before it. */
static void check_policy_variables(struct check *v, const struct path *at,
				   const struct json *variables, struct policy_cel *cel)
{
	if (json_count(variables) > 0)
		policy_cel_compose(v, cel);
	FOR_ITEMS(i, variable, variables)
	{
		const struct path *here = ITEM(at, i);
		struct str name = TEXT(variable, "name"), text = TEXT(variable, "expression");
		const struct cel_type *type;
		if (name.len == 0)
			required(v, MEMBER(here, "name"), "name is not specified");
		else if (!name_is(NAME_C_IDENTIFIER, name) || cel_is_reserved(name))
			bad_text(v, MEMBER(here, "name"), name, "must be a valid CEL identifier");
		if (str_trim(text).len == 0) {
			required(v, MEMBER(here, "expression"), "expression is not specified");
			continue;
		}
		type = check_policy_expression(v, MEMBER(here, "expression"), text, cel, true, true,
					       CEL_WANT_ANY);
		policy_cel_add(v, cel, name, type);
	}
}

static void policy_rules(struct check *v, const struct json *tree)
{
	static const char none[] = "validations or auditAnnotations must contain at least one item";
	const struct json *spec = GET(tree, "spec"), *match = GET(spec, "matchConstraints");
	const struct path *at = ROOT("spec"), *match_at = MEMBER(at, "matchConstraints");
	struct policy_cel cel;
	check_optional_enum(v, MEMBER(at, "failurePolicy"), GET(spec, "failurePolicy"),
			    "Fail,Ignore");
	if (GET(spec, "paramKind"))
		check_param_kind(v, MEMBER(at, "paramKind"), GET(spec, "paramKind"));
	if (!match) {
		required(v, match_at, "%s", "");
	} else {
		check_match_resources(v, match_at, match);
		if (COUNT(match, "resourceRules") == 0)
			required(v, MEMBER(match_at, "resourceRules"), "%s", "");
	}
	check_match_conditions(v, MEMBER(at, "matchConditions"), GET(spec, "matchConditions"),
			       GET(spec, "paramKind") != NULL);
	policy_cel_init(v, &cel, GET(spec, "paramKind") != NULL);
	check_policy_variables(v, MEMBER(at, "variables"), GET(spec, "variables"), &cel);
	if (COUNT(spec, "validations") == 0 && COUNT(spec, "auditAnnotations") == 0) {
		required(v, MEMBER(at, "validations"), "%s", none);
		required(v, MEMBER(at, "auditAnnotations"), "%s", none);
		return;
	}
	FOR_ITEMS(k, validation, GET(spec, "validations"))
	{
		check_validation(v, ITEM(MEMBER(at, "validations"), k), validation, &cel);
	}
	check_audit_annotations(v, MEMBER(at, "auditAnnotations"), GET(spec, "auditAnnotations"),
				TEXT(GET(tree, "metadata"), "name"), &cel);
}

static void check_param_ref(struct check *v, const struct path *at, const struct json *ref)
{
	static const char both[] = "name and selector are mutually exclusive";
	const struct json *action = GET(ref, "parameterNotFoundAction");
	struct str name = TEXT(ref, "name");
	if (name.len > 0)
		check_name(v, MEMBER(at, "name"), NAME_PATH_SEGMENT, name);
	if (name.len > 0 && GET(ref, "selector")) {
		forbidden(v, MEMBER(at, "name"), "%s", both);
		forbidden(v, MEMBER(at, "selector"), "%s", both);
	}
	if (GET(ref, "selector"))
		check_label_selector(v, MEMBER(at, "selector"), GET(ref, "selector"));
	if (name.len == 0 && !GET(ref, "selector"))
		required(v, at, "one of name or selector must be specified");
	if (json_str(action).len == 0)
		required(v, MEMBER(at, "parameterNotFoundAction"), "%s", "");
	else
		check_enum(v, MEMBER(at, "parameterNotFoundAction"), json_str(action),
			   "Deny,Allow");
}

static void binding_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *actions = GET(spec, "validationActions");
	const struct path *at = ROOT("spec"), *actions_at = MEMBER(at, "validationActions");
	check_required_name(v, MEMBER(at, "policyName"), NAME_DNS_SUBDOMAIN,
			    TEXT(spec, "policyName"));
	if (GET(spec, "paramRef"))
		check_param_ref(v, MEMBER(at, "paramRef"), GET(spec, "paramRef"));
	check_match_resources(v, MEMBER(at, "matchResources"), GET(spec, "matchResources"));
	if (json_count(actions) == 0)
		required(v, actions_at, "at least one validation action is required");
	FOR_ITEMS(i, action, actions)
	{
		check_enum(v, ITEM(actions_at, i), json_str(action), "Audit,Deny,Warn");
		if (is_repeated(v, actions, i))
			duplicate_value(v, ITEM(actions_at, i), action);
	}
	if (json_has_text(actions, STR("Deny")) && json_has_text(actions, STR("Warn")))
		bad(v, actions_at, actions,
		    "must not contain both Deny and Warn (repeating the same validation failure "
		    "information in the API response and headers serves no purpose)");
}

#define ADMISSION "admissionregistration.k8s.io"

const struct kind_rules validate_admission[] = {
	{ADMISSION, "MutatingWebhookConfiguration", NAME_DNS_SUBDOMAIN, webhook_rules, NULL, NULL,
	 .steps = "cs"},
	{ADMISSION, "ValidatingWebhookConfiguration", NAME_DNS_SUBDOMAIN, webhook_rules, NULL, NULL,
	 .steps = "cs"},
	{ADMISSION, "ValidatingAdmissionPolicy", NAME_DNS_SUBDOMAIN, policy_rules, NULL, NULL,
	 .steps = "cs"},
	{ADMISSION, "ValidatingAdmissionPolicyBinding", NAME_DNS_SUBDOMAIN, binding_rules, NULL,
	 NULL, .steps = "cs"},
	{},
};
