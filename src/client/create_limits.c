/* skeg create quota, poddisruptionbudget, priorityclass. */
#include <stdio.h>

#include "client/create.h"
#include "client/verbs.h"

/* "pods=40,services=9" */
static enum rc build_quota(struct create *c, struct json *tree, struct err *err)
{
	struct str rest = str_of(c->options->hard), pair, key, value;
	struct json *hard = create_at(c->arena, tree, "spec.hard");
	while (rest.len) {
		str_cut(rest, ',', &pair, &rest);
		if (!str_cut(pair, '=', &key, &value) || !value.len)
			return err_set(
				err, RC_BAD_REQUEST,
				"Invalid argument syntax %.*s, expected <resource>=<quantity>",
				STR_FMT(pair));
		json_set_str(c->arena, hard, key, value);
	}
	if (c->options->scopes)
		json_set(c->arena, json_get(tree, STR("spec")), STR("scopes"),
			 create_list(c->arena, c->options->scopes));
	return RC_OK;
}

static enum rc build_budget(struct create *c, struct json *tree, struct err *err)
{
	const struct create_options *o = c->options;
	struct arena *a = c->arena;
	struct str rest = str_of(o->selector), pair, key, value;
	struct json *spec = create_at(a, tree, "spec");
	if (!o->selector)
		return err_set(err, RC_BAD_REQUEST, "a selector must be specified");
	if (!o->min_available == !o->max_unavailable)
		return err_set(err, RC_BAD_REQUEST,
			       "one of min-available or max-unavailable must be specified");
	create_number_or_text(a, spec,
			      o->min_available ? STR("minAvailable") : STR("maxUnavailable"),
			      str_of(o->min_available ? o->min_available : o->max_unavailable));
	while (rest.len) {
		str_cut(rest, ',', &pair, &rest);
		if (!str_cut(pair, '=', &key, &value))
			return err_set(err, RC_BAD_REQUEST, "the selector is KEY=VALUE,…, not '%s'",
				       o->selector);
		json_set_str(a, create_at(a, tree, "spec.selector.matchLabels"), key,
			     str_has_prefix(value, STR("=")) ? str_skip(value, 1) : value);
	}
	return RC_OK;
}

static enum rc build_priority(struct create *c, struct json *tree, struct err *err)
{
	const struct create_options *o = c->options;
	struct arena *a = c->arena;
	int64_t value = 0;
	if (o->value && !str_to_i64(str_of(o->value), &value))
		return err_set(err, RC_BAD_REQUEST,
			       "option '--value' needs a whole number, not '%s'", o->value);
	json_set(a, tree, STR("value"), json_int(a, value));
	if (o->is_global_default)
		json_set(a, tree, STR("globalDefault"), json_bool(a, true));
	if (o->description)
		json_set_str(a, tree, STR("description"), str_of(o->description));
	json_set_str(a, tree, STR("preemptionPolicy"),
		     str_of(o->preemption ? o->preemption : "PreemptLowerPriority"));
	return RC_OK;
}

static const struct option quota_options[] = {
	CREATE_TEXT("hard", hard, "RESOURCE=N,…", "the limits: pods=40,requests.cpu=4"),
	CREATE_TEXT("scopes", scopes, "SCOPE,…", "only of such pods"),
	CREATE_COMMON,
};
static const struct option budget_options[] = {
	CREATE_TEXT("selector", selector, "KEY=VALUE,…", "pods that it is about"),
	CREATE_TEXT("min-available", min_available, "N|N%", "so many must stay"),
	CREATE_TEXT("max-unavailable", max_unavailable, "N|N%", "so many may go"),
	CREATE_COMMON,
};
static const struct option priority_options[] = {
	CREATE_TEXT("value", value, "N", "the higher the more important"),
	CREATE_TEXT("description", description, "TEXT", "what it is for"),
	CREATE_TEXT("preemption-policy", preemption, "POLICY", "PreemptLowerPriority or Never"),
	{"global-default", 0, OPTION_FLAG, CREATE_AT(is_global_default), NULL,
	 "of pods that name none"},
	CREATE_COMMON,
};

CREATE_COMMAND(quota, "create quota", "create resourcequota", "NAME --hard=RESOURCE=N",
	       "Make a ResourceQuota", quota_options, "v1", "ResourceQuota", false, build_quota);
CREATE_COMMAND(budget, "create poddisruptionbudget", "create pdb",
	       "NAME --selector=KEY=VALUE --min-available=N", "Make a PodDisruptionBudget",
	       budget_options, "policy/v1", "PodDisruptionBudget", false, build_budget);
CREATE_COMMAND(priority, "create priorityclass", "create pc", "NAME --value=N",
	       "Make a PriorityClass", priority_options, "scheduling.k8s.io/v1", "PriorityClass",
	       false, build_priority);
