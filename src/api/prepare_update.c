/* Before an update: every writer changes only its part. */
#include "api/prepare-int.h"

#include "base/timefmt.h"

static void take(struct arena *a, struct json *tree, const struct json *old, struct str name)
{
	struct json *value = json_get(old, name);
	if (value)
		json_set(a, tree, name, value);
	else
		json_remove(tree, name);
}

/* All members but metadata and status come from old. */
static void take_all_but_status(struct arena *a, struct json *tree, const struct json *old)
{
	for (size_t i = tree->object.count; i-- > 0;) {
		struct str key = tree->object.members[i].key;
		if (!str_is(key, "metadata") && !str_is(key, "status") && !json_get(old, key))
			json_remove(tree, key);
	}
	for (size_t i = 0; i < json_count(old); i++) {
		struct str key = old->object.members[i].key;
		if (!str_is(key, "metadata") && !str_is(key, "status"))
			json_set(a, tree, key, old->object.members[i].value);
	}
}

static bool member_equal(const struct json *a, const struct json *b, struct str name)
{
	const struct json *x = json_get(a, name), *y = json_get(b, name);
	return x == y || (x && y && json_equal(x, y));
}

static bool all_equal(const struct json *old, const struct json *tree)
{
	for (size_t i = 0; i < json_count(tree); i++) {
		struct str key = tree->object.members[i].key;
		if (!str_is(key, "metadata") && !str_is(key, "status") &&
		    !member_equal(old, tree, key))
			return false;
	}
	for (size_t i = 0; i < json_count(old); i++) {
		struct str key = old->object.members[i].key;
		if (!str_is(key, "metadata") && !str_is(key, "status") && !json_get(tree, key))
			return false;
	}
	return member_equal(json_get(old, STR("metadata")), json_get(tree, STR("metadata")),
			    STR("labels"));
}

static bool is_changed(const struct prepare_row *row, const struct json *old,
		       const struct json *tree)
{
	if (*row->counted == '*')
		return !all_equal(old, tree);
	if (!member_equal(old, tree, str_of(row->counted)))
		return true;
	return (row->flags & COUNTS_ANNOTATIONS) &&
	       !member_equal(json_get(old, STR("metadata")), json_get(tree, STR("metadata")),
			     STR("annotations"));
}

static void set_generation(struct arena *a, struct json *tree, const struct json *old, bool is_next)
{
	int64_t generation = json_i64(json_path(old, "metadata.generation"));
	struct json *metadata = json_need_object(a, tree, STR("metadata"));
	if (generation + is_next > 0)
		json_set(a, metadata, STR("generation"), json_int(a, generation + is_next));
	else
		json_remove(metadata, STR("generation"));
}

/* The counter of templates that kept its own name in an annotation. */
void update_daemon_set(struct arena *a, const struct json *old, struct json *tree)
{
	const struct json *before = json_path(old, "spec.template");
	const struct json *after = json_path(tree, "spec.template");
	const struct json *annotations = json_path(old, "metadata.annotations");
	int64_t count = 0;
	if (!str_to_i64(json_str(json_get(annotations, STR(DAEMON_SET_GENERATION))), &count))
		count = 1;
	if (before && after && !json_equal(before, after))
		count++;
	struct json *metadata = json_need_object(a, tree, STR("metadata"));
	json_set_str(a, json_need_object(a, metadata, STR("annotations")),
		     STR(DAEMON_SET_GENERATION), arena_printf(a, "%lld", (long long)count));
}

bool api_service_has_node_ports(const struct json *spec)
{
	struct str type = json_path_str(spec, "type");
	const struct json *wish = json_get(spec, STR("allocateLoadBalancerNodePorts"));
	return str_is(type, "NodePort") ||
	       (str_is(type, "LoadBalancer") && (!wish || json_is_true(wish)));
}

static bool has_node_port(const struct json *ports, int64_t port)
{
	for (size_t i = 0; i < json_count(ports); i++)
		if (json_i64(json_get(json_at(ports, i), STR("nodePort"))) == port)
			return true;
	return false;
}

/* Node ports of a type that has none go, unless one of them is new. */
static void drop_node_ports(const struct json *old, struct json *spec)
{
	struct json *ports = json_get(spec, STR("ports"));
	if (!api_service_has_node_ports(old) || api_service_has_node_ports(spec))
		return;
	for (size_t i = 0; i < json_count(ports); i++) {
		int64_t port = json_i64(json_get(json_at(ports, i), STR("nodePort")));
		if (port && !has_node_port(json_get(old, STR("ports")), port))
			return;
	}
	for (size_t i = 0; i < json_count(ports); i++)
		json_remove(json_at(ports, i), STR("nodePort"));
}

static bool has_addresses(const struct json *spec)
{
	return !str_is(json_path_str(spec, "type"), "ExternalName");
}

static bool is_balanced(const struct json *spec)
{
	return str_is(json_path_str(spec, "type"), "LoadBalancer");
}

static bool has_health_port(const struct json *spec)
{
	return is_balanced(spec) && str_is(json_path_str(spec, "externalTrafficPolicy"), "Local");
}

static bool is_reached_from_outside(const struct json *spec)
{
	struct str type = json_path_str(spec, "type");
	return str_is(type, "LoadBalancer") || str_is(type, "NodePort") ||
	       (str_is(type, "ClusterIP") && json_count(json_get(spec, STR("externalIPs"))));
}

/* Members that only some Services have: one that is as it was goes when the Service is of these no
 * longer. */
static const struct {
	bool (*is_theirs)(const struct json *spec);
	const char *name;
} service_members[] = {
	{has_addresses, "clusterIP"},
	{has_addresses, "clusterIPs"},
	{has_addresses, "ipFamilies"},
	{has_addresses, "ipFamilyPolicy"},
	{has_addresses, "internalTrafficPolicy"},
	{is_balanced, "allocateLoadBalancerNodePorts"},
	{is_balanced, "loadBalancerClass"},
	{has_health_port, "healthCheckNodePort"},
	{is_reached_from_outside, "externalTrafficPolicy"},
};

static void take_absent(struct arena *a, struct json *spec, const struct json *old,
			const char *name)
{
	if (!json_get(spec, str_of(name)))
		take(a, spec, old, str_of(name));
}

/* What the server once chose stays, when a client does not repeat it. */
static void keep_chosen(struct arena *a, const struct json *old, struct json *spec)
{
	if (has_addresses(old) && has_addresses(spec)) {
		take_absent(a, spec, old, "clusterIP");
		if (member_equal(old, spec, STR("clusterIP")))
			take_absent(a, spec, old, "clusterIPs");
	}
	if (has_health_port(old) && has_health_port(spec))
		take_absent(a, spec, old, "healthCheckNodePort");
}

static void update_service_spec(struct arena *a, const struct json *old, struct json *spec)
{
	keep_chosen(a, old, spec);
	for (size_t i = 0; i < ARRAY_LEN(service_members); i++)
		if (service_members[i].is_theirs(old) && !service_members[i].is_theirs(spec) &&
		    member_equal(old, spec, str_of(service_members[i].name)))
			json_remove(spec, str_of(service_members[i].name));
	drop_node_ports(old, spec);
	drop_internal_policy(spec);
	service_addresses(a, spec);
}

void update_service(struct arena *a, const struct json *old, struct json *tree)
{
	struct json *spec = json_get(tree, STR("spec"));
	if (spec)
		update_service_spec(a, json_get(old, STR("spec")), spec);
}

void update_claim(struct arena *a, const struct json *old, struct json *tree)
{
	struct json *spec = json_get(tree, STR("spec"));
	if (spec)
		claim_sources(a, json_get(old, STR("spec")), spec);
}

void update_namespace(struct arena *a, const struct json *old, struct json *tree)
{
	take(a, json_need_object(a, tree, STR("spec")), json_get(old, STR("spec")),
	     STR("finalizers"));
}

void update_signing_request(struct arena *a, const struct json *old, struct json *tree)
{
	take(a, tree, old, STR("spec"));
}

void update_slice(struct arena *a, const struct json *old, struct json *tree)
{
	drop_topology(tree);
}

static void update_main(struct arena *a, const struct prepare_row *row, const struct json *old,
			struct json *tree)
{
	if (row->flags & HAS_STATUS)
		take(a, tree, old, STR("status"));
	if (row->update)
		row->update(a, old, tree);
	if (*row->counted)
		set_generation(a, tree, old, is_changed(row, old, tree));
}

static bool is_condition(const struct json *c, struct str type, struct str status)
{
	return str_eq(json_path_str(c, "type"), type) && str_eq(json_path_str(c, "status"), status);
}

void update_condition_times(struct arena *a, const struct json *old, struct json *tree,
			    int64_t now_us)
{
	const struct json *before = json_path(old, "status.conditions");
	const struct json *after = json_path(tree, "status.conditions");
	char text[TIME_TEXT_MAX];
	struct str now = arena_str(a, str_n(text, time_format(now_us, text)));
	for (size_t i = 0; i < json_count(after); i++) {
		struct json *c = json_at(after, i);
		struct str since = now;
		for (size_t k = json_count(before); k-- > 0;)
			if (is_condition(json_at(before, k), json_path_str(c, "type"),
					 json_path_str(c, "status")) &&
			    json_path_str(json_at(before, k), "lastTransitionTime").len > 0)
				since = json_path_str(json_at(before, k), "lastTransitionTime");
		if (json_path_str(c, "lastUpdateTime").len == 0)
			json_set_str(a, c, STR("lastUpdateTime"), now);
		if (json_path_str(c, "lastTransitionTime").len == 0)
			json_set_str(a, c, STR("lastTransitionTime"), since);
	}
}

/* All metadata of old but what tells writers apart: these subresources change none of it. */
static void keep_metadata(struct arena *a, const struct json *old, struct json *tree)
{
	const struct json *given = json_get(tree, STR("metadata"));
	struct json *kept = json_copy(a, json_get(old, STR("metadata")));
	if (json_get(given, STR("resourceVersion")))
		take(a, kept, given, STR("resourceVersion"));
	if (json_get(given, STR("managedFields")))
		take(a, kept, given, STR("managedFields"));
	json_set(a, tree, STR("metadata"), kept);
}

void update_deployment_status(struct arena *a, const struct json *old, struct json *tree,
			      int64_t now_us)
{
	take(a, json_get(tree, STR("metadata")), json_get(old, STR("metadata")), STR("labels"));
}

void update_pod(struct arena *a, const struct json *old, struct json *tree)
{
	prepare_pod_grace(a, json_get(tree, STR("spec")));
}

void update_pod_status(struct arena *a, const struct json *old, struct json *tree, int64_t now_us)
{
	struct json *metadata = json_get(tree, STR("metadata"));
	const struct json *was = json_get(old, STR("metadata"));
	take(a, metadata, was, STR("ownerReferences"));
	take(a, metadata, was, STR("deletionTimestamp"));
	if (json_path_str(tree, "status.qosClass").len == 0)
		take(a, json_need_object(a, tree, STR("status")), json_get(old, STR("status")),
		     STR("qosClass"));
}

void update_volume_status(struct arena *a, const struct json *old, struct json *tree,
			  int64_t now_us)
{
	char text[TIME_TEXT_MAX];
	struct str was = json_path_str(old, "status.lastPhaseTransitionTime");
	struct str is = json_path_str(tree, "status.lastPhaseTransitionTime");
	if (str_eq(json_path_str(tree, "status.phase"), json_path_str(old, "status.phase")) ||
	    (is.len > 0 && !str_eq(is, was)))
		return;
	json_set_str(a, json_need_object(a, tree, STR("status")), STR("lastPhaseTransitionTime"),
		     arena_str(a, str_n(text, time_format(now_us, text))));
}

static void update_status(struct arena *a, const struct prepare_row *row, const struct json *old,
			  struct json *tree, int64_t now_us)
{
	take_all_but_status(a, tree, old);
	set_generation(a, tree, old, false); /* metadata is there from now on */
	if (row->flags & RESETS_METADATA)
		keep_metadata(a, old, tree);
	if (row->update_status)
		row->update_status(a, old, tree, now_us);
}

/* Only the conditions of a certificate request are approved. */
static void update_approval(struct arena *a, const struct json *old, struct json *tree,
			    int64_t now_us)
{
	struct json *conditions = json_path(tree, "status.conditions");
	const struct json *status = json_get(old, STR("status"));
	struct json *kept = status ? json_copy(a, status) : json_object(a);
	take_all_but_status(a, tree, old);
	if (conditions)
		json_set(a, kept, STR("conditions"), conditions);
	else
		json_remove(kept, STR("conditions"));
	json_set(a, tree, STR("status"), kept);
	update_condition_times(a, old, tree, now_us);
}

/* The old list with resources and resizePolicy of the new one; where containers were added, removed
 * or renamed the new list as it is, for validation to refuse. */
static void resize_containers(struct arena *a, struct json *spec, const struct json *wanted,
			      struct str list_name)
{
	const struct json *list = json_get(spec, list_name), *from = json_get(wanted, list_name);
	bool is_same = json_count(list) == json_count(from);
	for (size_t i = 0; is_same && i < json_count(list); i++)
		is_same = member_equal(json_at(list, i), json_at(from, i), STR("name"));
	if (!is_same) {
		take(a, spec, wanted, list_name);
		return;
	}
	for (size_t i = 0; i < json_count(list); i++) {
		take(a, json_at(list, i), json_at(from, i), STR("resources"));
		take(a, json_at(list, i), json_at(from, i), STR("resizePolicy"));
	}
}

/* A Pod whose spec is the old one but for what the subresource may change. */
static void update_pod_part(struct arena *a, const struct prepare_row *row, const struct json *old,
			    struct json *tree, const char *subresource)
{
	const struct json *wanted = json_get(tree, STR("spec"));
	struct json *spec = json_copy(a, json_get(old, STR("spec")));
	if (!strcmp(subresource, "resize")) {
		resize_containers(a, spec, wanted, STR("containers"));
		resize_containers(a, spec, wanted, STR("initContainers"));
	} else {
		take(a, spec, wanted, STR("ephemeralContainers"));
	}
	json_set(a, tree, STR("spec"), spec);
	keep_metadata(a, old, tree);
	take(a, tree, old, STR("status"));
	set_generation(a, tree, old, is_changed(row, old, tree));
}

/* What no client writes: taken over when it is not repeated, generation and times always. */
static void keep_system_fields(struct arena *a, const struct json *old, struct json *tree)
{
	struct json *metadata = json_need_object(a, tree, STR("metadata"));
	const struct json *was = json_get(old, STR("metadata"));
	static const char *const absent[] = {"namespace", "uid", "deletionGracePeriodSeconds"};
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		if (!json_get(metadata, str_of(absent[i])))
			take(a, metadata, was, str_of(absent[i]));
	if (json_path_str(was, "deletionTimestamp").len > 0)
		take(a, metadata, was, STR("deletionTimestamp"));
	take(a, metadata, was, STR("creationTimestamp"));
	take(a, metadata, was, STR("generation"));
}

void api_prepare_update(struct arena *a, const struct api_kind *kind, const struct json *old,
			struct json *tree, const char *subresource, int64_t now_us)
{
	const struct prepare_row *row = prepare_find(kind);
	ASSERT(old->type == JSON_OBJECT && tree->type == JSON_OBJECT);
	keep_system_fields(a, old, tree);
	if (!row)
		return;
	if (!*subresource || !strcmp(subresource, "scale"))
		update_main(a, row, old, tree);
	else if (!strcmp(subresource, "status"))
		update_status(a, row, old, tree, now_us);
	else if (!strcmp(subresource, "approval"))
		update_approval(a, old, tree, now_us);
	else if (!strcmp(subresource, "finalize"))
		take(a, tree, old, STR("status"));
	else if (!strcmp(row->kind, "Pod"))
		update_pod_part(a, row, old, tree, subresource);
}
