#include "server/list_options.h"

#include "server/route.h"

enum step bad_revision(struct request *r, enum rc rc)
{
	struct str text = r->options.resource_version;
	if (rc == RC_BAD_REQUEST)
		return request_fail(r, rc,
				    "invalid resource version: resourceVersion: Invalid value: "
				    "\"%.*s\": strconv.ParseUint: "
				    "parsing \"%.*s\": invalid syntax",
				    STR_FMT(text), STR_FMT(text));
	request_fail(r, RC_INTERNAL,
		     "resourceVersion: Invalid value: \"%.*s\": strconv.ParseUint: parsing "
		     "\"%.*s\": invalid syntax",
		     STR_FMT(text), STR_FMT(text));
	json_remove(r->reply.tree, STR("reason"));
	return STEP_DONE;
}

/* Numbers in the query are parsed before anything else. */
static enum step check_numbers(struct request *r)
{
	static const char *const names[] = {"limit", "timeoutSeconds"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str text = query_get(&r->arena, r->query, names[i]);
		int64_t value;
		if (text.len && !str_to_i64(text, &value)) {
			bool is_range = strspn(arena_cstr(&r->arena, text), "-0123456789") ==
					text.len;
			return request_fail(r, RC_BAD_REQUEST,
					    "strconv.ParseInt: parsing \"%.*s\": %s", STR_FMT(text),
					    is_range ? "value out of range" : "invalid syntax");
		}
	}
	return STEP_NEXT;
}

static void forbid(struct field_errors *list, const char *field, const char *why)
{
	field_error_add(list, FIELD_ERROR_FORBIDDEN, str_of(field), NULL, "%s", why);
}

static void check_initial_events(const struct options *o, bool is_watch, struct field_errors *list)
{
	struct str match = o->resource_version_match;
	if (!is_watch) {
		if (o->has_send_initial_events)
			forbid(list, "sendInitialEvents",
			       "sendInitialEvents is forbidden for list");
		return;
	}
	if (o->has_send_initial_events) {
		if (!str_is(match, "NotOlderThan"))
			forbid(list, "resourceVersionMatch",
			       "sendInitialEvents requires setting resourceVersionMatch to "
			       "NotOlderThan");
		if (match.len && !str_is(match, "NotOlderThan"))
			field_error_not_supported(list, STR("resourceVersionMatch"),
						  json_string(list->arena, match),
						  STR("NotOlderThan"));
	} else if (match.len) {
		forbid(list, "resourceVersionMatch",
		       "resourceVersionMatch is forbidden for watch unless sendInitialEvents is "
		       "provided");
	}
	if (o->continue_token.len)
		forbid(list, "resourceVersionMatch",
		       "resourceVersionMatch is forbidden when continue is provided");
}

static void check_match(const struct options *o, struct field_errors *list)
{
	struct str match = o->resource_version_match;
	if (match.len == 0)
		return;
	if (o->resource_version.len == 0)
		forbid(list, "resourceVersionMatch",
		       "resourceVersionMatch is forbidden unless resourceVersion is provided");
	if (o->continue_token.len)
		forbid(list, "resourceVersionMatch",
		       "resourceVersionMatch is forbidden when continue is provided");
	if (!str_is(match, "Exact") && !str_is(match, "NotOlderThan"))
		field_error_not_supported(list, STR("resourceVersionMatch"),
					  json_string(list->arena, match),
					  STR("Exact,NotOlderThan,"));
	if (str_is(match, "Exact") && str_is(o->resource_version, "0"))
		forbid(list, "resourceVersionMatch",
		       "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
}

enum step list_options_check(struct request *r)
{
	struct field_errors list = {.arena = &r->arena};
	bool is_watch = r->route.verb == DO_WATCH;
	if (check_numbers(r) == STEP_DONE)
		return STEP_DONE;
	check_initial_events(&r->options, is_watch, &list);
	if (!is_watch)
		check_match(&r->options, &list);
	if (list.count)
		return request_invalid(r, STR("meta.k8s.io"), STR("ListOptions"), STR(""), &list);
	int64_t revision;
	if (is_watch && r->options.resource_version.len &&
	    (!str_to_i64(r->options.resource_version, &revision) || revision < 0))
		return bad_revision(r, RC_INTERNAL);
	return STEP_NEXT;
}
