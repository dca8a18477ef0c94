#include "node/pod_sources.h"

#include "api/api_ids.h"
#include "node/agent-int.h"

struct source {
	struct object_use use;
	struct pod_sources *all;
	uint16_t stored_id;
	struct str name;
};

struct pod_sources {
	struct pod_worker *worker;
	void (*on_change)(struct pod_worker *w);
	struct source *items; /* in the worker's arena */
	size_t count;
};

static void source_changed(struct object_use *use)
{
	struct source *s = CONTAINER_OF(use, struct source, use);
	s->all->on_change(s->all->worker);
}

static struct source *find(const struct pod_sources *s, uint16_t stored_id, struct str name)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].stored_id == stored_id && str_eq(s->items[i].name, name))
			return &s->items[i];
	return NULL;
}

static void add(struct pod_sources *s, uint16_t stored_id, struct str name)
{
	struct pod_worker *w = s->worker;
	if (!name.len || find(s, stored_id, name) || s->count == POD_SOURCES_MAX)
		return;
	struct source *item = &s->items[s->count++];
	*item = (struct source){.all = s, .stored_id = stored_id};
	item->name = arena_str(&w->arena, name);
	object_use_start(&w->agent->objects, &item->use, stored_id, w->namespace, item->name,
			 source_changed);
}

static void add_env(struct pod_sources *s, const struct container *c)
{
	for (uint32_t i = 0; i < c->env_from.count; i++) {
		const struct env_from_source *from = &c->env_from.at[i];
		if (from->secret_ref)
			add(s, KIND_SECRET, from->secret_ref->name);
		if (from->config_map_ref)
			add(s, KIND_CONFIG_MAP, from->config_map_ref->name);
	}
	for (uint32_t i = 0; i < c->env.count; i++) {
		const struct env_var_source *from = c->env.at[i].value_from;
		if (from && from->secret_key_ref)
			add(s, KIND_SECRET, from->secret_key_ref->name);
		if (from && from->config_map_key_ref)
			add(s, KIND_CONFIG_MAP, from->config_map_key_ref->name);
	}
}

static void add_volume(struct pod_sources *s, const struct volume *v)
{
	if (v->secret)
		add(s, KIND_SECRET, v->secret->secret_name);
	if (v->config_map)
		add(s, KIND_CONFIG_MAP, v->config_map->name);
	for (uint32_t i = 0; v->projected && i < v->projected->sources.count; i++) {
		const struct volume_projection *p = &v->projected->sources.at[i];
		if (p->secret)
			add(s, KIND_SECRET, p->secret->name);
		if (p->config_map)
			add(s, KIND_CONFIG_MAP, p->config_map->name);
	}
}

static void add_members(struct pod_sources *s)
{
	for (size_t i = 0; i < s->worker->count; i++)
		add_env(s, s->worker->containers[i]->spec);
}

struct pod_sources *pod_sources_new(struct pod_worker *w, void (*on_change)(struct pod_worker *w))
{
	const struct pod_spec *spec = &w->pod->spec;
	struct pod_sources *s = NEW(struct pod_sources);
	s->worker = w;
	s->on_change = on_change;
	s->items = ARENA_ARRAY(&w->arena, struct source, POD_SOURCES_MAX);
	for (uint32_t i = 0; i < spec->image_pull_secrets.count; i++)
		add(s, KIND_SECRET, spec->image_pull_secrets.at[i].name);
	for (uint32_t i = 0; i < spec->volumes.count; i++)
		add_volume(s, &spec->volumes.at[i]);
	add_members(s);
	return s;
}

void pod_sources_extend(struct pod_worker *w)
{
	if (w->sources)
		add_members(w->sources);
}

void pod_sources_free(struct pod_sources *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		object_use_stop(&s->items[i].use);
	free(s);
}

bool pod_sources_are_known(const struct pod_sources *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!object_use_is_known(&s->items[i].use))
			return false;
	return true;
}

static const void *view_of(const struct pod_worker *w, uint16_t stored_id, struct str name)
{
	const struct source *s = w->sources ? find(w->sources, stored_id, name) : NULL;
	struct object *o = s ? object_use_get(&s->use) : NULL;
	return o ? object_view(o) : NULL;
}

const struct secret *pod_secret(const struct pod_worker *w, struct str name)
{
	return view_of(w, KIND_SECRET, name);
}

const struct config_map *pod_config_map(const struct pod_worker *w, struct str name)
{
	return view_of(w, KIND_CONFIG_MAP, name);
}
