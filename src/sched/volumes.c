/* Volumes, as far as they decide where a pod may go: claims have to be there and bound, and the
 * volumes they are bound to may be tied to nodes. */
#include "api/api_ids.h"
#include "base/err.h"
#include "base/mem.h"
#include "sched/decide.h"

static const struct object *claim_of(const struct cycle *y, const struct volume *v)
{
	struct str name = {};
	if (v->persistent_volume_claim)
		name = v->persistent_volume_claim->claim_name;
	else if (v->ephemeral)
		name = arena_printf(y->a, "%.*s-%.*s", STR_FMT(y->pod->object->name),
				    STR_FMT(v->name));
	return cache_get(y->c->cache, KIND_PERSISTENT_VOLUME_CLAIM, y->namespace, name);
}

static bool waits_for_consumer(const struct cycle *y, const struct persistent_volume_claim *claim)
{
	struct str name = claim->spec.storage_class_name;
	const struct object *o = cache_get(y->c->cache, KIND_STORAGE_CLASS, STR(""), name);
	const struct storage_class *class = o ? object_view(o) : NULL;
	return class && str_is(class->volume_binding_mode, "WaitForFirstConsumer");
}

void volumes_prepare(struct cycle *y)
{
	const struct volume_array *volumes = &y->pod->pod->spec.volumes;
	for (uint32_t i = 0; i < volumes->count && !y->prefilter.len; i++) {
		const struct volume *v = &volumes->at[i];
		if (!v->persistent_volume_claim && !v->ephemeral)
			continue;
		const struct object *o = claim_of(y, v);
		const struct persistent_volume_claim *claim = o ? object_view(o) : NULL;
		if (!o && v->persistent_volume_claim)
			y->prefilter =
				arena_printf(y->a, "persistentvolumeclaim \"%.*s\" not found",
					     STR_FMT(v->persistent_volume_claim->claim_name));
		else if (!o)
			y->prefilter = arena_printf(
				y->a,
				"waiting for ephemeral volume controller to create the "
				"persistentvolumeclaim \"%.*s-%.*s\"",
				STR_FMT(y->pod->object->name), STR_FMT(v->name));
		else if (o->is_deleting)
			y->prefilter = arena_printf(
				y->a, "persistentvolumeclaim \"%.*s\" is being deleted",
				STR_FMT(o->name));
		else if (!claim->spec.volume_name.len && !waits_for_consumer(y, claim))
			y->prefilter = STR("pod has unbound immediate PersistentVolumeClaims");
	}
}

static bool volume_reaches(const struct cycle *y, struct str name, uint32_t node)
{
	const struct object *o = cache_get(y->c->cache, KIND_PERSISTENT_VOLUME, STR(""), name);
	const struct persistent_volume *volume = o ? object_view(o) : NULL;
	if (!volume || !volume->spec.node_affinity || !volume->spec.node_affinity->required)
		return true;
	const struct node_selector_term_array *terms =
		&volume->spec.node_affinity->required->node_selector_terms;
	for (uint32_t i = 0; i < terms->count; i++)
		if (node_matches(&terms->at[i], y->c->nodes[node]))
			return true;
	return false;
}

enum verdict volumes_filter(struct cycle *y, uint32_t node)
{
	const struct volume_array *volumes = &y->pod->pod->spec.volumes;
	for (uint32_t i = 0; i < volumes->count; i++) {
		if (!volumes->at[i].persistent_volume_claim && !volumes->at[i].ephemeral)
			continue;
		const struct object *o = claim_of(y, &volumes->at[i]);
		const struct persistent_volume_claim *claim = o ? object_view(o) : NULL;
		if (!claim || !claim->spec.volume_name.len ||
		    volume_reaches(y, claim->spec.volume_name, node))
			continue;
		cycle_reason(y, STR("node(s) didn't match PersistentVolume's node affinity"));
		return UNRESOLVABLE;
	}
	return FITS;
}
