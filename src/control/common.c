#include "control/common.h"

#include <math.h>

#include "base/timefmt.h"

/* --- pods --- */

const struct pod_condition *pod_condition(const struct pod *pod, const char *type)
{
	for (uint32_t i = 0; i < pod->status.conditions.count; i++)
		if (str_is(pod->status.conditions.at[i].type, type))
			return &pod->status.conditions.at[i];
	return NULL;
}

bool pod_is_ready(const struct pod *pod)
{
	const struct pod_condition *ready = pod_condition(pod, "Ready");
	return ready && str_is(ready->status, "True");
}

bool pod_is_available(const struct pod *pod, int32_t min_ready_s, int64_t now_us, int64_t *again_us)
{
	if (!pod_is_ready(pod))
		return false;
	int64_t since_us = pod_condition(pod, "Ready")->last_transition_time;
	if (min_ready_s <= 0)
		return true;
	int64_t due_us = since_us + min_ready_s * SECOND_US;
	if (since_us && due_us <= now_us)
		return true;
	if (since_us && again_us)
		*again_us = *again_us ? MIN(*again_us, due_us) : due_us;
	return false;
}

bool pod_is_terminal(const struct pod *pod)
{
	return str_is(pod->status.phase, "Succeeded") || str_is(pod->status.phase, "Failed");
}

bool pod_is_active(const struct object *o, const struct pod *pod)
{
	return !o->is_deleting && !pod_is_terminal(pod);
}

struct pod pod_from_template(struct plan *p, const struct object *owner,
			     const struct pod_template_spec *template)
{
	struct pod pod = {.spec = template->spec};
	pod.metadata.generate_name = arena_printf(p->arena, "%.*s-", STR_FMT(owner->name));
	pod.metadata.namespace = owner->namespace;
	pod.metadata.labels = template->metadata.labels;
	pod.metadata.annotations = template->metadata.annotations;
	pod.metadata.finalizers = template->metadata.finalizers;
	pod.metadata.owner_references = owner_controller(p, owner);
	return pod;
}

/* --- owners --- */

struct owner_reference_array owner_controller(struct plan *p, const struct object *owner)
{
	struct owner_reference *ref = ARENA_NEW(p->arena, struct owner_reference);
	*ref = (struct owner_reference){.api_version = owner->kind->api_version,
					.kind = owner->kind->kind,
					.name = owner->name,
					.uid = owner->uid,
					.controller = bool_of(true),
					.block_owner_deletion = bool_of(true)};
	return (struct owner_reference_array){ref, 1};
}

/* A strategic merge patch of ownerReferences, which holds only while the uid is the same. */
static struct json *owner_patch(struct plan *p, const struct object *o, struct json *reference)
{
	struct json *patch = json_object(p->arena);
	struct json *meta = json_need_object(p->arena, patch, STR("metadata"));
	struct json *list = json_array(p->arena);
	json_append(p->arena, list, reference);
	json_set(p->arena, meta, STR("ownerReferences"), list);
	json_set_str(p->arena, meta, STR("uid"), arena_str(p->arena, o->uid));
	return patch;
}

static void plan_owner_patch(struct plan *p, const struct object *o, struct json *reference)
{
	struct client_request *request = plan_request(p);
	request->verb = CLIENT_PATCH_STRATEGIC;
	request->kind = o->kind;
	request->namespace = arena_str(p->arena, o->namespace);
	request->name = arena_str(p->arena, o->name);
	request->body = owner_patch(p, o, reference);
}

static void plan_adopt(struct plan *p, const struct object *owner, const struct object *o)
{
	struct arena *a = p->arena;
	struct json *ref = json_object(a);
	json_set_str(a, ref, STR("apiVersion"), owner->kind->api_version);
	json_set_str(a, ref, STR("kind"), owner->kind->kind);
	json_set_str(a, ref, STR("name"), arena_str(a, owner->name));
	json_set_str(a, ref, STR("uid"), arena_str(a, owner->uid));
	json_set(a, ref, STR("controller"), json_bool(a, true));
	json_set(a, ref, STR("blockOwnerDeletion"), json_bool(a, true));
	plan_owner_patch(p, o, ref);
}

static void plan_release(struct plan *p, const struct object *owner, const struct object *o)
{
	struct arena *a = p->arena;
	struct json *ref = json_object(a);
	json_set_str(a, ref, STR("$patch"), STR("delete"));
	json_set_str(a, ref, STR("uid"), arena_str(a, owner->uid));
	plan_owner_patch(p, o, ref);
}

void claim_objects(struct plan *p, const struct object *owner, uint16_t kind,
		   const struct selector *selector, bool (*keep)(const struct object *o),
		   struct object_list *ret_claimed)
{
	const struct object *o;
	struct cache_iter it = cache_owned(p->cache, kind, owner->namespace, owner->uid);
	while ((o = cache_next(&it))) {
		if (keep && !keep(o))
			continue;
		if (selector_matches_object(selector, o))
			LIST_ADD(p->arena, ret_claimed, o);
		else if (!owner->is_deleting && !o->is_deleting)
			plan_release(p, owner, o);
	}
	if (owner->is_deleting)
		return;
	it = cache_orphans(p->cache, kind, owner->namespace);
	while ((o = cache_next(&it))) {
		if ((keep && !keep(o)) || o->is_deleting || !selector_matches_object(selector, o))
			continue;
		plan_adopt(p, owner, o);
		LIST_ADD(p->arena, ret_claimed, o);
	}
}

struct object *controller_of(const struct cache *cache, const struct object *o, uint16_t kind)
{
	const struct owner_reference *ref = o ? object_controller(o) : NULL;
	if (!ref || !str_eq(ref->kind, api_by_stored(cache_api(cache), kind)->kind))
		return NULL;
	struct object *owner = cache_get(cache, kind, o->namespace, ref->name);
	return owner && str_eq(owner->uid, ref->uid) ? owner : NULL;
}

void keys_add_controller(struct keys *keys, const struct cache *cache, const struct object *o,
			 uint16_t kind)
{
	const struct object *owner = controller_of(cache, o, kind);
	if (owner)
		keys_add(keys, owner->namespace, owner->name);
}

/* --- maps, texts, times --- */

struct str_map str_map_with(struct arena *a, const struct str_map *map, struct str key,
			    struct str value)
{
	struct str_pair *pairs = ARENA_ARRAY(a, struct str_pair, map->count + 1);
	uint32_t count = map->count, i = 0;
	if (count)
		memcpy(pairs, map->at, count * sizeof(*pairs));
	while (i < count && !str_eq(pairs[i].key, key))
		i++;
	pairs[i] = (struct str_pair){key, value};
	return (struct str_map){pairs, MAX(count, i + 1)};
}

struct str_map str_map_without(struct arena *a, const struct str_map *map, struct str key)
{
	struct str_pair *pairs = ARENA_ARRAY(a, struct str_pair, map->count + 1);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < map->count; i++)
		if (!str_eq(map->at[i].key, key))
			pairs[kept++] = map->at[i];
	return (struct str_map){pairs, kept};
}

bool str_map_eq(const struct str_map *a, const struct str_map *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		struct str other = str_map_get(b, a->at[i].key);
		if (!other.at || !str_eq(other, a->at[i].value))
			return false;
	}
	return true;
}

bool str_array_has(const struct str_array *array, struct str value)
{
	for (uint32_t i = 0; i < array->count; i++)
		if (str_eq(array->at[i], value))
			return true;
	return false;
}

int64_t now_s(const struct plan *p)
{
	return p->now_us - p->now_us % SECOND_US;
}

struct str time_text(struct arena *a, int64_t time_us)
{
	char text[TIME_TEXT_MAX];
	size_t len = time_format(time_us, text);
	return arena_str(a, str_n(text, len));
}

int32_t i32_or(const int32_t *value, int32_t otherwise)
{
	return value ? *value : otherwise;
}

int32_t scaled_value(const struct int_or_string *value, int32_t total, bool is_up)
{
	if (!value)
		return 0;
	if (!value->is_string)
		return value->number;
	int64_t percent = 0;
	struct str digits = value->text;
	if (str_has_suffix(digits, STR("%")))
		digits.len--;
	if (!str_to_i64(digits, &percent))
		return 0;
	double exact = (double)percent * total / 100;
	return (int32_t)(is_up ? ceil(exact) : floor(exact));
}

const int32_t *i32_new(struct arena *a, int32_t value)
{
	return arena_copy(a, &value, sizeof(value));
}

const bool *bool_of(bool value)
{
	static const bool values[] = {false, true};
	return &values[value];
}

void plan_again_at(struct plan *p, int64_t time_us)
{
	int64_t ms = MAX((time_us - p->now_us) / 1000, 0) + 1;
	p->requeue_ms = p->requeue_ms ? MIN(p->requeue_ms, ms) : ms;
}
