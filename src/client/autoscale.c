/* skeg autoscale: a HorizontalPodAutoscaler for a workload. */
#include "client/change.h"
#include "client/create.h"
#include "client/resources.h"
#include "client/verbs.h"

#define UNSET -1

struct autoscale_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	int64_t least, most, cpu_percent;
	const char *name, *cpu, *memory;
};

struct autoscaling {
	const struct autoscale_options *options;
	struct change change;
};

/* "80%" of what is requested, or "500m" a pod. */
static void add_metric(struct arena *a, struct json *metrics, const char *resource,
		       struct str wanted)
{
	struct json *metric = json_object(a);
	struct json *target = create_at(a, metric, "resource.target");
	int64_t percent;
	if (!wanted.len)
		return;
	create_set(a, metric, "type", "Resource");
	create_set(a, metric, "resource.name", resource);
	bool is_share = str_has_suffix(wanted, STR("%")) &&
			str_to_i64(str_n(wanted.at, wanted.len - 1), &percent);
	json_set_str(a, target, STR("type"), is_share ? STR("Utilization") : STR("AverageValue"));
	if (is_share)
		json_set(a, target, STR("averageUtilization"), json_int(a, percent));
	else
		json_set_str(a, target, STR("averageValue"), wanted);
	json_append(a, metrics, metric);
}

static enum rc autoscale_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct autoscaling *s = ctx;
	const struct autoscale_options *o = s->options;
	struct arena *a = v->arena;
	const struct api_kind *kind = api_by_api_version(api_builtin(), STR("autoscaling/v2"),
							 STR("HorizontalPodAutoscaler"));
	struct json *t = json_object(a), *metrics = json_array(a), *after;
	struct str cpu = str_of(o->cpu);
	ASSERT(kind);
	if (!api_subresource(r->kind, STR("scale")))
		return err_set(err, RC_BAD_REQUEST,
			       "cannot autoscale a %.*s: could not find scale subresource for "
			       "%.*s/%.*s, Resource=%.*s in discovery information",
			       STR_FMT(r->kind->kind), STR_FMT(r->kind->group),
			       STR_FMT(r->kind->version), STR_FMT(r->kind->plural));
	create_set(a, t, "apiVersion", "autoscaling/v2");
	create_set(a, t, "kind", "HorizontalPodAutoscaler");
	json_set_str(a, create_at(a, t, "metadata"), STR("name"),
		     o->name ? str_of(o->name) : r->name);
	struct json *target = create_at(a, t, "spec.scaleTargetRef");
	json_set_str(a, target, STR("apiVersion"), r->kind->api_version);
	json_set_str(a, target, STR("kind"), r->kind->kind);
	json_set_str(a, target, STR("name"), r->name);
	if (o->least > 0)
		json_set(a, create_at(a, t, "spec"), STR("minReplicas"), json_int(a, o->least));
	json_set(a, create_at(a, t, "spec"), STR("maxReplicas"), json_int(a, o->most));
	if (o->cpu_percent >= 0)
		cpu = arena_printf(a, "%lld%%", (long long)o->cpu_percent);
	add_metric(a, metrics, "cpu", cpu);
	add_metric(a, metrics, "memory", str_of(o->memory));
	if (json_count(metrics))
		json_set(a, create_at(a, t, "spec"), STR("metrics"), metrics);
	TRY(change_create(&s->change, kind, r->namespace, t, &after, err));
	return change_tell(&s->change, kind, after, "autoscaled", err);
}

static enum rc check(const struct autoscale_options *o, struct err *err)
{
	if (o->most < 1)
		return err_set(err, RC_BAD_REQUEST,
			       "--max=MAXPODS is required and must be at least 1, max: %lld",
			       (long long)o->most);
	if (o->most < o->least)
		return err_set(err, RC_BAD_REQUEST,
			       "--max=MAXPODS must be larger or equal to --min=MINPODS, max: %lld, "
			       "min: %lld",
			       (long long)o->most, (long long)o->least);
	if (o->cpu_percent >= 0 && o->cpu)
		return err_set(err, RC_BAD_REQUEST,
			       "--cpu and --cpu-percent say the same; give one");
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct autoscaling s = {.options = v->line->values};
	struct resources r;
	const struct resource_query q = {.options = &s.options->resources,
					 .words = verb_words(v, 0)};
	TRY(check(s.options, err));
	TRY(change_open(&v->client, &s.options->change, "kubectl-autoscale", &s.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, autoscale_one, &s);
	return RC_OK;
}

#define AT(member) offsetof(struct autoscale_options, member)
static const struct option options[] = {
	{"min", 0, OPTION_NUMBER, AT(least), "N", "the least number of pods (1)"},
	{"max", 0, OPTION_NUMBER, AT(most), "N", "the greatest number of pods"},
	{"cpu-percent", 0, OPTION_NUMBER, AT(cpu_percent), "N",
	 "CPU that pods are to use, in percent of what they request"},
	{"cpu", 0, OPTION_TEXT, AT(cpu), "80%|500m", "the same, or an amount a pod"},
	{"memory", 0, OPTION_TEXT, AT(memory), "80%|200Mi", "the same of memory"},
	{"name", 0, OPTION_TEXT, AT(name), "NAME", "of the autoscaler (the workload's)"},
	CHANGE_OPTIONS(struct autoscale_options, change),
	RESOURCE_FILE_OPTIONS(struct autoscale_options, resources),
	CLIENT_OPTIONS(struct autoscale_options, client),
};

static const struct autoscale_options defaults = {
	.least = UNSET, .most = UNSET, .cpu_percent = UNSET};

const struct command command_autoscale = {
	.name = "autoscale",
	.arguments = "TYPE NAME --max=N",
	.summary = "Let the number of replicas follow what is measured",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct autoscale_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
