/* little_server: a client whose server is a literal cache: just enough of the API's semantics to
 * let controllers work against each other in a unit test.  Include after literal.h. */
#ifndef SKEG_TESTS_LITTLE_SERVER_H
#define SKEG_TESTS_LITTLE_SERVER_H

#include "api/strategic.h"
#include "base/timefmt.h"
#include "io/loop.h"

struct little_server {
	struct client client; /* first */
	struct cache *cache;
	int64_t revision;
	unsigned names, addresses;
	enum rc fail_create; /* of kind fail_kind */
	uint16_t fail_kind;
	unsigned requests;
};

static inline struct json *little_merge(struct arena *a, struct json *to, const struct json *patch)
{
	if (patch->type != JSON_OBJECT)
		return json_copy(a, patch);
	if (!to || to->type != JSON_OBJECT)
		to = json_object(a);
	for (size_t i = 0; i < patch->object.count; i++) {
		const struct json_member *m = &patch->object.members[i];
		if (m->value->type == JSON_NULL)
			json_remove(to, m->key);
		else
			json_set(a, to, m->key, little_merge(a, json_get(to, m->key), m->value));
	}
	return to;
}

static inline struct str little_time(struct arena *a)
{
	char text[TIME_TEXT_MAX];
	size_t len = time_format(world_wall_us(), text);
	return arena_str(a, str_n(text, len));
}

static inline bool little_may_go(const struct object *o)
{
	if (!o->is_deleting || object_meta(o)->finalizers.count)
		return false;
	if (o->stored_id == KIND_NAMESPACE)
		return ((const struct namespace *)object_view(o))->spec.finalizers.count == 0;
	if (o->stored_id == KIND_POD) {
		const struct pod *pod = object_view(o);
		const int64_t *grace = pod->metadata.deletion_grace_period_seconds;
		return !pod->spec.node_name.len || (grace && *grace == 0);
	}
	return true;
}

static inline void little_store(struct little_server *s, struct arena *a,
				const struct api_kind *kind, struct json *tree,
				struct client_reply *reply)
{
	struct object *o = NULL;
	json_remove(tree, STR("kind"));
	json_remove(tree, STR("apiVersion"));
	reply->rc = api_normalise(a, api_type(api_builtin(), kind->type), tree, NULL, &tree,
				  &reply->err);
	if (reply->rc != RC_OK)
		return;
	api_default(a, kind, tree);
	reply->rc = object_new(kind, tree, ++s->revision, &o, &reply->err);
	if (reply->rc != RC_OK)
		return;
	reply->object = o;
	reply->revision = o->revision;
	if (little_may_go(o))
		cache_drop(s->cache, o->stored_id, o->namespace, o->name);
	else
		cache_put(s->cache, o);
}

static inline void little_create(struct little_server *s, struct arena *a,
				 const struct client_request *r, struct client_reply *reply)
{
	struct json *tree = json_copy(a, r->body);
	struct json *meta = json_need_object(a, tree, STR("metadata"));
	struct str name = json_str(json_get(meta, STR("name")));
	if (s->fail_create && r->kind->stored_id == s->fail_kind) {
		reply->rc = err_set(&reply->err, s->fail_create, "refused by the test");
		return;
	}
	if (!name.len)
		name = arena_printf(a, "%.*s%05u",
				    STR_FMT(json_str(json_get(meta, STR("generateName")))),
				    ++s->names);
	if (cache_get(s->cache, r->kind->stored_id, r->namespace, name)) {
		reply->rc = err_set(&reply->err, RC_ALREADY_EXISTS, "\"%.*s\" already exists",
				    STR_FMT(name));
		return;
	}
	json_set_str(a, meta, STR("name"), name);
	if (r->kind->is_namespaced)
		json_set_str(a, meta, STR("namespace"), r->namespace);
	json_set_str(a, meta, STR("uid"), arena_printf(a, "uid-%u", ++s->names));
	json_set_str(a, meta, STR("creationTimestamp"), little_time(a));
	api_prepare_create(a, r->kind, tree, world_wall_us());
	little_store(s, a, r->kind, tree, reply);
}

static inline struct json *little_changed(struct arena *a, const struct client_request *r,
					  struct json *old, struct err *err)
{
	struct json *tree = json_copy(a, old), *result = NULL;
	if (r->verb == CLIENT_UPDATE)
		return json_copy(a, r->body);
	if (r->verb == CLIENT_PATCH_MERGE)
		return little_merge(a, tree, r->body);
	struct field_errors errors = {.arena = a};
	if (strategic_merge(a, api_type(api_builtin(), r->kind->type), tree, json_copy(a, r->body),
			    &result, &errors, err) != RC_OK)
		return NULL;
	return result;
}

static inline void little_bind(struct arena *a, struct json *tree, const struct json *binding)
{
	json_set_str(a, json_need_object(a, tree, STR("spec")), STR("nodeName"),
		     json_path_str(binding, "target.name"));
}

static inline void little_update(struct little_server *s, struct arena *a,
				 const struct client_request *r, struct client_reply *reply)
{
	struct object *o = cache_get(s->cache, r->kind->stored_id, r->namespace, r->name);
	if (!o) {
		reply->rc =
			err_set(&reply->err, RC_NOT_FOUND, "\"%.*s\" not found", STR_FMT(r->name));
		return;
	}
	struct json *old = object_tree(a, o), *tree;
	struct str expected = json_path_str(r->body, "metadata.resourceVersion");
	int64_t number = 0;
	if (expected.len && (!str_to_i64(expected, &number) || number != o->revision)) {
		reply->rc = err_set(&reply->err, RC_CONFLICT, "the object has been modified");
		return;
	}
	if (str_is(r->subresource, "binding")) {
		tree = json_copy(a, old);
		little_bind(a, tree, r->body);
	} else {
		tree = little_changed(a, r, old, &reply->err);
	}
	if (!tree) {
		reply->rc = reply->err.rc;
		return;
	}
	struct json *meta = json_need_object(a, tree, STR("metadata"));
	static const char *const kept[] = {"uid",
					   "creationTimestamp",
					   "deletionTimestamp",
					   "deletionGracePeriodSeconds",
					   "generation",
					   "name",
					   "namespace"};
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct json *value = json_get(json_get(old, STR("metadata")), str_of(kept[i]));
		if (value)
			json_set(a, meta, str_of(kept[i]), value);
	}
	if (!str_is(r->subresource, "binding"))
		api_prepare_update(a, r->kind, old, tree, arena_cstr(a, r->subresource),
				   world_wall_us());
	little_store(s, a, r->kind, tree, reply);
}

static inline bool little_has(const struct str_array *array, const char *text)
{
	for (uint32_t i = 0; i < array->count; i++)
		if (str_is(array->at[i], text))
			return true;
	return false;
}

static inline void little_delete(struct little_server *s, struct arena *a,
				 const struct client_request *r, struct client_reply *reply)
{
	struct object *o = cache_get(s->cache, r->kind->stored_id, r->namespace, r->name);
	if (!o || (r->uid.len && !str_eq(r->uid, o->uid))) {
		reply->rc = err_set(&reply->err, RC_NOT_FOUND, "not found");
		return;
	}
	struct json *tree = object_tree(a, o);
	struct json *meta = json_need_object(a, tree, STR("metadata"));
	const char *finalizer = str_is(r->propagation, "Foreground") ? "foregroundDeletion"
				: str_is(r->propagation, "Orphan")   ? "orphan"
								     : NULL;
	struct json *list = json_get(meta, STR("finalizers"));
	if (finalizer && !little_has(&object_meta(o)->finalizers, finalizer)) {
		if (!list)
			list = json_array(a);
		json_append(a, list, json_cstring(a, finalizer));
		json_set(a, meta, STR("finalizers"), list);
	}
	if (!json_get(meta, STR("deletionTimestamp")))
		json_set_str(a, meta, STR("deletionTimestamp"), little_time(a));
	json_set(a, meta, STR("deletionGracePeriodSeconds"),
		 json_int(a, r->grace_period_s >= 0 ? r->grace_period_s : 30));
	little_store(s, a, r->kind, tree, reply);
}

static inline void little_submit(struct client *client, const struct client_request *r,
				 client_done_fn *done, void *ctx)
{
	struct little_server *s = CONTAINER_OF(client, struct little_server, client);
	CLEANUP_ARENA a = {};
	struct client_reply reply = {};
	s->requests++;
	if (r->verb == CLIENT_CREATE && !r->subresource.len)
		little_create(s, &a, r, &reply);
	else if (r->verb == CLIENT_DELETE)
		little_delete(s, &a, r, &reply);
	else
		little_update(s, &a, r, &reply);
	done(ctx, &reply);
	object_unref(reply.object);
}

static inline void little_ignore(void *ctx, const struct client_reply *reply)
{
	if (reply->rc != RC_OK)
		fail_msg("%s", reply->err.text);
}

/* One document: created, or the object's spec and metadata changed, as a user does. */
static inline void little_apply(struct little_server *s, const char *text)
{
	CLEANUP_ARENA a = {};
	struct err err = {};
	struct yaml_document *documents;
	size_t count;
	if (yaml_parse(&a, str_of(text), &documents, &count, NULL, &err) != RC_OK || count != 1)
		fail_msg("%s", err.text);
	const struct json *tree = documents[0].tree;
	struct client_request r = {.verb = CLIENT_UPDATE,
				   .kind = api_by_api_version(api_builtin(),
							      json_path_str(tree, "apiVersion"),
							      json_path_str(tree, "kind")),
				   .namespace = STR("default"),
				   .name = json_path_str(tree, "metadata.name"),
				   .body = tree};
	if (!cache_get(s->cache, r.kind->stored_id, r.namespace, r.name))
		r.verb = CLIENT_CREATE;
	little_submit(&s->client, &r, little_ignore, NULL);
}

static const struct client_ops little_ops = {.submit = little_submit};

static inline void little_start(struct little_server *s)
{
	*s = (struct little_server){
		.client = {.ops = &little_ops, .loop = loop_new(), .api = api_builtin()},
		.cache = cache_new_literal(api_builtin()),
		.revision = 1000};
}

static inline void little_stop(struct little_server *s)
{
	cache_free(s->cache);
	loop_free(s->client.loop);
}

static inline struct client *little_client(void *ctx, const char *service_account)
{
	return &((struct little_server *)ctx)->client;
}

/* Runs the loop until the controllers have nothing to do. */
static inline void little_settle(struct little_server *s, const struct reconciler *r)
{
	int64_t end_ms = world_mono_ms() + 10000;
	do {
		if (world_mono_ms() > end_ms)
			fail_msg("the controllers do not come to rest");
		loop_run_once(s->client.loop, 1);
	} while (!reconciler_is_idle(r));
}

static inline void little_run_pod(struct little_server *s, const struct object *o, bool places,
				  const char *phase)
{
	CLEANUP_ARENA a = {};
	struct client_reply reply = {};
	struct json *tree = object_tree(&a, o), *patch;
	if (places)
		json_set_str(&a, json_get(tree, STR("spec")), STR("nodeName"), STR("n1"));
	s->addresses++;
	struct str status = arena_printf(
		&a,
		"{\"status\":{\"phase\":\"%s\",\"podIP\":\"10.42.0.%u\",\"podIPs\":[{\"ip\":"
		"\"10.42.0.%u\"}],\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\","
		"\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}}",
		phase, s->addresses, s->addresses, strcmp(phase, "Running") ? "False" : "True");
	if (json_parse(&a, status, &patch, NULL, NULL) != RC_OK)
		fail();
	tree = little_merge(&a, tree, patch);
	little_store(s, &a, o->kind, tree, &reply);
	object_unref(reply.object);
}

/* What a kubelet does, and with places a scheduler too: every pod without a phase that has a node
 * becomes Running and Ready; deleted ones end and, without finalizers, go. */
static inline void little_kubelet_on(struct little_server *s, bool places)
{
	struct object *pods[2000], *o;
	size_t count = 0;
	struct cache_iter it = cache_iterate(s->cache, KIND_POD, (struct str){});
	while (count < ARRAY_LEN(pods) && (o = cache_next(&it)))
		pods[count++] = object_ref(o);
	for (size_t i = 0; i < count; i++) {
		const struct pod *pod = object_view(pods[i]);
		bool is_new = !pod->status.phase.len || str_is(pod->status.phase, "Pending");
		bool has_ended = str_is(pod->status.phase, "Succeeded") ||
				 str_is(pod->status.phase, "Failed");
		if (pods[i]->is_deleting && !pod->metadata.finalizers.count)
			cache_drop(s->cache, KIND_POD, pods[i]->namespace, pods[i]->name);
		else if (pods[i]->is_deleting && !has_ended)
			little_run_pod(s, pods[i], false, "Failed");
		else if (is_new && (places || pod->spec.node_name.len))
			little_run_pod(s, pods[i], places && !pod->spec.node_name.len, "Running");
		object_unref(pods[i]);
	}
}

static inline void little_kubelet(struct little_server *s)
{
	little_kubelet_on(s, true);
}

#endif
