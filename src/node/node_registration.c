#include "node/node_registration.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "base/log.h"
#include "codec/patch.h"
#include "node/agent-int.h"
#include "node/node_status.h"
#include "node/pod_logs.h"

#define LEASE_NAMESPACE "kube-node-lease"
#define LEASE_SECONDS	40
#define LEASE_RENEW_MS	10000
#define RETRY_FIRST_MS	1000
#define RETRY_LAST_MS	7000

enum registration_stage {
	REGISTRATION_CREATING,
	REGISTRATION_READING, /* it was there: get it once, to adopt it */
	REGISTRATION_LABELLING,
	REGISTRATION_KEEPING,
};

struct node_registration {
	struct node_agent *agent;
	struct arena arena; /* facts */
	struct node_facts facts;
	enum registration_stage stage;
	struct object *node; /* as last seen; NULL before */
	bool is_busy;	     /* a request about the Node is under way */
	bool is_told;	     /* on_ready has run */
	bool is_leasing, has_lease;
	int64_t retry_ms;
	struct loop_timer timer, lease_timer;
};

static void registration_step(struct node_registration *r);
static void lease_step(struct node_registration *r);

static const struct api_kind *kind_of(const struct node_registration *r, uint16_t stored_id)
{
	return api_by_stored(r->agent->config.client->api, stored_id);
}

/* ---- the Node ---- */

static void on_timer(struct loop_timer *timer)
{
	registration_step(CONTAINER_OF(timer, struct node_registration, timer));
}

static void step_after(struct node_registration *r, int64_t delay_ms)
{
	loop_timer_start(r->agent->loop, &r->timer, delay_ms, on_timer);
}

static void failed(struct node_registration *r, const struct client_reply *reply)
{
	r->retry_ms = r->retry_ms ? MIN(r->retry_ms * 2, RETRY_LAST_MS) : RETRY_FIRST_MS;
	log_warn("node", "node '%s': %s; trying again in %lld ms", agent_node_name(r->agent),
		 reply->err.text, (long long)r->retry_ms);
	step_after(r, r->retry_ms);
}

static void take(struct node_registration *r, struct object *node)
{
	if (!node ||
	    (r->node && node->revision < r->node->revision && str_eq(node->uid, r->node->uid)))
		return;
	object_ref(node);
	object_unref(r->node);
	r->node = node;
}

static bool is_ready(const struct object *o)
{
	const struct node *node = object_view(o);
	for (uint32_t i = 0; i < node->status.conditions.count; i++)
		if (str_is(node->status.conditions.at[i].type, "Ready"))
			return str_is(node->status.conditions.at[i].status, "True");
	return false;
}

static void tell_ready(struct node_registration *r)
{
	const struct node_agent_config *c = &r->agent->config;
	if (r->is_told || !r->node || !is_ready(r->node))
		return;
	r->is_told = true;
	log_info("node", "node '%s' is ready", c->node_name);
	if (c->on_ready)
		c->on_ready(c->ctx);
}

static enum registration_stage stage_after(enum registration_stage stage, enum rc rc)
{
	if (rc == RC_NOT_FOUND)
		return REGISTRATION_CREATING;
	if (stage == REGISTRATION_CREATING)
		return rc == RC_ALREADY_EXISTS ? REGISTRATION_READING : REGISTRATION_KEEPING;
	if (stage == REGISTRATION_READING)
		return REGISTRATION_LABELLING;
	return REGISTRATION_KEEPING;
}

static void answered(void *ctx, const struct client_reply *reply)
{
	struct node_registration *r = ctx;
	enum registration_stage before = r->stage;
	bool is_expected = reply->rc == RC_OK || reply->rc == RC_ALREADY_EXISTS;
	r->is_busy = false;
	take(r, reply->rc == RC_OK ? reply->object : NULL);
	if (is_expected || reply->rc == RC_NOT_FOUND)
		r->stage = stage_after(r->stage, reply->rc);
	if (reply->rc == RC_CONFLICT && before != REGISTRATION_CREATING)
		r->stage = REGISTRATION_READING;
	if (!is_expected) {
		failed(r, reply);
		return;
	}
	r->retry_ms = 0;
	tell_ready(r);
	if (before == REGISTRATION_CREATING && reply->rc == RC_OK)
		log_info("node", "node '%s' is registered", agent_node_name(r->agent));
	registration_step(r);
}

static void submit(struct node_registration *r, enum client_verb verb, const char *subresource,
		   const struct json *body)
{
	struct client_request q = {
		.verb = verb,
		.kind = kind_of(r, KIND_NODE),
		.name = str_of(r->agent->config.node_name),
		.subresource = str_of(subresource),
		.body = body,
		.field_manager = STR(KUBELET_COMPONENT),
	};
	r->is_busy = true;
	requests_submit(&r->agent->requests, &q, answered, r);
}

static struct node_status *status_now(struct node_registration *r, struct arena *a)
{
	struct runtime *runtime = r->agent->config.runtime;
	struct node_status_input in = {
		.config = &r->agent->config,
		.facts = &r->facts,
		.runtime_version = runtime->ops->version(runtime),
		.network_problem = r->agent->network_problem,
		.images = node_images_view(a, r->agent->images),
		.current = r->node ? object_view(r->node) : NULL,
		.now_us = world_wall_us(),
	};
	return node_status_make(a, &in);
}

static void create(struct node_registration *r)
{
	CLEANUP_ARENA a = {};
	object_unref(TAKE_PTR(r->node));
	struct node node = {
		.metadata = {.name = str_of(r->agent->config.node_name),
			     .labels = node_labels_make(&a, &r->agent->config)},
		.status = *status_now(r, &a),
	};
	submit(r, CLIENT_CREATE, NULL,
	       view_to_tree(&a, api_type(r->agent->config.client->api, TYPE_CORE_V1_NODE), &node));
}

/* Labels of an adopted Node; those that others set stay. */
static void label(struct node_registration *r)
{
	CLEANUP_ARENA a = {};
	struct str_map want = node_labels_make(&a, &r->agent->config);
	struct json *body = json_object(&a);
	struct json *labels = json_object(&a);
	for (uint32_t i = 0; i < want.count; i++)
		if (!str_eq(object_label(r->node, want.at[i].key), want.at[i].value))
			json_set_str(&a, labels, want.at[i].key, want.at[i].value);
	if (json_count(labels) == 0) {
		r->stage = REGISTRATION_KEEPING;
		registration_step(r);
		return;
	}
	json_set(&a, json_need_object(&a, body, STR("metadata")), STR("labels"), labels);
	submit(r, CLIENT_PATCH_MERGE, NULL, body);
}

static void keep(struct node_registration *r)
{
	CLEANUP_ARENA a = {};
	struct json *old = json_get(object_tree(&a, r->node), STR("status"));
	struct json *new =
		view_to_tree(&a, api_type(r->agent->config.client->api, TYPE_CORE_V1_NODE_STATUS),
			     status_now(r, &a));
	struct json *patch = merge_patch_diff(&a, old ? old : json_object(&a), new);
	step_after(r, NODE_HEARTBEAT_US / 1000);
	if (json_count(patch) == 0)
		return;
	struct json *body = json_object(&a);
	json_set_str(&a, json_need_object(&a, body, STR("metadata")), STR("uid"), r->node->uid);
	json_set(&a, body, STR("status"), patch);
	submit(r, CLIENT_PATCH_MERGE, "status", body);
}

static void registration_step(struct node_registration *r)
{
	if (r->is_busy)
		return;
	switch (r->stage) {
	case REGISTRATION_CREATING:
		create(r);
		break;
	case REGISTRATION_READING:
		submit(r, CLIENT_GET, NULL, NULL);
		break;
	case REGISTRATION_LABELLING:
		label(r);
		break;
	case REGISTRATION_KEEPING:
		keep(r);
		break;
	}
	if (r->stage == REGISTRATION_KEEPING && !r->is_leasing)
		lease_step(r);
}

void node_registration_wake(struct node_registration *r)
{
	if (r->stage == REGISTRATION_KEEPING)
		step_after(r, 0);
}

void node_registration_saw(struct node_registration *r, struct object *node)
{
	if (r->stage != REGISTRATION_KEEPING)
		return;
	take(r, node);
	tell_ready(r);
	step_after(r, 0);
}

/* ---- the lease ---- */

static void on_lease_timer(struct loop_timer *timer)
{
	struct node_registration *r = CONTAINER_OF(timer, struct node_registration, lease_timer);
	pod_logs_rotate(r->agent); /* the node's only regular moment */
	lease_step(r);
}

static void lease_answered(void *ctx, const struct client_reply *reply)
{
	struct node_registration *r = ctx;
	int64_t delay_ms = LEASE_RENEW_MS;
	if (reply->rc == RC_OK || reply->rc == RC_ALREADY_EXISTS)
		r->has_lease = true;
	else if (reply->rc == RC_NOT_FOUND && r->has_lease)
		r->has_lease = false;
	if (reply->rc != RC_OK) {
		log_debug("node", "lease of '%s': %s", agent_node_name(r->agent), reply->err.text);
		delay_ms = reply->rc == RC_ALREADY_EXISTS ? 0 : RETRY_FIRST_MS;
	}
	loop_timer_start(r->agent->loop, &r->lease_timer, delay_ms, on_lease_timer);
}

static struct json *lease_tree(struct node_registration *r, struct arena *a)
{
	static const int32_t seconds = LEASE_SECONDS;
	struct str name = str_of(r->agent->config.node_name);
	struct owner_reference *owner = ARENA_NEW(a, struct owner_reference);
	*owner = (struct owner_reference){
		.api_version = STR("v1"), .kind = STR("Node"), .name = name, .uid = r->node->uid};
	struct lease lease = {
		.metadata = {.name = name,
			     .namespace = STR(LEASE_NAMESPACE),
			     .owner_references = {owner, 1}},
		.spec = {.holder_identity = name,
			 .lease_duration_seconds = &seconds,
			 .renew_time = world_wall_us()},
	};
	struct json *tree = view_to_tree(
		a, api_type(r->agent->config.client->api, TYPE_COORDINATION_V1_LEASE), &lease);
	json_remove(json_get(tree, STR("metadata")), STR("creationTimestamp"));
	return tree;
}

static void lease_step(struct node_registration *r)
{
	CLEANUP_ARENA a = {};
	if (!r->node)
		return;
	r->is_leasing = true;
	struct client_request q = {
		.verb = r->has_lease ? CLIENT_PATCH_MERGE : CLIENT_CREATE,
		.kind = kind_of(r, KIND_LEASE),
		.namespace = STR(LEASE_NAMESPACE),
		.name = str_of(r->agent->config.node_name),
		.body = lease_tree(r, &a),
		.field_manager = STR(KUBELET_COMPONENT),
	};
	requests_submit(&r->agent->requests, &q, lease_answered, r);
}

/* ---- life ---- */

struct node_registration *node_registration_new(struct node_agent *agent)
{
	struct node_registration *r = NEW(struct node_registration);
	const struct node_agent_config *c = &agent->config;
	r->agent = agent;
	node_facts_read(&r->arena, c->folder, &r->facts);
	if (c->capacity.cpu_milli)
		r->facts.capacity = c->capacity;
	step_after(r, 0);
	return r;
}

void node_registration_free(struct node_registration *r)
{
	if (!r)
		return;
	requests_drop(&r->agent->requests, r);
	loop_timer_stop(&r->timer);
	loop_timer_stop(&r->lease_timer);
	object_unref(r->node);
	arena_done(&r->arena);
	free(r);
}
