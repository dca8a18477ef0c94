/* metadata that the server decides. */
#include "api/gotext.h"
#include "api/managed_fields.h"
#include "api/names.h"
#include "api/repeats.h"
#include "base/timefmt.h"
#include "server/server.h"
#include "server/write.h"

#define GENERATED_NAME_TRIES 8

void json_set_time(struct arena *a, struct json *object, const char *key, int64_t time_us)
{
	char text[TIME_TEXT_MAX];
	size_t len = time_format(time_us, text);
	json_set_str(a, object, str_of(key), arena_str(a, str_n(text, len)));
}

static void set_generated_name(struct request *r, struct json *meta)
{
	struct str base = json_path_str(meta, "generateName");
	if (json_path_str(meta, "name").len || base.len == 0)
		return;
	/* A name that is taken is no reason to refuse: five letters collide soon among thousands.
	 */
	uint16_t stored_id = write_storage_kind(r)->stored_id;
	for (int i = 0; i < GENERATED_NAME_TRIES; i++) {
		uint8_t random[NAME_SUFFIX_LEN];
		world_random(random, sizeof(random));
		struct str name = name_generate(&r->arena, base, random);
		json_set_str(&r->arena, meta, STR("name"), name);
		if (!store_pending_get(r->server->store, stored_id,
				       json_path_str(meta, "namespace"), name))
			return;
	}
}

bool write_meta_namespace(struct request *r, struct json *tree)
{
	struct json *meta = json_need_object(&r->arena, tree, STR("metadata"));
	struct str namespace = json_path_str(meta, "namespace");
	if (!r->route.kind->is_namespaced) {
		json_remove(meta, STR("namespace"));
		return true;
	}
	if (namespace.len && !str_eq(namespace, r->route.namespace)) {
		request_fail(r, RC_BAD_REQUEST,
			     "the namespace of the provided object does not match the namespace "
			     "sent on the request");
		return false;
	}
	json_set_str(&r->arena, meta, STR("namespace"), r->route.namespace);
	return true;
}

void write_meta_owners(struct request *r, struct json *tree, bool is_after_admission)
{
	struct json *owners = json_path(tree, "metadata.ownerReferences");
	CLEANUP_BUF uids = BUF_INIT(REQUEST_BODY_MAX);
	struct json *kept = json_array(&r->arena);
	struct repeats seen = {};
	for (size_t i = 0; i < json_count(owners); i++) {
		struct json *owner = json_at(owners, i);
		if (repeats_has(&seen, &r->arena, owners, i, NULL))
			buf_printf(&uids, "%s%.*s", uids.len ? ", " : "",
				   STR_FMT(json_path_str(owner, "uid")));
		else
			json_append(&r->arena, kept, owner);
	}
	if (uids.len == 0)
		return;
	*owners = *kept;
	request_warn(r,
		     ".metadata.ownerReferences contains duplicate entries%s; API server dedups "
		     "owner references in 1.20+, and may reject such requests as early as 1.24; "
		     "please fix your requests; duplicate UID(s) observed: %s",
		     is_after_admission ? " after mutating admission happens" : "", uids.data);
}

bool write_meta_create(struct request *r, struct json *tree)
{
	char uid[37];
	struct arena *a = &r->arena;
	struct json *meta = json_need_object(a, tree, STR("metadata"));
	if (!write_meta_namespace(r, tree))
		return false;
	set_generated_name(r, meta);
	world_uuid(uid);
	json_set_str(a, meta, STR("uid"), arena_str(a, str_n(uid, 36)));
	json_set_time(a, meta, "creationTimestamp", world_wall_us());
	static const char *const not_yours[] = {"deletionTimestamp", "deletionGracePeriodSeconds",
						"selfLink", "resourceVersion"};
	for (size_t i = 0; i < ARRAY_LEN(not_yours); i++)
		json_remove(meta, str_of(not_yours[i]));
	return true;
}

static void keep(struct request *r, struct json *meta, const struct json *old_meta, const char *key,
		 bool is_forced)
{
	struct json *old = json_get(old_meta, str_of(key));
	if (!is_forced && json_get(meta, str_of(key)))
		return;
	if (old)
		json_set(&r->arena, meta, str_of(key), old);
	else
		json_remove(meta, str_of(key));
}

/* Where upstream's store would keep the object: its messages name it.  What stands in for the store
 * in a dry run knows no prefix. */
static struct str storage_key(struct request *r)
{
	static const struct {
		const char *plural, *folder;
	} rows[] = {{"endpoints", "services/endpoints"},
		    {"ingresses", "ingress"},
		    {"nodes", "minions"},
		    {"services", "services/specs"}};
	const struct route *route = &r->route;
	struct str folder = route->kind->plural;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(folder, rows[i].plural))
			folder = str_of(rows[i].folder);
	bool is_below = route->kind->is_namespaced;
	return arena_printf(&r->arena, "%s/%.*s%s%.*s/%.*s",
			    r->options.is_dry_run ? "" : "/registry", STR_FMT(folder),
			    is_below ? "/" : "", STR_FMT(is_below ? route->namespace : STR("")),
			    STR_FMT(route->name));
}

struct str write_wrong_uid(struct request *r, struct str wanted, const struct object *old)
{
	return arena_printf(&r->arena,
			    "StorageError: invalid object, Code: 4, Key: %.*s, ResourceVersion: 0, "
			    "AdditionalErrorMsg: Precondition failed: UID in precondition: %.*s, "
			    "UID in object meta: %.*s",
			    STR_FMT(storage_key(r)), STR_FMT(wanted), STR_FMT(old->uid));
}

static bool check_preconditions(struct request *r, struct object *old, const struct json *meta)
{
	struct str uid = json_path_str(meta, "uid"),
		   revision = json_path_str(meta, "resourceVersion");
	int64_t wanted = 0;
	/* A patch states no precondition: there another uid is a change that nobody may make. */
	if (uid.len && !str_eq(uid, old->uid) && r->route.verb != DO_PATCH) {
		struct str why = write_wrong_uid(r, uid, old);
		request_conflict(r, r->route.kind, old->name, arena_cstr(&r->arena, why));
		return false;
	}
	if (revision.len == 0 || str_is(revision, "0"))
		return true;
	if (!str_to_i64(revision, &wanted)) {
		struct str fault = gotext_uint_fault(&r->arena, revision);
		request_fail(r, RC_BAD_REQUEST, "resourceVersion: %.*s", STR_FMT(fault));
		return false;
	}
	if (wanted == old->revision)
		return true;
	request_conflict(r, r->route.kind, old->name,
			 "the object has been modified; please apply your changes to the latest "
			 "version and try again");
	return false;
}

bool write_meta_update(struct request *r, struct object *old, struct json *old_tree,
		       struct json *tree)
{
	struct json *meta = json_need_object(&r->arena, tree, STR("metadata"));
	struct json *old_meta = json_get(old_tree, STR("metadata"));
	if (!write_meta_namespace(r, tree) || !check_preconditions(r, old, meta))
		return false;
	static const char *const defaulted[] = {"uid", "creationTimestamp", "name"};
	keep(r, meta, old_meta, "generation", true);
	for (size_t i = 0; i < ARRAY_LEN(defaulted); i++)
		keep(r, meta, old_meta, defaulted[i], false);
	/* Nobody takes a deletion back; that it may not be begun here, validation says. */
	if (json_get(old_meta, STR("deletionTimestamp")))
		keep(r, meta, old_meta, "deletionTimestamp", true);
	if (json_get(old_meta, STR("deletionTimestamp")))
		keep(r, meta, old_meta, "deletionGracePeriodSeconds", false);
	json_set(&r->arena, meta, STR("resourceVersion"),
		 json_printf(&r->arena, "%lld", (long long)old->revision));
	return true;
}

struct str write_manager(struct request *r)
{
	if (r->options.field_manager.len)
		return r->options.field_manager;
	if (!r->exchange)
		return STR("skeg");
	return managed_from_agent(&r->arena, r->user_agent);
}
