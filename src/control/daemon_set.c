/* DaemonSets: one pod on every node that fits.
 *
 * A pod is tied to its node by node affinity on metadata.name and placed by the scheduler, as
 * upstream does. */
#include "base/map.h"
#include "control/controllers.h"
#include "control/revision_history.h"
#include "sync/placement.h"

#define COMPONENT	      "daemonset-controller"
#define GENERATION	      "pod-template-generation"
#define DEPRECATED_GENERATION "deprecated.daemonset.template.generation"
#define BURST_PODS	      250

/* What its pods tolerate beside what the template says. */
static const struct toleration always[] = {
	{.key = STR_INIT("node.kubernetes.io/not-ready"),
	 .operator= STR_INIT("Exists"),
	 .effect = STR_INIT("NoExecute")},
	{.key = STR_INIT("node.kubernetes.io/unreachable"),
	 .operator= STR_INIT("Exists"),
	 .effect = STR_INIT("NoExecute")},
	{.key = STR_INIT("node.kubernetes.io/disk-pressure"),
	 .operator= STR_INIT("Exists"),
	 .effect = STR_INIT("NoSchedule")},
	{.key = STR_INIT("node.kubernetes.io/memory-pressure"),
	 .operator= STR_INIT("Exists"),
	 .effect = STR_INIT("NoSchedule")},
	{.key = STR_INIT("node.kubernetes.io/pid-pressure"),
	 .operator= STR_INIT("Exists"),
	 .effect = STR_INIT("NoSchedule")},
	{.key = STR_INIT("node.kubernetes.io/unschedulable"),
	 .operator= STR_INIT("Exists"),
	 .effect = STR_INIT("NoSchedule")},
	/* Only for pods in the host's network; keep it last. */
	{.key = STR_INIT("node.kubernetes.io/network-unavailable"),
	 .operator= STR_INIT("Exists"),
	 .effect = STR_INIT("NoSchedule")},
};

struct daemon {
	const struct object *o;
	const struct pod *pod;
	bool is_updated;
};

struct site { /* a node and the daemons on it */
	const struct object *node;
	LIST_OF(struct daemon) daemons;
	bool should_run, should_continue;
};

struct sync {
	struct plan *p;
	const struct object *o;
	const struct daemon_set *ds;
	struct selector selector;
	struct revision_history history;
	struct pod_spec placed; /* the template's with the tolerations of every daemon */
	LIST_OF(struct site) sites;
	struct map by_node;	       /* name -> index + 1 */
	LIST_OF(struct str) to_create; /* nodes */
	struct object_list to_delete;
	int64_t again_us;
};

/* --- where --- */

static struct toleration_array all_tolerations(struct plan *p, const struct pod_spec *spec)
{
	size_t more = ARRAY_LEN(always) - !spec->host_network;
	struct toleration *out =
		ARENA_ARRAY(p->arena, struct toleration, spec->tolerations.count + more);
	if (spec->tolerations.count)
		memcpy(out, spec->tolerations.at, spec->tolerations.count * sizeof(*out));
	memcpy(out + spec->tolerations.count, always, more * sizeof(*out));
	return (struct toleration_array){out, spec->tolerations.count + (uint32_t)more};
}

static void judge_site(struct sync *s, struct site *site)
{
	const struct node *node = object_view(site->node);
	bool fits = pod_wants_node(&s->placed, site->node);
	if (s->placed.node_name.len && !str_eq(s->placed.node_name, site->node->name))
		fits = false;
	site->should_run = site->should_continue = fits;
	for (uint32_t i = 0; i < node->spec.taints.count; i++) {
		const struct taint *taint = &node->spec.taints.at[i];
		if (tolerates(&s->placed.tolerations, taint))
			continue;
		if (str_is(taint->effect, "NoExecute"))
			site->should_run = site->should_continue = false;
		if (str_is(taint->effect, "NoSchedule"))
			site->should_run = false;
	}
}

static void find_sites(struct sync *s)
{
	const struct object *o;
	struct cache_iter it = cache_iterate(s->p->cache, KIND_NODE, STR(""));
	while ((o = cache_next(&it))) {
		struct site site = {.node = o};
		judge_site(s, &site);
		LIST_ADD(s->p->arena, &s->sites, site);
		map_set(&s->by_node, o->name, (void *)(uintptr_t)s->sites.count);
	}
}

/* The node it is on, or the one it waits for. */
static struct str target_node(const struct pod *pod)
{
	const struct affinity *affinity = pod->spec.affinity;
	if (pod->spec.node_name.len || !affinity || !affinity->node_affinity ||
	    !affinity->node_affinity->required_during_scheduling_ignored_during_execution)
		return pod->spec.node_name;
	const struct node_selector_term_array *terms =
		&affinity->node_affinity->required_during_scheduling_ignored_during_execution
			 ->node_selector_terms;
	for (uint32_t i = 0; i < terms->count; i++)
		for (uint32_t j = 0; j < terms->at[i].match_fields.count; j++)
			if (str_is(terms->at[i].match_fields.at[j].key, "metadata.name") &&
			    terms->at[i].match_fields.at[j].values.count)
				return terms->at[i].match_fields.at[j].values.at[0];
	return pod->spec.node_name;
}

static void find_daemons(struct sync *s)
{
	struct object_list pods = {};
	claim_objects(s->p, s->o, KIND_POD, &s->selector, NULL, &pods);
	for (size_t i = 0; i < pods.count; i++) {
		struct daemon d = {.o = pods.at[i], .pod = object_view(pods.at[i])};
		uintptr_t index = (uintptr_t)map_get(&s->by_node, target_node(d.pod));
		struct str hash = object_label(d.o, STR(REVISION_HASH));
		d.is_updated = s->history.update && str_eq(hash, s->history.update->hash);
		if (index)
			LIST_ADD(s->p->arena, &s->sites.at[index - 1].daemons, d);
		else if (!d.pod->spec.node_name.len && !d.o->is_deleting)
			/* Waits for a node that is gone. */
			LIST_ADD(s->p->arena, &s->to_delete, d.o);
	}
}

/* --- one a node --- */

static int ready_then_oldest(const void *a, const void *b)
{
	const struct daemon *left = a, *right = b;
	bool left_placed = left->pod->spec.node_name.len,
	     right_placed = right->pod->spec.node_name.len;
	if (left_placed != right_placed)
		return left_placed ? -1 : 1;
	if (pod_is_ready(left->pod) != pod_is_ready(right->pod))
		return pod_is_ready(left->pod) ? -1 : 1;
	int64_t left_us = left->pod->metadata.creation_timestamp;
	int64_t right_us = right->pod->metadata.creation_timestamp;
	if (left_us != right_us)
		return left_us < right_us ? -1 : 1;
	return str_cmp(left->o->name, right->o->name);
}

static void delete_daemon(struct sync *s, const struct daemon *d)
{
	if (!d->o->is_deleting)
		LIST_ADD(s->p->arena, &s->to_delete, d->o);
}

static void kill_ended(struct sync *s, const struct site *site, const struct daemon *d)
{
	bool has_failed = str_is(d->pod->status.phase, "Failed");
	plan_event(s->p, s->o, COMPONENT, has_failed ? "Warning" : "Normal",
		   has_failed ? "FailedDaemonPod" : "SucceededDaemonPod",
		   "Found %s daemon pod %.*s/%.*s on node %.*s, will try to %s it",
		   has_failed ? "failed" : "succeeded", STR_FMT(d->o->namespace),
		   STR_FMT(d->o->name), STR_FMT(site->node->name), has_failed ? "kill" : "delete");
	delete_daemon(s, d);
}

static void manage_site(struct sync *s, struct site *site)
{
	size_t alive = 0;
	if (site->daemons.count > 1)
		qsort(site->daemons.at, site->daemons.count, sizeof(*site->daemons.at),
		      ready_then_oldest);
	for (size_t i = 0; i < site->daemons.count; i++) {
		const struct daemon *d = &site->daemons.at[i];
		if (!site->should_continue) {
			delete_daemon(s, d);
		} else if (pod_is_terminal(d->pod) && !d->o->is_deleting) {
			kill_ended(s, site, d);
			alive++; /* its successor comes when it is gone */
		} else if (alive++ > 0) {
			delete_daemon(s, d);
		}
	}
	if (site->should_run && site->daemons.count == 0)
		LIST_ADD(s->p->arena, &s->to_create, site->node->name);
}

/* --- rolling update --- */

static void roll(struct sync *s)
{
	const struct daemon_set_update_strategy *strategy = &s->ds->spec.update_strategy;
	const struct int_or_string one = {.number = 1};
	const struct int_or_string *most = strategy->rolling_update &&
							   strategy->rolling_update->max_unavailable
						   ? strategy->rolling_update->max_unavailable
						   : &one;
	int32_t wanted = 0, unavailable = 0;
	if (str_is(strategy->type, "OnDelete"))
		return;
	for (size_t i = 0; i < s->sites.count; i++)
		wanted += s->sites.at[i].should_run;
	int32_t allowed = MAX(scaled_value(most, wanted, true), 1);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < s->sites.count; i++) {
			const struct site *site = &s->sites.at[i];
			if (!site->should_run)
				continue;
			const struct daemon *d = site->daemons.count ? site->daemons.at : NULL;
			bool is_available = d && !d->o->is_deleting &&
					    pod_is_available(d->pod, s->ds->spec.min_ready_seconds,
							     s->p->now_us, &s->again_us);
			if (pass == 0 && !is_available)
				unavailable++;
			if (!d || d->is_updated || d->o->is_deleting)
				continue;
			/* Old ones that serve nobody go first and cost nothing. */
			if (pass == 0 && !is_available)
				delete_daemon(s, d);
			if (pass == 1 && is_available && unavailable < allowed) {
				unavailable++;
				delete_daemon(s, d);
			}
		}
}

/* --- acting --- */

static const struct affinity *tie_to_node(struct plan *p, const struct affinity *affinity,
					  struct str node)
{
	struct arena *a = p->arena;
	struct affinity *out = ARENA_NEW(a, struct affinity);
	struct node_affinity *node_affinity = ARENA_NEW(a, struct node_affinity);
	struct node_selector *selector = ARENA_NEW(a, struct node_selector);
	struct node_selector_requirement *field = ARENA_NEW(a, struct node_selector_requirement);
	*field = (struct node_selector_requirement){
		.key = STR("metadata.name"),
		.operator= STR("In"),
		.values = {arena_copy(a, &node, sizeof(node)), 1}};
	const struct node_selector *before = NULL;
	if (affinity)
		*out = *affinity;
	if (out->node_affinity) {
		*node_affinity = *out->node_affinity;
		before = node_affinity->required_during_scheduling_ignored_during_execution;
	}
	uint32_t count = before ? MAX(before->node_selector_terms.count, 1u) : 1;
	struct node_selector_term *terms = ARENA_ARRAY(a, struct node_selector_term, count);
	/* Fields of its own the template can not have that would name another node. */
	for (uint32_t i = 0; i < count; i++) {
		if (before && i < before->node_selector_terms.count)
			terms[i] = before->node_selector_terms.at[i];
		terms[i].match_fields = (struct node_selector_requirement_array){field, 1};
	}
	selector->node_selector_terms = (struct node_selector_term_array){terms, count};
	node_affinity->required_during_scheduling_ignored_during_execution = selector;
	out->node_affinity = node_affinity;
	return out;
}

static void create_daemons(struct sync *s)
{
	struct arena *a = s->p->arena;
	struct pod_template_spec template = s->ds->spec.template;
	struct str generation = str_map_cget(&s->ds->metadata.annotations, DEPRECATED_GENERATION);
	template.spec.tolerations = s->placed.tolerations;
	struct str_map *labels = &template.metadata.labels;
	if (generation.len)
		*labels = str_map_with(a, labels, STR(GENERATION), generation);
	*labels = str_map_with(a, labels, STR(REVISION_HASH), s->history.update->hash);
	for (size_t i = 0; i < MIN(s->to_create.count, (size_t)BURST_PODS); i++) {
		struct pod pod = pod_from_template(s->p, s->o, &template);
		pod.spec.affinity = tie_to_node(s->p, pod.spec.affinity, s->to_create.at[i]);
		plan_create(s->p, KIND_POD, s->o->namespace, &pod);
		plan_event_when(s->p, PLAN_NOTE_NAMED, s->o, COMPONENT, "Normal",
				"SuccessfulCreate", "Created pod: ");
		plan_event_when(s->p, PLAN_NOTE_FAILED, s->o, COMPONENT, "Warning", "FailedCreate",
				"Error creating: ");
	}
}

static void delete_daemons(struct sync *s)
{
	for (size_t i = 0; i < MIN(s->to_delete.count, (size_t)BURST_PODS); i++) {
		plan_delete(s->p, KIND_POD, s->to_delete.at[i], (struct str){});
		plan_event_when(s->p, PLAN_NOTE_NAMED, s->o, COMPONENT, "Normal",
				"SuccessfulDelete", "Deleted pod: ");
		plan_event_when(s->p, PLAN_NOTE_FAILED, s->o, COMPONENT, "Warning", "FailedDelete",
				"Error deleting: ");
	}
}

static void write_status(struct sync *s)
{
	struct daemon_set copy = *s->ds;
	struct daemon_set_status *now = &copy.status;
	*now = (struct daemon_set_status){.observed_generation = s->ds->metadata.generation,
					  .collision_count = s->ds->status.collision_count,
					  .conditions = s->ds->status.conditions};
	for (size_t i = 0; i < s->sites.count; i++) {
		const struct site *site = &s->sites.at[i];
		const struct daemon *d = site->daemons.count ? site->daemons.at : NULL;
		now->desired_number_scheduled += site->should_run;
		now->number_misscheduled += !site->should_run && d;
		if (!site->should_run || !d)
			continue;
		now->current_number_scheduled++;
		now->updated_number_scheduled += d->is_updated;
		now->number_ready += pod_is_ready(d->pod);
		now->number_available += pod_is_available(d->pod, s->ds->spec.min_ready_seconds,
							  s->p->now_us, &s->again_us);
	}
	now->number_unavailable = now->desired_number_scheduled - now->number_available;
	const struct daemon_set_status *was = &s->ds->status;
	if (now->observed_generation != was->observed_generation ||
	    now->desired_number_scheduled != was->desired_number_scheduled ||
	    now->current_number_scheduled != was->current_number_scheduled ||
	    now->number_misscheduled != was->number_misscheduled ||
	    now->updated_number_scheduled != was->updated_number_scheduled ||
	    now->number_ready != was->number_ready ||
	    now->number_available != was->number_available ||
	    now->number_unavailable != was->number_unavailable)
		plan_update_status(s->p, KIND_DAEMON_SET, s->o->namespace, s->o->name, &copy);
}

static bool is_live(const struct revision *r, void *ctx)
{
	const struct sync *s = ctx;
	for (size_t i = 0; i < s->sites.count; i++)
		for (size_t j = 0; j < s->sites.at[i].daemons.count; j++)
			if (str_eq(object_label(s->sites.at[i].daemons.at[j].o, STR(REVISION_HASH)),
				   r->hash))
				return true;
	return false;
}

static void sync_daemons(struct sync *s)
{
	revision_history_sync(s->p, s->o, &s->selector, &s->ds->spec.template,
			      s->ds->status.collision_count, REVISION_HASH, &s->history);
	s->placed = s->ds->spec.template.spec;
	s->placed.tolerations = all_tolerations(s->p, &s->placed);
	find_sites(s);
	find_daemons(s);
	if (!s->o->is_deleting && s->history.update) {
		for (size_t i = 0; i < s->sites.count; i++)
			manage_site(s, &s->sites.at[i]);
		/* Update only what stands: one thing at a time on a node. */
		if (s->to_create.count == 0 && s->to_delete.count == 0)
			roll(s);
		create_daemons(s);
		delete_daemons(s);
		revision_history_clean_up(s->p, &s->history, s->ds->spec.revision_history_limit,
					  is_live, s);
	}
	write_status(s);
	map_done(&s->by_node);
	if (s->again_us)
		plan_again_at(s->p, s->again_us);
}

static void plan_daemon_set(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_DAEMON_SET, namespace, name);
	if (!o)
		return;
	struct sync s = {.p = p, .o = o, .ds = object_view(o)};
	s.selector = selector_from_view(p->arena, s.ds->spec.selector);
	if (selector_is_everything(&s.selector)) {
		plan_event(p, o, COMPONENT, "Warning", "SelectingAll",
			   "This daemon set is selecting all pods. A non-empty selector is "
			   "required.");
		return;
	}
	sync_daemons(&s);
}

/* --- what wakes it --- */

static void map_pod(struct keys *keys, const struct cache *cache, const struct object *old,
		    const struct object *new)
{
	if (old)
		keys_add_controller(keys, cache, old, KIND_DAEMON_SET);
	if (new)
		keys_add_controller(keys, cache, new, KIND_DAEMON_SET);
}

static bool is_like(const struct object *a, const struct object *b)
{
	const struct node *left = object_view(a), *right = object_view(b);
	if (left->spec.unschedulable != right->spec.unschedulable ||
	    left->spec.taints.count != right->spec.taints.count ||
	    !str_map_eq(&left->metadata.labels, &right->metadata.labels))
		return false;
	for (uint32_t i = 0; i < left->spec.taints.count; i++)
		if (!str_eq(left->spec.taints.at[i].key, right->spec.taints.at[i].key) ||
		    !str_eq(left->spec.taints.at[i].effect, right->spec.taints.at[i].effect))
			return false;
	return true;
}

static void map_node(struct keys *keys, const struct cache *cache, const struct object *old,
		     const struct object *new)
{
	if (old && new &&is_like(old, new))
		return;
	const struct object *o;
	struct cache_iter it = cache_iterate(cache, KIND_DAEMON_SET, STR(""));
	while ((o = cache_next(&it)))
		keys_add(keys, o->namespace, o->name);
}

static const struct controller_watch watches[] = {{KIND_DAEMON_SET, NULL},
						  {KIND_POD, map_pod},
						  {KIND_CONTROLLER_REVISION, map_pod},
						  {KIND_NODE, map_node}};

const struct controller daemon_set_controller = {
	.name = "daemonset",
	.service_account = "daemon-set-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_daemon_set,
};
