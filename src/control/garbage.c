/* The garbage collector: what has owners goes when the last of them is gone.
 *
 *  background  the owner is gone: its dependents are deleted
 *  foreground  the owner waits, with the finalizer foregroundDeletion, for the dependents that
 * block it orphan      the owner waits, with the finalizer orphan, until its dependents no longer
 * name it
 *
 * Whether an owner is gone is judged from the cache alone.  An owner existed when its dependent was
 * written; so once the cache has seen the owner's kind up to the dependent's revision and the owner
 * is not there, it is gone for good.  Until then the key waits.
 *
 * Keys are (namespace, "<stored id> <name>"). */
#include "control/common.h"
#include "control/controllers.h"

#define FOREGROUND  "foregroundDeletion"
#define ORPHAN	    "orphan"
#define CATCH_UP_MS 50
/* Owners that wait are looked at when their crowd of events has passed: one look then answers all,
 * and whoever asked for the deletion can still see what it waits for, as upstream's queues let
 * them. */
#define WAITING_MS 150

static struct str key_of(struct arena *a, const struct object *o)
{
	return arena_printf(a, "%u %.*s", o->stored_id, STR_FMT(o->name));
}

static void add_key(struct keys *keys, const struct object *o)
{
	CLEANUP_ARENA a = {};
	keys_add(keys, o->namespace, key_of(&a, o));
}

static void add_waiting(struct keys *keys, const struct object *o)
{
	CLEANUP_ARENA a = {};
	keys_add_after(keys, o->namespace, key_of(&a, o), WAITING_MS);
}

static const struct object *object_of_key(const struct plan *p, struct str namespace,
					  struct str key)
{
	struct str id, name;
	int64_t number;
	if (!str_cut(key, ' ', &id, &name) || !str_to_i64(id, &number))
		return NULL;
	return cache_get(p->cache, (uint16_t)number, namespace, name);
}

static bool has_finalizer(const struct object *o, const char *name)
{
	return o->is_deleting && str_array_has(&object_meta(o)->finalizers, str_of(name));
}

/* --- owners --- */

enum owner_state { OWNER_SOLID, OWNER_DANGLING, OWNER_WAITING, OWNER_UNSEEN };

static enum owner_state owner_state(const struct plan *p, const struct object *o,
				    const struct owner_reference *ref)
{
	const struct api_kind *kind =
		api_by_api_version(cache_api(p->cache), ref->api_version, ref->kind);
	/* What nobody here knows can not be found to be gone. */
	if (!kind || !cache_has_kind(p->cache, kind->stored_id))
		return OWNER_SOLID;
	struct str namespace = kind->is_namespaced ? o->namespace : STR("");
	const struct object *owner = cache_get(p->cache, kind->stored_id, namespace, ref->name);
	if (owner && str_eq(owner->uid, ref->uid))
		return has_finalizer(owner, FOREGROUND) ? OWNER_WAITING : OWNER_SOLID;
	if (cache_revision(p->cache, kind->stored_id) < o->revision)
		return OWNER_UNSEEN;
	return OWNER_DANGLING;
}

static bool blocks(const struct owner_reference *ref)
{
	return ref->block_owner_deletion && *ref->block_owner_deletion;
}

/* --- dependents --- */

typedef void dependent_fn(struct plan *p, const struct object *owner, const struct object *o,
			  const struct owner_reference *ref, void *ctx);

static void for_each_dependent(struct plan *p, const struct object *owner, dependent_fn *fn,
			       void *ctx)
{
	for (uint16_t id = 0; id < cache_api(p->cache)->stored_count; id++) {
		const struct object *o;
		struct cache_iter it = cache_dependents(p->cache, id, owner->uid);
		while ((o = cache_next(&it))) {
			const struct owner_reference_array *refs = object_owners(o);
			for (uint32_t i = 0; i < refs->count; i++)
				if (str_eq(refs->at[i].uid, owner->uid))
					fn(p, owner, o, &refs->at[i], ctx);
		}
	}
}

static void count_blocking(struct plan *p, const struct object *owner, const struct object *o,
			   const struct owner_reference *ref, void *ctx)
{
	if (blocks(ref))
		++*(size_t *)ctx;
}

static void count_any(struct plan *p, const struct object *owner, const struct object *o,
		      const struct owner_reference *ref, void *ctx)
{
	++*(size_t *)ctx;
}

/* --- writing --- */

static struct json *meta_patch(struct plan *p, const struct object *o, struct json **ret_patch)
{
	*ret_patch = json_object(p->arena);
	struct json *meta = json_need_object(p->arena, *ret_patch, STR("metadata"));
	json_set_str(p->arena, meta, STR("uid"), o->uid);
	struct str revision = object_meta(o)->resource_version;
	if (revision.len)
		json_set_str(p->arena, meta, STR("resourceVersion"), revision);
	return meta;
}

static void plan_remove_finalizer(struct plan *p, const struct object *o, const char *name)
{
	const struct str_array *finalizers = &object_meta(o)->finalizers;
	struct json *patch, *meta = meta_patch(p, o, &patch);
	struct json *list = json_array(p->arena);
	for (uint32_t i = 0; i < finalizers->count; i++)
		if (!str_is(finalizers->at[i], name))
			json_append(p->arena, list, json_string(p->arena, finalizers->at[i]));
	json_set(p->arena, meta, STR("finalizers"), list);
	plan_patch(p, o->stored_id, o->namespace, o->name, (struct str){}, patch);
}

static struct json *reference_tree(struct arena *a, const struct owner_reference *ref)
{
	struct json *tree = json_object(a);
	json_set_str(a, tree, STR("apiVersion"), ref->api_version);
	json_set_str(a, tree, STR("kind"), ref->kind);
	json_set_str(a, tree, STR("name"), ref->name);
	json_set_str(a, tree, STR("uid"), ref->uid);
	if (ref->controller)
		json_set(a, tree, STR("controller"), json_bool(a, *ref->controller));
	if (ref->block_owner_deletion)
		json_set(a, tree, STR("blockOwnerDeletion"),
			 json_bool(a, *ref->block_owner_deletion));
	return tree;
}

/* Leaves the references for which keep is true. */
static void plan_keep_owners(struct plan *p, const struct object *o, const bool *keep)
{
	const struct owner_reference_array *refs = object_owners(o);
	struct json *patch, *meta = meta_patch(p, o, &patch);
	struct json *list = json_array(p->arena);
	for (uint32_t i = 0; i < refs->count; i++)
		if (keep[i])
			json_append(p->arena, list, reference_tree(p->arena, &refs->at[i]));
	json_set(p->arena, meta, STR("ownerReferences"),
		 json_count(list) ? list : json_null(p->arena));
	plan_patch(p, o->stored_id, o->namespace, o->name, (struct str){}, patch);
}

/* --- the cases --- */

static void disown(struct plan *p, const struct object *owner, const struct object *o,
		   const struct owner_reference *unused, void *ctx)
{
	const struct owner_reference_array *refs = object_owners(o);
	bool *keep = ARENA_ARRAY(p->arena, bool, refs->count);
	for (uint32_t i = 0; i < refs->count; i++)
		keep[i] = !str_eq(refs->at[i].uid, owner->uid);
	plan_keep_owners(p, o, keep);
	++*(size_t *)ctx;
}

static void finish_orphaning(struct plan *p, const struct object *o)
{
	size_t disowned = 0;
	for_each_dependent(p, o, disown, &disowned);
	/* The finalizer goes in the run that finds no dependent any more. */
	if (disowned)
		p->requeue_ms = CATCH_UP_MS;
	else
		plan_remove_finalizer(p, o, ORPHAN);
}

static void finish_foreground(struct plan *p, const struct object *o)
{
	size_t blocking = 0;
	for_each_dependent(p, o, count_blocking, &blocking);
	if (blocking == 0)
		plan_remove_finalizer(p, o, FOREGROUND);
}

static struct str propagation_of(const struct object *o)
{
	const struct str_array *finalizers = &object_meta(o)->finalizers;
	if (str_array_has(finalizers, STR(ORPHAN)))
		return STR("Orphan");
	if (str_array_has(finalizers, STR(FOREGROUND)))
		return STR("Foreground");
	return STR("Background");
}

struct owners_seen {
	size_t count[4];
	bool *keep;
};

static void look_at_owners(struct plan *p, const struct object *o, struct owners_seen *seen)
{
	const struct owner_reference_array *refs = object_owners(o);
	seen->keep = ARENA_ARRAY(p->arena, bool, refs->count);
	for (uint32_t i = 0; i < refs->count; i++) {
		enum owner_state state = owner_state(p, o, &refs->at[i]);
		seen->count[state]++;
		seen->keep[i] = state == OWNER_SOLID;
	}
}

static void judge(struct plan *p, const struct object *o)
{
	struct owners_seen seen = {};
	look_at_owners(p, o, &seen);
	size_t dependents = 0;
	if (seen.count[OWNER_UNSEEN]) {
		p->requeue_ms = CATCH_UP_MS;
	} else if (seen.count[OWNER_SOLID]) {
		if (seen.count[OWNER_DANGLING] || seen.count[OWNER_WAITING])
			plan_keep_owners(p, o, seen.keep);
	} else if (seen.count[OWNER_WAITING]) {
		/* Its own dependents have to go before it does. */
		for_each_dependent(p, o, count_any, &dependents);
		plan_delete(p, o->stored_id, o, dependents ? STR("Foreground") : propagation_of(o));
	} else if (seen.count[OWNER_DANGLING]) {
		plan_delete(p, o->stored_id, o, propagation_of(o));
	}
}

static void plan_garbage(struct plan *p, struct str namespace, struct str key)
{
	const struct object *o = object_of_key(p, namespace, key);
	if (!o)
		return;
	if (has_finalizer(o, ORPHAN))
		finish_orphaning(p, o);
	else if (has_finalizer(o, FOREGROUND))
		finish_foreground(p, o);
	else if (!o->is_deleting)
		judge(p, o);
}

/* --- what wakes it --- */

static void add_dependents(struct keys *keys, const struct cache *cache, const struct object *owner)
{
	for (uint16_t id = 0; id < cache_api(cache)->stored_count; id++) {
		const struct object *o;
		struct cache_iter it = cache_dependents(cache, id, owner->uid);
		while ((o = cache_next(&it)))
			add_key(keys, o);
	}
}

static void add_owners(struct keys *keys, const struct cache *cache, const struct object *o)
{
	const struct owner_reference_array *refs = object_owners(o);
	for (uint32_t i = 0; i < refs->count; i++) {
		const struct api_kind *kind = api_by_api_version(
			cache_api(cache), refs->at[i].api_version, refs->at[i].kind);
		if (!kind)
			continue;
		struct str namespace = kind->is_namespaced ? o->namespace : STR("");
		const struct object *owner =
			cache_get(cache, kind->stored_id, namespace, refs->at[i].name);
		if (owner && owner->is_deleting)
			add_key(keys, owner);
	}
}

static bool owners_eq(const struct object *a, const struct object *b)
{
	const struct owner_reference_array *left = object_owners(a), *right = object_owners(b);
	if (left->count != right->count)
		return false;
	for (uint32_t i = 0; i < left->count; i++)
		if (!str_eq(left->at[i].uid, right->at[i].uid) ||
		    blocks(&left->at[i]) != blocks(&right->at[i]))
			return false;
	return true;
}

static void map_any(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	if (!new || (old && !str_eq(old->uid, new->uid))) {
		add_dependents(keys, cache, old);
		add_owners(keys, cache, old);
	}
	if (!new)
		return;
	if (new->is_deleting) {
		if (has_finalizer(new, ORPHAN) || has_finalizer(new, FOREGROUND))
			add_waiting(keys, new);
		if (!old || !old->is_deleting)
			add_dependents(keys, cache, new);
	} else if (object_owners(new)->count && (!old || !owners_eq(old, new))) {
		add_key(keys, new);
	}
	if (old && !owners_eq(old, new))
		add_owners(keys, cache, old);
}

static const struct controller_watch watches[] = {{WATCH_ANY_KIND, map_any}};

const struct controller garbage_controller = {
	.name = "garbagecollector",
	.service_account = "generic-garbage-collector",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_garbage,
};
