/* Pods, and the parts of them that templates have as well. */
#include <stdio.h>
#include <stdlib.h>

#include "client/describe.h"

#define TEXT_BYTES_MAX (1u << 20)

/* ---- containers ---- */

static const struct json *find_named(const struct json *list, struct str name)
{
	for (size_t i = 0; i < json_count(list); i++)
		if (str_eq(json_path_str(json_at(list, i), "name"), name))
			return json_at(list, i);
	return NULL;
}

static void describe_ports(struct describe *d, int level, const struct json *c)
{
	static const struct {
		const char *label, *key;
	} rows[] = {{"Port", "containerPort"}, {"Host Port", "hostPort"}};
	const struct json *ports = json_get(c, STR("ports"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF text = BUF_INIT(TEXT_BYTES_MAX);
		for (size_t k = 0; k < json_count(ports); k++) {
			const struct json *p = json_at(ports, k);
			buf_printf(&text, "%s%lld/%.*s", k ? ", " : "",
				   (long long)json_i64(json_get(p, str_of(rows[i].key))),
				   STR_FMT(describe_or(json_path_str(p, "protocol"), "TCP")));
		}
		describe_line(d, level, "%s%s:\t%.*s", rows[i].label,
			      json_count(ports) > 1 ? "s" : "",
			      STR_FMT(describe_or(buf_str(&text), "<none>")));
	}
}

static void describe_words(struct describe *d, int level, const char *label,
			   const struct json *list)
{
	if (json_count(list))
		describe_line(d, level, "%s:", label);
	for (size_t i = 0; i < json_count(list); i++) {
		struct str rest = json_str(json_at(list, i)), line;
		do {
			str_cut(rest, '\n', &line, &rest);
			describe_line(d, level + 1, "%.*s", STR_FMT(line));
		} while (rest.len);
	}
}

static void describe_state(struct describe *d, int level, const char *label,
			   const struct json *state)
{
	static const struct {
		const char *key, *word;
	} forms[] = {{"running", "Running"}, {"waiting", "Waiting"}, {"terminated", "Terminated"}};
	const struct json *s = NULL;
	size_t i = 0;
	while (i < ARRAY_LEN(forms) && !(s = json_get(state, str_of(forms[i].key))))
		i++;
	describe_line(d, level, "%s:\t%s", label, s ? forms[i].word : "Waiting");
	if (!s)
		return;
	struct str reason = json_path_str(s, "reason"), message = json_path_str(s, "message");
	if (i == 0)
		describe_line(d, level + 1, "Started:\t%.*s",
			      STR_FMT(describe_time(d->arena, json_path_str(s, "startedAt"))));
	if (i > 0 && reason.len)
		describe_line(d, level + 1, "Reason:\t%.*s", STR_FMT(reason));
	if (i != 2)
		return;
	if (message.len)
		describe_line(d, level + 1, "Message:\t%.*s", STR_FMT(message));
	describe_line(d, level + 1, "Exit Code:\t%lld",
		      (long long)json_i64(json_get(s, STR("exitCode"))));
	if (json_i64(json_get(s, STR("signal"))) > 0)
		describe_line(d, level + 1, "Signal:\t%lld",
			      (long long)json_i64(json_get(s, STR("signal"))));
	describe_line(d, level + 1, "Started:\t%.*s",
		      STR_FMT(describe_time(d->arena, json_path_str(s, "startedAt"))));
	describe_line(d, level + 1, "Finished:\t%.*s",
		      STR_FMT(describe_time(d->arena, json_path_str(s, "finishedAt"))));
}

static struct str handler_text(struct arena *a, const struct json *p)
{
	const struct json *h = json_get(p, STR("httpGet"));
	if (h) {
		struct str scheme = json_path_str(h, "scheme");
		char low[16] = "http";
		for (size_t i = 0; i < MIN(scheme.len, sizeof(low) - 1); i++)
			low[i] = (char)(scheme.at[i] | 0x20);
		return arena_printf(a, "http-get %s://%.*s:%.*s%.*s", low,
				    STR_FMT(json_path_str(h, "host")),
				    STR_FMT(describe_value(a, json_get(h, STR("port")))),
				    STR_FMT(json_path_str(h, "path")));
	}
	if ((h = json_get(p, STR("exec"))))
		return arena_printf(a, "exec [%.*s]",
				    STR_FMT(json_joined(a, json_get(h, STR("command")), " ")));
	if ((h = json_get(p, STR("tcpSocket"))))
		return arena_printf(a, "tcp-socket %.*s:%.*s", STR_FMT(json_path_str(h, "host")),
				    STR_FMT(describe_value(a, json_get(h, STR("port")))));
	if ((h = json_get(p, STR("grpc"))))
		return arena_printf(a, "grpc <pod>:%.*s %.*s",
				    STR_FMT(describe_value(a, json_get(h, STR("port")))),
				    STR_FMT(json_path_str(h, "service")));
	return STR("unknown");
}

static void describe_probe(struct describe *d, int level, const char *label, const struct json *p)
{
	if (!p)
		return;
	describe_line(d, level,
		      "%s:\t%.*s delay=%llds timeout=%llds period=%llds #success=%lld "
		      "#failure=%lld",
		      label, STR_FMT(handler_text(d->arena, p)),
		      (long long)json_i64(json_get(p, STR("initialDelaySeconds"))),
		      (long long)json_i64(json_get(p, STR("timeoutSeconds"))),
		      (long long)json_i64(json_get(p, STR("periodSeconds"))),
		      (long long)json_i64(json_get(p, STR("successThreshold"))),
		      (long long)json_i64(json_get(p, STR("failureThreshold"))));
}

static const char *optional_text(const struct json *ref)
{
	return json_is_true(json_get(ref, STR("optional"))) ? "true" : "false";
}

static void describe_env_from(struct describe *d, int level, const struct json *list)
{
	if (json_count(list))
		describe_line(d, level, "Environment Variables from:");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *e = json_at(list, i);
		const struct json *map = json_get(e, STR("configMapRef"));
		const struct json *ref = map ? map : json_get(e, STR("secretRef"));
		struct str prefix = json_path_str(e, "prefix");
		describe_line(d, level + 1, "%.*s\t%s%s%.*s%s\tOptional: %s",
			      STR_FMT(json_path_str(ref, "name")), map ? "ConfigMap" : "Secret",
			      prefix.len ? " with prefix '" : "", STR_FMT(prefix),
			      prefix.len ? "'" : "", optional_text(ref));
	}
}

static void describe_variable(struct describe *d, int level, const struct json *e,
			      const struct json *pod)
{
	struct str name = json_path_str(e, "name");
	const struct json *from = json_get(e, STR("valueFrom")), *ref;
	if (!from) {
		struct str rest = json_path_str(e, "value"), line;
		str_cut(rest, '\n', &line, &rest);
		describe_line(d, level, "%.*s:\t%.*s", STR_FMT(name), STR_FMT(line));
		while (rest.len) {
			str_cut(rest, '\n', &line, &rest);
			describe_line(d, level, "\t%.*s", STR_FMT(line));
		}
	} else if ((ref = json_get(from, STR("fieldRef")))) {
		struct str path = json_path_str(ref, "fieldPath");
		bool is_known = pod && str_has_prefix(path, STR("metadata.n"));
		describe_line(d, level, "%.*s:\t%.*s (%.*s:%.*s)", STR_FMT(name),
			      STR_FMT(is_known ? json_path_str(pod, arena_cstr(d->arena, path))
					       : STR("")),
			      STR_FMT(json_path_str(ref, "apiVersion")), STR_FMT(path));
	} else if ((ref = json_get(from, STR("resourceFieldRef")))) {
		describe_line(d, level, "%.*s:\t(%.*s)", STR_FMT(name),
			      STR_FMT(json_path_str(ref, "resource")));
	} else if ((ref = json_get(from, STR("secretKeyRef")))) {
		describe_line(d, level,
			      "%.*s:\t<set to the key '%.*s' in secret '%.*s'>\tOptional: %s",
			      STR_FMT(name), STR_FMT(json_path_str(ref, "key")),
			      STR_FMT(json_path_str(ref, "name")), optional_text(ref));
	} else if ((ref = json_get(from, STR("configMapKeyRef")))) {
		describe_line(d, level,
			      "%.*s:\t<set to the key '%.*s' of config map '%.*s'>\tOptional: %s",
			      STR_FMT(name), STR_FMT(json_path_str(ref, "key")),
			      STR_FMT(json_path_str(ref, "name")), optional_text(ref));
	}
}

static int compare_mounts(const void *x, const void *y)
{
	return str_cmp(json_path_str(*(const struct json *const *)x, "mountPath"),
		       json_path_str(*(const struct json *const *)y, "mountPath"));
}

static void describe_mounts(struct describe *d, int level, const struct json *list)
{
	size_t count = json_count(list);
	describe_line(d, level, count ? "Mounts:" : "Mounts:\t<none>");
	if (!count)
		return;
	struct json **sorted = arena_copy(d->arena, list->array.items, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_mounts);
	for (size_t i = 0; i < count; i++) {
		const struct json *m = sorted[i];
		struct str sub = json_path_str(m, "subPath");
		describe_line(d, level + 1, "%.*s from %.*s (%s%s%.*s%s)",
			      STR_FMT(json_path_str(m, "mountPath")),
			      STR_FMT(json_path_str(m, "name")),
			      json_is_true(json_get(m, STR("readOnly"))) ? "ro" : "rw",
			      sub.len ? ",path=\"" : "", STR_FMT(sub), sub.len ? "\"" : "");
	}
}

static void describe_status(struct describe *d, int level, const struct json *s)
{
	describe_state(d, level, "State", json_get(s, STR("state")));
	if (json_path(s, "lastState.terminated"))
		describe_state(d, level, "Last State", json_get(s, STR("lastState")));
	describe_line(d, level, "Ready:\t%s",
		      json_is_true(json_get(s, STR("ready"))) ? "True" : "False");
	describe_line(d, level, "Restart Count:\t%lld",
		      (long long)json_i64(json_get(s, STR("restartCount"))));
}

/* The name stands one space further right in a template; the rest is where it is in a pod. */
static void describe_container(struct describe *d, const char *before, const struct json *c,
			       const struct json *status, const struct json *pod)
{
	int level = 2;
	const struct json *env = json_get(c, STR("env"));
	struct str seccomp = json_path_str(c, "securityContext.seccompProfile.type");
	describe_line(d, 1, "%s%.*s:", before, STR_FMT(json_path_str(c, "name")));
	if (status)
		describe_line(d, level, "Container ID:\t%.*s",
			      STR_FMT(json_path_str(status, "containerID")));
	describe_line(d, level, "Image:\t%.*s", STR_FMT(json_path_str(c, "image")));
	if (status)
		describe_line(d, level, "Image ID:\t%.*s",
			      STR_FMT(json_path_str(status, "imageID")));
	describe_ports(d, level, c);
	if (seccomp.len)
		describe_line(d, level, "SeccompProfile:\t%.*s", STR_FMT(seccomp));
	describe_words(d, level, "Command", json_get(c, STR("command")));
	describe_words(d, level, "Args", json_get(c, STR("args")));
	if (status)
		describe_status(d, level, status);
	describe_quantities(d, level, "Limits", json_path(c, "resources.limits"));
	describe_quantities(d, level, "Requests", json_path(c, "resources.requests"));
	describe_probe(d, level, "Liveness", json_get(c, STR("livenessProbe")));
	describe_probe(d, level, "Readiness", json_get(c, STR("readinessProbe")));
	describe_probe(d, level, "Startup", json_get(c, STR("startupProbe")));
	describe_env_from(d, level, json_get(c, STR("envFrom")));
	describe_line(d, level, json_count(env) ? "Environment:" : "Environment:\t<none>");
	for (size_t i = 0; i < json_count(env); i++)
		describe_variable(d, level + 1, json_at(env, i), pod);
	describe_mounts(d, level, json_get(c, STR("volumeMounts")));
}

void describe_containers(struct describe *d, int level, const char *label,
			 const struct json *containers, const struct json *statuses,
			 const struct json *pod)
{
	describe_line(d, level, json_count(containers) ? "%s:" : "%s: <none>", label);
	for (size_t i = 0; i < json_count(containers); i++) {
		const struct json *c = json_at(containers, i);
		describe_container(d, level ? " " : "", c,
				   find_named(statuses, json_path_str(c, "name")), pod);
	}
}

/* ---- volumes ---- */

#define V(key, type)                                                                               \
	{                                                                                          \
		key, type                                                                          \
	}
static const struct {
	const char *key, *type;
} volume_types[] = {
	V("hostPath", "HostPath (bare host directory volume)"),
	V("emptyDir", "EmptyDir (a temporary directory that shares a pod's lifetime)"),
	V("secret", "Secret (a volume populated by a Secret)"),
	V("configMap", "ConfigMap (a volume populated by a ConfigMap)"),
	V("nfs", "NFS (an NFS mount that lasts the lifetime of a pod)"),
	V("persistentVolumeClaim",
	  "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)"),
	V("ephemeral",
	  "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)"),
	V("downwardAPI", "DownwardAPI (a volume populated by information about the pod)"),
	V("csi", "CSI (a Container Storage Interface (CSI) volume source)"),
	V("projected", "Projected (a volume that contains injected data from multiple sources)"),
	V("image", "Image (a container image or OCI artifact)"),
};

static const struct {
	const char *type, *label, *path;
} volume_rows[] = {
	{"hostPath", "Path", "path"},	  {"hostPath", "HostPathType", "type"},
	{"emptyDir", "Medium", "medium"}, {"secret", "SecretName", "secretName"},
	{"configMap", "Name", "name"},	  {"nfs", "Server", "server"},
	{"nfs", "Path", "path"},	  {"persistentVolumeClaim", "ClaimName", "claimName"},
	{"csi", "Driver", "driver"},	  {"image", "Reference", "reference"},
};

static void describe_projection(struct describe *d, int level, const struct json *source)
{
	const struct json *s;
	if ((s = json_get(source, STR("secret")))) {
		describe_line(d, level, "SecretName:\t%.*s", STR_FMT(json_path_str(s, "name")));
		describe_line(d, level, "Optional:\t%s", optional_text(s));
	} else if (json_get(source, STR("downwardAPI"))) {
		describe_line(d, level, "DownwardAPI:\ttrue");
	} else if ((s = json_get(source, STR("configMap")))) {
		describe_line(d, level, "ConfigMapName:\t%.*s", STR_FMT(json_path_str(s, "name")));
		describe_line(d, level, "Optional:\t%s", optional_text(s));
	} else if ((s = json_get(source, STR("serviceAccountToken")))) {
		describe_line(d, level, "TokenExpirationSeconds:\t%lld",
			      (long long)json_i64(json_get(s, STR("expirationSeconds"))));
	}
}

static void describe_volume(struct describe *d, int level, const char *key, const struct json *v)
{
	for (size_t i = 0; i < ARRAY_LEN(volume_rows); i++)
		if (strcmp(volume_rows[i].type, key) == 0)
			describe_line(d, level, "%s:\t%.*s", volume_rows[i].label,
				      STR_FMT(json_path_str(v, volume_rows[i].path)));
	if (strcmp(key, "emptyDir") == 0)
		describe_line(d, level, "SizeLimit:\t%.*s",
			      STR_FMT(describe_or(json_path_str(v, "sizeLimit"), "<unset>")));
	if (strcmp(key, "secret") == 0 || strcmp(key, "configMap") == 0)
		describe_line(d, level, "Optional:\t%s", optional_text(v));
	if (strcmp(key, "nfs") == 0 || strcmp(key, "persistentVolumeClaim") == 0)
		describe_line(d, level, "ReadOnly:\t%s",
			      json_is_true(json_get(v, STR("readOnly"))) ? "true" : "false");
	const struct json *sources = json_get(v, STR("sources"));
	for (size_t i = 0; strcmp(key, "projected") == 0 && i < json_count(sources); i++)
		describe_projection(d, level, json_at(sources, i));
}

void describe_volumes(struct describe *d, int level, const struct json *volumes)
{
	if (json_count(volumes) == 0) {
		describe_line(d, level, "Volumes:\t<none>");
		return;
	}
	describe_line(d, level, "Volumes:");
	for (size_t i = 0; i < json_count(volumes); i++) {
		const struct json *v = json_at(volumes, i), *source = NULL;
		size_t k = 0;
		while (k < ARRAY_LEN(volume_types) &&
		       !(source = json_get(v, str_of(volume_types[k].key))))
			k++;
		describe_line(d, 1, "%s%.*s:", level ? " " : "", STR_FMT(json_path_str(v, "name")));
		if (!source) {
			describe_line(d, 2, "<unknown>");
			continue;
		}
		describe_line(d, 2, "Type:\t%s", volume_types[k].type);
		describe_volume(d, 2, volume_types[k].key, source);
	}
}

/* ---- templates and pods ---- */

void describe_template(struct describe *d, const struct json *t)
{
	const struct json *spec = json_get(t, STR("spec"));
	struct str account = json_path_str(spec, "serviceAccountName");
	describe_line(d, 0, "Pod Template:");
	describe_map(d, 1, "Labels", json_path(t, "metadata.labels"), "=");
	if (json_count(json_path(t, "metadata.annotations")))
		describe_annotations(d, 1, json_path(t, "metadata.annotations"));
	if (account.len)
		describe_line(d, 1, "Service Account:\t%.*s", STR_FMT(account));
	if (json_count(json_get(spec, STR("initContainers"))))
		describe_containers(d, 1, "Init Containers", json_get(spec, STR("initContainers")),
				    NULL, NULL);
	describe_containers(d, 1, "Containers", json_get(spec, STR("containers")), NULL, NULL);
	describe_volumes(d, 1, json_get(spec, STR("volumes")));
	if (json_path_str(spec, "priorityClassName").len)
		describe_line(d, 1, "Priority Class Name:\t%.*s",
			      STR_FMT(json_path_str(spec, "priorityClassName")));
	describe_map(d, 1, "Node-Selectors", json_get(spec, STR("nodeSelector")), "=");
	describe_tolerations(d, 1, json_get(spec, STR("tolerations")));
}

static void describe_pod_state(struct describe *d, const struct json *pod)
{
	struct str node = json_path_str(pod, "spec.nodeName");
	struct str deleted = json_path_str(pod, "metadata.deletionTimestamp");
	static const struct describe_row rows[] = {
		{"Start Time", "status.startTime", ROW_TIME, true, NULL},
		DESCRIBE_LABELS,
	};
	static const struct describe_row more[] = {
		{"Reason", "status.reason", ROW_TEXT, true, NULL},
		{"Message", "status.message", ROW_TEXT, true, NULL},
		{"SeccompProfile", "spec.securityContext.seccompProfile.type", ROW_TEXT, true,
		 NULL},
		{"IP", "status.podIP", ROW_TEXT, false, NULL},
	};
	if (node.len)
		describe_line(d, 0, "Node:\t%.*s/%.*s", STR_FMT(node),
			      STR_FMT(json_path_str(pod, "status.hostIP")));
	else
		describe_line(d, 0, "Node:\t<none>");
	describe_rows(d, pod, rows, ARRAY_LEN(rows));
	if (deleted.len) {
		describe_line(d, 0, "Status:\tTerminating");
		describe_line(
			d, 0, "Termination Grace Period:\t%llds",
			(long long)json_i64(json_path(pod, "metadata.deletionGracePeriodSeconds")));
	} else {
		describe_line(d, 0, "Status:\t%.*s", STR_FMT(json_path_str(pod, "status.phase")));
	}
	describe_rows(d, pod, more, ARRAY_LEN(more));
}

static void describe_ips(struct describe *d, const struct json *ips)
{
	describe_line(d, 0, json_count(ips) ? "IPs:" : "IPs:\t<none>");
	for (size_t i = 0; i < json_count(ips); i++)
		describe_line(d, 1, "IP:\t%.*s", STR_FMT(json_path_str(json_at(ips, i), "ip")));
}

enum rc describe_pod(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct describe_row rows[] = {
		DESCRIBE_NAME,
		{"Priority", "spec.priority", ROW_NUMBER, true, NULL},
		{"Priority Class Name", "spec.priorityClassName", ROW_TEXT, true, NULL},
		{"Runtime Class Name", "spec.runtimeClassName", ROW_TEXT, true, NULL},
		{"Service Account", "spec.serviceAccountName", ROW_TEXT, true, NULL},
	};
	static const struct {
		const char *label, *list, *statuses;
	} groups[] = {
		{"Init Containers", "spec.initContainers", "status.initContainerStatuses"},
		{"Containers", "spec.containers", "status.containerStatuses"},
		{"Ephemeral Containers", "spec.ephemeralContainers",
		 "status.ephemeralContainerStatuses"},
	};
	const struct json *pod = r->tree, *conditions = json_path(pod, "status.conditions");
	describe_rows(d, pod, rows, ARRAY_LEN(rows));
	describe_pod_state(d, pod);
	describe_ips(d, json_path(pod, "status.podIPs"));
	describe_controller(d, pod);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (json_count(json_path(pod, groups[i].list)))
			describe_containers(d, 0, groups[i].label, json_path(pod, groups[i].list),
					    json_path(pod, groups[i].statuses), pod);
	if (json_count(conditions)) {
		describe_line(d, 0, "Conditions:");
		describe_line(d, 1, "Type\tStatus");
	}
	for (size_t i = 0; i < json_count(conditions); i++)
		describe_line(d, 1, "%.*s \t%.*s ",
			      STR_FMT(json_path_str(json_at(conditions, i), "type")),
			      STR_FMT(json_path_str(json_at(conditions, i), "status")));
	describe_volumes(d, 0, json_path(pod, "spec.volumes"));
	if (json_path_str(pod, "status.qosClass").len)
		describe_line(d, 0, "QoS Class:\t%.*s",
			      STR_FMT(json_path_str(pod, "status.qosClass")));
	describe_map(d, 0, "Node-Selectors", json_path(pod, "spec.nodeSelector"), "=");
	describe_tolerations(d, 0, json_path(pod, "spec.tolerations"));
	return describe_events(d, r, err);
}
