/* skeg create service, ingress. */
#include <stdio.h>

#include "client/create.h"
#include "client/verbs.h"

static enum rc build_service(struct create *c, struct json *tree, struct err *err)
{
	static const struct {
		const char *word, *type;
	} types[] = {{"clusterip", "ClusterIP"},
		     {"nodeport", "NodePort"},
		     {"loadbalancer", "LoadBalancer"},
		     {"externalname", "ExternalName"}};
	const struct create_options *o = c->options;
	struct arena *a = c->arena;
	struct json *ports;
	const char *word = c->verb->line->words.at[0];
	size_t i = 0;
	while (i < ARRAY_LEN(types) && strcmp(types[i].word, word) != 0)
		i++;
	if (i == ARRAY_LEN(types))
		return err_set(err, RC_BAD_REQUEST,
			       "'%s' is no type of Service; it is one of clusterip, nodeport, "
			       "loadbalancer, externalname",
			       word);
	json_set(a, json_get(tree, STR("metadata")), STR("labels"), create_app_labels(a, c->name));
	json_set(a, create_at(a, tree, "spec"), STR("selector"), create_app_labels(a, c->name));
	create_set(a, tree, "spec.type", types[i].type);
	create_set(a, tree, "spec.clusterIP", o->cluster_ip);
	create_set(a, tree, "spec.externalName", o->external_name);
	TRY(create_ports(c, &o->tcp, o->node_port, &ports, err));
	bool needs_port = i < 3 && !(o->cluster_ip && strcmp(o->cluster_ip, "None") == 0);
	if (needs_port && json_count(ports) == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "at least one tcp port specifier must be provided");
	if (json_count(ports))
		json_set(a, json_get(tree, STR("spec")), STR("ports"), ports);
	return RC_OK;
}

static struct json *backend(struct arena *a, struct str service, struct str port)
{
	struct json *b = json_object(a);
	int64_t number;
	json_set_str(a, create_at(a, b, "service"), STR("name"), service);
	if (str_to_i64(port, &number))
		json_set(a, create_at(a, b, "service.port"), STR("number"), json_int(a, number));
	else
		json_set_str(a, create_at(a, b, "service.port"), STR("name"), port);
	return b;
}

/* "host/path=service:port[,tls[=secret]]"; a path that ends with '*' is a prefix. */
static enum rc add_rule(struct create *c, struct json *tree, const char *word, struct err *err)
{
	struct arena *a = c->arena;
	struct str first, rest, left, right, host, path, service, port;
	str_cut(str_of(word), ',', &first, &rest);
	if (!str_cut(first, '=', &left, &right) || !str_cut(right, ':', &service, &port) ||
	    !str_cut(left, '/', &host, &path))
		return err_set(err, RC_BAD_REQUEST,
			       "rule %s is invalid and should be in format "
			       "host/path=svcname:svcport[,tls[=secret]]",
			       word);
	bool is_prefix = str_has_suffix(path, STR("*"));
	path.len -= is_prefix;
	struct json *entry = json_object(a), *paths = json_array(a), *rule = json_object(a);
	json_set(a, entry, STR("path"), json_printf(a, "/%.*s", STR_FMT(path)));
	json_set_str(a, entry, STR("pathType"), is_prefix ? STR("Prefix") : STR("Exact"));
	json_set(a, entry, STR("backend"), backend(a, service, port));
	json_append(a, paths, entry);
	if (host.len)
		json_set_str(a, rule, STR("host"), host);
	json_set(a, create_at(a, rule, "http"), STR("paths"), paths);
	struct json *spec = create_at(a, tree, "spec");
	if (!json_get(spec, STR("rules")))
		json_set(a, spec, STR("rules"), json_array(a));
	json_append(a, json_get(spec, STR("rules")), rule);
	if (!str_has_prefix(rest, STR("tls")))
		return RC_OK;
	struct json *tls = json_object(a), *hosts = json_array(a);
	if (host.len)
		json_append(a, hosts, json_string(a, host));
	json_set(a, tls, STR("hosts"), hosts);
	if (str_has_prefix(rest, STR("tls=")))
		json_set_str(a, tls, STR("secretName"), str_skip(rest, 4));
	if (!json_get(spec, STR("tls")))
		json_set(a, spec, STR("tls"), json_array(a));
	json_append(a, json_get(spec, STR("tls")), tls);
	return RC_OK;
}

static enum rc build_ingress(struct create *c, struct json *tree, struct err *err)
{
	const struct create_options *o = c->options;
	struct str service, port;
	if (!o->rules.count && !o->default_backend)
		return err_set(
			err, RC_BAD_REQUEST,
			"not enough information provided: every ingress has to either specify "
			"a default-backend (which catches all traffic) or a list of rules "
			"(which catch specific paths)");
	create_set(c->arena, tree, "spec.ingressClassName", o->ingress_class);
	if (o->default_backend) {
		str_cut(str_of(o->default_backend), ':', &service, &port);
		json_set(c->arena, create_at(c->arena, tree, "spec"), STR("defaultBackend"),
			 backend(c->arena, service, port));
	}
	for (size_t i = 0; i < o->rules.count; i++)
		TRY(add_rule(c, tree, o->rules.at[i], err));
	return RC_OK;
}

static const struct option service_options[] = {
	CREATE_LIST("tcp", tcp, "PORT[:TARGET]", "a port, and where it leads"),
	CREATE_TEXT("clusterip", cluster_ip, "IP", "its address, or None"),
	CREATE_TEXT("node-port", node_port, "N", "port of every node"),
	CREATE_TEXT("external-name", external_name, "NAME", "the name that it stands for"),
	CREATE_COMMON,
};
static const struct option ingress_options[] = {
	CREATE_LIST("rule", rules, "RULE", "host/path=service:port[,tls[=secret]]"),
	CREATE_TEXT("class", ingress_class, "NAME", "its IngressClass"),
	CREATE_TEXT("default-backend", default_backend, "SERVICE:PORT", "for all other requests"),
	CREATE_COMMON,
};

CREATE_COMMAND(service, "create service", "create svc",
	       "clusterip|nodeport|loadbalancer|externalname NAME", "Make a Service",
	       service_options, "v1", "Service", true, build_service);
CREATE_COMMAND(ingress, "create ingress", "create ing", "NAME --rule=RULE", "Make an Ingress",
	       ingress_options, "networking.k8s.io/v1", "Ingress", false, build_ingress);
