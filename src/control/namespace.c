/* A namespace that is being deleted: all that is in it goes, pods first, then everything else, then
 * its finalizer. */
#include "base/map.h"
#include "control/common.h"
#include "control/controllers.h"

#define AGAIN_MS 1000
/* Upstream gives a namespace five seconds before it looks, for servers that still create in it; we
 * have one order of writes, so what is left is the time for clients to see that it ends. */
#define GRACE_MS    250
#define DELETES_MAX 1000 /* a plan */

struct remains {
	size_t pods, others;
	LIST_OF(struct str) kinds;	/* "pods. has 2 resource instances" */
	LIST_OF(struct str) finalizers; /* "a/b in 1 resource instances" */
	struct map finalizer_counts;
};

/* --- what is left --- */

static void count_finalizers(struct remains *r, const struct object *o)
{
	if (!o->is_deleting)
		return;
	const struct object_meta *meta = object_meta(o);
	for (uint32_t i = 0; i < meta->finalizers.count; i++) {
		struct str name = meta->finalizers.at[i];
		uintptr_t count = (uintptr_t)map_get(&r->finalizer_counts, name);
		map_set(&r->finalizer_counts, name, (void *)(count + 1));
	}
}

static void count_kind(struct plan *p, struct remains *r, const struct api_kind *kind,
		       struct str name)
{
	size_t count = 0;
	const struct object *o;
	struct cache_iter it = cache_iterate(p->cache, kind->stored_id, name);
	while ((o = cache_next(&it))) {
		count++;
		count_finalizers(r, o);
	}
	if (!count)
		return;
	if (kind->stored_id == KIND_POD)
		r->pods = count;
	else
		r->others += count;
	struct str text = arena_printf(p->arena, "%.*s.%.*s has %zu resource instances",
				       STR_FMT(kind->plural), STR_FMT(kind->group), count);
	LIST_ADD(p->arena, &r->kinds, text);
}

static const struct api_kind *namespaced_kind(const struct plan *p, uint16_t stored_id)
{
	const struct api_kind *kind = api_by_stored(cache_api(p->cache), stored_id);
	bool is_of_use = kind && kind->is_namespaced && cache_has_kind(p->cache, stored_id);
	return is_of_use ? kind : NULL;
}

static int compare_texts(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void take_stock(struct plan *p, struct str name, struct remains *r)
{
	for (uint16_t id = 0; id < cache_api(p->cache)->stored_count; id++) {
		const struct api_kind *kind = namespaced_kind(p, id);
		if (kind)
			count_kind(p, r, kind, name);
	}
	struct map *m = &r->finalizer_counts;
	for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e)) {
		struct str text = arena_printf(p->arena, "%.*s in %zu resource instances",
					       STR_FMT(e->key), (size_t)(uintptr_t)e->value);
		LIST_ADD(p->arena, &r->finalizers, text);
	}
	map_done(m);
	if (r->kinds.count > 1)
		qsort(r->kinds.at, r->kinds.count, sizeof(struct str), compare_texts);
	if (r->finalizers.count > 1)
		qsort(r->finalizers.at, r->finalizers.count, sizeof(struct str), compare_texts);
}

static struct str join(struct arena *a, const char *intro, const struct str *texts, size_t count)
{
	struct str text = str_of(intro);
	for (size_t i = 0; i < count; i++)
		text = arena_printf(a, "%.*s%s%.*s", STR_FMT(text), i ? ", " : "",
				    STR_FMT(texts[i]));
	return text;
}

/* --- conditions --- */

static bool set_condition(struct plan *p, struct namespace_status *status, const char *type,
			  bool is_true, const char *reason, struct str message)
{
	struct str value = is_true ? STR("True") : STR("False");
	uint32_t count = status->conditions.count, i = 0;
	struct namespace_condition *at =
		ARENA_ARRAY(p->arena, struct namespace_condition, count + 1);
	if (count)
		memcpy(at, status->conditions.at, count * sizeof(*at));
	while (i < count && !str_is(at[i].type, type))
		i++;
	if (i < count && str_eq(at[i].status, value) && str_is(at[i].reason, reason) &&
	    str_eq(at[i].message, message))
		return false;
	at[i] = (struct namespace_condition){str_of(type), value, now_s(p), str_of(reason),
					     message};
	status->conditions = (struct namespace_condition_array){at, MAX(count, i + 1)};
	return true;
}

static void write_conditions(struct plan *p, const struct object *o, const struct remains *r)
{
	struct namespace copy = *(const struct namespace *)object_view(o);
	struct namespace_status *status = &copy.status;
	bool has_kinds = r->kinds.count > 0, has_finalizers = r->finalizers.count > 0;
	struct str kinds =
		join(p->arena, "Some resources are remaining: ", r->kinds.at, r->kinds.count);
	struct str finalizers = join(p->arena,
				     "Some content in the namespace has finalizers remaining: ",
				     r->finalizers.at, r->finalizers.count);
	bool is_changed = !str_is(status->phase, "Terminating");
	status->phase = STR("Terminating");
	is_changed |= set_condition(p, status, "NamespaceDeletionDiscoveryFailure", false,
				    "ResourcesDiscovered",
				    STR("All resources successfully discovered"));
	is_changed |= set_condition(p, status, "NamespaceDeletionGroupVersionParsingFailure", false,
				    "ParsedGroupVersions",
				    STR("All legacy kube types successfully parsed"));
	is_changed |= set_condition(
		p, status, "NamespaceDeletionContentFailure", false, "ContentDeleted",
		STR("All content successfully deleted, may be waiting on finalization"));
	is_changed |= set_condition(p, status, "NamespaceContentRemaining", has_kinds,
				    has_kinds ? "SomeResourcesRemain" : "ContentRemoved",
				    has_kinds ? kinds : STR("All content successfully removed"));
	is_changed |= set_condition(
		p, status, "NamespaceFinalizersRemaining", has_finalizers,
		has_finalizers ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
		has_finalizers ? finalizers : STR("All content-preserving finalizers finished"));
	if (!is_changed)
		return;
	copy.metadata.resource_version = (struct str){};
	plan_update_status(p, KIND_NAMESPACE, (struct str){}, o->name, &copy);
}

/* --- deleting --- */

static void delete_kind(struct plan *p, uint16_t kind, struct str name)
{
	const struct object *o;
	struct cache_iter it = cache_iterate(p->cache, kind, name);
	while (p->count < DELETES_MAX && (o = cache_next(&it)))
		if (!o->is_deleting)
			plan_delete(p, kind, o,
				    kind == KIND_POD ? (struct str){} : STR("Background"));
}

static void delete_others(struct plan *p, struct str name)
{
	for (uint16_t id = 0; id < cache_api(p->cache)->stored_count; id++)
		if (id != KIND_POD && namespaced_kind(p, id))
			delete_kind(p, id, name);
}

static void finalize(struct plan *p, const struct object *o)
{
	struct arena *a = p->arena;
	const struct namespace *ns = object_view(o);
	struct str *kept = ARENA_ARRAY(a, struct str, ns->spec.finalizers.count);
	uint32_t count = 0;
	for (uint32_t i = 0; i < ns->spec.finalizers.count; i++)
		if (!str_is(ns->spec.finalizers.at[i], "kubernetes"))
			kept[count++] = ns->spec.finalizers.at[i];
	if (count == ns->spec.finalizers.count)
		return;
	struct namespace copy = *ns;
	copy.metadata.resource_version = (struct str){};
	copy.spec.finalizers = (struct str_array){kept, count};
	plan_update(p, KIND_NAMESPACE, (struct str){}, o->name, &copy);
	p->requests[p->count - 1].subresource = STR("finalize");
}

/* Keys are ("", namespace). */
static void plan_namespace(struct plan *p, struct str unused, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_NAMESPACE, STR(""), name);
	if (!o || !o->is_deleting)
		return;
	struct remains r = {};
	take_stock(p, o->name, &r);
	write_conditions(p, o, &r);
	if (r.pods)
		delete_kind(p, KIND_POD, o->name);
	else if (r.others)
		delete_others(p, o->name);
	else
		finalize(p, o);
	if (r.pods || r.others)
		p->requeue_ms = AGAIN_MS;
}

static void map_namespace(struct keys *keys, const struct cache *cache, const struct object *old,
			  const struct object *new)
{
	if (new &&new->is_deleting)
		keys_add_after(keys, STR(""), new->name, old && old->is_deleting ? 0 : GRACE_MS);
}

/* The end of anything in a namespace that is being deleted. */
static void map_content(struct keys *keys, const struct cache *cache, const struct object *old,
			const struct object *new)
{
	if (new || !old->namespace.len)
		return;
	const struct object *ns = cache_get(cache, KIND_NAMESPACE, STR(""), old->namespace);
	if (ns && ns->is_deleting)
		keys_add(keys, STR(""), ns->name);
}

static const struct controller_watch watches[] = {{KIND_NAMESPACE, map_namespace},
						  {WATCH_ANY_KIND, map_content}};

const struct controller namespace_controller = {
	.name = "namespace",
	.service_account = "namespace-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_namespace,
};
