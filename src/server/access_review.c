/* SubjectAccessReview and its two siblings.
 * Source of the checks: upstream's pkg/apis/authorization/validation. */
#include "api/managed_fields.h"
#include "api/names.h"
#include "api/selector.h"
#include "server/reviews.h"
#include "server/server.h"
#include "server/write.h"

static void attributes_from(const struct json *spec, struct attributes *ret_what)
{
	const struct json *resource = json_get(spec, STR("resourceAttributes"));
	const struct json *path = json_get(spec, STR("nonResourceAttributes"));
	*ret_what = (struct attributes){
		.is_resource = resource != NULL,
		.verb = json_path_str(resource ? resource : path, "verb"),
		.group = json_path_str(resource, "group"),
		.resource = json_path_str(resource, "resource"),
		.subresource = json_path_str(resource, "subresource"),
		.namespace = json_path_str(resource, "namespace"),
		.name = json_path_str(resource, "name"),
		.path = json_path_str(path, "path"),
	};
}

static void user_from(const struct json *spec, struct user *ret_user)
{
	*ret_user = (struct user){.name = json_path_str(spec, "user"),
				  .uid = json_path_str(spec, "uid")};
	struct json *groups = json_get(spec, STR("groups"));
	for (size_t i = 0; i < json_count(groups) && i < REQUEST_GROUPS_MAX; i++)
		ret_user->groups[ret_user->group_count++] = json_str(json_at(groups, i));
}

/* ---- what is wrong with it ---- */

/* As upstream's internal form shows it. */
static struct json *shown_path(struct arena *a, const struct json *spec)
{
	const struct json *path = json_get(spec, STR("nonResourceAttributes"));
	struct json *shown = json_object(a);
	json_set_str(a, shown, STR("Path"), json_path_str(path, "path"));
	json_set_str(a, shown, STR("Verb"), json_path_str(path, "verb"));
	return shown;
}

static void check_values(struct field_errors *errors, const struct json *requirement, struct str at)
{
	struct str op = json_path_str(requirement, "operator");
	size_t count = json_count(json_get(requirement, STR("values")));
	struct str values_at = arena_printf(errors->arena, "%.*s.values", STR_FMT(at));
	bool is_set = str_is(op, "In") || str_is(op, "NotIn");
	bool is_bare = str_is(op, "Exists") || str_is(op, "DoesNotExist");
	if (is_set && count == 0)
		field_error_add(errors, FIELD_ERROR_REQUIRED, values_at, NULL,
				"must be specified when `operator` is 'In' or 'NotIn'");
	if (is_bare && count > 0)
		field_error_add(
			errors, FIELD_ERROR_FORBIDDEN, values_at, NULL,
			"may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
}

/* Operators that nobody knows pass: the authorizer ignores them. */
static void check_requirement(struct field_errors *errors, const struct json *requirement,
			      struct str at, bool is_label)
{
	struct str key = json_path_str(requirement, "key");
	struct str key_at = arena_printf(errors->arena, "%.*s.key", STR_FMT(at));
	struct faults f = {};
	if (!is_label && key.len == 0)
		field_error_add(errors, FIELD_ERROR_REQUIRED, key_at, NULL, "must be specified");
	check_values(errors, requirement, at);
	if (is_label)
		name_check(&f, NAME_QUALIFIED, key);
	for (size_t i = 0; i < f.count; i++)
		field_error_add(errors, FIELD_ERROR_INVALID, key_at,
				json_string(errors->arena, key), "%s", f.at[i]);
}

static void check_selector(struct field_errors *errors, const struct json *resource,
			   const char *name)
{
	const struct json *selector = json_get(resource, str_of(name));
	struct str raw = json_path_str(selector, "rawSelector");
	const struct json *requirements = json_get(selector, STR("requirements"));
	bool has_requirements = json_count(requirements) > 0;
	if (!selector || selector->type == JSON_NULL)
		return;
	if (raw.len && has_requirements)
		field_error_add(errors, FIELD_ERROR_INVALID,
				FIELD_PATH(errors, "spec.resourceAttributes.%s.rawSelector", name),
				json_string(errors->arena, raw),
				"may not specified at the same time as requirements");
	if (!raw.len && !has_requirements)
		field_error_add(errors, FIELD_ERROR_REQUIRED,
				FIELD_PATH(errors, "spec.resourceAttributes.%s.requirements", name),
				NULL,
				"when spec.resourceAttributes.%s is specified, requirements or "
				"rawSelector is required",
				name);
	for (size_t i = 0; i < json_count(requirements); i++)
		check_requirement(errors, json_at(requirements, i),
				  arena_printf(errors->arena,
					       "spec.resourceAttributes.%s.requirements[%zu]", name,
					       i),
				  str_is(str_of(name), "labelSelector"));
}

static void check_attributes(struct field_errors *errors, const struct json *spec)
{
	const struct json *resource = json_get(spec, STR("resourceAttributes"));
	bool has_path = json_get(spec, STR("nonResourceAttributes")) != NULL;
	if (resource && has_path)
		field_error_add(errors, FIELD_ERROR_INVALID, STR("spec.nonResourceAttributes"),
				shown_path(errors->arena, spec),
				"cannot be specified in combination with resourceAttributes");
	if (!resource && !has_path)
		field_error_add(errors, FIELD_ERROR_INVALID, STR("spec.resourceAttributes"),
				json_null(errors->arena),
				"exactly one of nonResourceAttributes or resourceAttributes must "
				"be specified");
	check_selector(errors, resource, "fieldSelector");
	check_selector(errors, resource, "labelSelector");
}

static void check_user(struct field_errors *errors, const struct json *spec)
{
	struct str user = json_path_str(spec, "user");
	if (user.len == 0 && json_count(json_get(spec, STR("groups"))) == 0)
		field_error_add(errors, FIELD_ERROR_INVALID, STR("spec.user"),
				json_string(errors->arena, user),
				"at least one of user or group must be specified");
}

/* A review is about the spec alone; only managers of fields may stand beside it. */
static void check_metadata(struct request *r, struct field_errors *errors)
{
	struct json *meta = json_get(r->tree, STR("metadata"));
	size_t allowed = (json_get(meta, STR("managedFields")) != NULL) +
			 (json_get(meta, STR("namespace")) != NULL);
	if (json_count(meta) == allowed)
		return;
	managed_update(&r->arena, r->route.kind, NULL, r->tree, write_manager(r), STR(""),
		       world_wall_us());
	field_error_add(errors, FIELD_ERROR_INVALID, STR("metadata"),
			json_get(r->tree, STR("metadata")), "must be empty");
}

static void check_namespace(struct request *r, struct field_errors *errors, const struct json *spec)
{
	const struct json *resource = json_get(spec, STR("resourceAttributes"));
	struct str namespace = json_path_str(resource, "namespace");
	if (resource && !str_eq(namespace, r->route.namespace))
		field_error_add(errors, FIELD_ERROR_INVALID,
				STR("spec.resourceAttributes.namespace"),
				json_string(&r->arena, namespace), "must match metadata.namespace");
	if (json_get(spec, STR("nonResourceAttributes")))
		field_error_add(errors, FIELD_ERROR_INVALID, STR("spec.nonResourceAttributes"),
				shown_path(&r->arena, spec), "disallowed on this kind of request");
}

/* ---- the answer ---- */

/* Only one value is compared with a field, and it is compared only. */
static bool is_field_requirement(const struct json *requirement)
{
	struct str op = json_path_str(requirement, "operator");
	return (str_is(op, "In") || str_is(op, "NotIn")) &&
	       json_count(json_get(requirement, STR("values"))) == 1;
}

static bool is_label_requirement(struct arena *a, struct json *requirement)
{
	struct selector selector;
	struct json *tree = json_object(a), *list = json_array(a);
	json_append(a, list, requirement);
	json_set(a, tree, STR("matchExpressions"), list);
	return selector_from_tree(a, tree, &selector, NULL) == RC_OK;
}

/* How much of a selector cannot be read: "" all, " partially", NULL nothing. */
static const char *unreadable_part(struct arena *a, const struct json *selector, bool is_label)
{
	struct str raw = json_path_str(selector, "rawSelector");
	struct json *list = json_get(selector, STR("requirements"));
	struct selector labels;
	struct field_selector fields;
	size_t good = 0;
	for (size_t i = 0; i < json_count(list); i++)
		good += is_label ? is_label_requirement(a, json_at(list, i))
				 : is_field_requirement(json_at(list, i));
	if (good < json_count(list))
		return good ? " partially" : "";
	enum rc rc = is_label ? selector_parse(a, raw, &labels, NULL)
			      : field_selector_parse(a, raw, &fields, NULL);
	return rc == RC_OK ? NULL : "";
}

/* What cannot be read narrows nothing; the answer says so. */
static void tell_unreadable(struct arena *a, const struct json *spec, struct json *status)
{
	static const char *const names[] = {"fieldSelector", "labelSelector"};
	const struct json *resource = json_get(spec, STR("resourceAttributes"));
	CLEANUP_BUF text = BUF_INIT(256);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *part = unreadable_part(a, json_get(resource, str_of(names[i])), i == 1);
		if (part)
			buf_printf(&text,
				   "%sspec.resourceAttributes.%s%s ignored due to parse error",
				   text.len ? "; " : "", names[i], part);
	}
	if (text.len)
		json_set_str(a, status, STR("evaluationError"), arena_str(a, buf_str(&text)));
}

/* `In` and `NotIn` with one value are what a field selector can say. */
static struct str field_text(struct arena *a, const struct json *selector)
{
	struct json *list = json_get(selector, STR("requirements"));
	struct str text = json_path_str(selector, "rawSelector");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *item = json_at(list, i), *values = json_get(item, STR("values"));
		struct str op = json_path_str(item, "operator");
		if (json_count(values) != 1 || !(str_is(op, "In") || str_is(op, "NotIn")))
			continue;
		text = arena_printf(
			a, "%.*s%s%.*s%s%.*s", STR_FMT(text), text.len ? "," : "",
			STR_FMT(json_path_str(item, "key")),
			str_is(op, "In") ? "=" : "!=", STR_FMT(json_str(json_at(values, 0))));
	}
	return text;
}

static void take_fields(struct arena *a, const struct json *spec, struct attributes *what)
{
	struct field_selector *fields = ARENA_NEW(a, struct field_selector);
	struct str text = field_text(a, json_path(spec, "resourceAttributes.fieldSelector"));
	if (text.len && field_selector_parse(a, text, fields, NULL) == RC_OK)
		what->fields = fields;
}

static enum step answer(struct request *r, const struct user *user, const struct json *spec)
{
	struct arena *a = &r->arena;
	struct attributes what;
	struct json *status = json_object(a);
	struct str reason;
	attributes_from(spec, &what);
	take_fields(a, spec, &what);
	bool is_allowed = authorizer_allows_because(r->server->authorizer, user, &what, a, &reason);
	json_set(a, status, STR("allowed"), json_bool(a, is_allowed));
	if (reason.len)
		json_set_str(a, status, STR("reason"), reason);
	tell_unreadable(a, spec, status);
	return review_answer(r, status);
}

static enum step access_review(struct request *r, const struct user *user, bool is_self)
{
	const struct json *spec = json_get(r->tree, STR("spec"));
	struct field_errors errors = {.arena = &r->arena};
	check_attributes(&errors, spec);
	if (!is_self)
		check_user(&errors, spec);
	check_metadata(r, &errors);
	if (r->route.kind->is_namespaced)
		check_namespace(r, &errors, spec);
	if (errors.count) /* upstream leaves the kind out */
		return request_invalid(r, r->route.kind->group, STR(""), STR(""), &errors);
	return answer(r, user, spec);
}

enum step access_review_self(struct request *r)
{
	return access_review(r, &r->user, true);
}

enum step access_review_of_user(struct request *r)
{
	struct user user;
	user_from(json_get(r->tree, STR("spec")), &user);
	return access_review(r, &user, false);
}
