#include "api/print-int.h"
#include "base/ipaddr.h"

#define ROLE_PREFIX "node-role.kubernetes.io/"

static void cell_node_status(struct cells *c, const struct node *node)
{
	const char *status = "Unknown";
	for (uint32_t i = 0; i < node->status.conditions.count; i++) {
		const struct node_condition *condition = &node->status.conditions.at[i];
		if (str_is(condition->type, "Ready"))
			status = str_is(condition->status, "True") ? "Ready" : "NotReady";
	}
	cell_printf(c, "%s%s", status, node->spec.unschedulable ? ",SchedulingDisabled" : "");
}

static void cell_roles(struct cells *c, const struct str_map *labels)
{
	struct texts roles = {};
	for (uint32_t i = 0; i < labels->count; i++) {
		struct str_pair label = labels->at[i];
		struct str role = str_skip(label.key, strlen(ROLE_PREFIX));
		if (str_has_prefix(label.key, STR(ROLE_PREFIX)) && role.len > 0)
			texts_add(c, &roles, role);
		else if (str_is(label.key, "kubernetes.io/role") && label.value.len > 0)
			texts_add(c, &roles, label.value);
	}
	cell_or(c, texts_sorted(c, &roles, ","), "<none>");
}

static void cell_address(struct cells *c, const struct node *node, const char *type)
{
	for (uint32_t i = 0; i < node->status.addresses.count; i++)
		if (str_is(node->status.addresses.at[i].type, type)) {
			cell(c, node->status.addresses.at[i].address);
			return;
		}
	cell_cstr(c, "<none>");
}

void print_node(struct cells *c, const void *view)
{
	const struct node *node = view;
	const struct node_system_info *info = &node->status.node_info;
	cell(c, node->metadata.name);
	cell_node_status(c, node);
	cell_roles(c, &node->metadata.labels);
	cell_age(c, node->metadata.creation_timestamp);
	cell(c, info->kubelet_version);
	cell_address(c, node, "InternalIP");
	cell_address(c, node, "ExternalIP");
	cell_or(c, info->os_image, "<unknown>");
	cell_or(c, info->kernel_version, "<unknown>");
	cell_or(c, info->container_runtime_version, "<unknown>");
}

static struct str balancer_text(struct cells *c, const struct load_balancer_status *status)
{
	struct texts t = {};
	for (uint32_t i = 0; i < status->ingress.count; i++) {
		const struct load_balancer_ingress *ingress = &status->ingress.at[i];
		struct str text = ingress->ip.len ? ingress->ip : ingress->hostname;
		bool is_twice = false;
		for (size_t k = 0; k < t.count; k++)
			is_twice |= str_eq(t.at[k], text);
		if (text.len > 0 && !is_twice)
			texts_add(c, &t, text);
	}
	return texts_sorted(c, &t, ",");
}

static void cell_external(struct cells *c, const struct service *service)
{
	const struct service_spec *spec = &service->spec;
	struct str external = list_text(c, &spec->external_ips, ",");
	if (str_is(spec->type, "ExternalName")) {
		cell(c, spec->external_name);
		return;
	}
	if (!str_is(spec->type, "LoadBalancer")) {
		cell_or(c, external, "<none>");
		return;
	}
	struct str balancer = balancer_text(c, &service->status.load_balancer);
	if (balancer.len > 0 && external.len > 0)
		cell_printf(c, "%.*s,%.*s", STR_FMT(balancer), STR_FMT(external));
	else
		cell_or(c, balancer.len ? balancer : external, "<pending>");
}

static void cell_ports(struct cells *c, const struct service_port_array *ports)
{
	struct texts t = {};
	for (uint32_t i = 0; i < ports->count; i++) {
		const struct service_port *port = &ports->at[i];
		if (port->node_port > 0)
			texts_add(c, &t,
				  arena_printf(c->arena, "%d:%d/%.*s", port->port, port->node_port,
					       STR_FMT(port->protocol)));
		else
			texts_add(c, &t,
				  arena_printf(c->arena, "%d/%.*s", port->port,
					       STR_FMT(port->protocol)));
	}
	cell_or(c, texts_joined(c, &t, ","), "<none>");
}

void print_service(struct cells *c, const void *view)
{
	const struct service *service = view;
	const struct service_spec *spec = &service->spec;
	cell(c, service->metadata.name);
	cell(c, spec->type);
	cell_or(c, spec->cluster_ips.count ? spec->cluster_ips.at[0] : spec->cluster_ip, "<none>");
	cell_external(c, service);
	cell_ports(c, &spec->ports);
	cell_age(c, service->metadata.creation_timestamp);
	cell(c, labels_text(c, &spec->selector));
}

void print_namespace(struct cells *c, const void *view)
{
	const struct namespace *namespace = view;
	cell(c, namespace->metadata.name);
	cell(c, namespace->status.phase);
	cell_age(c, namespace->metadata.creation_timestamp);
}

void print_config_map(struct cells *c, const void *view)
{
	const struct config_map *map = view;
	cell(c, map->metadata.name);
	cell_int(c, (int64_t)map->data.count + map->binary_data.count);
	cell_age(c, map->metadata.creation_timestamp);
}

void print_secret(struct cells *c, const void *view)
{
	const struct secret *secret = view;
	cell(c, secret->metadata.name);
	cell(c, secret->type);
	cell_int(c, secret->data.count);
	cell_age(c, secret->metadata.creation_timestamp);
}

void print_service_account(struct cells *c, const void *view)
{
	const struct service_account *account = view;
	cell(c, account->metadata.name);
	cell_age(c, account->metadata.creation_timestamp);
}

static void add_subset(struct cells *c, struct texts *t, const struct endpoint_subset *subset)
{
	for (uint32_t a = 0; subset->ports.count == 0 && a < subset->addresses.count; a++)
		texts_add(c, t, subset->addresses.at[a].ip);
	for (uint32_t p = 0; p < subset->ports.count; p++)
		for (uint32_t a = 0; a < subset->addresses.count; a++) {
			struct str ip = subset->addresses.at[a].ip;
			bool is_v6 = ip.len > 0 && memchr(ip.at, ':', ip.len);
			texts_add(c, t,
				  arena_printf(c->arena, is_v6 ? "[%.*s]:%d" : "%.*s:%d",
					       STR_FMT(ip), subset->ports.at[p].port));
		}
}

void print_endpoints(struct cells *c, const void *view)
{
	const struct endpoints *endpoints = view;
	struct texts t = {};
	for (uint32_t i = 0; i < endpoints->subsets.count; i++)
		add_subset(c, &t, &endpoints->subsets.at[i]);
	cell(c, endpoints->metadata.name);
	cell_or(c, texts_first(c, &t, 3), endpoints->subsets.count ? "" : "<none>");
	cell_age(c, endpoints->metadata.creation_timestamp);
}

static void cell_event_source(struct cells *c, const struct event *event)
{
	struct str component = event->source.component.len ? event->source.component
							   : event->reporting_component;
	struct str host = event->source.host.len ? event->source.host : event->reporting_instance;
	if (host.len > 0)
		cell_printf(c, "%.*s, %.*s", STR_FMT(component), STR_FMT(host));
	else
		cell_or(c, component, "");
}

static void cell_event_target(struct cells *c, const struct event *event)
{
	struct str kind = lower_text(c, event->involved_object.kind);
	struct str name = event->involved_object.name;
	if (name.len > 0)
		cell_printf(c, "%.*s/%.*s", STR_FMT(kind), STR_FMT(name));
	else
		cell(c, kind);
}

void print_event(struct cells *c, const void *view)
{
	const struct event *event = view;
	int64_t first = event->first_timestamp ? event->first_timestamp : event->event_time;
	int64_t last = event->last_timestamp ? event->last_timestamp : first;
	int32_t count = event->count ? event->count : 1;
	if (event->series) {
		last = event->series->last_observed_time;
		count = event->series->count;
	}
	cell_age(c, last);
	cell_or(c, event->type, "");
	cell_or(c, event->reason, "");
	cell_event_target(c, event);
	cell_or(c, event->involved_object.field_path, "");
	cell_event_source(c, event);
	cell_or(c, str_trim(event->message), "");
	cell_age(c, first);
	cell_int(c, count);
	cell(c, event->metadata.name);
}

/* "RWO,RWX" in a fixed order, each once. */
static struct str modes_text(struct cells *c, const struct str_array *modes)
{
	static const char *const names[][2] = {{"ReadWriteOnce", "RWO"},
					       {"ReadOnlyMany", "ROX"},
					       {"ReadWriteMany", "RWX"},
					       {"ReadWriteOncePod", "RWOP"}};
	struct texts t = {};
	for (size_t n = 0; n < ARRAY_LEN(names); n++)
		for (uint32_t i = 0; i < modes->count; i++)
			if (str_is(modes->at[i], names[n][0])) {
				texts_add(c, &t, str_of(names[n][1]));
				break;
			}
	return texts_joined(c, &t, ",");
}

void print_claim(struct cells *c, const void *view)
{
	const struct persistent_volume_claim *claim = view;
	const struct persistent_volume_claim_spec *spec = &claim->spec;
	struct str class = str_map_cget(&claim->metadata.annotations,
					"volume.beta.kubernetes.io/storage-class");
	bool is_bound = spec->volume_name.len > 0;
	cell(c, claim->metadata.name);
	cell(c, claim->metadata.deletion_timestamp ? STR("Terminating") : claim->status.phase);
	cell_or(c, spec->volume_name, "");
	if (is_bound)
		cell_quantity(c, str_map_cget(&claim->status.capacity, "storage"), "0");
	else
		cell_cstr(c, "");
	cell(c, is_bound ? modes_text(c, &claim->status.access_modes) : STR(""));
	cell_or(c, class.at ? class : spec->storage_class_name, "");
	cell_or(c, spec->volume_attributes_class_name, "<unset>");
	cell_age(c, claim->metadata.creation_timestamp);
	cell_or(c, spec->volume_mode, "<unset>");
}

void print_volume(struct cells *c, const void *view)
{
	const struct persistent_volume *volume = view;
	const struct persistent_volume_spec *spec = &volume->spec;
	struct str class = str_map_cget(&volume->metadata.annotations,
					"volume.beta.kubernetes.io/storage-class");
	cell(c, volume->metadata.name);
	cell_quantity(c, str_map_cget(&spec->capacity, "storage"), "0");
	cell(c, modes_text(c, &spec->access_modes));
	cell(c, spec->persistent_volume_reclaim_policy);
	cell(c, volume->metadata.deletion_timestamp ? STR("Terminating") : volume->status.phase);
	if (spec->claim_ref)
		cell_printf(c, "%.*s/%.*s", STR_FMT(spec->claim_ref->namespace),
			    STR_FMT(spec->claim_ref->name));
	else
		cell_cstr(c, "");
	cell_or(c, class.at ? class : spec->storage_class_name, "");
	cell_or(c, spec->volume_attributes_class_name, "<unset>");
	cell_or(c, volume->status.reason, "");
	cell_age(c, volume->metadata.creation_timestamp);
	cell_or(c, spec->volume_mode, "<unset>");
}

void print_pod_template(struct cells *c, const void *view)
{
	const struct pod_template *template = view;
	cell(c, template->metadata.name);
	cell_containers(c, &template->template.spec);
	cell(c, labels_text(c, &template->template.metadata.labels));
}

void print_controller(struct cells *c, const void *view)
{
	const struct replication_controller *controller = view;
	const struct replication_controller_spec *spec = &controller->spec;
	static const struct pod_spec none;
	cell(c, controller->metadata.name);
	cell_int(c, spec->replicas ? *spec->replicas : 0);
	cell_int(c, controller->status.replicas);
	cell_int(c, controller->status.ready_replicas);
	cell_age(c, controller->metadata.creation_timestamp);
	cell_containers(c, spec->template ? &spec->template->spec : &none);
	cell(c, labels_text(c, &spec->selector));
}

/* "cpu: 1/2, pods: 0/5" of the hard limits with or without "limits." in their names. */
static void cell_quota(struct cells *c, const struct resource_quota_status *status, bool is_limit)
{
	struct texts t = {};
	for (uint32_t i = 0; i < status->hard.count; i++) {
		struct str_pair hard = status->hard.at[i];
		struct str used = str_map_get(&status->used, hard.key);
		if (str_has_prefix(hard.key, STR("limits")) == is_limit)
			texts_add(c, &t,
				  arena_printf(c->arena, "%.*s: %.*s/%.*s", STR_FMT(hard.key),
					       STR_FMT(or_text(used, "0")), STR_FMT(hard.value)));
	}
	cell(c, texts_sorted(c, &t, ", "));
}

void print_quota(struct cells *c, const void *view)
{
	const struct resource_quota *quota = view;
	cell(c, quota->metadata.name);
	cell_quota(c, &quota->status, false);
	cell_quota(c, &quota->status, true);
	cell_age(c, quota->metadata.creation_timestamp);
}
