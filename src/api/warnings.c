#include "api/warnings.h"

#include "api/api_ids.h"
#include "api/names.h"
#include "api/quantity.h"
#include "base/encode.h"

void warn(const struct warnings *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	w->add(w->ctx, arena_vprintf(w->arena, fmt, ap));
	va_end(ap);
}

static bool is_set(const struct json *tree, const char *path)
{
	const struct json *value = json_path(tree, path);
	return value && value->type != JSON_NULL;
}

/* ---- pods and what makes them ---- */

static void pod(const struct warnings *w, const struct json *old, const struct json *tree)
{
	if (!old) /* upstream spares the time where hardly a person looks */
		warnings_of_pod(w, "", tree);
}

/* A template that did not change was warned of when it did. */
static bool is_same_template(const struct json *old, const struct json *tree, const char *path)
{
	const struct json *before = json_path(old, path), *now = json_path(tree, path);
	return before && now && json_equal(before, now);
}

static void workload(const struct warnings *w, const struct json *old, const struct json *tree)
{
	if (!is_same_template(old, tree, "spec.template"))
		warnings_of_pod(w, "spec.template.", json_path(tree, "spec.template"));
}

static void cron_job(const struct warnings *w, const struct json *old, const struct json *tree)
{
	static const char path[] = "spec.jobTemplate.spec.template";
	if (!is_same_template(old, tree, path))
		warnings_of_pod(w, "spec.jobTemplate.spec.template.", json_path(tree, path));
}

static void pod_template(const struct warnings *w, const struct json *old, const struct json *tree)
{
	if (!is_same_template(old, tree, "template"))
		warnings_of_pod(w, "template.", json_get(tree, STR("template")));
}

/* ---- services ---- */

#define OLD_HINTS "service.kubernetes.io/topology-aware-hints"

static void headless(const struct warnings *w, const struct json *spec)
{
	if (json_path_str(spec, "loadBalancerIP").len)
		warn(w, "spec.loadBalancerIP is ignored for headless services");
	if (json_count(json_get(spec, STR("externalIPs"))))
		warn(w, "spec.externalIPs is ignored for headless services");
	if (!str_is(json_path_str(spec, "sessionAffinity"), "None"))
		warn(w, "spec.SessionAffinity is ignored for headless services");
}

static void service(const struct warnings *w, const struct json *old, const struct json *tree)
{
	const struct json *spec = json_get(tree, STR("spec"));
	bool is_external = str_is(json_path_str(spec, "type"), "ExternalName");
	if (json_get(json_path(tree, "metadata.annotations"), STR(OLD_HINTS)))
		warn(w, "annotation " OLD_HINTS
			" is deprecated, please use service.kubernetes.io/topology-mode instead");
	if (str_is(json_path_str(spec, "clusterIP"), "None"))
		headless(w, spec);
	else
		warnings_of_ips(w, tree, "spec.clusterIPs[]");
	warnings_of_ips(w, tree, "spec.externalIPs[]");
	warnings_of_ips(w, tree, "spec.loadBalancerIP");
	warnings_of_prefixes(w, tree, "spec.loadBalancerSourceRanges[]");
	if (is_external && json_count(json_get(spec, STR("externalIPs"))))
		warn(w, "spec.externalIPs is ignored when spec.type is \"ExternalName\"");
	if (!is_external && json_path_str(spec, "externalName").len)
		warn(w, "spec.externalName is ignored when spec.type is not \"ExternalName\"");
	if (str_is(json_path_str(spec, "trafficDistribution"), "PreferClose"))
		warn(w, "spec.trafficDistribution: \"PreferClose\" is deprecated; use "
			"\"PreferSameZone\"");
}

static void endpoints(const struct warnings *w, const struct json *old, const struct json *tree)
{
	warnings_of_ips(w, tree, "subsets[].addresses[].ip");
	warnings_of_ips(w, tree, "subsets[].notReadyAddresses[].ip");
}

static void endpoint_slice(const struct warnings *w, const struct json *old,
			   const struct json *tree)
{
	if (!str_is(json_path_str(tree, "addressType"), "FQDN"))
		warnings_of_ips(w, tree, "endpoints[].addresses[]");
	if (!old && str_is(json_path_str(tree, "addressType"), "FQDN"))
		warn(w, "spec.addressType: FQDN endpoints are deprecated");
}

#define INGRESS_CLASS "kubernetes.io/ingress.class"

static void ingress(const struct warnings *w, const struct json *old, const struct json *tree)
{
	const struct json *notes = json_path(tree, "metadata.annotations");
	if (!old && json_get(notes, STR(INGRESS_CLASS)))
		warn(w, "annotation \"" INGRESS_CLASS
			"\" is deprecated, please use 'spec.ingressClassName' instead");
}

static void network_policy(const struct warnings *w, const struct json *old,
			   const struct json *tree)
{
	static const char *const peers[] = {"spec.ingress[].from[]", "spec.egress[].to[]"};
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		warnings_of_ip_blocks(w, tree, peers[i]);
}

/* ---- nodes ---- */

static void node(const struct warnings *w, const struct json *old, const struct json *tree)
{
	if (json_path_str(tree, "spec.externalID").len)
		warn(w, "spec.externalID: this field is deprecated, and is unused by Kubernetes");
	warnings_of_prefixes(w, tree, "spec.podCIDRs[]");
}

/* ---- storage ---- */

static void old_terms(const struct warnings *w, const struct json *terms)
{
	for (size_t i = 0; i < json_count(terms); i++) {
		const struct json *list = json_get(json_at(terms, i), STR("matchExpressions"));
		for (size_t k = 0; k < json_count(list); k++) {
			struct str key = json_path_str(json_at(list, k), "key");
			const char *text = warning_of_label(key);
			if (text)
				warn(w,
				     "spec.nodeAffinity.required.nodeSelectorTerms[%zu]."
				     "matchExpressions[%zu].key: %.*s is %s",
				     i, k, STR_FMT(key), text);
		}
	}
}

static void fraction(const struct warnings *w, const char *at, const char *list,
		     const struct json *resources)
{
	struct str text = json_str(json_get(json_get(resources, str_of(list)), STR("storage")));
	struct quantity q;
	if (text.len && quantity_parse(text, &q, NULL) == RC_OK && quantity_milli(q) % 1000 != 0)
		warn(w,
		     "%sresources.%s[storage]: fractional byte value \"%.*s\" is invalid, must be "
		     "an integer",
		     at, list, STR_FMT(text));
}

#define OLD_CLASS "volume.beta.kubernetes.io/storage-class"

static void claim(const struct warnings *w, const struct json *old, const struct json *tree)
{
	const struct json *resources = json_path(tree, "spec.resources");
	if (json_get(json_path(tree, "metadata.annotations"), STR(OLD_CLASS)))
		warn(w, "metadata.annotations[" OLD_CLASS "]: deprecated since v1.8; use "
			"\"storageClassName\" attribute instead");
	fraction(w, "spec.", "requests", resources);
	fraction(w, "spec.", "limits", resources);
}

static void volume(const struct warnings *w, const struct json *old, const struct json *tree)
{
	static const struct {
		const char *path, *text;
	} rows[] = {
		{"spec.photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
		{"spec.scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
		{"spec.storageos", "deprecated in v1.22, non-functional in v1.25+"},
		{"spec.glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
		{"spec.rbd", "deprecated in v1.28, non-functional in v1.31+"},
		{"spec.cephfs", "deprecated in v1.28, non-functional in v1.31+"},
	};
	static const struct {
		const char *key, *text;
	} annotations[] = {
		{"volume.beta.kubernetes.io/storage-class",
		 "deprecated since v1.8; use \"storageClassName\" attribute instead"},
		{"volume.beta.kubernetes.io/mount-options",
		 "deprecated since v1.31; use \"mountOptions\" attribute instead"},
	};
	const struct json *notes = json_path(tree, "metadata.annotations");
	for (size_t i = 0; i < ARRAY_LEN(annotations); i++)
		if (json_get(notes, str_of(annotations[i].key)))
			warn(w, "metadata.annotations[%s]: %s", annotations[i].key,
			     annotations[i].text);
	if (str_is(json_path_str(tree, "spec.persistentVolumeReclaimPolicy"), "Recycle"))
		warn(w, "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is "
			"deprecated. Instead, the recommended approach is to use dynamic "
			"provisioning.");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (is_set(tree, rows[i].path))
			warn(w, "%s: %s", rows[i].path, rows[i].text);
	old_terms(w, json_path(tree, "spec.nodeAffinity.required.nodeSelectorTerms"));
}

static bool is_same_at(const struct json *old, const struct json *tree, const char *path)
{
	const struct json *before = json_path(old, path), *now = json_path(tree, path);
	return old && (before == now || (before && now && json_equal(before, now)));
}

static void csi_driver(const struct warnings *w, const struct json *old, const struct json *tree)
{
	bool is_known = is_same_at(old, tree, "spec.tokenRequests");
	if (!is_known && json_count(json_path(tree, "spec.tokenRequests")) &&
	    !is_set(tree, "spec.serviceAccountTokenInSecrets"))
		warn(w, "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI "
			"driver, set to true to prevent possible logging of tokens in volume "
			"attributes");
}

/* ---- secrets ---- */

static bool has_pem(const struct warnings *w, const struct json *tree, const char *key)
{
	struct str text, encoded = json_str(json_get(json_get(tree, STR("data")), str_of(key)));
	return base64_decode(w->arena, encoded, &text) && text.len &&
	       memmem(text.at, text.len, "-----BEGIN ", 11) != NULL;
}

static void secret(const struct warnings *w, const struct json *old, const struct json *tree)
{
	if (!str_is(json_path_str(tree, "type"), "kubernetes.io/tls"))
		return;
	if (!has_pem(w, tree, "tls.crt"))
		warn(w, "tls: failed to find any PEM data in certificate input");
	else if (!has_pem(w, tree, "tls.key"))
		warn(w, "tls: failed to find any PEM data in key input");
}

static const struct {
	const char *group, *kind;
	void (*look)(const struct warnings *w, const struct json *old, const struct json *tree);
	const char *name_use; /* what a name that is no DNS label does harm to; new objects only */
} rules[] = {
	{"", "Pod", pod, "the Pod's hostname"},
	{"", "PodTemplate", pod_template, NULL},
	{"", "ReplicationController", workload, "Pod names and hostnames"},
	{"apps", "Deployment", workload, "Pod names and hostnames"},
	{"apps", "ReplicaSet", workload, "Pod names and hostnames"},
	{"apps", "StatefulSet", workload, NULL},
	{"apps", "DaemonSet", workload, NULL},
	{"batch", "Job", workload, "Pod names and hostnames"},
	{"batch", "CronJob", cron_job, "Pod names and hostnames"},
	{"", "Service", service, NULL},
	{"", "Endpoints", endpoints, NULL},
	{"", "Node", node, NULL},
	{"", "PersistentVolume", volume, NULL},
	{"", "PersistentVolumeClaim", claim, NULL},
	{"", "Secret", secret, NULL},
	{"networking.k8s.io", "Ingress", ingress, NULL},
	{"networking.k8s.io", "NetworkPolicy", network_policy, NULL},
	{"discovery.k8s.io", "EndpointSlice", endpoint_slice, NULL},
	{"storage.k8s.io", "CSIDriver", csi_driver, NULL},
};

static void name(const struct warnings *w, const struct json *tree, const char *use)
{
	struct faults f = {};
	CLEANUP_BUF text = BUF_INIT(4096);
	if (use)
		name_check(&f, NAME_DNS_LABEL, json_path_str(tree, "metadata.name"));
	for (size_t i = 0; i < f.count; i++)
		buf_printf(&text, "%s%s", i ? " " : "", f.at[i]);
	if (f.count > 0)
		warn(w,
		     "metadata.name: this is used in %s, which can result in surprising behavior; a "
		     "DNS label is recommended: [%s]",
		     use, text.data);
}

void api_warnings_early(const struct api_kind *kind, const struct json *tree,
			const struct warnings *w)
{
	if (kind->stored_id == KIND_POD)
		warnings_before_pod(w, tree);
}

void api_warnings(const struct api_kind *kind, const struct json *old, const struct json *tree,
		  const struct warnings *w)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (!str_is(kind->kind, rules[i].kind) || !str_is(kind->group, rules[i].group))
			continue;
		if (!old)
			name(w, tree, rules[i].name_use);
		rules[i].look(w, old, tree);
		return;
	}
}

void api_status_warnings(const struct api_kind *kind, const struct json *tree,
			 const struct warnings *w)
{
	if (kind->stored_id == KIND_POD) {
		warnings_of_ips(w, tree, "status.podIPs[].ip");
		warnings_of_ips(w, tree, "status.hostIPs[].ip");
	}
	bool is_ingress = str_is(kind->kind, "Ingress") && str_is(kind->group, "networking.k8s.io");
	if (is_ingress || (str_is(kind->kind, "Service") && kind->group.len == 0))
		warnings_of_points(w, tree);
}
