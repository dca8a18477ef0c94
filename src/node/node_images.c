#include "node/node_images.h"

#include "base/log.h"
#include "node/agent-int.h"

struct node_images {
	struct node_agent *agent;
	struct arena arena, next_arena; /* of list; of what is being read */
	struct runtime_image_list list, next;
	struct runtime_trim_result trimmed;
	struct runtime_call call;
	bool is_busy, is_stale; /* a call is under way; it has changed meanwhile */
	struct loop_timer timer;
};

static struct runtime *runtime_of(const struct node_images *n)
{
	return n->agent->config.runtime;
}

/* ---- the list ---- */

static void listed(struct runtime_call *call)
{
	struct node_images *n = CONTAINER_OF(call, struct node_images, call);
	n->is_busy = false;
	if (call->rc == RC_OK) {
		struct arena old = n->arena;
		n->arena = n->next_arena;
		n->list = n->next;
		n->next_arena = old;
		if (n->agent->registration)
			node_registration_wake(n->agent->registration);
	} else {
		log_warn("node", "images: %s", call->err.text);
	}
	arena_done(&n->next_arena);
	if (n->is_stale)
		node_images_changed(n);
}

static void list(struct node_images *n)
{
	n->is_busy = true;
	n->is_stale = false;
	n->call.done = listed;
	runtime_of(n)->ops->image_list(runtime_of(n), &n->next_arena, &n->next, &n->call);
}

void node_images_changed(struct node_images *n)
{
	if (n && n->is_busy)
		n->is_stale = true;
	else if (n)
		list(n);
}

/* ---- room ---- */

static void trimmed(struct runtime_call *call)
{
	struct node_images *n = CONTAINER_OF(call, struct node_images, call);
	const struct runtime_trim_result *t = &n->trimmed;
	if (call->rc != RC_OK)
		log_warn("node", "unused images: %s", call->err.text);
	else if (t->freed_bytes < t->wanted_bytes)
		agent_event(n->agent, agent_node_object(n->agent), NULL, "Warning",
			    "FreeDiskSpaceFailed",
			    "Failed to garbage collect required amount of images. Attempted to "
			    "free %lld bytes, but only found %lld bytes eligible to free.",
			    (long long)t->wanted_bytes, (long long)t->freed_bytes);
	list(n);
}

static void on_timer(struct loop_timer *timer)
{
	struct node_images *n = CONTAINER_OF(timer, struct node_images, timer);
	loop_timer_start(n->agent->loop, timer, NODE_IMAGES_PERIOD_MS, on_timer);
	if (n->is_busy)
		return;
	n->is_busy = true;
	n->call.done = trimmed;
	runtime_of(n)->ops->image_trim(runtime_of(n), &n->trimmed, &n->call);
}

/* ---- the status ---- */

static int larger_first(const void *a, const void *b)
{
	const struct container_image *x = a, *y = b;
	return x->size_bytes > y->size_bytes ? -1 : x->size_bytes < y->size_bytes;
}

static struct str_array names_of(struct arena *a, const struct runtime_image_info *info)
{
	struct str *names = ARENA_ARRAY(a, struct str, NODE_IMAGE_NAMES_MAX);
	uint32_t count = 0;
	for (size_t i = 0; i < info->digest_count && count < NODE_IMAGE_NAMES_MAX; i++)
		names[count++] = info->digests[i];
	for (size_t i = 0; i < info->tag_count && count < NODE_IMAGE_NAMES_MAX; i++)
		names[count++] = info->tags[i];
	return (struct str_array){names, count};
}

struct container_image_array node_images_view(struct arena *a, const struct node_images *n)
{
	size_t count = n ? n->list.count : 0;
	struct container_image *items = ARENA_ARRAY(a, struct container_image, count + 1);
	for (size_t i = 0; i < count; i++)
		items[i] = (struct container_image){names_of(a, &n->list.items[i]),
						    n->list.items[i].size_bytes};
	if (count > 1)
		qsort(items, count, sizeof(*items), larger_first);
	return (struct container_image_array){items, (uint32_t)MIN(count, (size_t)NODE_IMAGES_MAX)};
}

/* ---- life ---- */

struct node_images *node_images_new(struct node_agent *agent)
{
	struct node_images *n = NEW(struct node_images);
	n->agent = agent;
	list(n);
	loop_timer_start(agent->loop, &n->timer, NODE_IMAGES_PERIOD_MS, on_timer);
	return n;
}

void node_images_free(struct node_images *n)
{
	if (!n)
		return;
	loop_timer_stop(&n->timer);
	loop_defer_cancel(&n->call.msg);
	arena_done(&n->arena);
	arena_done(&n->next_arena);
	free(n);
}
