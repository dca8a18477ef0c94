/* Containers, init containers and ephemeral containers of a pod. */
#include "api/validate-int.h"

static void check_ports(struct check *v, const struct path *at, const struct json *ports)
{
	FOR_ITEMS(i, port, ports)
	{
		const struct path *here = ITEM(at, i);
		struct str name = TEXT(port, "name");
		if (name.len > 0 && !name_is(NAME_PORT, name)) {
			check_name(v, MEMBER(here, "name"), NAME_PORT, name);
		} else if (name.len > 0) {
			if (is_text_repeated(v, ports, i, "name"))
				duplicate(v, MEMBER(here, "name"), name);
		}
		if (INT(port, "containerPort") == 0)
			required(v, MEMBER(here, "containerPort"), "%s", "");
		else
			check_port(v, MEMBER(here, "containerPort"), GET(port, "containerPort"));
		if (INT(port, "hostPort") != 0)
			check_port(v, MEMBER(here, "hostPort"), GET(port, "hostPort"));
		check_required_enum(v, MEMBER(here, "protocol"), TEXT(port, "protocol"),
				    "SCTP,TCP,UDP");
	}
}

static struct str host_port_key(struct check *v, const struct json *port)
{
	return arena_printf(v->arena, "%.*s/%.*s/%lld", STR_FMT(TEXT(port, "protocol")),
			    STR_FMT(TEXT(port, "hostIP")), (long long)INT(port, "hostPort"));
}

/* Over a list of containers (count of them from first): no host port twice. */
static void check_host_ports(struct check *v, const struct path *at, const struct json *containers,
			     size_t first, size_t count)
{
	struct str seen[256];
	size_t seen_count = 0;
	for (size_t c = 0; c < count; c++) {
		const struct path *ports_at = MEMBER(ITEM(at, c), "ports");
		FOR_ITEMS(i, port, GET(json_at(containers, first + c), "ports"))
		{
			if (INT(port, "hostPort") == 0)
				continue;
			struct str key = host_port_key(v, port);
			bool is_twice = false;
			for (size_t k = 0; k < seen_count; k++)
				is_twice |= str_eq(seen[k], key);
			if (is_twice)
				duplicate(v, MEMBER(ITEM(ports_at, i), "hostPort"), key);
			else if (seen_count < ARRAY_LEN(seen))
				seen[seen_count++] = key;
		}
	}
}

static void check_resize_policy(struct check *v, const struct path *at, const struct json *list,
				const struct json *spec)
{
	FOR_ITEMS(i, policy, list)
	{
		struct str name = TEXT(policy, "resourceName"),
			   restart = TEXT(policy, "restartPolicy");
		if (is_text_repeated(v, list, i, "resourceName"))
			duplicate(v, ITEM(at, i), name);
		check_required_enum(v, at, name, "cpu,memory");
		check_required_enum(v, at, restart, "NotRequired,RestartContainer");
		if (str_is(TEXT(spec, "restartPolicy"), "Never") &&
		    str_is(restart, "RestartContainer"))
			bad_text(v, at, restart,
				 "must be 'NotRequired' when `restartPolicy` is 'Never'");
	}
}

#define RESTART_RULES_MAX 20
#define EXIT_CODES_MAX	  255

static void check_restart_rules(struct check *v, const struct path *at, const struct json *rules)
{
	if (json_count(rules) > RESTART_RULES_MAX)
		too_long(v, at, RESTART_RULES_MAX);
	FOR_ITEMS(i, rule, rules)
	{
		const struct path *here = ITEM(at, i), *codes_at = MEMBER(here, "exitCodes");
		const struct json *codes = GET(rule, "exitCodes");
		check_enum(v, MEMBER(here, "action"), TEXT(rule, "action"), "Restart");
		if (!codes) {
			required(v, codes_at, "must be specified");
			continue;
		}
		check_enum(v, MEMBER(codes_at, "operator"), TEXT(codes, "operator"), "In,NotIn");
		if (COUNT(codes, "values") > EXIT_CODES_MAX)
			too_long(v, MEMBER(codes_at, "values"), EXIT_CODES_MAX);
	}
}

static void check_restart_policy(struct check *v, const struct path *at,
				 const struct json *container, bool is_init)
{
	const struct path *rules_at = MEMBER(at, "restartPolicyRules");
	const struct json *policy = GET(container, "restartPolicy");
	const struct json *rules = GET(container, "restartPolicyRules");
	if (policy)
		check_enum(v, MEMBER(at, "restartPolicy"), json_str(policy),
			   "Always,Never,OnFailure");
	if (json_count(rules) > 0 && !policy)
		required(v, MEMBER(at, "restartPolicy"),
			 "must specify restartPolicy when restart rules are used");
	if (is_init && str_is(json_str(policy), "Always") && json_count(rules) > 0)
		forbidden(v, rules_at,
			  "restartPolicyRules are not allowed for init containers with restart "
			  "policy Always");
	else if (!is_init || policy)
		check_restart_rules(v, rules_at, rules);
}

static void check_common(struct check *v, const struct path *at, const struct json *c,
			 const struct pod_check *pod)
{
	check_required_name(v, MEMBER(at, "name"), NAME_DNS_LABEL, TEXT(c, "name"));
	check_required(v, MEMBER(at, "image"), TEXT(c, "image"));
	check_required_enum(v, MEMBER(at, "terminationMessagePolicy"),
			    TEXT(c, "terminationMessagePolicy"), "File,FallbackToLogsOnError");
	check_ports(v, MEMBER(at, "ports"), GET(c, "ports"));
	check_env(v, MEMBER(at, "env"), GET(c, "env"));
	check_env_from(v, MEMBER(at, "envFrom"), GET(c, "envFrom"));
	check_env_files(v, MEMBER(at, "env"), GET(c, "env"), GET(pod->spec, "volumes"));
	check_mounts(v, MEMBER(at, "volumeMounts"), c, pod);
	check_devices(v, MEMBER(at, "volumeDevices"), c, pod);
	check_required_enum(v, MEMBER(at, "imagePullPolicy"), TEXT(c, "imagePullPolicy"),
			    "Always,IfNotPresent,Never");
	check_container_resources(v, MEMBER(at, "resources"), GET(c, "resources"),
				  GET(pod->spec, "resourceClaims"));
	check_resize_policy(v, MEMBER(at, "resizePolicy"), GET(c, "resizePolicy"), pod->spec);
	check_container_security(v, MEMBER(at, "securityContext"), GET(c, "securityContext"), pod);
}

static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};

static void check_running(struct check *v, const struct path *at, const struct json *c,
			  const struct json *spec)
{
	check_lifecycle(v, MEMBER(at, "lifecycle"), GET(c, "lifecycle"), spec);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		check_probe(v, MEMBER(at, probes[i]), json_get(c, str_of(probes[i])), spec);
}

static void check_regular(struct check *v, const struct path *at, const struct pod_check *pod)
{
	const struct json *list = GET(pod->spec, "containers");
	if (json_count(list) == 0) {
		required(v, at, "%s", "");
		return;
	}
	FOR_ITEMS(i, c, list)
	{
		const struct path *here = ITEM(at, i);
		check_common(v, here, c, pod);
		if (is_text_repeated(v, list, i, "name"))
			duplicate(v, MEMBER(here, "name"), TEXT(c, "name"));
		check_running(v, here, c, pod->spec);
		check_restart_policy(v, here, c, false);
	}
	check_host_ports(v, at, list, 0, json_count(list));
}

static void check_init(struct check *v, const struct path *at, const struct pod_check *pod)
{
	static const char *const running[] = {"lifecycle", "livenessProbe", "readinessProbe",
					      "startupProbe"};
	const struct json *list = GET(pod->spec, "initContainers");
	const struct json *regular = GET(pod->spec, "containers");
	FOR_ITEMS(i, c, list)
	{
		const struct path *here = ITEM(at, i);
		struct str name = TEXT(c, "name");
		check_common(v, here, c, pod);
		check_restart_policy(v, here, c, true);
		if (is_text_repeated(v, list, i, "name") || item_named(regular, "name", name))
			duplicate(v, MEMBER(here, "name"), name);
		check_host_ports(v, at, list, i, 1);
		if (str_is(TEXT(c, "restartPolicy"), "Always")) {
			check_running(v, here, c, pod->spec);
			continue;
		}
		for (size_t k = 0; k < ARRAY_LEN(running); k++)
			if (json_get(c, str_of(running[k])))
				forbidden(v, MEMBER(here, running[k]),
					  "may not be set for init containers without "
					  "restartPolicy=Always");
	}
}

/* An object that is a pointer in Go counts although it is empty. */
static bool is_set(const struct json *c, const char *member)
{
	const struct json *value = member_of(c, str_of(member));
	return value && (strcmp(member, "resources") != 0 || json_count(value) > 0);
}

static const char *const barred_of_mounts[] = {"subPath", "subPathExpr"};

static void check_ephemeral(struct check *v, const struct path *at, const struct pod_check *pod)
{
	static const char *const barred[] = {
		"ports",	  "resources",		"resizePolicy",
		"restartPolicy",  "restartPolicyRules", "livenessProbe",
		"readinessProbe", "startupProbe",	"lifecycle"};
	const struct json *list = GET(pod->spec, "ephemeralContainers");
	FOR_ITEMS(i, c, list)
	{
		const struct path *here = ITEM(at, i);
		struct str name = TEXT(c, "name"), target = TEXT(c, "targetContainerName");
		const struct json *init = GET(pod->spec, "initContainers");
		const struct json *regular = GET(pod->spec, "containers");
		check_common(v, here, c, pod);
		if (is_text_repeated(v, list, i, "name") || item_named(init, "name", name) ||
		    item_named(regular, "name", name))
			duplicate(v, MEMBER(here, "name"), name);
		if (target.len > 0 && !item_named(init, "name", target) &&
		    !item_named(regular, "name", target))
			not_found(v, MEMBER(here, "targetContainerName"), target, "%s", "");
		for (size_t k = 0; k < ARRAY_LEN(barred); k++)
			if (is_set(c, barred[k]))
				forbidden(v, MEMBER(here, barred[k]),
					  "cannot be set for an Ephemeral Container");
		FOR_ITEMS(m, mount, GET(c, "volumeMounts"))
		{
			const struct path *mount_at = ITEM(MEMBER(here, "volumeMounts"), m);
			for (size_t k = 0; k < ARRAY_LEN(barred_of_mounts); k++)
				if (json_str(json_get(mount, str_of(barred_of_mounts[k]))).len > 0)
					forbidden(v, MEMBER(mount_at, barred_of_mounts[k]),
						  "cannot be set for an Ephemeral Container");
		}
	}
}

void check_containers(struct check *v, const struct path *at, const struct pod_check *pod)
{
	check_regular(v, MEMBER(at, "containers"), pod);
	check_init(v, MEMBER(at, "initContainers"), pod);
	check_ephemeral(v, MEMBER(at, "ephemeralContainers"), pod);
}
