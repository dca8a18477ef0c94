#include "node/pod_config.h"

#include "api/quantity.h"
#include "node/agent-int.h"

#define SIMULATION_PREFIX "sim.skeg.dev/"

static struct runtime_resources container_resources(const struct container *spec)
{
	const struct resource_requirements *r = &spec->resources;
	return (struct runtime_resources){
		.cpu_request_milli = quantity_text_milli(str_map_cget(&r->requests, "cpu")),
		.cpu_limit_milli = quantity_text_milli(str_map_cget(&r->limits, "cpu")),
		.memory_request_bytes = quantity_text_value(str_map_cget(&r->requests, "memory")),
		.memory_limit_bytes = quantity_text_value(str_map_cget(&r->limits, "memory")),
	};
}

static void set_annotations(struct arena *a, const struct pod_worker *w,
			    struct runtime_container_config *config)
{
	const struct str_map *map = &w->pod->metadata.annotations;
	struct runtime_name_value *list = ARENA_ARRAY(a, struct runtime_name_value, map->count + 1);
	for (uint32_t i = 0; i < map->count; i++)
		if (str_has_prefix(map->at[i].key, STR(SIMULATION_PREFIX)))
			list[config->annotation_count++] =
				(struct runtime_name_value){map->at[i].key, map->at[i].value};
	config->annotations = list;
}

enum rc pod_config_make(struct arena *a, struct pod_container *c,
			const struct runtime_image_info *image, int attempt,
			struct runtime_container_config *ret_config, struct err *err)
{
	struct pod_worker *w = c->worker;
	struct runtime_container_config config = {
		.pod_uid = w->uid,
		.pod_namespace = w->namespace,
		.pod_name = w->name,
		.name = c->name,
		.attempt = attempt,
		.image_id = image->id,
		.resources = container_resources(c->spec),
		.security = {.run_as_user = RUNTIME_ID_UNSET, .run_as_group = RUNTIME_ID_UNSET},
	};
	set_annotations(a, w, &config);
	*ret_config = config;
	return RC_OK;
}
