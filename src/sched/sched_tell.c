#include "sched/sched-int.h"

#include "base/log.h"
#include "base/timefmt.h"

/* --- requests --- */

/* A bind or a condition on its way; s is NULL when the scheduler is gone. */
struct asked {
	struct list link;
	struct sched *s;
	struct object *pod;
	char *node_name;
	void (*answered)(struct sched *s, struct object *pod, const char *node_name,
			 const struct err *err);
};

static struct asked *asked_new(struct sched *s, struct object *pod)
{
	struct asked *asked = NEW(struct asked);
	asked->s = s;
	asked->pod = object_ref(pod);
	list_append(&s->asked, &asked->link);
	return asked;
}

static void asked_free(struct asked *asked)
{
	list_remove(&asked->link);
	object_unref(asked->pod);
	free(asked->node_name);
	free(asked);
}

void sched_let_go(struct sched *s)
{
	struct asked *asked;
	LIST_FOR_EACH (asked, &s->asked, link) {
		list_remove(&asked->link);
		asked->s = NULL;
	}
}

/* --- telling --- */

void sched_record(struct sched *s, const struct object *pod, const char *type, const char *reason,
		  const char *action, struct str message)
{
	struct event_note note = {.component = STR(SCHED_COMPONENT),
				  .type = str_of(type),
				  .reason = str_of(reason),
				  .action = str_of(action),
				  .message = message};
	event_note_about(&note, pod);
	event_record(s->events, s->client, &note);
}

static bool has_condition(const struct object *o, const char *reason, struct str message)
{
	const struct pod_condition_array *all =
		&((const struct pod *)object_view(o))->status.conditions;
	for (uint32_t i = 0; i < all->count; i++)
		if (str_is(all->at[i].type, "PodScheduled"))
			return str_is(all->at[i].status, "False") &&
			       str_is(all->at[i].reason, reason) &&
			       str_eq(all->at[i].message, message);
	return false;
}

static void condition_answered(void *ctx, const struct client_reply *reply)
{
	struct asked *asked = ctx;
	if (reply->rc != RC_OK && reply->rc != RC_NOT_FOUND)
		log_debug("sched", "condition of %.*s/%.*s not written: %s",
			  STR_FMT(asked->pod->namespace), STR_FMT(asked->pod->name),
			  reply->err.text);
	asked_free(asked);
}

static struct json *condition_patch(struct arena *a, const struct object *pod, const char *reason,
				    struct str message)
{
	char now[TIME_TEXT_MAX];
	size_t len = time_format(world_wall_us(), now);
	struct json *patch = json_object(a), *list = json_array(a), *c = json_object(a);
	struct json *status = json_need_object(a, patch, STR("status"));
	json_set_str(a, c, STR("type"), STR("PodScheduled"));
	if (pod->generation > 0)
		json_set(a, c, STR("observedGeneration"), json_int(a, pod->generation));
	json_set_str(a, c, STR("status"), STR("False"));
	json_set(a, c, STR("lastProbeTime"), json_null(a));
	json_set_str(a, c, STR("lastTransitionTime"), arena_str(a, str_n(now, len)));
	json_set_str(a, c, STR("reason"), str_of(reason));
	json_set_str(a, c, STR("message"), message);
	json_append(a, list, c);
	json_set(a, status, STR("conditions"), list);
	return patch;
}

void sched_set_condition(struct sched *s, struct object *pod, const char *reason,
			 struct str message)
{
	if (has_condition(pod, reason, message))
		return;
	CLEANUP_ARENA a = {};
	struct client_request request = {.verb = CLIENT_PATCH_STRATEGIC,
					 .kind = pod->kind,
					 .namespace = pod->namespace,
					 .name = pod->name,
					 .subresource = STR("status"),
					 .body = condition_patch(&a, pod, reason, message),
					 .field_manager = STR("kube-scheduler"),
					 .grace_period_s = -1};
	s->client->ops->submit(s->client, &request, condition_answered, asked_new(s, pod));
}

/* --- binding --- */

static void bind_answered(void *ctx, const struct client_reply *reply)
{
	struct asked *asked = ctx;
	if (asked->s)
		asked->answered(asked->s, asked->pod, asked->node_name,
				reply->rc == RC_OK ? NULL : &reply->err);
	asked_free(asked);
}

void sched_bind(struct sched *s, struct object *pod, struct str node_name,
		void (*answered)(struct sched *s, struct object *pod, const char *node_name,
				 const struct err *err))
{
	CLEANUP_ARENA a = {};
	struct json *binding = json_object(&a);
	json_set_str(&a, binding, STR("kind"), STR("Binding"));
	json_set_str(&a, binding, STR("apiVersion"), STR("v1"));
	struct json *meta = json_need_object(&a, binding, STR("metadata"));
	json_set_str(&a, meta, STR("name"), pod->name);
	json_set_str(&a, meta, STR("namespace"), pod->namespace);
	json_set_str(&a, meta, STR("uid"), pod->uid);
	struct json *target = json_need_object(&a, binding, STR("target"));
	json_set_str(&a, target, STR("kind"), STR("Node"));
	json_set_str(&a, target, STR("name"), node_name);
	struct client_request request = {.verb = CLIENT_CREATE,
					 .kind = pod->kind,
					 .namespace = pod->namespace,
					 .name = pod->name,
					 .subresource = STR("binding"),
					 .body = binding,
					 .field_manager = STR("kube-scheduler"),
					 .grace_period_s = -1};
	struct asked *asked = asked_new(s, pod);
	asked->node_name = mem_strndup(node_name.at, node_name.len);
	asked->answered = answered;
	s->client->ops->submit(s->client, &request, bind_answered, asked);
}

/* --- preemption --- */

static void patch_status(struct sched *s, struct object *pod, const struct json *patch)
{
	struct client_request request = {.verb = CLIENT_PATCH_STRATEGIC,
					 .kind = pod->kind,
					 .namespace = pod->namespace,
					 .name = pod->name,
					 .subresource = STR("status"),
					 .body = patch,
					 .field_manager = STR("kube-scheduler"),
					 .grace_period_s = -1};
	s->client->ops->submit(s->client, &request, condition_answered, asked_new(s, pod));
}

static void mark_victim(struct sched *s, struct object *victim)
{
	CLEANUP_ARENA a = {};
	char now[TIME_TEXT_MAX];
	size_t len = time_format(world_wall_us(), now);
	struct json *patch = json_object(&a), *list = json_array(&a), *c = json_object(&a);
	json_set_str(&a, c, STR("type"), STR("DisruptionTarget"));
	json_set_str(&a, c, STR("status"), STR("True"));
	json_set_str(&a, c, STR("lastTransitionTime"), str_n(now, len));
	json_set_str(&a, c, STR("reason"), STR("PreemptionByScheduler"));
	json_set_str(
		&a, c, STR("message"),
		arena_printf(&a, "%s: preempting to accommodate a higher priority pod", s->name));
	json_append(&a, list, c);
	json_set(&a, json_need_object(&a, patch, STR("status")), STR("conditions"), list);
	patch_status(s, victim, patch);
}

void sched_evict(struct sched *s, struct object *victim, const struct object *pod,
		 struct str node_name)
{
	CLEANUP_ARENA a = {};
	if (victim->is_deleting)
		return;
	mark_victim(s, victim);
	struct client_request request = {.verb = CLIENT_DELETE,
					 .kind = victim->kind,
					 .namespace = victim->namespace,
					 .name = victim->name,
					 .uid = victim->uid,
					 .grace_period_s = -1};
	s->client->ops->submit(s->client, &request, condition_answered, asked_new(s, victim));
	sched_record(s, victim, "Normal", "Preempted", "Preempting",
		     arena_printf(&a, "Preempted by pod %.*s on node %.*s", STR_FMT(pod->uid),
				  STR_FMT(node_name)));
}

void sched_nominate(struct sched *s, struct object *pod, struct str node_name)
{
	CLEANUP_ARENA a = {};
	struct json *patch = json_object(&a);
	json_set_str(&a, json_need_object(&a, patch, STR("status")), STR("nominatedNodeName"),
		     node_name);
	patch_status(s, pod, patch);
}
