/* Nodes: what they are, what runs there, what is taken. */
#include <stdio.h>

#include "api/quantity.h"
#include "client/api_path.h"
#include "client/describe.h"
#include "client/event_text.h"

struct amounts { /* of all pods: cpu in milli units, memory and storage in bytes */
	int64_t cpu, memory, storage;
};

static void describe_lease(struct describe *d, struct str node)
{
	struct json *lease;
	struct arena *a = d->arena;
	struct str path = api_path(a, resource_type_find(STR("leases.coordination.k8s.io")),
				   STR("kube-node-lease"), node, NULL);
	if (api_client_get(&d->verb->client, a, path, &lease, NULL) != RC_OK)
		return;
	describe_line(d, 0, "Lease:");
	describe_line(d, 1, "HolderIdentity:\t%.*s",
		      STR_FMT(describe_or(json_path_str(lease, "spec.holderIdentity"), "<unset>")));
	describe_line(
		d, 1, "AcquireTime:\t%.*s",
		STR_FMT(describe_or(describe_time(a, json_path_str(lease, "spec.acquireTime")),
				    "<unset>")));
	describe_line(d, 1, "RenewTime:\t%.*s",
		      STR_FMT(describe_or(describe_time(a, json_path_str(lease, "spec.renewTime")),
					  "<unset>")));
}

static void describe_roles(struct describe *d, const struct json *node)
{
	const struct json *labels = json_path(node, "metadata.labels");
	CLEANUP_BUF text = BUF_INIT(4096);
	for (size_t i = 0; i < json_count(labels); i++) {
		struct str key = labels->object.members[i].key;
		if (str_has_prefix(key, STR("node-role.kubernetes.io/")))
			buf_printf(&text, "%s%.*s", text.len ? "," : "",
				   STR_FMT(str_skip(key, 24)));
	}
	describe_line(d, 0, "Roles:\t%.*s", STR_FMT(describe_or(buf_str(&text), "<none>")));
}

static void describe_taints(struct describe *d, const struct json *list)
{
	if (json_count(list) == 0)
		describe_line(d, 0, "Taints:\t<none>");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *t = json_at(list, i);
		struct str value = json_path_str(t, "value");
		describe_line(d, 0, "%s\t%.*s%s%.*s:%.*s",
			      i ? "" : "Taints:", STR_FMT(json_path_str(t, "key")),
			      value.len ? "=" : "", STR_FMT(value),
			      STR_FMT(json_path_str(t, "effect")));
	}
}

static void describe_conditions(struct describe *d, const struct json *list)
{
	describe_line(d, 0, "Conditions:");
	describe_line(d, 1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
	describe_line(d, 1, "----\t------\t-----------------\t------------------\t------\t-------");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *c = json_at(list, i);
		struct arena *a = d->arena;
		describe_line(
			d, 1, "%.*s \t%.*s \t%.*s \t%.*s \t%.*s \t%.*s",
			STR_FMT(json_path_str(c, "type")), STR_FMT(json_path_str(c, "status")),
			STR_FMT(describe_time(a, json_path_str(c, "lastHeartbeatTime"))),
			STR_FMT(describe_time(a, json_path_str(c, "lastTransitionTime"))),
			STR_FMT(json_path_str(c, "reason")), STR_FMT(json_path_str(c, "message")));
	}
}

/* ---- what its pods take ---- */

struct need {
	struct amounts requests, limits;
};

static void add_quantities(struct amounts *sum, const struct json *map)
{
	sum->cpu += quantity_text_milli(json_path_str(map, "cpu"));
	sum->memory += quantity_text_value(json_path_str(map, "memory"));
	sum->storage += quantity_text_value(json_path_str(map, "ephemeral-storage"));
}

static void take_most(struct amounts *sum, const struct json *map)
{
	struct amounts one = {};
	add_quantities(&one, map);
	sum->cpu = MAX(sum->cpu, one.cpu);
	sum->memory = MAX(sum->memory, one.memory);
	sum->storage = MAX(sum->storage, one.storage);
}

static struct need need_of(const struct json *pod)
{
	struct need n = {};
	const struct json *containers = json_path(pod, "spec.containers");
	const struct json *init = json_path(pod, "spec.initContainers");
	for (size_t i = 0; i < json_count(containers); i++) {
		add_quantities(&n.requests,
			       json_path(json_at(containers, i), "resources.requests"));
		add_quantities(&n.limits, json_path(json_at(containers, i), "resources.limits"));
	}
	for (size_t i = 0; i < json_count(init); i++) {
		take_most(&n.requests, json_path(json_at(init, i), "resources.requests"));
		take_most(&n.limits, json_path(json_at(init, i), "resources.limits"));
	}
	return n;
}

static void sum_add(struct amounts *sum, const struct amounts *one)
{
	sum->cpu += one->cpu;
	sum->memory += one->memory;
	sum->storage += one->storage;
}

static struct str cpu_text(struct arena *a, int64_t milli)
{
	char text[QUANTITY_TEXT_MAX];
	return arena_str(
		a, str_n(text, quantity_format(quantity_of_milli(milli, QUANTITY_DECIMAL), text)));
}

static struct str bytes_text(struct arena *a, int64_t bytes)
{
	char text[QUANTITY_TEXT_MAX];
	return arena_str(a,
			 str_n(text, quantity_format(quantity_of(bytes, QUANTITY_BINARY), text)));
}

static long long percent(int64_t part, int64_t whole)
{
	return whole ? (long long)((double)part / (double)whole * 100) : 0;
}

static struct amounts allocatable(const struct json *node)
{
	struct amounts all = {};
	add_quantities(&all, json_path(node, "status.allocatable"));
	return all;
}

static void describe_pod_row(struct describe *d, const struct json *pod, const struct need *n,
			     const struct amounts *all)
{
	struct arena *a = d->arena;
	describe_line(
		d, 1,
		"%.*s\t%.*s\t\t%.*s (%lld%%)\t%.*s (%lld%%)\t%.*s (%lld%%)\t%.*s "
		"(%lld%%)\t%.*s",
		STR_FMT(json_path_str(pod, "metadata.namespace")),
		STR_FMT(json_path_str(pod, "metadata.name")), STR_FMT(cpu_text(a, n->requests.cpu)),
		percent(n->requests.cpu, all->cpu), STR_FMT(cpu_text(a, n->limits.cpu)),
		percent(n->limits.cpu, all->cpu), STR_FMT(bytes_text(a, n->requests.memory)),
		percent(n->requests.memory, all->memory), STR_FMT(bytes_text(a, n->limits.memory)),
		percent(n->limits.memory, all->memory),
		STR_FMT(event_time_since(a, json_path_str(pod, "metadata.creationTimestamp"))));
}

static void describe_sums(struct describe *d, const struct need *sum, const struct amounts *all)
{
	struct arena *a = d->arena;
	describe_line(d, 0, "Allocated resources:");
	describe_line(d, 1, "(Total limits may be over 100 percent, i.e., overcommitted.)");
	describe_line(d, 1, "Resource\tRequests\tLimits");
	describe_line(d, 1, "--------\t--------\t------");
	describe_line(d, 1, "cpu\t%.*s (%lld%%)\t%.*s (%lld%%)",
		      STR_FMT(cpu_text(a, sum->requests.cpu)), percent(sum->requests.cpu, all->cpu),
		      STR_FMT(cpu_text(a, sum->limits.cpu)), percent(sum->limits.cpu, all->cpu));
	describe_line(d, 1, "memory\t%.*s (%lld%%)\t%.*s (%lld%%)",
		      STR_FMT(bytes_text(a, sum->requests.memory)),
		      percent(sum->requests.memory, all->memory),
		      STR_FMT(bytes_text(a, sum->limits.memory)),
		      percent(sum->limits.memory, all->memory));
	describe_line(d, 1, "ephemeral-storage\t%.*s (%lld%%)\t%.*s (%lld%%)",
		      STR_FMT(bytes_text(a, sum->requests.storage)),
		      percent(sum->requests.storage, all->storage),
		      STR_FMT(bytes_text(a, sum->limits.storage)),
		      percent(sum->limits.storage, all->storage));
}

static enum rc describe_load(struct describe *d, const struct resource *r, struct err *err)
{
	struct json *pods;
	struct need sum = {};
	struct amounts all = allocatable(r->tree);
	struct str selector = arena_printf(
		d->arena, "spec.nodeName=%.*s,status.phase!=Succeeded,status.phase!=Failed",
		STR_FMT(r->name));
	TRY(describe_list(d->verb, "pods", (struct str){}, "fieldSelector", selector, &pods, err));
	describe_line(d, 0, "Non-terminated Pods:\t(%zu in total)", json_count(pods));
	describe_line(d, 1,
		      "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory "
		      "Limits\tAge");
	describe_line(d, 1,
		      "---------\t----\t\t------------\t----------\t---------------\t------------"
		      "-\t---");
	for (size_t i = 0; i < json_count(pods); i++) {
		struct need n = need_of(json_at(pods, i));
		sum_add(&sum.requests, &n.requests);
		sum_add(&sum.limits, &n.limits);
		describe_pod_row(d, json_at(pods, i), &n, &all);
	}
	describe_sums(d, &sum, &all);
	return RC_OK;
}

enum rc describe_node(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct {
		const char *label, *path;
	} info[] = {
		{"Machine ID", "machineID"},
		{"System UUID", "systemUUID"},
		{"Boot ID", "bootID"},
		{"Kernel Version", "kernelVersion"},
		{"OS Image", "osImage"},
		{"Operating System", "operatingSystem"},
		{"Architecture", "architecture"},
		{"Container Runtime Version", "containerRuntimeVersion"},
		{"Kubelet Version", "kubeletVersion"},
		{"Kube-Proxy Version", "kubeProxyVersion"},
	};
	const struct json *t = r->tree, *addresses = json_path(t, "status.addresses");
	const struct json *cidrs = json_path(t, "spec.podCIDRs");
	describe_line(d, 0, "Name:\t%.*s", STR_FMT(r->name));
	describe_roles(d, t);
	describe_map(d, 0, "Labels", json_path(t, "metadata.labels"), "=");
	describe_annotations(d, 0, json_path(t, "metadata.annotations"));
	describe_line(
		d, 0, "CreationTimestamp:\t%.*s",
		STR_FMT(describe_time(d->arena, json_path_str(t, "metadata.creationTimestamp"))));
	describe_taints(d, json_path(t, "spec.taints"));
	describe_line(d, 0, "Unschedulable:\t%s",
		      json_is_true(json_path(t, "spec.unschedulable")) ? "true" : "false");
	describe_lease(d, r->name);
	describe_conditions(d, json_path(t, "status.conditions"));
	describe_line(d, 0, "Addresses:");
	for (size_t i = 0; i < json_count(addresses); i++)
		describe_line(d, 1, "%.*s:\t%.*s",
			      STR_FMT(json_path_str(json_at(addresses, i), "type")),
			      STR_FMT(json_path_str(json_at(addresses, i), "address")));
	describe_quantities(d, 0, "Capacity", json_path(t, "status.capacity"));
	describe_quantities(d, 0, "Allocatable", json_path(t, "status.allocatable"));
	describe_line(d, 0, "System Info:");
	for (size_t i = 0; i < ARRAY_LEN(info); i++)
		describe_line(
			d, 1, "%s:\t%.*s", info[i].label,
			STR_FMT(json_path_str(json_path(t, "status.nodeInfo"), info[i].path)));
	if (json_path_str(t, "spec.podCIDR").len)
		describe_line(d, 0, "PodCIDR:\t%.*s", STR_FMT(json_path_str(t, "spec.podCIDR")));
	for (size_t i = 0; i < json_count(cidrs); i++)
		describe_line(d, 0, "%s\t%.*s",
			      i ? "" : "PodCIDRs:", STR_FMT(json_str(json_at(cidrs, i))));
	TRY(describe_load(d, r, err));
	return describe_events(d, r, err);
}
