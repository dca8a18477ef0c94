/* memory_client: a client whose API server is a list of objects, for tests of node agents: get,
 * create, merge patch, delete, watch with field selectors.  Replies and events come from the loop,
 * never from inside a call.  Include after cmocka.h. */
#ifndef SKEG_TESTS_MEMORY_CLIENT_H
#define SKEG_TESTS_MEMORY_CLIENT_H

#include "api/selector.h"
#include "codec/patch.h"
#include "literal.h"
#include "sync/client.h"

struct client_watch {
	struct list link;
	struct memory_client *m;
	struct arena arena;
	uint16_t stored_id;
	struct str namespace;
	struct field_selector fields;
	const struct client_watch_ops *ops;
	void *ctx;
	struct loop_msg begin;
};

struct memory_client {
	struct client client;
	struct list watches, answers;
	struct object *objects[256];
	size_t count;
	int64_t revision;
	int requests;
	char event[512]; /* "<reason>: <message>" of the last Event, which is not kept */
};

struct memory_answer {
	struct list link;
	struct loop_msg msg;
	struct client_reply reply;
	client_done_fn *done;
	void *ctx;
};

static inline bool memory_takes(const struct client_watch *w, struct object *o)
{
	CLEANUP_ARENA a = {};
	return o && o->kind->stored_id == w->stored_id &&
	       (!w->namespace.len || str_eq(w->namespace, o->namespace)) &&
	       field_selector_matches_object(&w->fields, o, &a);
}

static inline void memory_tell(struct memory_client *m, struct object *old, struct object *new)
{
	struct client_watch *w;
	LIST_FOR_EACH (w, &m->watches, link) {
		struct object *before = memory_takes(w, old) ? old : NULL;
		struct object *after = memory_takes(w, new) ? new : NULL;
		if (w->begin.fn || (!before && !after))
			continue;
		w->ops->on_event(w->ctx, before, after);
		if (w->ops->on_revision)
			w->ops->on_revision(w->ctx, m->revision);
	}
}

static inline size_t memory_find(struct memory_client *m, uint16_t stored_id, struct str namespace,
				 struct str name)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->objects[i]->kind->stored_id == stored_id &&
		    str_eq(m->objects[i]->namespace, namespace) &&
		    str_eq(m->objects[i]->name, name))
			return i;
	return m->count;
}

static inline struct object *memory_get(struct memory_client *m, uint16_t stored_id,
					const char *namespace, const char *name)
{
	size_t i = memory_find(m, stored_id, str_of(namespace), str_of(name));
	return i < m->count ? m->objects[i] : NULL;
}

/* Takes the place of what has this name; NULL removes it. */
static inline struct object *memory_put(struct memory_client *m, size_t index, struct object *new)
{
	struct object *old = index < m->count ? m->objects[index] : NULL;
	if (new)
		m->objects[index] = new;
	else
		m->objects[index] = m->objects[--m->count];
	if (!old)
		m->count++;
	memory_tell(m, old, new);
	object_unref(old);
	return new;
}

static inline struct object *memory_new(struct memory_client *m, struct arena *a, struct json *tree)
{
	return literal_object(a, tree, ++m->revision);
}

static inline void memory_delete(struct memory_client *m, size_t i, int64_t grace_s)
{
	CLEANUP_ARENA a = {};
	struct object *o = m->objects[i];
	if (grace_s == 0) {
		m->revision++;
		memory_put(m, i, NULL);
		return;
	}
	struct json *tree = object_tree(&a, o);
	struct json *meta = json_get(tree, STR("metadata"));
	json_set_str(&a, meta, STR("deletionTimestamp"), STR("2026-01-01T00:00:00Z"));
	json_set(&a, meta, STR("deletionGracePeriodSeconds"), json_int(&a, grace_s));
	memory_put(m, i, memory_new(m, &a, json_copy(&a, tree)));
}

static inline void memory_patch(struct memory_client *m, size_t i, const struct json *patch,
				struct client_reply *reply)
{
	CLEANUP_ARENA a = {};
	struct json *tree = json_copy(&a, object_tree(&a, m->objects[i]));
	int64_t wanted = 0;
	struct str revision = json_path_str(patch, "metadata.resourceVersion");
	if (revision.len && str_to_i64(revision, &wanted) && wanted != m->objects[i]->revision) {
		reply->rc = err_set(&reply->err, RC_CONFLICT, "it has been modified");
		return;
	}
	if (merge_patch_apply(&a, &tree, patch, &reply->err) != RC_OK)
		fail_msg("%s", reply->err.text);
	reply->object = memory_put(m, i, memory_new(m, &a, tree));
}

static inline void memory_serve(struct memory_client *m, const struct client_request *q,
				struct client_reply *reply)
{
	CLEANUP_ARENA a = {};
	size_t i = memory_find(m, q->kind->stored_id, q->namespace, q->name);
	bool is_create = q->verb == CLIENT_CREATE;
	if (is_create && q->kind->stored_id == KIND_EVENT) {
		snprintf(m->event, sizeof(m->event), "%.*s: %.*s",
			 STR_FMT(json_str(json_get(q->body, STR("reason")))),
			 STR_FMT(json_str(json_get(q->body, STR("message")))));
		return;
	}
	if (!is_create && i == m->count) {
		reply->rc = err_set(&reply->err, RC_NOT_FOUND, "not found");
	} else if (is_create && i < m->count) {
		reply->rc = err_set(&reply->err, RC_ALREADY_EXISTS, "already exists");
	} else if (is_create) {
		struct json *tree = json_copy(&a, q->body);
		json_set_str(&a, tree, STR("kind"), q->kind->kind);
		json_set_str(&a, tree, STR("apiVersion"), q->kind->api_version);
		reply->object = memory_put(m, m->count, memory_new(m, &a, tree));
	} else if (q->verb == CLIENT_PATCH_MERGE) {
		memory_patch(m, i, q->body, reply);
	} else if (q->verb == CLIENT_DELETE) {
		memory_delete(m, i, q->grace_period_s);
	} else if (q->verb == CLIENT_GET) {
		reply->object = m->objects[i];
	}
}

static inline void memory_answered(struct loop_msg *msg)
{
	struct memory_answer *answer = CONTAINER_OF(msg, struct memory_answer, msg);
	list_remove(&answer->link);
	answer->done(answer->ctx, &answer->reply);
	object_unref(answer->reply.object);
	free(answer);
}

static inline void memory_submit(struct client *client, const struct client_request *q,
				 client_done_fn *done, void *ctx)
{
	struct memory_client *m = CONTAINER_OF(client, struct memory_client, client);
	struct memory_answer *answer = NEW(struct memory_answer);
	m->requests++;
	memory_serve(m, q, &answer->reply);
	object_ref(answer->reply.object);
	answer->done = done;
	answer->ctx = ctx;
	answer->msg.fn = memory_answered;
	list_append(&m->answers, &answer->link);
	loop_defer(client->loop, &answer->msg);
}

static inline void memory_begin(struct loop_msg *msg)
{
	struct client_watch *w = CONTAINER_OF(msg, struct client_watch, begin);
	w->begin.fn = NULL;
	for (size_t i = 0; i < w->m->count; i++)
		if (memory_takes(w, w->m->objects[i]))
			w->ops->on_event(w->ctx, NULL, w->m->objects[i]);
	if (w->ops->on_synced)
		w->ops->on_synced(w->ctx);
}

static inline struct client_watch *memory_watch(struct client *client, const struct api_kind *kind,
						struct str namespace, struct str field_selector,
						const struct client_watch_ops *ops, void *ctx)
{
	struct memory_client *m = CONTAINER_OF(client, struct memory_client, client);
	struct client_watch *w = NEW(struct client_watch);
	w->m = m;
	w->stored_id = kind->stored_id;
	w->namespace = arena_str(&w->arena, namespace);
	if (field_selector_parse(&w->arena, arena_str(&w->arena, field_selector), &w->fields,
				 NULL) != RC_OK)
		fail_msg("field selector");
	w->ops = ops;
	w->ctx = ctx;
	w->begin.fn = memory_begin;
	list_append(&m->watches, &w->link);
	loop_defer(client->loop, &w->begin);
	return w;
}

static inline void memory_unwatch(struct client *client, struct client_watch *w)
{
	loop_defer_cancel(&w->begin);
	list_remove(&w->link);
	arena_done(&w->arena);
	free(w);
}

static const struct client_ops memory_ops = {memory_submit, memory_watch, memory_unwatch};

static inline void memory_client_init(struct memory_client *m, struct loop *loop)
{
	*m = (struct memory_client){
		.client = {.ops = &memory_ops, .loop = loop, .api = api_builtin()}};
	list_init(&m->watches);
	list_init(&m->answers);
}

/* Puts the documents of a YAML text, new ones. */
static inline void memory_apply(struct memory_client *m, const char *text)
{
	CLEANUP_ARENA a = {};
	struct yaml_document *documents;
	struct err err;
	size_t count;
	if (yaml_parse(&a, str_of(text), &documents, &count, NULL, &err) != RC_OK)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < count; i++)
		memory_put(m, m->count, memory_new(m, &a, documents[i].tree));
}

/* Merges a YAML text into an object that is there. */
static inline void memory_edit(struct memory_client *m, uint16_t stored_id, const char *namespace,
			       const char *name, const char *text)
{
	CLEANUP_ARENA a = {};
	struct yaml_document *documents;
	struct client_reply reply = {};
	size_t count;
	if (yaml_parse(&a, str_of(text), &documents, &count, NULL, &reply.err) != RC_OK)
		fail_msg("%s", reply.err.text);
	memory_patch(m, memory_find(m, stored_id, str_of(namespace), str_of(name)),
		     documents[0].tree, &reply);
}

static inline void memory_client_done(struct memory_client *m)
{
	while (!list_is_empty(&m->answers)) {
		struct memory_answer *answer = LIST_FIRST(&m->answers, struct memory_answer, link);
		loop_defer_cancel(&answer->msg);
		answer->done(answer->ctx, &answer->reply);
		object_unref(answer->reply.object);
		list_remove(&answer->link);
		free(answer);
	}
	while (m->count)
		object_unref(m->objects[--m->count]);
}

#endif
