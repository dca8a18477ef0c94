/* skeg expose: a Service for a workload. */
#include "client/change.h"
#include "client/create.h"
#include "client/resources.h"
#include "client/verbs.h"

struct expose_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	const char *port, *target_port, *name, *type, *protocol, *cluster_ip;
};

struct exposing {
	const struct expose_options *options;
	struct change change;
};

/* The ports of --port, else those of the containers. */
static enum rc add_ports(struct verb *v, const struct expose_options *o, const struct resource *r,
			 struct json *ports, struct err *err)
{
	struct arena *a = v->arena;
	struct json *numbers = create_list(a, o->port);
	const struct json *containers = json_path(
		r->tree, str_is(r->kind->plural, "pods") ? "spec.containers"
							 : "spec.template.spec.containers");
	for (size_t i = 0; !o->port && i < json_count(containers); i++) {
		const struct json *list = json_get(json_at(containers, i), STR("ports"));
		for (size_t k = 0; k < json_count(list); k++)
			json_append(a, numbers,
				    json_printf(a, "%lld",
						(long long)json_i64(json_get(
							json_at(list, k), STR("containerPort")))));
	}
	if (json_count(numbers) == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "couldn't find port via --port flag or introspection");
	for (size_t i = 0; i < json_count(numbers); i++) {
		struct json *p = json_object(a);
		struct str text = json_str(json_at(numbers, i));
		if (json_count(numbers) > 1)
			json_set(a, p, STR("name"), json_printf(a, "port-%zu", i + 1));
		create_number_or_text(a, p, STR("port"), text);
		json_set_str(a, p, STR("protocol"), str_of(o->protocol ? o->protocol : "TCP"));
		create_number_or_text(a, p, STR("targetPort"),
				      o->target_port ? str_of(o->target_port) : text);
		json_append(a, ports, p);
	}
	return RC_OK;
}

static enum rc expose_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct exposing *e = ctx;
	struct arena *a = v->arena;
	const struct expose_options *o = e->options;
	const struct api_kind *kind = resource_type_find(STR("services"));
	struct json *service = json_object(a), *ports = json_array(a), *after;
	const struct json *selector = json_path(r->tree, "spec.selector.matchLabels");
	if (!selector)
		selector = json_path(r->tree, str_is(r->kind->plural, "pods") ? "metadata.labels"
									      : "spec.selector");
	if (!selector)
		return err_set(err, RC_BAD_REQUEST,
			       "cannot expose a %.*s: it selects no pods; expose a pod, service or "
			       "workload",
			       STR_FMT(r->kind->kind));
	json_set_str(a, service, STR("apiVersion"), STR("v1"));
	json_set_str(a, service, STR("kind"), STR("Service"));
	json_set_str(a, create_at(a, service, "metadata"), STR("name"),
		     o->name ? str_of(o->name) : r->name);
	if (json_path(r->tree, "metadata.labels"))
		json_set(a, json_get(service, STR("metadata")), STR("labels"),
			 json_clone(a, json_path(r->tree, "metadata.labels")));
	json_set(a, create_at(a, service, "spec"), STR("selector"), json_clone(a, selector));
	create_set(a, service, "spec.type", o->type);
	create_set(a, service, "spec.clusterIP", o->cluster_ip);
	TRY(add_ports(v, o, r, ports, err));
	json_set(a, json_get(service, STR("spec")), STR("ports"), ports);
	TRY(change_create(&e->change, kind, r->namespace, service, &after, err));
	return change_tell(&e->change, kind, after, "exposed", err);
}

static enum rc body(struct verb *v, struct err *err)
{
	struct exposing e = {.options = v->line->values};
	struct resources r;
	const struct resource_query q = {.options = &e.options->resources,
					 .words = verb_words(v, 0)};
	TRY(change_open(&v->client, &e.options->change, "kubectl-expose", &e.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, expose_one, &e);
	return RC_OK;
}

#define AT(member) offsetof(struct expose_options, member)
static const struct option options[] = {
	{"port", 0, OPTION_TEXT, AT(port), "PORT,…", "of the Service (the containers')"},
	{"target-port", 0, OPTION_TEXT, AT(target_port), "PORT", "of the pods (the same)"},
	{"name", 0, OPTION_TEXT, AT(name), "NAME", "of the Service (the workload's)"},
	{"type", 0, OPTION_TEXT, AT(type), "TYPE", "ClusterIP, NodePort, LoadBalancer"},
	{"protocol", 0, OPTION_TEXT, AT(protocol), "NAME", "TCP, UDP or SCTP"},
	{"cluster-ip", 0, OPTION_TEXT, AT(cluster_ip), "IP", "its address, or None"},
	CHANGE_OPTIONS(struct expose_options, change),
	RESOURCE_FILE_OPTIONS(struct expose_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct expose_options, resources),
	CLIENT_OPTIONS(struct expose_options, client),
};
const struct command command_expose = {
	.name = "expose",
	.arguments = "TYPE NAME --port=PORT",
	.summary = "Make a Service for a workload",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct expose_options),
	VERB_RUN(body),
};
