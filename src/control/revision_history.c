#include "control/revision_history.h"

#define LIMIT_DEFAULT 10

static struct json *revision_data(struct plan *p, const struct pod_template_spec *template)
{
	struct arena *a = p->arena;
	struct json *data = json_object(a);
	struct json *tree = template_tree(a, cache_api(p->cache), template);
	json_set_str(a, tree, STR("$patch"), STR("replace"));
	json_set(a, json_need_object(a, data, STR("spec")), STR("template"), tree);
	return data;
}

static int by_number(const void *a, const void *b)
{
	const struct revision *left = a, *right = b;
	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return str_cmp(left->name, right->name);
}

static void find_all(struct plan *p, const struct object *owner, const struct selector *selector,
		     struct revision_history *h)
{
	struct object_list claimed = {};
	claim_objects(p, owner, KIND_CONTROLLER_REVISION, selector, NULL, &claimed);
	/* One more, for the one this plan may make. */
	h->at = ARENA_ARRAY(p->arena, struct revision, claimed.count + 1);
	h->count = claimed.count;
	for (size_t i = 0; i < claimed.count; i++) {
		const struct controller_revision *view = object_view(claimed.at[i]);
		struct str name = claimed.at[i]->name;
		h->at[i] = (struct revision){.o = claimed.at[i],
					     .name = name,
					     .hash = str_skip(name, owner->name.len + 1),
					     .number = view->revision,
					     .data = view->data};
	}
	if (h->count > 1)
		qsort(h->at, h->count, sizeof(*h->at), by_number);
}

static void renumber(struct plan *p, struct revision *r, int64_t number)
{
	struct json *patch = json_object(p->arena);
	json_set(p->arena, patch, STR("revision"), json_int(p->arena, number));
	plan_patch(p, KIND_CONTROLLER_REVISION, r->o->namespace, r->name, (struct str){}, patch);
	r->number = number;
}

static void create(struct plan *p, const struct object *owner, struct revision_history *h,
		   const struct pod_template_spec *template, const struct json *data,
		   const int32_t *collisions, const char *hash_label)
{
	struct arena *a = p->arena;
	struct str hash = template_hash(a, cache_api(p->cache), template, collisions);
	struct str name = arena_printf(a, "%.*s-%.*s", STR_FMT(owner->name), STR_FMT(hash));
	if (cache_get(p->cache, KIND_CONTROLLER_REVISION, owner->namespace, name))
		return;
	int64_t number = h->count ? h->at[h->count - 1].number + 1 : 1;
	struct controller_revision view = {.data = data, .revision = number};
	view.metadata.name = name;
	view.metadata.namespace = owner->namespace;
	view.metadata.labels =
		str_map_with(a, &template->metadata.labels, str_of(hash_label), hash);
	view.metadata.annotations =
		str_map_without(a, &object_meta(owner)->annotations,
				STR("kubectl.kubernetes.io/last-applied-configuration"));
	view.metadata.owner_references = owner_controller(p, owner);
	plan_create(p, KIND_CONTROLLER_REVISION, owner->namespace, &view);
	h->at[h->count] =
		(struct revision){.name = name, .hash = hash, .number = number, .data = data};
	h->update = &h->at[h->count++];
}

void revision_history_sync(struct plan *p, const struct object *owner,
			   const struct selector *selector,
			   const struct pod_template_spec *template, const int32_t *collisions,
			   const char *hash_label, struct revision_history *ret_history)
{
	struct revision_history *h = ret_history;
	const struct json *data = revision_data(p, template);
	*h = (struct revision_history){};
	find_all(p, owner, selector, h);
	for (size_t i = h->count; i > 0 && !h->update; i--)
		if (json_equal(h->at[i - 1].data, data))
			h->update = &h->at[i - 1];
	if (owner->is_deleting)
		return;
	if (!h->update)
		create(p, owner, h, template, data, collisions, hash_label);
	else if (h->update != &h->at[h->count - 1])
		renumber(p, (struct revision *)h->update, h->at[h->count - 1].number + 1);
}

const struct revision *revision_history_find(const struct revision_history *h, struct str name)
{
	for (size_t i = 0; i < h->count; i++)
		if (str_eq(h->at[i].name, name))
			return &h->at[i];
	return NULL;
}

void revision_history_clean_up(struct plan *p, const struct revision_history *h,
			       const int32_t *limit,
			       bool (*is_live)(const struct revision *r, void *ctx), void *ctx)
{
	size_t idle = 0, most = (size_t)MAX(i32_or(limit, LIMIT_DEFAULT), 0);
	for (size_t i = 0; i < h->count; i++)
		idle += h->at[i].o && &h->at[i] != h->update && !is_live(&h->at[i], ctx);
	for (size_t i = 0; i < h->count && idle > most; i++) {
		if (!h->at[i].o || &h->at[i] == h->update || is_live(&h->at[i], ctx))
			continue;
		plan_delete(p, KIND_CONTROLLER_REVISION, h->at[i].o, (struct str){});
		idle--;
	}
}
