#include "server/list_options.h"

#include "api/gotext.h"
#include "server/route.h"

enum step bad_revision(struct request *r, enum rc rc)
{
	struct str fault = gotext_uint_fault(&r->arena, r->options.resource_version);
	if (rc == RC_BAD_REQUEST)
		return request_fail(r, rc, "invalid resource version: resourceVersion: %.*s",
				    STR_FMT(fault));
	request_fail(r, RC_INTERNAL, "resourceVersion: %.*s", STR_FMT(fault));
	json_remove(r->reply.tree, STR("reason"));
	return STEP_DONE;
}

/* Numbers in the query are parsed before anything else. */
static enum step check_numbers(struct request *r)
{
	static const char *const names[] = {"limit", "timeoutSeconds"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str text = query_get(&r->arena, r->query, names[i]);
		struct err err;
		int64_t value;
		if (text.at && gotext_int(text, &value, &err) != RC_OK)
			return request_fail(r, RC_BAD_REQUEST, "%s", err.text);
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
	if (!is_watch)
		check_match(&r->options, &list);
	check_initial_events(&r->options, is_watch, &list);
	if (list.count)
		return request_invalid(r, STR("meta.k8s.io"), STR("ListOptions"), STR(""), &list);
	int64_t revision;
	if (is_watch && r->options.resource_version.len &&
	    (!str_to_i64(r->options.resource_version, &revision) || revision < 0))
		return bad_revision(r, RC_INTERNAL);
	return STEP_NEXT;
}

enum step too_large_revision(struct request *r, int64_t wanted)
{
	int64_t have = snapshot_revision(request_snapshot(r));
	request_fail(r, RC_TIMEOUT, "Timeout: Too large resource version: %lld, current: %lld",
		     (long long)wanted, (long long)have);
	struct json *details = json_object(&r->arena), *causes = json_array(&r->arena),
		    *cause = json_object(&r->arena);
	json_set_str(&r->arena, cause, STR("reason"), STR("ResourceVersionTooLarge"));
	json_set_str(&r->arena, cause, STR("message"), STR("Too large resource version"));
	json_append(&r->arena, causes, cause);
	json_set(&r->arena, details, STR("causes"), causes);
	json_set(&r->arena, details, STR("retryAfterSeconds"), json_int(&r->arena, 1));
	json_set(&r->arena, r->reply.tree, STR("details"), details);
	r->reply.retry_after_s = 1;
	return STEP_DONE;
}

enum step list_revision_check(struct request *r)
{
	int64_t wanted = 0;
	struct str text = r->options.resource_version;
	if (text.len == 0)
		return STEP_NEXT;
	if (!str_to_i64(text, &wanted) || wanted < 0)
		return bad_revision(r, r->route.verb == DO_GET ? RC_INTERNAL : RC_BAD_REQUEST);
	if (wanted <= snapshot_revision(request_snapshot(r)))
		return STEP_NEXT;
	return too_large_revision(r, wanted);
}
