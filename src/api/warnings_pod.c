/* Warnings about pod specs.  Source: upstream's pkg/api/pod/warnings.go. */
#include "api/names.h"
#include "api/quantity.h"
#include "api/repeats.h"
#include "api/warnings.h"

#define AT(...) arena_cstr(w->arena, arena_printf(w->arena, __VA_ARGS__))

static const struct {
	const char *key, *text;
} old_labels[] = {
	{"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
	{"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
	{"failure-domain.beta.kubernetes.io/region",
	 "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
	{"failure-domain.beta.kubernetes.io/zone",
	 "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
	{"beta.kubernetes.io/instance-type",
	 "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
};

static const char *const container_lists[] = {"initContainers", "containers",
					      "ephemeralContainers"};

const char *warning_of_label(struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(old_labels); i++)
		if (str_is(key, old_labels[i].key))
			return old_labels[i].text;
	return NULL;
}

static void node_selector(const struct warnings *w, const char *at, const struct json *spec)
{
	const struct json *selector = json_get(spec, STR("nodeSelector"));
	for (size_t i = 0; i < json_count(selector); i++) {
		struct str key = selector->object.members[i].key;
		const char *text = warning_of_label(key);
		if (text)
			warn(w, "%sspec.nodeSelector[%.*s]: %s", at, STR_FMT(key), text);
	}
}

/* preferred: what a term of it says is not refused, only told of. */
static void node_term(const struct warnings *w, const char *at, const struct json *term,
		      bool is_preferred)
{
	const struct json *list = json_get(term, STR("matchExpressions"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *item = json_at(list, i), *values = json_get(item, STR("values"));
		struct str key = json_path_str(item, "key");
		const char *text = warning_of_label(key);
		if (text)
			warn(w, "%s.matchExpressions[%zu].key: %.*s is %s", at, i, STR_FMT(key),
			     text);
		for (size_t k = 0; is_preferred && k < json_count(values); k++) {
			struct str value = json_str(json_at(values, k));
			struct faults f;
			name_check(&f, NAME_LABEL_VALUE, value);
			for (size_t n = 0; n < f.count; n++)
				warn(w, "%s.matchExpressions[%zu].values[%zu]: %.*s is invalid, %s",
				     at, i, k, STR_FMT(value), f.at[n]);
		}
	}
}

#define REQUIRED_LIST  "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED_LIST "preferredDuringSchedulingIgnoredDuringExecution"

static void node_affinity(const struct warnings *w, const char *at, const struct json *spec)
{
	const struct json *affinity = json_path(spec, "affinity.nodeAffinity");
	const struct json *terms = json_path(affinity, REQUIRED_LIST ".nodeSelectorTerms");
	const struct json *preferred = json_get(affinity, STR(PREFERRED_LIST));
	for (size_t i = 0; i < json_count(terms); i++)
		node_term(w,
			  AT("%sspec.affinity.nodeAffinity." REQUIRED_LIST
			     ".nodeSelectorTerms[%zu]",
			     at, i),
			  json_at(terms, i), false);
	for (size_t i = 0; i < json_count(preferred); i++)
		node_term(w,
			  AT("%sspec.affinity.nodeAffinity." PREFERRED_LIST "[%zu].preference", at,
			     i),
			  json_get(json_at(preferred, i), STR("preference")), true);
}

static void spread(const struct warnings *w, const char *at, const struct json *spec)
{
	const struct json *list = json_get(spec, STR("topologySpreadConstraints"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *item = json_at(list, i),
				  *selector = json_get(item, STR("labelSelector"));
		struct str key = json_path_str(item, "topologyKey");
		const char *text = warning_of_label(key);
		if (text)
			warn(w, "%sspec.topologySpreadConstraints[%zu].topologyKey: %.*s is %s", at,
			     i, STR_FMT(key), text);
		if (!selector || selector->type == JSON_NULL)
			warn(w,
			     "%sspec.topologySpreadConstraints[%zu].labelSelector: a null "
			     "labelSelector results in matching no pod",
			     at, i);
	}
}

/* Says of each later item which has under key what an earlier one has. */
static void repeated(const struct warnings *w, const char *at, const struct json *list,
		     const char *key, const char *what)
{
	struct repeats seen = {};
	for (size_t i = 0; i < json_count(list); i++)
		if (repeats_has(&seen, w->arena, list, i, key))
			warn(w, "%s[%zu].%s: duplicate %s \"%.*s\"", at, i, key, what,
			     STR_FMT(json_path_str(json_at(list, i), key)));
}

static void pull_secrets(const struct warnings *w, const char *at, const struct json *spec)
{
	const struct json *list = json_get(spec, STR("imagePullSecrets"));
	repeated(w, AT("%sspec.imagePullSecrets", at), list, "name", "name");
	for (size_t i = 0; i < json_count(list); i++)
		if (json_path_str(json_at(list, i), "name").len == 0)
			warn(w, "%sspec.imagePullSecrets[%zu].name: invalid empty name \"\"", at,
			     i);
}

/* ---- containers ---- */

/* The later one takes the place of the earlier, unless it is made from it. */
static bool is_hiding(const struct warnings *w, const struct json *env)
{
	struct str value = json_path_str(env, "value");
	struct str own = arena_printf(w->arena, "$(%.*s)", STR_FMT(json_path_str(env, "name")));
	return json_get(env, STR("valueFrom")) || str_eq(value, own) ||
	       !memmem(value.at ? value.at : "", value.len, own.at, own.len);
}

static void environment(const struct warnings *w, const char *at, const struct json *container)
{
	const struct json *env = json_get(container, STR("env"));
	struct repeats seen = {};
	for (size_t i = 0; i < json_count(env); i++)
		if (repeats_has(&seen, w->arena, env, i, "name") && is_hiding(w, json_at(env, i)))
			warn(w,
			     "%s.env[%zu]: hides previous definition of \"%.*s\", which may be "
			     "dropped when using apply",
			     at, i, STR_FMT(json_path_str(json_at(env, i), "name")));
}

/* Bytes cannot be divided. */
static void fractions(const struct warnings *w, const char *at, const struct json *container)
{
	static const char *const lists[] = {"limits", "requests"};
	static const char *const bytes[] = {"memory", "ephemeral-storage"};
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		for (size_t b = 0; b < ARRAY_LEN(bytes); b++) {
			const struct json *list =
				json_get(json_get(container, STR("resources")), str_of(lists[l]));
			struct str text = json_str(json_get(list, str_of(bytes[b])));
			struct quantity q;
			if (text.len && quantity_parse(text, &q, NULL) == RC_OK &&
			    quantity_milli(q) % 1000 != 0)
				warn(w,
				     "%s.resources.%s[%s]: fractional byte value \"%.*s\" is "
				     "invalid, must be an integer",
				     at, lists[l], bytes[b], STR_FMT(text));
		}
}

/* ---- annotations that fields have replaced ---- */

#define APP_ARMOR   "container.apparmor.security.beta.kubernetes.io/"
#define SECCOMP	    "container.seccomp.security.alpha.kubernetes.io/"
#define SECCOMP_POD "seccomp.security.alpha.kubernetes.io/pod"
#define NO_SECCOMP  "non-functional in v1.27+; use the \"seccompProfile\" field instead"

static void pod_annotations(const struct warnings *w, const char *at, const struct json *pod)
{
	if (json_get(json_path(pod, "metadata.annotations"), STR(SECCOMP_POD)) &&
	    !json_path(pod, "spec.securityContext.seccompProfile"))
		warn(w, "%smetadata.annotations[" SECCOMP_POD "]: " NO_SECCOMP, at);
}

static void warn_app_armor(const struct warnings *w, const char *at, struct str name)
{
	warn(w,
	     "%smetadata.annotations[" APP_ARMOR
	     "%.*s]: deprecated since v1.30; use the \"appArmorProfile\" field instead",
	     at, STR_FMT(name));
}

static bool has_app_armor(const struct warnings *w, const struct json *pod, struct str name)
{
	return json_get(json_path(pod, "metadata.annotations"),
			arena_printf(w->arena, APP_ARMOR "%.*s", STR_FMT(name))) != NULL;
}

static void container_annotations(const struct warnings *w, const char *at, const struct json *pod,
				  const struct json *c)
{
	const struct json *notes = json_path(pod, "metadata.annotations");
	const struct json *context = json_get(c, STR("securityContext"));
	struct str name = json_path_str(c, "name");
	if (json_get(notes, arena_printf(w->arena, SECCOMP "%.*s", STR_FMT(name))) &&
	    !json_get(context, STR("seccompProfile")))
		warn(w, "%smetadata.annotations[" SECCOMP "%.*s]: " NO_SECCOMP, at, STR_FMT(name));
	/* Of a pod it is told before the field is made of it. */
	if (*at && has_app_armor(w, pod, name) && !json_get(context, STR("appArmorProfile")) &&
	    !json_path(pod, "spec.securityContext.appArmorProfile"))
		warn_app_armor(w, at, name);
}

/* Is there anything that the annotation says and the pod does not? */
static bool is_app_armor_told(const struct json *pod, struct str text)
{
	static const struct {
		const char *text, *type;
	} rows[] = {{"runtime/default", "RuntimeDefault"}, {"unconfined", "Unconfined"}};
	const struct json *own = json_path(pod, "spec.securityContext.appArmorProfile");
	struct str type = json_path_str(own, "type");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(text, rows[i].text))
			return str_is(type, rows[i].type);
	return str_has_prefix(text, STR("localhost/")) && str_is(type, "Localhost") &&
	       str_eq(str_skip(text, strlen("localhost/")), json_path_str(own, "localhostProfile"));
}

void warnings_before_pod(const struct warnings *w, const struct json *pod)
{
	const struct json *notes = json_path(pod, "metadata.annotations");
	if (!notes || str_is(json_path_str(pod, "spec.os.name"), "windows"))
		return;
	for (size_t l = 0; l < ARRAY_LEN(container_lists); l++) {
		const struct json *list =
			json_get(json_get(pod, STR("spec")), str_of(container_lists[l]));
		for (size_t i = 0; i < json_count(list); i++) {
			const struct json *c = json_at(list, i);
			struct str name = json_path_str(c, "name");
			struct str key = arena_printf(w->arena, APP_ARMOR "%.*s", STR_FMT(name));
			if (json_get(notes, key) &&
			    !json_path(c, "securityContext.appArmorProfile") &&
			    !is_app_armor_told(pod, json_str(json_get(notes, key))))
				warn_app_armor(w, "", name);
		}
	}
}

/* ---- ports ---- */

struct known_port {
	const char *at;
	struct str protocol, host_ip;
	int64_t number, host_port;
};

static const char *port_clash(const struct known_port *a, const struct known_port *b)
{
	if (a->number != b->number || !str_eq(a->protocol, b->protocol))
		return NULL;
	if (str_eq(a->host_ip, b->host_ip) && a->host_port == b->host_port)
		return "duplicate";
	if (a->host_port == 0 || b->host_port == 0)
		return "overlapping";
	if (a->host_port == b->host_port && (a->host_ip.len == 0) != (b->host_ip.len == 0))
		return "dangerously ambiguous";
	return NULL;
}

#define PORTS_MAX 128 /* of a pod; what is beyond is not compared */

struct known_ports {
	struct known_port at[PORTS_MAX];
	size_t count;
};

static void port(const struct warnings *w, const char *at, const struct json *item,
		 struct known_ports *seen)
{
	struct known_port own = {at, json_path_str(item, "protocol"), json_path_str(item, "hostIP"),
				 json_i64(json_get(item, STR("containerPort"))),
				 json_i64(json_get(item, STR("hostPort")))};
	if (own.host_ip.len > 0 && own.host_port == 0)
		warn(w,
		     "%s: hostIP set without hostPort: {Name:%.*s HostPort:0 ContainerPort:%lld "
		     "Protocol:%.*s HostIP:%.*s}",
		     at, STR_FMT(json_path_str(item, "name")), (long long)own.number,
		     STR_FMT(own.protocol), STR_FMT(own.host_ip));
	for (size_t i = 0; i < seen->count; i++) {
		const char *clash = port_clash(&own, &seen->at[i]);
		if (clash)
			warn(w, "%s: %s port definition with %s", at, clash, seen->at[i].at);
	}
	if (seen->count < PORTS_MAX)
		seen->at[seen->count++] = own;
}

static void ports(const struct warnings *w, const char *at, const struct json *spec)
{
	struct known_ports seen = {};
	for (size_t l = 0; l < ARRAY_LEN(container_lists); l++) {
		const struct json *list = json_get(spec, str_of(container_lists[l]));
		for (size_t i = 0; i < json_count(list); i++) {
			const struct json *own = json_get(json_at(list, i), STR("ports"));
			for (size_t k = 0; k < json_count(own); k++)
				port(w,
				     AT("%sspec.%s[%zu].ports[%zu]", at, container_lists[l], i, k),
				     json_at(own, k), &seen);
		}
	}
}

/* ---- affinity to pods ---- */

static void no_selector(const struct warnings *w, const char *at, const struct json *term)
{
	const struct json *selector = json_get(term, STR("labelSelector"));
	if (!selector || selector->type == JSON_NULL)
		warn(w, "%s.labelSelector: a null labelSelector results in matching no pod", at);
}

static void pod_affinity(const struct warnings *w, const char *at, const struct json *spec,
			 const char *name)
{
	const struct json *own = json_get(json_get(spec, STR("affinity")), str_of(name));
	const struct json *needed = json_get(own, STR(REQUIRED_LIST));
	const struct json *liked = json_get(own, STR(PREFERRED_LIST));
	for (size_t i = 0; i < json_count(needed); i++)
		no_selector(w, AT("%sspec.affinity.%s." REQUIRED_LIST "[%zu]", at, name, i),
			    json_at(needed, i));
	for (size_t i = 0; i < json_count(liked); i++)
		no_selector(w,
			    AT("%sspec.affinity.%s." PREFERRED_LIST "[%zu].podAffinityTerm", at,
			       name, i),
			    json_get(json_at(liked, i), STR("podAffinityTerm")));
}

/* ---- the whole ---- */

static void containers(const struct warnings *w, const char *at, const struct json *pod)
{
	const struct json *spec = json_get(pod, STR("spec"));
	for (size_t l = 0; l < ARRAY_LEN(container_lists); l++) {
		const struct json *list = json_get(spec, str_of(container_lists[l]));
		for (size_t i = 0; i < json_count(list); i++) {
			const char *here = AT("%sspec.%s[%zu]", at, container_lists[l], i);
			container_annotations(w, at, pod, json_at(list, i));
			fractions(w, here, json_at(list, i));
			environment(w, here, json_at(list, i));
		}
	}
}

void warnings_of_pod(const struct warnings *w, const char *at, const struct json *pod)
{
	const struct json *spec = json_get(pod, STR("spec"));
	node_selector(w, at, spec);
	node_affinity(w, at, spec);
	spread(w, at, spec);
	warnings_of_volumes(w, AT("%sspec.volumes", at), json_get(spec, STR("volumes")));
	repeated(w, AT("%sspec.hostAliases", at), json_get(spec, STR("hostAliases")), "ip", "ip");
	pull_secrets(w, at, spec);
	pod_annotations(w, at, pod);
	containers(w, at, pod);
	ports(w, at, spec);
	if (json_i64(json_get(spec, STR("terminationGracePeriodSeconds"))) < 0)
		warn(w,
		     "%sspec.terminationGracePeriodSeconds: must be >= 0; negative values are "
		     "invalid and will be treated as 1",
		     at);
	pod_affinity(w, at, spec, "podAffinity");
	pod_affinity(w, at, spec, "podAntiAffinity");
	warnings_of_ips_at(w, AT("%sspec", at), spec, "dnsConfig.nameservers[]");
	warnings_of_ips_at(w, AT("%sspec", at), spec, "hostAliases[].ip");
}
