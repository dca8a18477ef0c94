#include "control/controllers.h"
#include "control/deployment-int.h"

/* --- what the spec asks for --- */

static void rollout_limits(struct rollout *r)
{
	const struct rolling_update_deployment *rolling = r->d->spec.strategy.rolling_update;
	r->replicas = i32_or(r->d->spec.replicas, 1);
	r->is_rolling = str_is(r->d->spec.strategy.type, "RollingUpdate");
	if (!r->is_rolling || !rolling)
		return;
	r->max_surge = scaled_value(rolling->max_surge, r->replicas, true);
	r->max_unavailable = scaled_value(rolling->max_unavailable, r->replicas, false);
	/* Neither one more nor one less would never get anywhere. */
	if (r->max_surge == 0 && r->max_unavailable == 0)
		r->max_unavailable = 1;
	r->max_unavailable = MIN(r->max_unavailable, r->replicas);
}

/* --- writing the deployment --- */

static void write_status(struct rollout *r)
{
	struct str was = str_map_cget(&r->d->metadata.annotations, REVISION);
	struct str now = str_map_cget(&r->annotations, REVISION);
	if (!status_differs(&r->status, &r->d->status) && str_eq(was, now))
		return;
	struct deployment copy = *r->d;
	copy.status = r->status;
	/* The revision goes along: a change of annotations by itself counts the generation up. */
	copy.metadata.annotations = r->annotations;
	plan_update_status(r->p, KIND_DEPLOYMENT, r->o->namespace, r->o->name, &copy);
}

/* --- steps --- */

/* True when the pause was noted now; nothing else happens in that run. */
static bool note_pause(struct rollout *r)
{
	const struct deployment_condition *c = status_condition(&r->status, "Progressing");
	if (!rollout_has_deadline(r) || (c && str_is(c->reason, "ProgressDeadlineExceeded")))
		return false;
	bool is_noted = c && str_is(c->reason, "DeploymentPaused");
	if (r->d->spec.paused == is_noted)
		return false;
	if (r->d->spec.paused)
		status_set_condition(r, "Progressing", "Unknown", "DeploymentPaused",
				     STR("Deployment is paused"));
	else
		status_set_condition(r, "Progressing", "Unknown", "DeploymentResumed",
				     STR("Deployment is resumed"));
	return true;
}

static bool is_scaling(const struct rollout *r)
{
	for (size_t i = 0; i < r->count; i++) {
		bool found;
		int64_t desired = set_annotation_number(&r->sets[i], DESIRED_REPLICAS, &found);
		if (r->sets[i].replicas > 0 && found && desired != r->replicas)
			return true;
	}
	return false;
}

static void roll(struct rollout *r)
{
	if (r->is_rolling) {
		rollout_need_new_set(r, true);
		rollout_rolling(r);
	} else {
		rollout_need_new_set(r, false);
		rollout_recreate(r);
	}
	rollout_count(r);
	rollout_progress(r);
}

static void scale(struct rollout *r)
{
	rollout_need_new_set(r, false);
	rollout_scale(r);
	if (r->d->spec.paused)
		rollout_clean_up(r);
	rollout_count(r);
}

static void decide(struct rollout *r)
{
	if (r->o->is_deleting) {
		rollout_count(r);
	} else if (note_pause(r)) {
		return;
	} else if (r->d->spec.paused || is_scaling(r)) {
		scale(r);
	} else {
		roll(r);
	}
	if (!r->o->is_deleting)
		rollout_write_sets(r);
}

static void plan_deployment(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_DEPLOYMENT, namespace, name);
	if (!o)
		return;
	const struct deployment *d = object_view(o);
	struct rollout r = {.p = p,
			    .o = o,
			    .d = d,
			    .status = d->status,
			    .annotations = d->metadata.annotations};
	struct selector selector = selector_from_view(p->arena, d->spec.selector);
	struct object_list claimed = {};
	if (selector.is_nothing)
		return;
	if (selector_is_everything(&selector)) {
		plan_event(p, o, DEPLOYMENT_COMPONENT, "Warning", "SelectingAll",
			   "This deployment is selecting all pods. A non-empty selector is "
			   "required.");
		r.status.observed_generation = d->metadata.generation;
		write_status(&r);
		return;
	}
	rollout_limits(&r);
	claim_objects(p, o, KIND_REPLICA_SET, &selector, NULL, &claimed);
	rollout_find_sets(&r, &claimed);
	decide(&r);
	write_status(&r);
}

/* --- what wakes it --- */

static void map_set(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	if (old)
		keys_add_controller(keys, cache, old, KIND_DEPLOYMENT);
	if (new)
		keys_add_controller(keys, cache, new, KIND_DEPLOYMENT);
	if (!new || object_controller(new))
		return;
	CLEANUP_ARENA a = {};
	const struct object *o;
	struct cache_iter it = cache_iterate(cache, KIND_DEPLOYMENT, new->namespace);
	while ((o = cache_next(&it))) {
		const struct deployment *d = object_view(o);
		struct selector selector = selector_from_view(&a, d->spec.selector);
		if (selector_matches_object(&selector, new))
			keys_add(keys, o->namespace, o->name);
	}
}

/* A Recreate deployment waits for the last of its old pods. */
static void map_pod(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	if (!old || (new && !pod_is_terminal(object_view(new))))
		return;
	const struct object *set = controller_of(cache, old, KIND_REPLICA_SET);
	const struct object *o = controller_of(cache, set, KIND_DEPLOYMENT);
	const struct deployment *d = o ? object_view(o) : NULL;
	if (d && str_is(d->spec.strategy.type, "Recreate"))
		keys_add(keys, o->namespace, o->name);
}

static const struct controller_watch watches[] = {
	{KIND_DEPLOYMENT, NULL}, {KIND_REPLICA_SET, map_set}, {KIND_POD, map_pod}};

const struct controller deployment_controller = {
	.name = "deployment",
	.service_account = "deployment-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_deployment,
};
