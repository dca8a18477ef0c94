/* Warnings about pod specs.  Source: upstream's pkg/api/pod/warnings.go. */
#include "api/quantity.h"
#include "api/warnings.h"

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

static const char *old_label(struct str key)
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
		const char *text = old_label(key);
		if (text)
			warn(w, "%sspec.nodeSelector[%.*s]: %s", at, STR_FMT(key), text);
	}
}

static void spread(const struct warnings *w, const char *at, const struct json *spec)
{
	const struct json *list = json_get(spec, STR("topologySpreadConstraints"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *item = json_at(list, i),
				  *selector = json_get(item, STR("labelSelector"));
		struct str key = json_path_str(item, "topologyKey");
		const char *text = old_label(key);
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

static void pull_secrets(const struct warnings *w, const char *at, const struct json *spec)
{
	const struct json *list = json_get(spec, STR("imagePullSecrets"));
	for (size_t i = 0; i < json_count(list); i++)
		if (json_path_str(json_at(list, i), "name").len == 0)
			warn(w, "%sspec.imagePullSecrets[%zu].name: invalid empty name \"\"", at,
			     i);
}

/* ---- volumes ---- */

/* No source at all, or one that names nothing. */
static bool has_empty_source(const struct json *projected)
{
	const struct json *sources = json_get(projected, STR("sources"));
	for (size_t i = 0; i < json_count(sources); i++)
		if (json_count(json_at(sources, i)) == 0)
			return true;
	return json_count(sources) == 0;
}

static void volumes(const struct warnings *w, const char *at, const struct json *spec)
{
	static const struct {
		const char *member, *shown, *text;
	} rows[] = {
		{"photonPersistentDisk", "photonPersistentDisk",
		 "deprecated in v1.11, non-functional in v1.16+"},
		{"gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
		{"scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
		{"flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"},
		{"storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
		{"quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"},
		{"glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
		{"cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
		{"rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"},
	};
	const struct json *list = json_get(spec, STR("volumes"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *v = json_at(list, i), *projected = json_get(v, STR("projected"));
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			if (json_get(v, str_of(rows[k].member)))
				warn(w, "%sspec.volumes[%zu].%s: %s", at, i, rows[k].shown,
				     rows[k].text);
		if (projected && projected->type == JSON_OBJECT && has_empty_source(projected))
			warn(w, "volume \"%.*s\" (Projected) has no sources provided",
			     STR_FMT(json_path_str(v, "name")));
	}
}

/* ---- containers ---- */

static void environment(const struct warnings *w, const char *at, const struct json *container)
{
	const struct json *env = json_get(container, STR("env"));
	for (size_t i = 0; i < json_count(env); i++) {
		struct str name = json_path_str(json_at(env, i), "name");
		for (size_t k = 0; k < i; k++) {
			if (!str_eq(name, json_path_str(json_at(env, k), "name")))
				continue;
			warn(w,
			     "%s.env[%zu]: hides previous definition of \"%.*s\", which may be "
			     "dropped when using apply",
			     at, i, STR_FMT(name));
			break;
		}
	}
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

static void containers(const struct warnings *w, const char *at, const struct json *spec)
{
	static const char *const lists[] = {"initContainers", "containers"};
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct json *list = json_get(spec, str_of(lists[l]));
		for (size_t i = 0; i < json_count(list); i++) {
			const char *path = arena_cstr(
				w->arena,
				arena_printf(w->arena, "%sspec.%s[%zu]", at, lists[l], i));
			environment(w, path, json_at(list, i));
			fractions(w, path, json_at(list, i));
		}
	}
}

/* ---- annotations that fields have replaced ---- */

static void annotations(const struct warnings *w, const char *at, const struct json *pod)
{
	static const struct {
		const char *beginning, *text;
	} rows[] = {
		{"seccomp.security.alpha.kubernetes.io/pod",
		 "non-functional in v1.27+; use the \"seccompProfile\" field instead"},
		{"container.seccomp.security.alpha.kubernetes.io/",
		 "non-functional in v1.27+; use the \"seccompProfile\" field instead"},
		{"container.apparmor.security.beta.kubernetes.io/",
		 "deprecated since v1.30; use the \"appArmorProfile\" field instead"},
	};
	const struct json *notes = json_path(pod, "metadata.annotations");
	for (size_t i = 0; i < json_count(notes); i++)
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			if (str_has_prefix(notes->object.members[i].key, str_of(rows[k].beginning)))
				warn(w, "%smetadata.annotations[%.*s]: %s", at,
				     STR_FMT(notes->object.members[i].key), rows[k].text);
}

void warnings_of_pod(const struct warnings *w, const char *at, const struct json *pod)
{
	const struct json *spec = json_get(pod, STR("spec"));
	node_selector(w, at, spec);
	spread(w, at, spec);
	pull_secrets(w, at, spec);
	if (json_i64(json_get(spec, STR("terminationGracePeriodSeconds"))) < 0)
		warn(w,
		     "%sspec.terminationGracePeriodSeconds: must be >= 0; negative values are "
		     "invalid and will be treated as 1",
		     at);
	volumes(w, at, spec);
	containers(w, at, spec);
	annotations(w, at, pod);
}
