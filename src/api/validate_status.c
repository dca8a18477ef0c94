/* Writes through subresources: status, finalize, approval; those of pods are in a file of their
 * own. */
#include "api/validate-int.h"

static bool is_for(const char *subresource, const char *name)
{
	return !strcmp(subresource, name);
}

/* ---- counts of controllers ---- */

static void check_counts(struct check *v, const struct json *status, const char *const *names,
			 size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_not_negative(v, MEMBER(ROOT("status"), names[i]),
				   json_get(status, str_of(names[i])));
}

static void check_not_over(struct check *v, const struct json *status, const char *part,
			   const char *whole, const char *whole_text)
{
	int64_t number = json_i64(json_get(status, str_of(part)));
	if (number > json_i64(json_get(status, str_of(whole))))
		bad(v, MEMBER(ROOT("status"), part), json_int(v->arena, number),
		    "cannot be greater than %s", whole_text);
}

void deployment_part_rules(struct check *v, const struct json *old, const struct json *tree,
			   const char *subresource)
{
	static const char *const counts[] = {"observedGeneration", "replicas",
					     "updatedReplicas",	   "readyReplicas",
					     "availableReplicas",  "unavailableReplicas",
					     "collisionCount"};
	const struct json *status = GET(tree, "status");
	if (!is_for(subresource, "status"))
		return;
	check_counts(v, status, counts, ARRAY_LEN(counts));
	check_not_over(v, status, "updatedReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "readyReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "availableReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "availableReplicas", "readyReplicas", "readyReplicas");
}

void replica_set_part_rules(struct check *v, const struct json *old, const struct json *tree,
			    const char *subresource)
{
	static const char *const counts[] = {"replicas", "fullyLabeledReplicas", "readyReplicas",
					     "availableReplicas", "observedGeneration"};
	const struct json *status = GET(tree, "status");
	if (!is_for(subresource, "status"))
		return;
	check_counts(v, status, counts, ARRAY_LEN(counts));
	check_not_over(v, status, "fullyLabeledReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "readyReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "availableReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "availableReplicas", "readyReplicas", "readyReplicas");
}

void stateful_set_part_rules(struct check *v, const struct json *old, const struct json *tree,
			     const char *subresource)
{
	static const char *const counts[] = {
		"replicas",	     "readyReplicas",	   "currentReplicas", "updatedReplicas",
		"availableReplicas", "observedGeneration", "collisionCount"};
	const struct json *status = GET(tree, "status");
	if (!is_for(subresource, "status"))
		return;
	check_counts(v, status, counts, ARRAY_LEN(counts));
	check_not_over(v, status, "readyReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "currentReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "updatedReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "availableReplicas", "replicas", "status.replicas");
	check_not_over(v, status, "availableReplicas", "readyReplicas", "status.readyReplicas");
}

void daemon_set_part_rules(struct check *v, const struct json *old, const struct json *tree,
			   const char *subresource)
{
	static const char *const counts[] = {"currentNumberScheduled", "numberMisscheduled",
					     "desiredNumberScheduled", "numberReady",
					     "observedGeneration",     "updatedNumberScheduled",
					     "numberAvailable",	       "numberUnavailable",
					     "collisionCount"};
	if (is_for(subresource, "status"))
		check_counts(v, GET(tree, "status"), counts, ARRAY_LEN(counts));
}

void budget_part_rules(struct check *v, const struct json *old, const struct json *tree,
		       const char *subresource)
{
	static const char *const counts[] = {"disruptionsAllowed", "currentHealthy",
					     "desiredHealthy", "expectedPods"};
	const struct json *status = GET(tree, "status");
	check_conditions(v, MEMBER(ROOT("status"), "conditions"), GET(status, "conditions"));
	check_counts(v, status, counts, ARRAY_LEN(counts));
}

void autoscaler_part_rules(struct check *v, const struct json *old, const struct json *tree,
			   const char *subresource)
{
	static const char *const counts[] = {"currentReplicas", "desiredReplicas"};
	check_counts(v, GET(tree, "status"), counts, ARRAY_LEN(counts));
}

/* ---- addresses of load balancers ---- */

static void check_point_mode(struct check *v, const struct path *at, const struct json *point)
{
	const struct json *mode = GET(point, "ipMode");
	bool has_ip = TEXT(point, "ip").len > 0;
	if (!mode && has_ip)
		required(v, at, "must be specified when `ip` is set");
	else if (mode && !has_ip)
		forbidden(v, at, "may not be specified when `ip` is not set");
	else if (mode)
		check_enum(v, at, json_str(mode), "Proxy,VIP");
}

static void check_points(struct check *v, const struct json *tree, bool has_modes)
{
	const struct json *list = GET(GET(GET(tree, "status"), "loadBalancer"), "ingress");
	const struct path *at = MEMBER(MEMBER(ROOT("status"), "loadBalancer"), "ingress");
	FOR_ITEMS(i, point, list)
	{
		struct str host = TEXT(point, "hostname");
		if (TEXT(point, "ip").len > 0)
			check_ip(v, MEMBER(ITEM(at, i), "ip"), TEXT(point, "ip"));
		if (has_modes)
			check_point_mode(v, MEMBER(ITEM(at, i), "ipMode"), point);
		if (host.len > 0)
			check_name(v, MEMBER(ITEM(at, i), "hostname"), NAME_DNS_SUBDOMAIN, host);
		if (is_ip(host))
			bad_text(v, MEMBER(ITEM(at, i), "hostname"), host,
				 "must be a DNS name, not an IP address");
	}
}

void ingress_part_rules(struct check *v, const struct json *old, const struct json *tree,
			const char *subresource)
{
	check_points(v, tree, false);
}

void service_part_rules(struct check *v, const struct json *old, const struct json *tree,
			const char *subresource)
{
	const struct json *list = GET(GET(GET(tree, "status"), "loadBalancer"), "ingress");
	if (json_count(list) > 0 && !str_is(TEXT(GET(tree, "spec"), "type"), "LoadBalancer"))
		forbidden(v, MEMBER(MEMBER(ROOT("status"), "loadBalancer"), "ingress"),
			  "may only be used when `spec.type` is 'LoadBalancer'");
	else
		check_points(v, tree, true);
}

/* ---- Namespace ---- */

void namespace_part_rules(struct check *v, const struct json *old, const struct json *tree,
			  const char *subresource)
{
	const struct path *phase_at = MEMBER(ROOT("status"), "Phase");
	struct str phase = TEXT(GET(tree, "status"), "phase");
	bool is_going = GET(GET(tree, "metadata"), "deletionTimestamp") != NULL;
	if (is_for(subresource, "status")) {
		if (!is_going && !str_is(phase, "Active"))
			bad_text(v, phase_at, phase,
				 "may only be 'Active' if `deletionTimestamp` is empty");
		else if (is_going && !str_is(phase, "Terminating"))
			bad_text(v, phase_at, phase,
				 "may only be 'Terminating' if `deletionTimestamp` is not empty");
		return;
	}
	FOR_ITEMS(i, item, GET(GET(tree, "spec"), "finalizers"))
	{
		const struct path *at = ITEM(MEMBER(ROOT("spec"), "finalizers"), i);
		struct str name = json_str(item);
		check_name(v, at, NAME_QUALIFIED, name);
		if (!memchr(name.at, '/', name.len) &&
		    !text_in(name, "kubernetes,orphan,foregroundDeletion"))
			bad_text(
				v, at, name,
				"name is neither a standard finalizer name nor is it fully qualified");
	}
}
