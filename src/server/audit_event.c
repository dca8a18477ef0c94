#include "server/audit_event.h"

#include "base/timefmt.h"
#include "server/encode.h"

static void add_text(struct buf *out, const char *key, struct str value)
{
	if (value.len == 0)
		return;
	buf_printf(out, ",\"%s\":", key);
	json_write_string(out, value);
}

static void add_time(struct buf *out, const char *key, int64_t time_us)
{
	char text[TIME_TEXT_MAX];
	add_text(out, key, str_n(text, time_format_micro(time_us, text)));
}

static void add_user(struct buf *out, struct arena *a, const char *key, const struct user *user)
{
	struct json *tree = json_object(a), *groups = json_array(a);
	for (size_t i = 0; i < user->group_count; i++)
		json_append(a, groups, json_string(a, user->groups[i]));
	if (user->name.len)
		json_set_str(a, tree, STR("username"), user->name);
	if (user->uid.len)
		json_set_str(a, tree, STR("uid"), user->uid);
	if (user->group_count)
		json_set(a, tree, STR("groups"), groups);
	if (json_count(user->extra))
		json_set(a, tree, STR("extra"), user->extra);
	buf_printf(out, ",\"%s\":", key);
	json_write(out, tree);
}

static void add_object_ref(struct buf *out, const struct route *route, struct str name)
{
	if (!route->is_resource)
		return;
	buf_add_cstr(out, ",\"objectRef\":{\"resource\":");
	json_write_string(out, route->resource);
	add_text(out, "namespace", route->namespace);
	add_text(out, "name", name);
	add_text(out, "apiGroup", route->group);
	add_text(out, "apiVersion", route->version);
	add_text(out, "subresource", route->subresource);
	buf_add_char(out, '}');
}

void audit_object_write(struct buf *out, struct arena *a, const struct json *tree,
			bool omits_managed_fields)
{
	struct json *metadata = json_get(tree, STR("metadata"));
	if (!omits_managed_fields || !json_get(metadata, STR("managedFields"))) {
		json_write(out, tree);
		return;
	}
	struct json *copy = json_clone(a, tree);
	json_remove(json_get(copy, STR("metadata")), STR("managedFields"));
	json_write(out, copy);
}

/* The Status of a failure without its type; else the code alone. */
static void add_status(struct buf *out, const struct request *r)
{
	static const char *const keys[] = {"status", "message", "reason"};
	buf_add_cstr(out, ",\"responseStatus\":{\"metadata\":{}");
	bool is_failure = r->reply.status >= 400 && r->reply.tree;
	for (size_t i = 0; i < ARRAY_LEN(keys) && is_failure; i++)
		add_text(out, keys[i], json_str(json_get(r->reply.tree, str_of(keys[i]))));
	const struct json *details = is_failure ? json_get(r->reply.tree, STR("details")) : NULL;
	if (json_count(details)) {
		buf_add_cstr(out, ",\"details\":");
		json_write(out, details);
	}
	buf_printf(out, ",\"code\":%d}", r->reply.status ? r->reply.status : 200);
}

/* Of lists only what is already JSON. */
static void add_response(struct buf *out, struct request *r, bool omits_managed_fields)
{
	if (r->reply.object) {
		buf_add_cstr(out, ",\"responseObject\":");
		audit_object_write(out, &r->arena,
				   served_tree(&r->arena, r->route.kind, r->reply.object),
				   omits_managed_fields);
	} else if (r->reply.tree) {
		buf_add_cstr(out, ",\"responseObject\":");
		audit_object_write(out, &r->arena, r->reply.tree, omits_managed_fields);
	}
}

static void add_annotation(struct buf *out, const char *key, struct str value, bool *is_first)
{
	if (!value.len)
		return;
	buf_printf(out, "%s\"%s\":", *is_first ? "" : ",", key);
	json_write_string(out, value);
	*is_first = false;
}

static void add_annotations(struct buf *out, const struct request *r,
			    const struct audit_record *record)
{
	bool is_first = true;
	if (!record->verdict.len && !r->token_note)
		return;
	buf_add_cstr(out, ",\"annotations\":{");
	if (r->token_note)
		add_annotation(out, r->token_note, r->token_note_text, &is_first);
	add_annotation(out, "authorization.k8s.io/decision", record->verdict, &is_first);
	if (record->verdict.len) {
		buf_add_cstr(out, ",\"authorization.k8s.io/reason\":");
		json_write_string(out, record->reason);
	}
	buf_add_char(out, '}');
}

static void add_request(struct buf *out, struct request *r, const struct audit_record *record)
{
	struct str uri = r->path;
	if (r->query.len)
		uri = arena_printf(&r->arena, "%.*s?%.*s", STR_FMT(r->path), STR_FMT(r->query));
	add_text(out, "requestURI", uri);
	add_text(out, "verb", r->route.authz_verb);
	add_user(out, &r->arena, "user", &record->user);
	if (!str_eq(record->user.name, r->user.name))
		add_user(out, &r->arena, "impersonatedUser", &r->user);
	buf_add_cstr(out, ",\"sourceIPs\":[");
	json_write_string(out, http_peer(r->exchange));
	buf_add_char(out, ']');
	add_text(out, "userAgent", r->user_agent);
	add_object_ref(out, &r->route, record->name);
}

void audit_event_write(struct buf *out, struct request *r, const struct audit_record *record,
		       enum audit_stage stage)
{
	const struct audit_decision *d = &record->decision;
	buf_printf(out, "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"%s\"",
		   audit_level_names[d->level]);
	add_text(out, "auditID", r->id);
	add_text(out, "stage", str_of(audit_stage_names[stage]));
	add_request(out, r, record);
	if (stage != AUDIT_RECEIVED)
		add_status(out, r);
	if (stage != AUDIT_RECEIVED && d->level >= AUDIT_REQUEST && record->request_object.len) {
		buf_add_cstr(out, ",\"requestObject\":");
		buf_add_str(out, record->request_object);
	}
	if (stage == AUDIT_COMPLETE && d->level >= AUDIT_REQUEST_RESPONSE)
		add_response(out, r, d->omits_managed_fields);
	add_time(out, "requestReceivedTimestamp", record->received_us);
	add_time(out, "stageTimestamp", world_wall_us());
	add_annotations(out, r, record);
	buf_add_cstr(out, "}\n");
}
