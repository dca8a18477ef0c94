/* Environment, field references, handlers and probes of containers. */
#include "api/validate-int.h"

#define ENV_FIELDS                                                                                 \
	"metadata.name,metadata.namespace,metadata.uid,spec.nodeName,spec.serviceAccountName,"     \
	"status.hostIP,status.hostIPs,status.podIP,status.podIPs"
#define VOLUME_FIELDS                                                                              \
	"metadata.annotations,metadata.labels,metadata.name,metadata.namespace,metadata.uid"
#define POD_FIELDS                                                                                 \
	ENV_FIELDS "," VOLUME_FIELDS ",spec.restartPolicy,spec.schedulerName,status.phase,spec."   \
		   "host"
#define RESOURCE_FIELDS                                                                            \
	"limits.cpu,limits.ephemeral-storage,limits.memory,requests.cpu,requests.ephemeral-"       \
	"storage,"                                                                                 \
	"requests.memory"
#define BYTE_DIVISORS "1,1k,1M,1G,1T,1P,1E,1Ki,1Mi,1Gi,1Ti,1Pi,1Ei"
#define BYTE_DIVISORS_TEXT                                                                         \
	"only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are "       \
	"supported with the %s resource"

/* metadata.labels['key'] */
static bool subscript_cut(struct str path, struct str *ret_base, struct str *ret_key)
{
	struct str rest;
	if (!str_cut(path, '[', ret_base, &rest) || rest.len < 3 || rest.at[0] != '\'' ||
	    !str_has_suffix(rest, STR("']")))
		return false;
	*ret_key = str_n(rest.at + 1, rest.len - 3);
	return true;
}

static struct str lower(struct arena *a, struct str s)
{
	char *out = arena_cstr(a, s);
	for (size_t i = 0; i < s.len; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] - 'A' + 'a');
	return str_n(out, s.len);
}

void check_field_ref(struct check *v, const struct path *at, const struct json *ref, bool is_volume)
{
	struct str version = TEXT(ref, "apiVersion"), path = TEXT(ref, "fieldPath"), base, key;
	const struct path *path_at = MEMBER(at, "fieldPath");
	if (version.len == 0) {
		required(v, MEMBER(at, "apiVersion"), "%s", "");
		return;
	}
	if (path.len == 0) {
		required(v, path_at, "%s", "");
		return;
	}
	if (!str_is(version, "v1")) {
		bad_text(v, path_at, path,
			 "error converting fieldPath: unsupported pod version: %.*s",
			 STR_FMT(version));
		return;
	}
	bool is_part = subscript_cut(path, &base, &key);
	if (is_part && str_is(base, "metadata.annotations"))
		check_name(v, at, NAME_QUALIFIED, lower(v->arena, key));
	else if (is_part && str_is(base, "metadata.labels"))
		check_name(v, at, NAME_QUALIFIED, key);
	else if (is_part || !text_in(path, POD_FIELDS))
		bad_text(v, path_at, path,
			 "error converting fieldPath: field label not supported: %.*s",
			 STR_FMT(is_part ? base : path));
	else
		check_enum(v, path_at, path, is_volume ? VOLUME_FIELDS : ENV_FIELDS);
}

static void check_divisor(struct check *v, const struct path *at, struct str resource,
			  struct str divisor)
{
	struct quantity q = {};
	const struct path *here = MEMBER(at, "divisor");
	if (quantity_parse(divisor, &q, NULL) != RC_OK || q.nano == 0)
		return;
	if (str_has_suffix(resource, STR(".cpu"))) {
		if (!text_in(divisor, "1m,1"))
			bad_text(v, here, resource,
				 "only divisor's values 1m and 1 are supported with the cpu "
				 "resource");
	} else if (str_has_suffix(resource, STR(".memory"))) {
		if (!text_in(divisor, BYTE_DIVISORS))
			bad_text(v, here, resource, BYTE_DIVISORS_TEXT, "memory");
	} else if (str_has_suffix(resource, STR(".ephemeral-storage"))) {
		if (!text_in(divisor, BYTE_DIVISORS))
			bad_text(v, here, resource, BYTE_DIVISORS_TEXT, "local ephemeral storage");
	}
}

void check_resource_ref(struct check *v, const struct path *at, const struct json *ref,
			bool is_volume)
{
	struct str resource = TEXT(ref, "resource");
	bool is_huge = str_has_prefix(resource, STR("limits.hugepages-")) ||
		       str_has_prefix(resource, STR("requests.hugepages-"));
	if (is_volume && TEXT(ref, "containerName").len == 0)
		required(v, MEMBER(at, "containerName"), "%s", "");
	else if (resource.len == 0)
		required(v, MEMBER(at, "resource"), "%s", "");
	else if (!is_huge)
		check_enum(v, MEMBER(at, "resource"), resource, RESOURCE_FIELDS);
	check_divisor(v, at, resource, TEXT(ref, "divisor"));
}

static void check_key_ref(struct check *v, const struct path *at, const struct json *ref)
{
	check_name(v, MEMBER(at, "name"), NAME_DNS_SUBDOMAIN, TEXT(ref, "name"));
	check_required_name(v, MEMBER(at, "key"), NAME_CONFIG_KEY, TEXT(ref, "key"));
}

static void check_file_ref(struct check *v, const struct path *at, const struct json *ref)
{
	check_required_name(v, MEMBER(at, "key"), NAME_ENV_VAR, TEXT(ref, "key"));
	check_required_name(v, MEMBER(at, "volumeName"), NAME_DNS_LABEL, TEXT(ref, "volumeName"));
	if (TEXT(ref, "path").len == 0)
		required(v, MEMBER(at, "path"), "%s", "");
	else
		check_no_backsteps(v, MEMBER(at, "path"), TEXT(ref, "path"));
}

static void check_value_from(struct check *v, const struct path *at, const struct json *env)
{
	const struct json *from = GET(env, "valueFrom");
	size_t sources = 0;
	if (!from)
		return;
	if (GET(from, "fieldRef") && ++sources)
		check_field_ref(v, MEMBER(at, "fieldRef"), GET(from, "fieldRef"), false);
	if (GET(from, "resourceFieldRef") && ++sources)
		check_resource_ref(v, MEMBER(at, "resourceFieldRef"), GET(from, "resourceFieldRef"),
				   false);
	if (GET(from, "configMapKeyRef") && ++sources)
		check_key_ref(v, MEMBER(at, "configMapKeyRef"), GET(from, "configMapKeyRef"));
	if (GET(from, "secretKeyRef") && ++sources)
		check_key_ref(v, MEMBER(at, "secretKeyRef"), GET(from, "secretKeyRef"));
	if (GET(from, "fileKeyRef") && ++sources)
		check_file_ref(v, MEMBER(at, "fileKeyRef"), GET(from, "fileKeyRef"));
	if (sources == 0)
		bad_text(v, at, STR(""),
			 "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
			 "`secretKeyRef` or `fileKeyRef`");
	if (TEXT(env, "value").len > 0 && sources > 0)
		bad_text(v, at, STR(""), "may not be specified when `value` is not empty");
	else if (sources > 1)
		bad_text(v, at, STR(""), "may not have more than one field specified at a time");
}

void check_env(struct check *v, const struct path *at, const struct json *list)
{
	FOR_ITEMS(i, env, list)
	{
		const struct path *here = ITEM(at, i);
		check_required_name(v, MEMBER(here, "name"), NAME_ENV_VAR, TEXT(env, "name"));
		check_value_from(v, MEMBER(here, "valueFrom"), env);
	}
}

void check_env_files(struct check *v, const struct path *at, const struct json *list,
		     const struct json *volumes)
{
	FOR_ITEMS(i, env, list)
	{
		const struct json *ref = GET(GET(env, "valueFrom"), "fileKeyRef");
		struct str name = TEXT(ref, "volumeName");
		const struct json *volume = item_named(volumes, "name", name);
		const struct path *here = MEMBER(
			MEMBER(MEMBER(ITEM(at, i), "valueFrom"), "fileKeyRef"), "volumeName");
		if (ref && !volume)
			not_found(v, here, name, "%s", "");
		else if (ref && !GET(volume, "emptyDir"))
			bad_text(v, here, name, "referenced volume must be of type emptyDir");
	}
}

void check_env_from(struct check *v, const struct path *at, const struct json *list)
{
	static const char *const names[] = {"configMapRef", "secretRef"};
	FOR_ITEMS(i, from, list)
	{
		const struct path *here = ITEM(at, i);
		size_t sources = 0;
		if (TEXT(from, "prefix").len > 0)
			check_name(v, MEMBER(here, "prefix"), NAME_ENV_VAR, TEXT(from, "prefix"));
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			const struct json *ref = json_get(from, str_of(names[k]));
			if (!ref)
				continue;
			sources++;
			check_required_name(v, MEMBER(MEMBER(here, names[k]), "name"),
					    NAME_DNS_SUBDOMAIN, TEXT(ref, "name"));
		}
		if (sources == 0)
			bad_text(v, at, STR(""),
				 "must specify one of: `configMapRef` or `secretRef`");
		else if (sources > 1)
			bad_text(v, at, STR(""),
				 "may not have more than one field specified at a time");
	}
}

/* ---- handlers ---- */

static void check_exec(struct check *v, const struct path *at, const struct json *action,
		       int64_t grace)
{
	if (COUNT(action, "command") == 0)
		required(v, MEMBER(at, "command"), "%s", "");
}

static void check_http(struct check *v, const struct path *at, const struct json *action,
		       int64_t grace)
{
	check_required(v, MEMBER(at, "path"), TEXT(action, "path"));
	check_port_or_name(v, MEMBER(at, "port"), GET(action, "port"));
	check_enum(v, MEMBER(at, "scheme"), TEXT(action, "scheme"), "HTTP,HTTPS");
	FOR_ITEMS(i, header, GET(action, "httpHeaders"))
	{
		check_name(v, MEMBER(at, "httpHeaders"), NAME_HTTP_HEADER, TEXT(header, "name"));
	}
}

static void check_tcp(struct check *v, const struct path *at, const struct json *action,
		      int64_t grace)
{
	check_port_or_name(v, MEMBER(at, "port"), GET(action, "port"));
}

static void check_grpc(struct check *v, const struct path *at, const struct json *action,
		       int64_t grace)
{
	check_port(v, MEMBER(at, "port"), GET(action, "port"));
}

static void check_sleep(struct check *v, const struct path *at, const struct json *action,
			int64_t grace)
{
	int64_t seconds = INT(action, "seconds");
	if (seconds < 0 || seconds > grace)
		bad(v, at, json_int(v->arena, seconds),
		    "must be non-negative and less than terminationGracePeriodSeconds (%lld)",
		    (long long)grace);
}

static const struct {
	const char *name;
	void (*check)(struct check *v, const struct path *at, const struct json *action,
		      int64_t grace);
} handlers[] = {
	{"exec", check_exec}, {"httpGet", check_http}, {"tcpSocket", check_tcp},
	{"grpc", check_grpc}, {"sleep", check_sleep},
};

static void check_handler(struct check *v, const struct path *at, const struct json *handler,
			  const struct json *spec)
{
	int64_t grace = INT(spec, "terminationGracePeriodSeconds");
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
		const struct json *action = json_get(handler, str_of(handlers[i].name));
		if (!action)
			continue;
		if (count++ > 0)
			forbidden(v, MEMBER(at, handlers[i].name),
				  "may not specify more than 1 handler type");
		else
			handlers[i].check(v, MEMBER(at, handlers[i].name), action, grace);
	}
	if (count == 0)
		required(v, at, "must specify a handler type");
}

void check_probe(struct check *v, const struct path *at, const struct json *probe,
		 const struct json *spec)
{
	static const char *const counts[] = {"initialDelaySeconds", "timeoutSeconds",
					     "periodSeconds", "successThreshold",
					     "failureThreshold"};
	const struct json *grace = GET(probe, "terminationGracePeriodSeconds");
	const struct path *grace_at = MEMBER(at, "terminationGracePeriodSeconds");
	bool is_readiness = !strcmp(at->name, "readinessProbe");
	if (!probe)
		return;
	check_handler(v, at, probe, spec);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		check_not_negative(v, MEMBER(at, counts[i]), json_get(probe, str_of(counts[i])));
	if (grace && json_i64(grace) <= 0)
		bad(v, grace_at, grace, "must be greater than 0");
	if (!is_readiness && INT(probe, "successThreshold") != 1)
		bad(v, MEMBER(at, "successThreshold"),
		    json_int(v->arena, INT(probe, "successThreshold")), "must be 1");
	if (is_readiness && grace)
		bad(v, grace_at, grace, "must not be set for readinessProbes");
}

void check_lifecycle(struct check *v, const struct path *at, const struct json *lifecycle,
		     const struct json *spec)
{
	if (GET(lifecycle, "postStart"))
		check_handler(v, MEMBER(at, "postStart"), GET(lifecycle, "postStart"), spec);
	if (GET(lifecycle, "preStop"))
		check_handler(v, MEMBER(at, "preStop"), GET(lifecycle, "preStop"), spec);
}
