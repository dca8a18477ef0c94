#include "api/defaults.h"
#include "api/quantity.h"
#include "api/rules-int.h"

static const struct default_rule spec_rules[] = {
	{"restartPolicy", "\"Always\""},
	{"terminationGracePeriodSeconds", "30"},
	{"dnsPolicy", "\"ClusterFirst\""},
	{"securityContext", "{}"},
	{"schedulerName", "\"default-scheduler\""},
	{"volumes[].hostPath.type", "\"\""},
	{"volumes[].secret.defaultMode", "420"},
	{"volumes[].configMap.defaultMode", "420"},
	{"volumes[].downwardAPI.defaultMode", "420"},
	{"volumes[].downwardAPI.items[].fieldRef.apiVersion", "\"v1\""},
	{"volumes[].projected.defaultMode", "420"},
	{"volumes[].projected.sources[].serviceAccountToken.expirationSeconds", "3600"},
	{"volumes[].projected.sources[].downwardAPI.items[].fieldRef.apiVersion", "\"v1\""},
	{"volumes[].iscsi.iscsiInterface", "\"default\""},
	{"volumes[].rbd.pool", "\"rbd\""},
	{"volumes[].rbd.user", "\"admin\""},
	{"volumes[].rbd.keyring", "\"/etc/ceph/keyring\""},
	{"volumes[].azureDisk.cachingMode", "\"ReadWrite\""},
	{"volumes[].azureDisk.fsType", "\"ext4\""},
	{"volumes[].azureDisk.readOnly", "false"},
	{"volumes[].azureDisk.kind", "\"Shared\""},
	{"volumes[].scaleIO.storageMode", "\"ThinProvisioned\""},
	{"volumes[].scaleIO.fsType", "\"xfs\""},
	{"volumes[].ephemeral.volumeClaimTemplate.spec.volumeMode", "\"Filesystem\""},
};

static const struct default_rule container_rules[] = {
	{"terminationMessagePath", "\"/dev/termination-log\""},
	{"terminationMessagePolicy", "\"File\""},
	{"ports[].protocol", "\"TCP\""},
	{"env[].valueFrom.fieldRef.apiVersion", "\"v1\""},
	{"lifecycle.postStart.httpGet.path", "\"/\""},
	{"lifecycle.postStart.httpGet.scheme", "\"HTTP\""},
	{"lifecycle.preStop.httpGet.path", "\"/\""},
	{"lifecycle.preStop.httpGet.scheme", "\"HTTP\""},
};

static const struct default_rule probe_rules[] = {
	{"httpGet.path", "\"/\""}, {"httpGet.scheme", "\"HTTP\""}, {"grpc.service", "\"\""},
	{"timeoutSeconds", "1"},   {"periodSeconds", "10"},	   {"successThreshold", "1"},
	{"failureThreshold", "3"},
};

static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
static const char *const container_lists[] = {"initContainers", "containers",
					      "ephemeralContainers"};

/* The tag of "registry:5000/path:tag@digest"; absent without one. */
static struct str image_tag(struct str image, bool *ret_has_digest)
{
	struct str head, tail, name;
	*ret_has_digest = str_cut(image, '@', &image, &tail);
	str_cut_last(image, '/', &head, &name);
	return str_cut(name, ':', &head, &tail) ? tail : (struct str){};
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Letters and digits, joined by a dot, one or two underscores, or dashes. */
static bool is_image_path(struct str path)
{
	size_t i = 0;
	for (;;) {
		size_t start = i;
		while (i < path.len && is_letter_or_digit(path.at[i]))
			i++;
		if (i == start)
			return false;
		if (i == path.len)
			return true;
		char joint = path.at[i++];
		if (joint == '_' && i < path.len && path.at[i] == '_')
			i++;
		while (joint == '-' && i < path.len && path.at[i] == '-')
			i++;
		if (!memchr("./_-", joint, 4))
			return false;
	}
}

static bool has_capital(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] >= 'A' && text.at[i] <= 'Z')
			return true;
	return false;
}

/* Without tag and digest.  A registry's host stands before the first slash when it cannot be a
 * path. */
static bool is_image_name(struct str name)
{
	struct str host, path;
	if (!str_cut(name, '/', &host, &path))
		return is_image_path(name);
	bool is_host = memchr(host.at, '.', host.len) || memchr(host.at, ':', host.len) ||
		       str_is(host, "localhost") || has_capital(host);
	return host.len > 0 && is_image_path(is_host ? path : name);
}

static bool is_image(struct str image)
{
	struct str digest, tag;
	bool has_digest;
	str_cut(image, '@', &image, &digest);
	tag = image_tag(image, &has_digest);
	if (tag.at)
		image.len -= tag.len + 1;
	for (size_t i = 0; i < tag.len; i++) {
		char c = tag.at[i];
		bool is_plain = is_letter_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
		if (!is_plain && (i == 0 || (c != '.' && c != '-')))
			return false;
	}
	return is_image_name(image);
}

struct str image_pull_policy(struct str image)
{
	if (!is_image(image))
		return STR("IfNotPresent");
	bool has_digest;
	struct str tag = image_tag(image, &has_digest);
	if (image.len > 0 && !has_digest && (!tag.at || str_is(tag, "latest")))
		return STR("Always");
	if (has_digest && tag.at && str_is(tag, "latest"))
		return STR("Always");
	return STR("IfNotPresent");
}

static void container_defaults(struct arena *a, struct json *c)
{
	rules_apply(a, c, DEFAULT_RULES(container_rules));
	if (json_is_absent(json_get(c, STR("imagePullPolicy"))))
		json_set_str(a, c, STR("imagePullPolicy"),
			     image_pull_policy(json_path_str(c, "image")));
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		struct json *probe = json_get(c, str_of(probes[i]));
		if (probe)
			rules_apply(a, probe, DEFAULT_RULES(probe_rules));
	}
	/* its feature gate is off */
	struct json *lifecycle = json_get(c, STR("lifecycle"));
	if (json_get(lifecycle, STR("stopSignal")) && json_count(lifecycle) == 1)
		json_remove(c, STR("lifecycle"));
	else if (json_get(lifecycle, STR("stopSignal")))
		json_remove(lifecycle, STR("stopSignal"));
	tree_round_quantities(a, c, "resources.limits");
	tree_round_quantities(a, c, "resources.requests");
}

static void volume_defaults(struct arena *a, struct json *volume)
{
	struct json *image = json_get(volume, STR("image"));
	if (volume->type == JSON_OBJECT && json_count(volume) == 1 && json_get(volume, STR("name")))
		json_set(a, volume, STR("emptyDir"), json_object(a));
	if (image && json_is_absent(json_get(image, STR("pullPolicy"))))
		json_set_str(a, image, STR("pullPolicy"),
			     image_pull_policy(json_path_str(image, "reference")));
	tree_round_quantities(a, volume, "ephemeral.volumeClaimTemplate.spec.resources.requests");
	tree_round_quantities(a, volume, "ephemeral.volumeClaimTemplate.spec.resources.limits");
}

/* Two names of one field, kept equal by upstream's conversion. */
static void service_account_names(struct arena *a, struct json *spec)
{
	struct str name = json_path_str(spec, "serviceAccountName");
	struct str old_name = json_path_str(spec, "serviceAccount");
	if (name.len > 0 && !str_eq(name, old_name))
		json_set_str(a, spec, STR("serviceAccount"), name);
	else if (name.len == 0 && old_name.len > 0)
		json_set_str(a, spec, STR("serviceAccountName"), old_name);
}

void api_default_pod_spec(struct arena *a, struct json *spec)
{
	rules_apply(a, spec, DEFAULT_RULES(spec_rules));
	tree_visit(a, spec, "volumes[]", volume_defaults);
	tree_visit(a, spec, "initContainers[]", container_defaults);
	tree_visit(a, spec, "containers[]", container_defaults);
	tree_visit(a, spec, "ephemeralContainers[]", container_defaults);
	tree_round_quantities(a, spec, "overhead");
	tree_round_quantities(a, spec, "resources.limits");
	tree_round_quantities(a, spec, "resources.requests");
	service_account_names(a, spec);
}

static void host_ports(struct arena *a, struct json *port)
{
	const struct json *number = json_get(port, STR("containerPort"));
	if (json_i64(number) != 0 && json_i64(json_get(port, STR("hostPort"))) == 0)
		json_set(a, port, STR("hostPort"), (struct json *)number);
}

static bool is_pod_level(struct str resource)
{
	return str_is(resource, "cpu") || str_is(resource, "memory") ||
	       str_has_prefix(resource, STR("hugepages-"));
}

struct total {
	struct quantity containers, sidecars, init; /* init: the largest step on the way */
	bool has_any;
};

static bool request_of(const struct json *container, struct str resource, struct quantity *ret_q)
{
	struct str text = json_str(json_get(json_path(container, "resources.requests"), resource));
	return text.at && quantity_parse(text, ret_q, NULL) == RC_OK;
}

bool api_requests_total(const struct json *spec, struct str resource, struct quantity *ret_total)
{
	struct total t = {};
	const struct json *init = json_get(spec, STR("initContainers"));
	const struct json *containers = json_get(spec, STR("containers"));
	struct quantity q;
	for (size_t i = 0; i < json_count(init); i++) {
		if (!request_of(json_at(init, i), resource, &q))
			continue;
		t.has_any = true;
		bool is_sidecar =
			str_is(json_path_str(json_at(init, i), "restartPolicy"), "Always");
		struct quantity step = quantity_add(t.sidecars, q);
		if (is_sidecar)
			t.sidecars = step;
		if (quantity_cmp(step, t.init) > 0)
			t.init = step;
	}
	for (size_t i = 0; i < json_count(containers); i++)
		if (request_of(json_at(containers, i), resource, &q)) {
			t.has_any = true;
			t.containers = quantity_add(t.containers, q);
		}
	t.containers = quantity_add(t.containers, t.sidecars);
	*ret_total = quantity_cmp(t.init, t.containers) > 0 ? t.init : t.containers;
	return t.has_any;
}

/* Pod-level requests follow pod-level limits: from the containers' requests where there are any. */
static void pod_level_requests(struct arena *a, struct json *spec)
{
	static const char *const common[] = {"cpu", "memory"};
	struct json *resources = json_get(spec, STR("resources"));
	const struct json *limits = json_get(resources, STR("limits"));
	if (json_count(limits) == 0)
		return;
	struct json *requests = json_need_object(a, resources, STR("requests"));
	for (size_t i = 0; i < ARRAY_LEN(common); i++) {
		struct quantity q;
		char text[QUANTITY_TEXT_MAX];
		if (json_get(requests, str_of(common[i])) ||
		    !api_requests_total(spec, str_of(common[i]), &q))
			continue;
		size_t len = quantity_format(q, text);
		json_set_str(a, requests, str_of(common[i]), arena_str(a, str_n(text, len)));
	}
	for (size_t i = 0; i < json_count(limits); i++) {
		struct json_member m = limits->object.members[i];
		if (is_pod_level(m.key) && !json_get(requests, m.key))
			json_set(a, requests, m.key, m.value);
	}
	if (json_count(requests) == 0)
		json_remove(resources, STR("requests"));
}

/* The one address and the first of the list are the same; where both are given and differ, the list
 * is of someone who knows only the one. */
static void pod_addresses(struct arena *a, struct json *status)
{
	struct json *list = json_get(status, STR("podIPs"));
	struct str own = json_path_str(status, "podIP");
	struct str first = json_path_str(json_count(list) ? json_at(list, 0) : NULL, "ip");
	if (own.len == 0 && first.len > 0)
		json_set_str(a, status, STR("podIP"), first);
	if (own.len == 0 || str_eq(own, first))
		return;
	struct json *one = json_object(a);
	json_set_str(a, one, STR("ip"), own);
	list = json_array(a);
	json_append(a, list, one);
	json_set(a, status, STR("podIPs"), list);
}

void pod_defaults(struct arena *a, struct json *pod)
{
	struct json *status = json_get(pod, STR("status"));
	if (status && status->type == JSON_OBJECT)
		pod_addresses(a, status);
	struct json *spec = json_get(pod, STR("spec"));
	if (!spec || spec->type != JSON_OBJECT)
		return;
	tree_visit(a, spec, "containers[].resources", requests_from_limits);
	tree_visit(a, spec, "initContainers[].resources", requests_from_limits);
	pod_level_requests(a, spec);
	rule_apply(a, spec, "enableServiceLinks", "true");
	if (json_is_true(json_get(spec, STR("hostNetwork")))) {
		tree_visit(a, spec, "containers[].ports[]", host_ports);
		tree_visit(a, spec, "initContainers[].ports[]", host_ports);
	}
}

/* Over containers and init containers: which of cpu and memory are named, and whether limits equal
 * requests. */
struct qos {
	bool has_any, is_guaranteed;
};

static void qos_resources(struct qos *q, const struct json *resources)
{
	static const char *const computed[] = {"cpu", "memory"};
	for (size_t i = 0; i < ARRAY_LEN(computed); i++) {
		struct str key = str_of(computed[i]);
		struct quantity request = {}, limit = {};
		struct str request_text = json_str(json_get(json_path(resources, "requests"), key));
		struct str limit_text = json_str(json_get(json_path(resources, "limits"), key));
		if (request_text.at && quantity_parse(request_text, &request, NULL) != RC_OK)
			request.nano = 0;
		if (limit_text.at && quantity_parse(limit_text, &limit, NULL) != RC_OK)
			limit.nano = 0;
		if (request.nano > 0 || limit.nano > 0)
			q->has_any = true;
		if (limit.nano <= 0 || (request_text.at && request.nano != limit.nano))
			q->is_guaranteed = false;
	}
}

const char *api_pod_qos(const struct json *spec)
{
	struct qos q = {.is_guaranteed = true};
	const struct json *pod_level = json_get(spec, STR("resources"));
	if (json_count(pod_level) > 0) {
		qos_resources(&q, pod_level);
	} else {
		for (size_t l = 0; l < 2; l++) {
			const struct json *list = json_get(spec, str_of(container_lists[l]));
			for (size_t i = 0; i < json_count(list); i++)
				qos_resources(&q, json_get(json_at(list, i), STR("resources")));
		}
	}
	if (!q.has_any)
		return "BestEffort";
	return q.is_guaranteed ? "Guaranteed" : "Burstable";
}
