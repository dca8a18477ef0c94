#include "node/pod_setup.h"

#include "base/log.h"
#include "node/agent-int.h"
#include "node/volumes.h"

#define HOSTNAME_MAX 63

/* ---- retries ---- */

static void on_retry(struct loop_timer *timer)
{
	pod_worker_wake(CONTAINER_OF(timer, struct pod_worker, retry_timer));
}

static void setup_failed(struct pod_worker *w, const char *reason, const char *what,
			 const struct err *err)
{
	w->retry_ms = MIN(w->retry_ms ? w->retry_ms * 2 : POD_RETRY_MS, POD_RETRY_LAST_MS);
	w->retry_at_ms = world_mono_ms() + w->retry_ms;
	w->is_adopted = false;
	loop_timer_start(w->agent->loop, &w->retry_timer, w->retry_ms, on_retry);
	pod_worker_wake(w);
	agent_event(w->agent, w->object, NULL, "Warning", reason, "%s%s", what, err->text);
	log_warn("node", "pod %.*s/%.*s: %s%s", STR_FMT(w->namespace), STR_FMT(w->name), what,
		 err->text);
}

void pod_setup_retry_later(struct pod_worker *w)
{
	w->retry_at_ms = world_mono_ms() + POD_RETRY_MS;
	loop_timer_start(w->agent->loop, &w->retry_timer, POD_RETRY_MS, on_retry);
}

static void setup_went_well(struct pod_worker *w)
{
	w->retry_ms = w->retry_at_ms = 0;
	pod_worker_wake(w);
}

/* ---- sandbox ---- */

static struct runtime *runtime_of(const struct pod_worker *w)
{
	return w->agent->config.runtime;
}

static struct pod_worker *worker_of_call(struct runtime_call *call)
{
	return CONTAINER_OF(call, struct pod_worker, sandbox_call);
}

static void sandbox_created(struct runtime_call *call)
{
	struct pod_worker *w = worker_of_call(call);
	w->is_busy = false;
	w->has_sandbox = call->rc == RC_OK;
	if (call->rc == RC_OK)
		setup_went_well(w);
	else
		setup_failed(w, "FailedCreatePodSandBox",
			     "Failed to create pod sandbox: ", &call->err);
}

struct str pod_hostname(const struct pod_worker *w)
{
	struct str name = w->pod->spec.hostname.len ? w->pod->spec.hostname : w->name;
	if (w->pod->spec.host_network)
		return str_of(agent_node_name(w->agent));
	name.len = MIN(name.len, (size_t)HOSTNAME_MAX);
	while (name.len && (name.at[name.len - 1] == '-' || name.at[name.len - 1] == '.'))
		name.len--;
	return name;
}

static void sandbox_sysctls(struct pod_worker *w, struct runtime_sandbox_config *config)
{
	const struct pod_security_context *security = w->pod->spec.security_context;
	uint32_t count = security ? security->sysctls.count : 0;
	struct runtime_name_value *list = ARENA_ARRAY(&w->arena, struct runtime_name_value, count);
	for (uint32_t i = 0; i < count; i++)
		list[i] = (struct runtime_name_value){
			arena_str(&w->arena, security->sysctls.at[i].name),
			arena_str(&w->arena, security->sysctls.at[i].value)};
	config->sysctls = list;
	config->sysctl_count = count;
}

static void sandbox_create(struct pod_worker *w)
{
	const struct pod_spec *spec = &w->pod->spec;
	w->sandbox_config = (struct runtime_sandbox_config){
		.pod_uid = w->uid,
		.pod_namespace = w->namespace,
		.pod_name = w->name,
		.hostname = arena_str(&w->arena, pod_hostname(w)),
		.is_host_network = spec->host_network,
		.is_host_ipc = spec->host_ipc,
		.is_host_pid = spec->host_pid,
		.resources = pod_group_resources(w, POD_ALLOCATED),
	};
	w->resize.group = w->sandbox_config.resources;
	sandbox_sysctls(w, &w->sandbox_config);
	w->is_busy = w->may_have_sandbox = true;
	w->sandbox_call.done = sandbox_created;
	runtime_of(w)->ops->sandbox_create(runtime_of(w), &w->sandbox_config, &w->sandbox,
					   &w->sandbox_call);
}

/* ---- network ---- */

static void network_added(void *ctx, enum rc rc, const struct ipaddr *addrs, size_t count,
			  const struct err *err)
{
	struct pod_worker *w = ctx;
	w->is_busy = false;
	if (rc != RC_OK) {
		setup_failed(w, "FailedCreatePodSandBox",
			     "Failed to create pod sandbox: network for pod: ", err);
		return;
	}
	w->has_network = true;
	w->address_count = MIN(count, (size_t)POD_ADDRESSES_MAX);
	for (size_t i = 0; i < w->address_count; i++)
		w->addresses[i] = addrs[i];
	setup_went_well(w);
}

static void add_ports(struct pod_network_pod *pod, struct pod_host_port *list,
		      const struct container *c)
{
	for (uint32_t i = 0; i < c->ports.count; i++) {
		const struct container_port *p = &c->ports.at[i];
		if (p->host_port > 0)
			list[pod->port_count++] = (struct pod_host_port){
				.host_port = (uint16_t)p->host_port,
				.container_port = (uint16_t)p->container_port,
				.protocol = p->protocol,
				.host_ip = p->host_ip,
			};
	}
}

/* Ports of init containers count for sidecars only: the others end. */
static struct pod_network_pod network_pod(struct arena *a, const struct pod_worker *w)
{
	struct pod_network_pod pod = {.namespace = w->namespace,
				      .name = w->name,
				      .uid = w->uid,
				      .netns_path = w->sandbox.netns_path};
	size_t most = 0;
	for (size_t i = 0; i < w->count; i++)
		most += w->containers[i]->spec->ports.count;
	struct pod_host_port *list = ARENA_ARRAY(a, struct pod_host_port, most + 1);
	for (size_t i = 0; i < w->count; i++)
		if (container_is_lasting(w->containers[i]))
			add_ports(&pod, list, w->containers[i]->spec);
	pod.ports = list;
	return pod;
}

static void network_add(struct pod_worker *w)
{
	CLEANUP_ARENA a = {};
	struct pod_network *n = w->agent->config.network;
	if (w->pod->spec.host_network) {
		w->addresses[0] = w->agent->config.address;
		w->address_count = 1;
		w->has_network = true;
		return;
	}
	if (!n) {
		if (!w->address_count)
			w->address_count = agent_simulated_address(w->agent, &w->addresses[0]);
		w->has_network = true;
		return;
	}
	w->is_busy = w->may_have_network = true;
	const struct pod_network_pod pod = network_pod(&a, w);
	n->ops->add(n, &pod, network_added, w);
}

bool pod_setup_step(struct pod_worker *w)
{
	if (w->is_busy || w->retry_at_ms > world_mono_ms())
		return false;
	if (!w->has_volumes && !pod_volumes_ready(w))
		return false;
	w->has_volumes = true;
	if (!w->has_sandbox) {
		sandbox_create(w);
		return false;
	}
	if (!w->has_network)
		network_add(w);
	return w->has_network;
}

/* ---- the way back ---- */

struct leftover {
	struct runtime_call call;
	struct pod_worker *worker;
	char id[RUNTIME_ID_MAX];
};

static void leftover_removed(struct runtime_call *call)
{
	struct leftover *l = CONTAINER_OF(call, struct leftover, call);
	l->worker->leftovers--;
	pod_worker_wake(l->worker);
	free(l);
}

void pod_setup_leftover(struct pod_worker *w, struct str id)
{
	struct leftover *l = NEW(struct leftover);
	l->worker = w;
	l->call.done = leftover_removed;
	snprintf(l->id, sizeof(l->id), "%.*s", STR_FMT(id));
	w->leftovers++;
	runtime_of(w)->ops->remove(runtime_of(w), str_of(l->id), &l->call);
}

static bool are_containers_removed(struct pod_worker *w)
{
	bool is_clear = w->leftovers == 0;
	for (size_t i = 0; i < w->count; i++) {
		pod_container_remove(w->containers[i]);
		is_clear &= !w->containers[i]->is_removing && !w->containers[i]->has_container;
	}
	return is_clear;
}

static void network_deleted(void *ctx, enum rc rc, const struct ipaddr *addrs, size_t count,
			    const struct err *err)
{
	struct pod_worker *w = ctx;
	w->is_busy = false;
	if (rc != RC_OK) {
		setup_failed(w, "FailedKillPod", "error killing pod: ", err);
		return;
	}
	w->has_network = w->may_have_network = false;
	setup_went_well(w);
}

/* True when nothing is to be waited for. */
static bool network_delete(struct pod_worker *w)
{
	struct pod_network *n = w->agent->config.network;
	bool is_own = !w->pod || !w->pod->spec.host_network;
	if (n && is_own) {
		const struct pod_network_pod pod = {.namespace = w->namespace,
						    .name = w->name,
						    .uid = w->uid,
						    .netns_path = w->sandbox.netns_path};
		w->is_busy = true;
		n->ops->del(n, &pod, network_deleted, w);
		return false;
	}
	w->has_network = w->may_have_network = false;
	return true;
}

static void sandbox_removed(struct runtime_call *call)
{
	struct pod_worker *w = worker_of_call(call);
	w->is_busy = false;
	if (call->rc != RC_OK) {
		setup_failed(w, "FailedKillPod", "error killing pod: ", &call->err);
		return;
	}
	w->has_sandbox = w->may_have_sandbox = false;
	setup_went_well(w);
}

bool pod_release_step(struct pod_worker *w)
{
	if (w->is_busy || w->retry_at_ms > world_mono_ms())
		return false;
	if ((w->has_network || w->may_have_network) && !network_delete(w))
		return false;
	return pod_volumes_release(w);
}

bool pod_remove_step(struct pod_worker *w)
{
	if (w->is_busy || w->retry_at_ms > world_mono_ms() || !are_containers_removed(w))
		return false;
	if (!w->has_sandbox && !w->may_have_sandbox)
		return true;
	w->is_busy = true;
	w->sandbox_call.done = sandbox_removed;
	runtime_of(w)->ops->sandbox_remove(runtime_of(w), w->uid, &w->sandbox_call);
	return false;
}
