#include "cli/pod_network_cni.h"

#include "base/list.h"

struct pod_network_cni {
	struct pod_network base;
	struct loop *loop;
	struct service_proxy *proxy;
	struct host_ports *host_ports; /* not owned */
	struct cni *cni;	       /* NULL: the pod range is not known yet */
	struct list waiting;
};

/* One attach or detach under way. */
struct pod_call {
	struct list link;
	struct pod_network_cni *network;
	struct arena arena;
	enum cni_verb verb;
	struct cni_pod pod;
	struct host_port_wish *ports;
	size_t port_count;
	struct cni_result result;
	pod_network_done_fn *done;
	void *ctx;
};

static void finish(struct pod_call *c, enum rc rc, const struct err *err)
{
	c->done(c->ctx, rc, c->result.addrs, rc == RC_OK ? c->result.addr_count : 0, err);
	arena_done(&c->arena);
	free(c);
}

static void rules_are_in_place(void *ctx)
{
	finish(ctx, RC_OK, NULL);
}

static void run(struct pod_call *c, enum cni_verb verb, cni_done_fn *done)
{
	cni_start(c->network->cni, c->network->loop, verb, &c->pod, done, c);
}

/* Its ports, then whatever is not in the kernel yet. */
static void put_rules(struct pod_call *c)
{
	struct pod_network_cni *n = c->network;
	if (host_ports_set(n->host_ports, c->pod.namespace, c->pod.name, c->pod.uid, c->ports,
			   c->port_count, c->result.addrs, c->result.addr_count))
		service_proxy_changed(n->proxy);
	service_proxy_when_applied(n->proxy, rules_are_in_place, c);
}

static void added(void *ctx, enum rc rc, const struct cni_result *result, const struct err *err)
{
	struct pod_call *c = ctx;
	if (rc != RC_OK) {
		finish(c, rc, err);
		return;
	}
	c->result = *result;
	put_rules(c);
}

static void removed(void *ctx, enum rc rc, const struct cni_result *result, const struct err *err)
{
	struct pod_call *c = ctx;
	if (c->verb == CNI_ADD)
		run(c, CNI_ADD, added); /* what was left of it is gone */
	else
		finish(c, rc, err);
}

static void checked(void *ctx, enum rc rc, const struct cni_result *result, const struct err *err)
{
	struct pod_call *c = ctx;
	if (rc == RC_OK)
		put_rules(c);
	else
		run(c, CNI_DEL, removed); /* a namespace of before a reboot */
}

/* A pod that a former agent attached stays as it is. */
static void start(struct pod_call *c)
{
	if (c->verb == CNI_DEL && host_ports_remove(c->network->host_ports, c->pod.uid))
		service_proxy_changed(c->network->proxy);
	if (c->verb == CNI_DEL)
		run(c, CNI_DEL, removed);
	else if (cni_find(c->network->cni, c->pod.sandbox_id, &c->result, NULL) == RC_OK)
		run(c, CNI_CHECK, checked);
	else
		run(c, CNI_ADD, added);
}

static enum proxy_protocol protocol_of(struct str text)
{
	return str_is(text, "UDP") ? PROXY_UDP : str_is(text, "SCTP") ? PROXY_SCTP : PROXY_TCP;
}

/* An address that is none was refused by the API. */
static void copy_ports(struct pod_call *c, const struct pod_network_pod *pod)
{
	c->ports = ARENA_ARRAY(&c->arena, struct host_port_wish, pod->port_count + 1);
	for (size_t i = 0; i < pod->port_count; i++) {
		struct host_port_wish *wish = &c->ports[c->port_count];
		*wish = (struct host_port_wish){
			.protocol = protocol_of(pod->ports[i].protocol),
			.host_port = pod->ports[i].host_port,
			.container_port = pod->ports[i].container_port,
		};
		if (!pod->ports[i].host_ip.len ||
		    ipaddr_parse(pod->ports[i].host_ip, &wish->host_addr))
			c->port_count++;
	}
}

static void submit(struct pod_network *n, enum cni_verb verb, const struct pod_network_pod *pod,
		   pod_network_done_fn *done, void *ctx)
{
	struct pod_network_cni *network = CONTAINER_OF(n, struct pod_network_cni, base);
	struct pod_call *c = NEW(struct pod_call);
	struct arena *a = &c->arena;
	c->network = network;
	c->verb = verb;
	c->done = done;
	c->ctx = ctx;
	c->pod = (struct cni_pod){
		.namespace = arena_str(a, pod->namespace),
		.name = arena_str(a, pod->name),
		.uid = arena_str(a, pod->uid),
		.sandbox_id = arena_str(a, pod->uid),
		.netns_path = arena_cstr(a, str_of(pod->netns_path)),
	};
	copy_ports(c, pod);
	if (network->cni)
		start(c);
	else
		list_append(&network->waiting, &c->link);
}

static void add(struct pod_network *n, const struct pod_network_pod *pod, pod_network_done_fn *done,
		void *ctx)
{
	submit(n, CNI_ADD, pod, done, ctx);
}

static void del(struct pod_network *n, const struct pod_network_pod *pod, pod_network_done_fn *done,
		void *ctx)
{
	submit(n, CNI_DEL, pod, done, ctx);
}

static const struct pod_network_ops ops = {add, del};

struct pod_network *pod_network_cni_new(struct loop *loop, struct service_proxy *proxy,
					struct host_ports *host_ports)
{
	struct pod_network_cni *network = NEW(struct pod_network_cni);
	network->base.ops = &ops;
	network->loop = loop;
	network->proxy = proxy;
	network->host_ports = host_ports;
	list_init(&network->waiting);
	return &network->base;
}

void pod_network_cni_open(struct pod_network *n, struct cni *own_cni)
{
	struct pod_network_cni *network = CONTAINER_OF(n, struct pod_network_cni, base);
	struct pod_call *c;
	network->cni = own_cni;
	LIST_FOR_EACH (c, &network->waiting, link) {
		list_remove(&c->link);
		start(c);
	}
}
