/* Services and Ingresses. */
#include <stdio.h>

#include "client/describe.h"

#define TEXT_BYTES_MAX	(1u << 20)
#define ENDPOINTS_SHOWN 3

static bool has_port(const struct json *slice, struct str name, const struct json **ret_port)
{
	const struct json *ports = json_get(slice, STR("ports"));
	for (size_t i = 0; i < json_count(ports); i++) {
		if (!str_eq(json_path_str(json_at(ports, i), "name"), name))
			continue;
		*ret_port = json_get(json_at(ports, i), STR("port"));
		return true;
	}
	return false;
}

/* "10.42.0.2:80,10.42.1.2:80,10.42.1.3:80 + 2 more..." */
static struct str endpoints_text(struct arena *a, const struct json *slices, struct str port_name)
{
	CLEANUP_BUF text = BUF_INIT(TEXT_BYTES_MAX);
	size_t count = 0;
	for (size_t i = 0; i < json_count(slices); i++) {
		const struct json *s = json_at(slices, i), *port;
		const struct json *endpoints = json_get(s, STR("endpoints"));
		bool is_v6 = str_is(json_path_str(s, "addressType"), "IPv6");
		if (!has_port(s, port_name, &port))
			continue;
		for (size_t k = 0; k < json_count(endpoints); k++) {
			const struct json *e = json_at(endpoints, k);
			const struct json *ready = json_path(e, "conditions.ready");
			if ((ready && !json_is_true(ready)) || ++count > ENDPOINTS_SHOWN)
				continue;
			buf_printf(&text, is_v6 ? "%s[%.*s]:%.*s" : "%s%.*s:%.*s",
				   text.len ? "," : "",
				   STR_FMT(json_str(json_at(json_get(e, STR("addresses")), 0))),
				   STR_FMT(describe_value(a, port)));
		}
	}
	if (count > ENDPOINTS_SHOWN)
		buf_printf(&text, " + %zu more...", count - ENDPOINTS_SHOWN);
	return arena_str(a, buf_str(&text));
}

static enum rc find_slices(struct describe *d, struct str namespace, struct str service,
			   struct json **ret_slices, struct err *err)
{
	return describe_list(
		d->verb, "endpointslices.discovery.k8s.io", namespace, "labelSelector",
		arena_printf(d->arena, "kubernetes.io/service-name=%.*s", STR_FMT(service)),
		ret_slices, err);
}

static void describe_port(struct describe *d, const struct json *p, const struct json *slices)
{
	struct str name = json_path_str(p, "name");
	struct str protocol = json_path_str(p, "protocol");
	int64_t node_port = json_i64(json_get(p, STR("nodePort")));
	describe_line(d, 0, "Port:\t%.*s\t%lld/%.*s", STR_FMT(describe_or(name, "<unset>")),
		      (long long)json_i64(json_get(p, STR("port"))), STR_FMT(protocol));
	describe_line(d, 0, "TargetPort:\t%.*s/%.*s",
		      STR_FMT(describe_value(d->arena, json_get(p, STR("targetPort")))),
		      STR_FMT(protocol));
	if (node_port)
		describe_line(d, 0, "NodePort:\t%.*s\t%lld/%.*s",
			      STR_FMT(describe_or(name, "<unset>")), (long long)node_port,
			      STR_FMT(protocol));
	describe_line(d, 0, "Endpoints:\t%.*s", STR_FMT(endpoints_text(d->arena, slices, name)));
}

static struct str ingress_text(struct arena *a, const struct json *list)
{
	CLEANUP_BUF text = BUF_INIT(TEXT_BYTES_MAX);
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *one = json_at(list, i);
		struct str ip = json_path_str(one, "ip"), mode = json_path_str(one, "ipMode");
		buf_printf(&text, "%s%.*s", i ? ", " : "",
			   STR_FMT(ip.len ? ip : json_path_str(one, "hostname")));
		if (mode.len)
			buf_printf(&text, " (%.*s)", STR_FMT(mode));
	}
	return arena_str(a, buf_str(&text));
}

enum rc describe_service(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct describe_row rows[] = {
		DESCRIBE_NAME,
		DESCRIBE_LABELS,
		{"Selector", "spec.selector", ROW_SELECTOR, false, NULL},
		{"Type", "spec.type", ROW_TEXT, false, NULL},
		{"IP Family Policy", "spec.ipFamilyPolicy", ROW_TEXT, true, NULL},
	};
	static const struct describe_row more[] = {
		{"Session Affinity", "spec.sessionAffinity", ROW_TEXT, false, NULL},
		{"External Traffic Policy", "spec.externalTrafficPolicy", ROW_TEXT, true, NULL},
		{"Internal Traffic Policy", "spec.internalTrafficPolicy", ROW_TEXT, true, NULL},
		{"HealthCheck NodePort", "spec.healthCheckNodePort", ROW_NUMBER, true, NULL},
	};
	const struct json *t = r->tree, *ports = json_path(t, "spec.ports");
	struct arena *a = d->arena;
	struct json *slices;
	TRY(find_slices(d, r->namespace, r->name, &slices, err));
	describe_rows(d, t, rows, ARRAY_LEN(rows));
	const struct {
		const char *label;
		struct str text;
	} lists[] = {
		{"IP Families", json_joined(a, json_path(t, "spec.ipFamilies"), ",")},
		{"IP", json_path_str(t, "spec.clusterIP")},
		{"IPs", json_joined(a, json_path(t, "spec.clusterIPs"), ",")},
		{"External IPs", json_joined(a, json_path(t, "spec.externalIPs"), ",")},
		{"Desired LoadBalancer IP", json_path_str(t, "spec.loadBalancerIP")},
		{"External Name", json_path_str(t, "spec.externalName")},
		{"LoadBalancer Ingress",
		 ingress_text(a, json_path(t, "status.loadBalancer.ingress"))},
	};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (lists[i].text.len || i == 1)
			describe_line(d, 0, "%s:\t%.*s", lists[i].label, STR_FMT(lists[i].text));
	for (size_t i = 0; i < json_count(ports); i++)
		describe_port(d, json_at(ports, i), slices);
	describe_rows(d, t, more, ARRAY_LEN(more));
	if (json_count(json_path(t, "spec.loadBalancerSourceRanges")))
		describe_line(d, 0, "LoadBalancer Source Ranges:\t%.*s",
			      STR_FMT(json_joined(a, json_path(t, "spec.loadBalancerSourceRanges"),
						  ",")));
	return describe_events(d, r, err);
}

/* ---- Ingress ---- */

static enum rc backend_text(struct describe *d, const struct resource *r, const struct json *b,
			    struct str *ret_text, struct err *err)
{
	struct arena *a = d->arena;
	struct str name = json_path_str(b, "service.name");
	struct str port_name = json_path_str(b, "service.port.name");
	struct json *slices;
	if (!name.len) {
		*ret_text = json_path_str(b, "resource.name");
		return RC_OK;
	}
	struct str port = port_name.len ? port_name
					: describe_value(a, json_path(b, "service.port.number"));
	TRY(find_slices(d, r->namespace, name, &slices, err));
	*ret_text = arena_printf(a, "%.*s:%.*s (%.*s)", STR_FMT(name), STR_FMT(port),
				 STR_FMT(endpoints_text(a, slices, port_name)));
	return RC_OK;
}

static enum rc describe_rules(struct describe *d, const struct resource *r, struct err *err)
{
	const struct json *rules = json_path(r->tree, "spec.rules");
	describe_line(d, 0, "Rules:");
	describe_line(d, 1, "Host\tPath\tBackends");
	describe_line(d, 1, "----\t----\t--------");
	for (size_t i = 0; i < json_count(rules); i++) {
		const struct json *rule = json_at(rules, i), *paths = json_path(rule, "http.paths");
		describe_line(d, 1, "%.*s\t",
			      STR_FMT(describe_or(json_path_str(rule, "host"), "*")));
		for (size_t k = 0; k < json_count(paths); k++) {
			struct str text;
			const struct json *p = json_at(paths, k);
			TRY(backend_text(d, r, json_get(p, STR("backend")), &text, err));
			describe_line(d, 1, "\t%.*s \t%.*s", STR_FMT(json_path_str(p, "path")),
				      STR_FMT(text));
		}
	}
	return RC_OK;
}

enum rc describe_ingress(struct describe *d, const struct resource *r, struct err *err)
{
	const struct json *t = r->tree, *tls = json_path(t, "spec.tls");
	const struct json *fallback = json_path(t, "spec.defaultBackend");
	struct str text = STR("<default>");
	describe_line(d, 0, "Name:\t%.*s", STR_FMT(r->name));
	describe_map(d, 0, "Labels", json_path(t, "metadata.labels"), "=");
	describe_line(d, 0, "Namespace:\t%.*s", STR_FMT(r->namespace));
	describe_line(d, 0, "Address:\t%.*s",
		      STR_FMT(ingress_text(d->arena, json_path(t, "status.loadBalancer.ingress"))));
	describe_line(d, 0, "Ingress Class:\t%.*s",
		      STR_FMT(describe_or(json_path_str(t, "spec.ingressClassName"), "<none>")));
	if (fallback)
		TRY(backend_text(d, r, fallback, &text, err));
	describe_line(d, 0, "Default backend:\t%.*s", STR_FMT(text));
	if (json_count(tls))
		describe_line(d, 0, "TLS:");
	for (size_t i = 0; i < json_count(tls); i++) {
		const struct json *one = json_at(tls, i);
		struct str secret = json_path_str(one, "secretName");
		struct str hosts = json_joined(d->arena, json_get(one, STR("hosts")), ",");
		describe_line(d, 1, "%.*s terminates %.*s",
			      STR_FMT(describe_or(secret, "SNI routes")), STR_FMT(hosts));
	}
	TRY(describe_rules(d, r, err));
	describe_annotations(d, 0, json_path(t, "metadata.annotations"));
	return describe_events(d, r, err);
}
