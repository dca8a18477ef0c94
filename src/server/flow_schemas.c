#include "server/flow_schemas.h"

#include <string.h>

#include "api/api_ids.h"
#include "api/views.h"
#include "server/rule_match.h"

static const uint16_t flow_kinds[] = {KIND_FLOW_SCHEMA, KIND_PRIORITY_LEVEL_CONFIGURATION};

bool flow_schemas_are_of(const struct flow_schemas *f, const struct snapshot *s)
{
	for (size_t i = 0; i < ARRAY_LEN(flow_kinds); i++)
		if (!snapshot_kind_is_same(f->snapshot, s, flow_kinds[i]))
			return false;
	return true;
}

/* --- levels --- */

static uint32_t value_or(const int32_t *value, uint32_t otherwise)
{
	return value ? (uint32_t)*value : otherwise;
}

static struct fair_limits limits_of(const struct priority_level_configuration_spec *spec)
{
	const struct limited_priority_level_configuration *limited = spec->limited;
	const struct exempt_priority_level_configuration *exempt = spec->exempt;
	if (!limited)
		return (struct fair_limits){
			.is_exempt = true,
			.shares = exempt ? value_or(exempt->nominal_concurrency_shares, 0) : 0,
			.lendable_percent = exempt ? value_or(exempt->lendable_percent, 0) : 0,
		};
	struct fair_limits limits = {
		.shares = value_or(limited->nominal_concurrency_shares, 30),
		.lendable_percent = value_or(limited->lendable_percent, 0),
		.borrowing_percent = value_or(limited->borrowing_limit_percent, UINT32_MAX),
	};
	const struct queuing_configuration *queuing = limited->limit_response.queuing;
	if (queuing) {
		limits.queues = (uint32_t)queuing->queues;
		limits.hand = (uint32_t)queuing->hand_size;
		limits.queue_length = (uint32_t)queuing->queue_length_limit;
	}
	return limits;
}

static void levels_set(const struct snapshot *s, struct fair_levels *levels)
{
	struct snapshot_iter it;
	snapshot_iter_init(&it, s, KIND_PRIORITY_LEVEL_CONFIGURATION, (struct str){},
			   (struct str){}, (struct str){});
	for (struct object *o; (o = snapshot_next(&it));) {
		const struct priority_level_configuration *level = object_view(o);
		struct fair_limits limits = limits_of(&level->spec);
		fair_level_set(levels, o->name, &limits);
	}
	fair_levels_settle(levels);
}

/* --- schemas --- */

static int compare_rows(const void *a, const void *b)
{
	const struct flow_schema_row *x = a, *y = b;
	int32_t left = x->schema->spec.matching_precedence,
		right = y->schema->spec.matching_precedence;
	if (left != right)
		return left < right ? -1 : 1;
	return str_cmp(x->name, y->name);
}

static void row_add(struct flow_schemas *f, struct object *o, struct fair_levels *levels)
{
	const struct flow_schema *schema = object_view(o);
	struct str level = schema->spec.priority_level_configuration.name;
	const struct object *l =
		snapshot_get(f->snapshot, KIND_PRIORITY_LEVEL_CONFIGURATION, (struct str){}, level);
	if (!l)
		return;
	f->rows[f->count++] = (struct flow_schema_row){
		.name = o->name,
		.uid = o->uid,
		.level_uid = l->uid,
		.schema = schema,
		.level = fair_level_find(levels, level),
	};
}

struct flow_schemas *flow_schemas_new(const struct snapshot *s, struct fair_levels *levels)
{
	struct flow_schemas *f = NEW(struct flow_schemas);
	f->snapshot = snapshot_narrow(s, flow_kinds, ARRAY_LEN(flow_kinds));
	levels_set(f->snapshot, levels);
	f->rows = arena_alloc(&f->arena,
			      (snapshot_count(s, KIND_FLOW_SCHEMA) + 1) * sizeof(f->rows[0]));
	struct snapshot_iter it;
	snapshot_iter_init(&it, f->snapshot, KIND_FLOW_SCHEMA, (struct str){}, (struct str){},
			   (struct str){});
	for (struct object *o; (o = snapshot_next(&it));)
		row_add(f, o, levels);
	qsort(f->rows, f->count, sizeof(f->rows[0]), compare_rows);
	return f;
}

void flow_schemas_free(struct flow_schemas *f)
{
	if (!f)
		return;
	snapshot_unref(f->snapshot);
	arena_done(&f->arena);
	free(f);
}

/* --- matching --- */

static bool is_service_account(const struct user *user, const struct service_account_subject *s)
{
	struct str rest = str_skip(user->name, strlen("system:serviceaccount:")), namespace, name;
	if (!str_has_prefix(user->name, STR("system:serviceaccount:")) ||
	    !str_cut(rest, ':', &namespace, &name))
		return false;
	return str_eq(namespace, s->namespace) && (str_is(s->name, "*") || str_eq(name, s->name));
}

static bool is_subject(const struct flowcontrol_subject *s, const struct user *user)
{
	if (s->user)
		return str_is(s->user->name, "*") || str_eq(s->user->name, user->name);
	if (s->group)
		return str_is(s->group->name, "*") || user_is_in(user, s->group->name);
	return s->service_account && is_service_account(user, s->service_account);
}

static bool has_subject(const struct flowcontrol_subject_array *subjects, const struct user *user)
{
	for (uint32_t i = 0; i < subjects->count; i++)
		if (is_subject(&subjects->at[i], user))
			return true;
	return false;
}

static bool has_resource(const struct str_array *list, const struct route *route)
{
	for (uint32_t i = 0; i < list->count; i++) {
		struct str resource, subresource;
		str_cut(list->at[i], '/', &resource, &subresource);
		if (str_is(list->at[i], "*") ||
		    (str_eq(resource, route->resource) && str_eq(subresource, route->subresource)))
			return true;
	}
	return false;
}

static bool has_resource_rule(const struct resource_policy_rule_array *rules,
			      const struct route *route)
{
	for (uint32_t i = 0; i < rules->count; i++) {
		const struct resource_policy_rule *rule = &rules->at[i];
		bool is_place = route->namespace.len
					? rule_lists(&rule->namespaces, route->namespace)
					: rule->cluster_scope;
		if (is_place && rule_lists(&rule->verbs, route->authz_verb) &&
		    rule_lists(&rule->api_groups, route->group) &&
		    has_resource(&rule->resources, route))
			return true;
	}
	return false;
}

static bool has_path_rule(const struct non_resource_policy_rule_array *rules,
			  const struct request *r)
{
	for (uint32_t i = 0; i < rules->count; i++)
		if (rule_lists(&rules->at[i].verbs, r->route.authz_verb) &&
		    rule_lists_path(&rules->at[i].non_resource_urls, r->path))
			return true;
	return false;
}

static bool is_match(const struct policy_rules_with_subjects *rule, const struct request *r)
{
	return has_subject(&rule->subjects, &r->user) &&
	       (r->route.is_resource ? has_resource_rule(&rule->resource_rules, &r->route)
				     : has_path_rule(&rule->non_resource_rules, r));
}

const struct flow_schema_row *flow_schemas_find(const struct flow_schemas *f,
						const struct request *r)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct policy_rules_with_subjects_array *rules =
			&f->rows[i].schema->spec.rules;
		for (uint32_t j = 0; j < rules->count; j++)
			if (is_match(&rules->at[j], r))
				return &f->rows[i];
	}
	return NULL;
}

uint64_t flow_hash(const struct flow_schema_row *row, const struct request *r)
{
	const struct flow_distinguisher_method *by = row->schema->spec.distinguisher_method;
	struct str who = {};
	if (by)
		who = str_is(by->type, "ByNamespace") ? r->route.namespace : r->user.name;
	return str_hash(row->name) * 31 + str_hash(who);
}
