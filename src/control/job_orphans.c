/* Pods of Jobs that are gone: nobody counts them any more, so their tracking finalizer goes. */
#include "control/controllers.h"
#include "control/job-int.h"

static const struct owner_reference *job_of(const struct object *pod)
{
	const struct owner_reference_array *owners = &object_meta(pod)->owner_references;
	for (uint32_t i = 0; i < owners->count; i++)
		if (owners->at[i].controller && *owners->at[i].controller &&
		    str_is(owners->at[i].kind, "Job"))
			return &owners->at[i];
	return NULL;
}

static bool is_orphan(const struct plan *p, const struct object *pod)
{
	const struct owner_reference *owner = job_of(pod);
	if (!owner)
		return true;
	const struct object *job = cache_get(p->cache, KIND_JOB, pod->namespace, owner->name);
	return !job || !str_eq(job->uid, owner->uid);
}

static void plan_orphan(struct plan *p, struct str namespace, struct str name)
{
	const struct object *pod = cache_get(p->cache, KIND_POD, namespace, name);
	if (!pod || !str_array_has(&object_meta(pod)->finalizers, STR(JOB_TRACKING)) ||
	    !is_orphan(p, pod))
		return;
	const struct object *one[] = {pod};
	struct job_sync s = {.p = p, .to_release = {.at = one, .count = 1}};
	job_release_pods(&s);
}

static void map_job(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	if (new)
		return;
	struct cache_iter it = cache_owned(cache, KIND_POD, old->namespace, old->uid);
	for (const struct object *o; (o = cache_next(&it));)
		keys_add(keys, o->namespace, o->name);
}

static const struct controller_watch watches[] = {{KIND_POD, NULL}, {KIND_JOB, map_job}};

const struct controller job_orphan_controller = {
	.name = "job-orphan",
	.service_account = "job-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_orphan,
};
