/* literal: objects and caches from YAML text, and plans as text, for tests of controllers and
 * scheduler.  Include after cmocka.h. */
#ifndef SKEG_TESTS_LITERAL_H
#define SKEG_TESTS_LITERAL_H

#include "api/api_ids.h"
#include "api/decode.h"
#include "api/defaults.h"
#include "api/object.h"
#include "api/views.h"
#include "codec/yaml.h"
#include "sync/reconcile.h"

#define LITERAL_NOW_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

/* Defaults are filled in; uid is "uid-<name>" and resourceVersion the given revision, when absent.
 */
static inline struct object *literal_object(struct arena *a, struct json *tree, int64_t revision)
{
	struct err err = {};
	struct object *o = NULL;
	const struct api_kind *kind = api_by_api_version(
		api_builtin(), json_path_str(tree, "apiVersion"), json_path_str(tree, "kind"));
	if (!kind)
		fail_msg("no kind '%.*s'", STR_FMT(json_path_str(tree, "kind")));
	struct json *meta = json_need_object(a, tree, STR("metadata"));
	struct str name = json_str(json_get(meta, STR("name")));
	if (!json_get(meta, STR("uid")))
		json_set_str(a, meta, STR("uid"), arena_printf(a, "uid-%.*s", STR_FMT(name)));
	if (kind->is_namespaced && !json_get(meta, STR("namespace")))
		json_set_str(a, meta, STR("namespace"), STR("default"));
	json_remove(tree, STR("kind"));
	json_remove(tree, STR("apiVersion"));
	if (api_normalise(a, api_type(api_builtin(), kind->type), tree, NULL, &tree, &err) != RC_OK)
		fail_msg("%s", err.text);
	api_default(a, kind, tree);
	if (object_new(kind, tree, revision, &o, &err) != RC_OK)
		fail_msg("%s", err.text);
	return o;
}

/* Puts all documents of the text into the cache. */
static inline void literal_put(struct cache *cache, const char *text)
{
	static int64_t revision = 100;
	CLEANUP_ARENA a = {};
	struct err err = {};
	struct yaml_document *documents;
	size_t count;
	if (yaml_parse(&a, str_of(text), &documents, &count, NULL, &err) != RC_OK)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < count; i++) {
		struct object *o = literal_object(&a, documents[i].tree, ++revision);
		cache_put(cache, o);
		object_unref(o);
	}
}

static inline struct cache *literal_cache(const char *text)
{
	struct cache *cache = cache_new_literal(api_builtin());
	literal_put(cache, text);
	return cache;
}

static inline struct plan literal_plan(struct arena *a, const struct cache *cache,
				       const struct controller *controller, const void *state,
				       const char *namespace, const char *name)
{
	struct plan p = {.arena = a,
			 .cache = cache,
			 .now_us = LITERAL_NOW_US,
			 .controller = controller,
			 .state = state,
			 .started_us = LITERAL_NOW_US - 3600 * INT64_C(1000000)};
	controller->plan(&p, str_of(namespace), str_of(name));
	return p;
}

static inline const char *literal_verb(enum client_verb verb)
{
	static const char *const names[] = {"get",	 "create", "update", "patch",
					    "strategic", "apply",  "delete"};
	return names[verb];
}

/* One line a request, "create Pod default/web-", and one an event, "event Normal Reason message".
 */
static inline const char *literal_text(struct plan *p)
{
	CLEANUP_BUF out = BUF_INIT(1u << 20);
	for (size_t i = 0; i < p->count; i++) {
		const struct client_request *r = &p->requests[i];
		struct str name = r->name;
		if (!name.len)
			name = json_path_str(r->body, "metadata.generateName");
		buf_printf(&out, "%s %.*s %.*s/%.*s", literal_verb(r->verb), STR_FMT(r->kind->kind),
			   STR_FMT(r->namespace), STR_FMT(name));
		if (r->subresource.len)
			buf_printf(&out, " %.*s", STR_FMT(r->subresource));
		if (r->propagation.len)
			buf_printf(&out, " %.*s", STR_FMT(r->propagation));
		buf_add_char(&out, '\n');
	}
	for (size_t i = 0; i < p->note_count; i++) {
		const struct event_note *n = &p->notes[i].note;
		if (p->notes[i].when == PLAN_NOTE_FAILED)
			continue;
		buf_printf(&out, "event %.*s %.*s %.*s\n", STR_FMT(n->type), STR_FMT(n->reason),
			   STR_FMT(n->message));
	}
	return arena_cstr(p->arena, buf_str(&out));
}

/* The body of a request as JSON text. */
static inline const char *literal_body(struct plan *p, size_t index)
{
	CLEANUP_BUF out = BUF_INIT(1u << 20);
	assert_true(index < p->count);
	json_write(&out, p->requests[index].body);
	return arena_cstr(p->arena, buf_str(&out));
}

/* The part of a body at a dotted path as JSON text; "" when absent. */
static inline const char *literal_at(struct plan *p, size_t index, const char *path)
{
	CLEANUP_BUF out = BUF_INIT(1u << 20);
	assert_true(index < p->count);
	const struct json *value = json_path(p->requests[index].body, path);
	if (value)
		json_write(&out, value);
	return arena_cstr(p->arena, buf_str(&out));
}

#endif
