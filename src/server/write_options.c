#include "server/write_options.h"

#include "api/names.h"
#include "server/route.h"

#define MANAGER_MAX 128

static struct json *string_list(struct request *r, const char *name)
{
	struct json *list = json_array(&r->arena);
	size_t pos = 0;
	for (struct str value; (value = query_next(&r->arena, r->query, name, &pos)).at;)
		json_append(&r->arena, list, json_string(&r->arena, value));
	return list;
}

static void check_dry_run(struct field_errors *list, const struct json *values)
{
	for (size_t i = 0; i < json_count(values); i++)
		if (!str_is(json_str(json_at(values, i)), "All")) {
			field_error_not_supported(list, STR("dryRun"), values, STR("All"));
			return;
		}
}

static void check_manager(struct field_errors *list, struct str manager)
{
	if (manager.len > MANAGER_MAX)
		field_error_add(list, FIELD_ERROR_TOO_LONG, STR("fieldManager"), NULL,
				"may not be more than %d bytes", MANAGER_MAX);
	for (size_t i = 0; i < manager.len; i++) {
		unsigned char c = (unsigned char)manager.at[i];
		if (c >= 0x20 && c != 0x7f)
			continue;
		field_error_add(list, FIELD_ERROR_INVALID, STR("fieldManager"),
				json_string(list->arena, manager),
				"invalid character U+%04X (at position %zu)", c, i);
	}
}

static void check_validation(struct field_errors *list, struct str value)
{
	static const char *const known[] = {"", "Ignore", "Strict", "Warn"};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_is(value, known[i]))
			return;
	field_error_not_supported(list, STR("fieldValidation"), json_string(list->arena, value),
				  STR(",Ignore,Strict,Warn"));
}

static void check_force(struct request *r, struct field_errors *list)
{
	bool is_apply = r->patch_type == PATCH_APPLY;
	if (is_apply && r->options.field_manager.len == 0)
		field_error_add(list, FIELD_ERROR_REQUIRED, STR("fieldManager"), NULL,
				"is required for apply patch");
	if (!is_apply && r->options.has_force)
		field_error_add(list, FIELD_ERROR_FORBIDDEN, STR("force"), NULL,
				"may not be specified for non-apply patch");
}

enum step write_options_check(struct request *r)
{
	static const char *const kinds[] = {
		[DO_CREATE] = "CreateOptions", [DO_UPDATE] = "UpdateOptions",
		[DO_PATCH] = "PatchOptions",   [DO_DELETE] = NULL,
		[DO_DELETE_COLLECTION] = NULL, [DO_CONNECT] = NULL};
	if (!kinds[r->route.verb] || (r->query.len == 0 && r->route.verb != DO_PATCH))
		return STEP_NEXT;
	struct field_errors list = {.arena = &r->arena};
	if (r->route.verb == DO_PATCH)
		check_force(r, &list);
	check_manager(&list, r->options.field_manager);
	check_dry_run(&list, string_list(r, "dryRun"));
	check_validation(&list, r->options.field_validation);
	if (list.count == 0)
		return STEP_NEXT;
	return request_invalid(r, STR("meta.k8s.io"), str_of(kinds[r->route.verb]), STR(""), &list);
}

/* The old word and the new one for what becomes of dependents; *ret_policy is the new one. */
static bool says_both(struct request *r, const struct json *body, struct str *ret_policy)
{
	*ret_policy = body ? json_path_str(body, "propagationPolicy")
			   : query_get(&r->arena, r->query, "propagationPolicy");
	const struct json *orphan = json_get(body, STR("orphanDependents"));
	return ret_policy->at &&
	       (body ? orphan && orphan->type == JSON_BOOL
		     : query_get(&r->arena, r->query, "orphanDependents").at != NULL);
}

enum step delete_options_check(struct request *r, const struct json *body)
{
	struct field_errors list = {.arena = &r->arena};
	struct str policy = r->deletion.propagation, said;
	if (says_both(r, body, &said)) {
		policy = said;
		field_error_add(&list, FIELD_ERROR_INVALID, STR("propagationPolicy"),
				json_string(&r->arena, said),
				"orphanDependents and deletionPropagation cannot be both set");
	}
	static const char *const known[] = {"Foreground", "Background", "Orphan"};
	bool is_known = policy.at == NULL;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		is_known = is_known || str_is(policy, known[i]);
	if (!is_known)
		field_error_not_supported(&list, STR("propagationPolicy"),
					  json_string(&r->arena, policy),
					  STR("Foreground,Background,Orphan,nil"));
	check_dry_run(&list, body ? json_get(body, STR("dryRun")) : string_list(r, "dryRun"));
	if (list.count == 0)
		return STEP_NEXT;
	return request_invalid(r, STR("meta.k8s.io"), STR("DeleteOptions"), STR(""), &list);
}
