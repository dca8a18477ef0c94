/* Volumes in use are not lost: a claim that a pod uses, and a volume that a claim is bound to, keep
 * a finalizer until that is over. */
#include "control/common.h"
#include "control/controllers.h"

#define CLAIM_FINALIZER	 "kubernetes.io/pvc-protection"
#define VOLUME_FINALIZER "kubernetes.io/pv-protection"

/* Sets or takes away one finalizer of o. */
static void plan_finalizer(struct plan *p, const struct object *o, const char *name, bool is_wanted)
{
	struct arena *a = p->arena;
	const struct object_meta *meta = object_meta(o);
	struct json *patch = json_object(a), *list = json_array(a);
	struct json *metadata = json_need_object(a, patch, STR("metadata"));
	for (uint32_t i = 0; i < meta->finalizers.count; i++)
		if (!str_is(meta->finalizers.at[i], name))
			json_append(a, list, json_string(a, meta->finalizers.at[i]));
	if (is_wanted)
		json_append(a, list, json_cstring(a, name));
	if (meta->resource_version.len)
		json_set_str(a, metadata, STR("resourceVersion"), meta->resource_version);
	json_set(a, metadata, STR("finalizers"), json_count(list) ? list : json_null(a));
	plan_patch(p, o->stored_id, o->namespace, o->name, (struct str){}, patch);
}

static void protect(struct plan *p, const struct object *o, const char *name, bool is_used)
{
	bool is_there = str_array_has(&object_meta(o)->finalizers, str_of(name));
	if (!o->is_deleting && !is_there)
		plan_finalizer(p, o, name, true);
	else if (o->is_deleting && is_there && !is_used)
		plan_finalizer(p, o, name, false);
}

/* --- claims --- */

static bool uses(const struct object *o, struct str claim)
{
	const struct pod *pod = object_view(o);
	for (uint32_t i = 0; i < pod->spec.volumes.count; i++) {
		const struct volume *v = &pod->spec.volumes.at[i];
		if (v->persistent_volume_claim &&
		    str_eq(v->persistent_volume_claim->claim_name, claim))
			return true;
		/* "<pod>-<volume>" for one that the pod brings along. */
		if (v->ephemeral && claim.len == o->name.len + 1 + v->name.len &&
		    str_has_prefix(claim, o->name) && str_has_suffix(claim, v->name))
			return true;
	}
	return false;
}

static void plan_claim(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_PERSISTENT_VOLUME_CLAIM, namespace, name);
	bool is_used = false;
	if (!o)
		return;
	const struct object *pod;
	struct cache_iter it = cache_iterate(p->cache, KIND_POD, namespace);
	while (o->is_deleting && !is_used && (pod = cache_next(&it)))
		is_used = uses(pod, name) && !pod_is_terminal(object_view(pod));
	protect(p, o, CLAIM_FINALIZER, is_used);
}

/* Only the end of a pod can free a claim. */
static void map_pod(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	if (!old || (new && !pod_is_terminal(object_view(new))))
		return;
	const struct pod *pod = object_view(old);
	CLEANUP_ARENA a = {};
	for (uint32_t i = 0; i < pod->spec.volumes.count; i++) {
		const struct volume *v = &pod->spec.volumes.at[i];
		if (v->persistent_volume_claim)
			keys_add(keys, old->namespace, v->persistent_volume_claim->claim_name);
		else if (v->ephemeral)
			keys_add(keys, old->namespace,
				 arena_printf(&a, "%.*s-%.*s", STR_FMT(old->name),
					      STR_FMT(v->name)));
	}
}

static const struct controller_watch claim_watches[] = {{KIND_PERSISTENT_VOLUME_CLAIM, NULL},
							{KIND_POD, map_pod}};

const struct controller claim_protection_controller = {
	.name = "persistentvolumeclaim-protection",
	.service_account = "pvc-protection-controller",
	.watches = claim_watches,
	.watch_count = ARRAY_LEN(claim_watches),
	.plan = plan_claim,
};

/* --- volumes --- */

static void plan_volume(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_PERSISTENT_VOLUME, STR(""), name);
	if (o)
		protect(p, o, VOLUME_FINALIZER,
			str_is(((const struct persistent_volume *)object_view(o))->status.phase,
			       "Bound"));
}

static const struct controller_watch volume_watches[] = {{KIND_PERSISTENT_VOLUME, NULL}};

const struct controller volume_protection_controller = {
	.name = "persistentvolume-protection",
	.service_account = "pv-protection-controller",
	.watches = volume_watches,
	.watch_count = ARRAY_LEN(volume_watches),
	.plan = plan_volume,
};
