/* FlowSchemas: the condition Dangling says whether their priority level is missing; kubectl shows
 * it as MISSINGPL.  Source: upstream's apiserver pkg/util/flowcontrol, syncFlowSchemaStatus. */
#include "control/common.h"
#include "control/controllers.h"

#define MANAGER "api-priority-and-fairness-config-consumer-v1"
#define TEXT	"This FlowSchema references the PriorityLevelConfiguration object named \"%.*s\" %s"

static struct flow_schema_condition judgement(struct plan *p, const struct flow_schema *schema)
{
	struct str level = schema->spec.priority_level_configuration.name;
	bool is_there = cache_get(p->cache, KIND_PRIORITY_LEVEL_CONFIGURATION, STR(""), level);
	return (struct flow_schema_condition){
		.type = STR("Dangling"),
		.status = is_there ? STR("False") : STR("True"),
		.last_transition_time = now_s(p),
		.reason = is_there ? STR("Found") : STR("NotFound"),
		.message = arena_printf(p->arena, TEXT, STR_FMT(level),
					is_there ? "and it exists" : "but there is no such object"),
	};
}

static bool is_said(const struct flow_schema_condition *was, const struct flow_schema_condition *is)
{
	return str_eq(was->status, is->status) && str_eq(was->reason, is->reason) &&
	       str_eq(was->message, is->message);
}

/* The same list with the condition in its place, or behind the others; NULL: it is there. */
static struct flow_schema_condition *with(struct plan *p,
					  const struct flow_schema_condition_array *list,
					  struct flow_schema_condition condition,
					  uint32_t *ret_count)
{
	struct flow_schema_condition *all =
		ARENA_ARRAY(p->arena, struct flow_schema_condition, list->count + 1);
	uint32_t place = list->count;
	for (uint32_t i = 0; i < list->count; i++) {
		all[i] = list->at[i];
		if (str_eq(all[i].type, condition.type))
			place = i;
	}
	if (place < list->count && is_said(&all[place], &condition))
		return NULL;
	if (place < list->count && str_eq(all[place].status, condition.status))
		condition.last_transition_time = all[place].last_transition_time;
	all[place] = condition;
	*ret_count = list->count + (place == list->count);
	return all;
}

/* Keys are ("", name). */
static void plan_schema(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o = cache_get(p->cache, KIND_FLOW_SCHEMA, STR(""), name);
	if (!o || o->is_deleting)
		return;
	struct flow_schema copy = *(const struct flow_schema *)object_view(o);
	struct flow_schema_condition_array *list = &copy.status.conditions;
	uint32_t count = 0;
	struct flow_schema_condition *all = with(p, list, judgement(p, &copy), &count);
	if (!all)
		return;
	*list = (struct flow_schema_condition_array){all, count};
	plan_update_status(p, KIND_FLOW_SCHEMA, STR(""), name, &copy);
	p->requests[p->count - 1].field_manager = STR(MANAGER);
}

/* A level that comes or goes concerns the schemas that name it. */
static void map_level(struct keys *keys, const struct cache *cache, const struct object *old,
		      const struct object *new)
{
	if (old && new)
		return;
	struct str level = (new ? new : old)->name;
	struct cache_iter it = cache_iterate(cache, KIND_FLOW_SCHEMA, (struct str){});
	for (struct object *o; (o = cache_next(&it));) {
		const struct flow_schema *schema = object_view(o);
		if (str_eq(schema->spec.priority_level_configuration.name, level))
			keys_add(keys, STR(""), o->name);
	}
}

static const struct controller_watch watches[] = {
	{KIND_FLOW_SCHEMA, NULL},
	{KIND_PRIORITY_LEVEL_CONFIGURATION, map_level},
};

const struct controller flow_schema_controller = {
	.name = "flowschema-status",
	.service_account = "flowschema-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_schema,
};
