/* Building plans; reconcile.c carries them out. */
#include "sync/reconcile.h"

#include "api/view.h"
#include "base/mem.h"
#include "sync/workqueue.h"

struct client_request *plan_request(struct plan *p)
{
	if (p->count == p->cap)
		p->requests =
			arena_grow(p->arena, p->requests, p->count, &p->cap, sizeof(*p->requests));
	struct client_request *request = &p->requests[p->count++];
	*request = (struct client_request){.grace_period_s = -1};
	if (p->controller)
		request->field_manager = STR(CONTROLLER_MANAGER);
	return request;
}

void plan_barrier(struct plan *p)
{
	p->barrier = p->count;
}

static struct client_request *plan_request_for(struct plan *p, enum client_verb verb, uint16_t kind,
					       struct str namespace, struct str name)
{
	struct client_request *request = plan_request(p);
	request->verb = verb;
	request->kind = api_by_stored(cache_api(p->cache), kind);
	ASSERT(request->kind);
	request->namespace = arena_str(p->arena, namespace);
	request->name = arena_str(p->arena, name);
	return request;
}

static struct json *body_of(struct plan *p, const struct api_kind *kind, const void *view)
{
	const struct api_type *type = api_type(cache_api(p->cache), kind->type);
	struct json *tree = view_to_tree(p->arena, type, view);
	json_set_str(p->arena, tree, STR("kind"), kind->kind);
	json_set_str(p->arena, tree, STR("apiVersion"), kind->api_version);
	/* Requests outlive the objects that the view's strings point into. */
	return json_copy(p->arena, tree);
}

void plan_create(struct plan *p, uint16_t kind, struct str namespace, const void *view)
{
	struct client_request *request =
		plan_request_for(p, CLIENT_CREATE, kind, namespace, (struct str){});
	request->body = body_of(p, request->kind, view);
	request->name = json_path_str(request->body, "metadata.name");
}

void plan_update(struct plan *p, uint16_t kind, struct str namespace, struct str name,
		 const void *view)
{
	struct client_request *request = plan_request_for(p, CLIENT_UPDATE, kind, namespace, name);
	request->body = body_of(p, request->kind, view);
}

void plan_update_status(struct plan *p, uint16_t kind, struct str namespace, struct str name,
			const void *view)
{
	struct client_request *request = plan_request_for(p, CLIENT_UPDATE, kind, namespace, name);
	request->subresource = STR("status");
	request->body = body_of(p, request->kind, view);
}

void plan_patch(struct plan *p, uint16_t kind, struct str namespace, struct str name,
		struct str subresource, const struct json *merge_patch)
{
	struct client_request *request =
		plan_request_for(p, CLIENT_PATCH_MERGE, kind, namespace, name);
	request->subresource = subresource;
	request->body = json_copy(p->arena, merge_patch);
}

void plan_delete(struct plan *p, uint16_t kind, const struct object *o, struct str propagation)
{
	struct client_request *request =
		plan_request_for(p, CLIENT_DELETE, kind, o->namespace, o->name);
	request->uid = arena_str(p->arena, o->uid);
	request->propagation = propagation;
}

static struct plan_note *note_add(struct plan *p, const struct object *regarding,
				  const char *component, const char *type, const char *reason)
{
	if (p->note_count == p->note_cap)
		p->notes = arena_grow(p->arena, p->notes, p->note_count, &p->note_cap,
				      sizeof(*p->notes));
	struct plan_note *n = &p->notes[p->note_count++];
	*n = (struct plan_note){};
	event_note_about(&n->note, regarding);
	n->note.namespace = arena_str(p->arena, n->note.namespace);
	n->note.name = arena_str(p->arena, n->note.name);
	n->note.uid = arena_str(p->arena, n->note.uid);
	n->note.component = str_of(component);
	n->note.type = str_of(type);
	n->note.reason = str_of(reason);
	return n;
}

void plan_event(struct plan *p, const struct object *regarding, const char *component,
		const char *type, const char *reason, const char *fmt, ...)
{
	struct plan_note *n = note_add(p, regarding, component, type, reason);
	va_list ap;
	va_start(ap, fmt);
	n->note.message = arena_vprintf(p->arena, fmt, ap);
	va_end(ap);
}

void plan_event_when(struct plan *p, enum plan_note_when when, const struct object *regarding,
		     const char *component, const char *type, const char *reason, const char *fmt,
		     ...)
{
	ASSERT(p->count > 0);
	struct plan_note *n = note_add(p, regarding, component, type, reason);
	n->when = when;
	n->request = p->count - 1;
	va_list ap;
	va_start(ap, fmt);
	n->note.message = arena_vprintf(p->arena, fmt, ap);
	va_end(ap);
}

void keys_add(struct keys *keys, struct str namespace, struct str name)
{
	if (keys->queue) {
		workqueue_add(keys->queue, namespace, name);
		return;
	}
	if (keys->count == keys->cap)
		keys->collected = arena_grow(keys->arena, keys->collected, keys->count, &keys->cap,
					     sizeof(*keys->collected));
	keys->collected[keys->count++] =
		arena_printf(keys->arena, "%.*s/%.*s", STR_FMT(namespace), STR_FMT(name));
}

void keys_add_after(struct keys *keys, struct str namespace, struct str name, int64_t delay_ms)
{
	if (keys->queue)
		workqueue_add_after(keys->queue, namespace, name, delay_ms);
	else
		keys_add(keys, namespace, name);
}
