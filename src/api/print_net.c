#include "api/print-int.h"

static void cell_slice_ports(struct cells *c, const struct discovery_endpoint_port_array *ports)
{
	struct texts t = {};
	for (uint32_t i = 0; i < ports->count; i++)
		texts_add(c, &t,
			  ports->at[i].port ? arena_printf(c->arena, "%d", *ports->at[i].port)
					    : or_text(ports->at[i].name, ""));
	if (ports->count == 0)
		cell_cstr(c, "<unset>");
	else
		cell(c, texts_first(c, &t, 3));
}

void print_endpoint_slice(struct cells *c, const void *view)
{
	const struct endpoint_slice *slice = view;
	struct texts t = {};
	for (uint32_t i = 0; i < slice->endpoints.count; i++)
		for (uint32_t k = 0; k < slice->endpoints.at[i].addresses.count; k++)
			texts_add(c, &t, slice->endpoints.at[i].addresses.at[k]);
	cell(c, slice->metadata.name);
	cell(c, slice->address_type);
	cell_slice_ports(c, &slice->ports);
	cell_or(c, texts_first(c, &t, 3), "<unset>");
	cell_age(c, slice->metadata.creation_timestamp);
}

static struct str hosts_text(struct cells *c, const struct ingress_rule_array *rules)
{
	struct texts t = {};
	for (uint32_t i = 0; i < rules->count; i++)
		if (rules->at[i].host.len > 0)
			texts_add(c, &t, rules->at[i].host);
	return or_text(texts_first(c, &t, 3), "*");
}

static struct str ingress_address(struct cells *c,
				  const struct ingress_load_balancer_status *status)
{
	struct texts t = {};
	for (uint32_t i = 0; i < status->ingress.count; i++) {
		const struct ingress_load_balancer_ingress *ingress = &status->ingress.at[i];
		struct str text = ingress->ip.len ? ingress->ip : ingress->hostname;
		if (text.len > 0)
			texts_add(c, &t, text);
	}
	return texts_sorted(c, &t, ",");
}

void print_ingress(struct cells *c, const void *view)
{
	const struct ingress *ingress = view;
	cell(c, ingress->metadata.name);
	cell_or(c, ingress->spec.ingress_class_name, "<none>");
	cell(c, hosts_text(c, &ingress->spec.rules));
	cell(c, ingress_address(c, &ingress->status.load_balancer));
	cell_cstr(c, ingress->spec.tls.count ? "80, 443" : "80");
	cell_age(c, ingress->metadata.creation_timestamp);
}

void print_ingress_class(struct cells *c, const void *view)
{
	const struct ingress_class *class = view;
	const struct ingress_class_parameters_reference *p = class->spec.parameters;
	cell(c, class->metadata.name);
	cell_or(c, class->spec.controller, "");
	if (p)
		cell_printf(c, "%.*s%s%.*s/%.*s", STR_FMT(p->kind), p->api_group.len ? "." : "",
			    STR_FMT(p->api_group), STR_FMT(p->name));
	else
		cell_cstr(c, "<none>");
	cell_age(c, class->metadata.creation_timestamp);
}

void print_network_policy(struct cells *c, const void *view)
{
	const struct network_policy *policy = view;
	cell(c, policy->metadata.name);
	cell(c, selector_text(c, &policy->spec.pod_selector));
	cell_age(c, policy->metadata.creation_timestamp);
}

/* "services/default/x", with the group after the resource; upstream adds an age without a column.
 */
void print_ip_address(struct cells *c, const void *view)
{
	const struct ip_address *address = view;
	const struct parent_reference *p = address->spec.parent_ref;
	cell(c, address->metadata.name);
	if (p)
		cell_printf(c, "%.*s%s%.*s/%.*s%s%.*s", STR_FMT(p->resource),
			    p->group.len ? "." : "", STR_FMT(p->group), STR_FMT(p->namespace),
			    p->namespace.len ? "/" : "", STR_FMT(p->name));
	else
		cell_cstr(c, "<none>");
	cell_age(c, address->metadata.creation_timestamp);
}

void print_service_cidr(struct cells *c, const void *view)
{
	const struct service_cidr *cidr = view;
	cell(c, cidr->metadata.name);
	cell(c, list_text(c, &cidr->spec.cidrs, ","));
	cell_age(c, cidr->metadata.creation_timestamp);
}

void print_flow_schema(struct cells *c, const void *view)
{
	const struct flow_schema *schema = view;
	const struct flow_distinguisher_method *method = schema->spec.distinguisher_method;
	struct str dangling = STR("?");
	for (uint32_t i = 0; i < schema->status.conditions.count; i++)
		if (str_is(schema->status.conditions.at[i].type, "Dangling"))
			dangling = schema->status.conditions.at[i].status;
	cell(c, schema->metadata.name);
	cell(c, schema->spec.priority_level_configuration.name);
	cell_int(c, schema->spec.matching_precedence);
	cell(c, method ? method->type : STR("<none>"));
	cell_age(c, schema->metadata.creation_timestamp);
	cell(c, dangling);
}

void print_priority_level(struct cells *c, const void *view)
{
	const struct priority_level_configuration *level = view;
	const struct limited_priority_level_configuration *limited = level->spec.limited;
	const struct exempt_priority_level_configuration *exempt = level->spec.exempt;
	const struct queuing_configuration *queuing = limited ? limited->limit_response.queuing
							      : NULL;
	const int32_t *shares = limited	 ? limited->nominal_concurrency_shares
				: exempt ? exempt->nominal_concurrency_shares
					 : NULL;
	cell(c, level->metadata.name);
	cell(c, level->spec.type);
	if (shares)
		cell_int(c, *shares);
	else
		cell_cstr(c, "<none>");
	if (queuing) {
		cell_int(c, queuing->queues);
		cell_int(c, queuing->hand_size);
		cell_int(c, queuing->queue_length_limit);
	} else {
		for (int i = 0; i < 3; i++)
			cell_cstr(c, "<none>");
	}
	cell_age(c, level->metadata.creation_timestamp);
}

void print_lease(struct cells *c, const void *view)
{
	const struct lease *lease = view;
	cell(c, lease->metadata.name);
	cell_or(c, lease->spec.holder_identity, "");
	cell_age(c, lease->metadata.creation_timestamp);
}
