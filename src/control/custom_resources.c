/* CustomResourceDefinitions: kept, and said not to be served, so that who waits for one (helm
 * install of a chart with crds/, kubectl wait) learns at once what this release does with it.  The
 * conditions are upstream's: names that are not accepted, and therefore nothing established. */
#include "control/common.h"
#include "control/controllers.h"

struct answer {
	const char *type, *reason, *message;
};

static const struct answer answers[] = {
	{"NamesAccepted", "NotServed",
	 "this release keeps definitions of custom resources and does not serve the resources"},
	{"Established", "NotAccepted", "not all names are accepted"},
};

static bool is_answered(const struct custom_resource_definition_condition_array *list,
			const struct answer *answer)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (str_is(list->at[i].type, answer->type))
			return str_is(list->at[i].status, "False");
	return false;
}

static bool is_all_answered(const struct custom_resource_definition_condition_array *list)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		if (!is_answered(list, &answers[i]))
			return false;
	return true;
}

static struct custom_resource_definition_condition_array conditions(struct plan *p)
{
	struct custom_resource_definition_condition *list = ARENA_ARRAY(
		p->arena, struct custom_resource_definition_condition, ARRAY_LEN(answers));
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		list[i] = (struct custom_resource_definition_condition){
			.type = str_of(answers[i].type),
			.status = STR("False"),
			.last_transition_time = now_s(p),
			.reason = str_of(answers[i].reason),
			.message = str_of(answers[i].message),
		};
	return (struct custom_resource_definition_condition_array){list, ARRAY_LEN(answers)};
}

/* Keys are ("", name). */
static void plan_definition(struct plan *p, struct str namespace, struct str name)
{
	const struct object *o =
		cache_get(p->cache, KIND_CUSTOM_RESOURCE_DEFINITION, STR(""), name);
	if (!o || o->is_deleting)
		return;
	struct custom_resource_definition copy =
		*(const struct custom_resource_definition *)object_view(o);
	if (is_all_answered(&copy.status.conditions))
		return;
	copy.status.conditions = conditions(p);
	plan_update_status(p, KIND_CUSTOM_RESOURCE_DEFINITION, STR(""), name, &copy);
}

static const struct controller_watch watches[] = {{KIND_CUSTOM_RESOURCE_DEFINITION, NULL}};

const struct controller custom_resources_controller = {
	.name = "customresourcedefinition-naming",
	.service_account = "customresourcedefinition-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_definition,
};
