#include "node/volume_files.h"

#include "node/downward.h"
#include "node/pod_sources.h"

#define MODE_DEFAULT 0644
#define MODE_TOKEN   0600

struct collector {
	struct arena *a;
	const struct volume_files_input *in;
	struct folder_files files;
	mode_t mode;
};

static void add(struct collector *c, struct str path, struct str bytes, mode_t mode)
{
	struct folder_file file = {arena_str(c->a, path), arena_str(c->a, bytes), mode, -1};
	/* Of several sources of one path the last wins. */
	for (size_t i = 0; i < c->files.count; i++) {
		if (str_eq(c->files.items[i].path, path)) {
			c->files.items[i] = file;
			return;
		}
	}
	folder_files_add(c->a, &c->files, file);
}

static struct str look_up(const struct str_map *const maps[2], struct str key)
{
	for (size_t i = 0; i < 2 && maps[i]; i++) {
		struct str value = str_map_get(maps[i], key);
		if (value.at)
			return value;
	}
	return (struct str){};
}

/* items empty: every key by its own name. */
static enum rc add_maps(struct collector *c, const struct str_map *const maps[2],
			const struct key_to_path_array *items, const char *kind, bool is_optional,
			struct err *err)
{
	for (size_t k = 0; k < 2 && maps[k] && items->count == 0; k++)
		for (uint32_t i = 0; i < maps[k]->count; i++)
			add(c, maps[k]->at[i].key, maps[k]->at[i].value, c->mode);
	for (uint32_t i = 0; i < items->count; i++) {
		const struct key_to_path *item = &items->at[i];
		struct str value = look_up(maps, item->key);
		if (!value.at && !is_optional)
			return err_set(err, RC_NOT_FOUND, "references non-existent %s key: %.*s",
				       kind, STR_FMT(item->key));
		if (value.at)
			add(c, item->path, value, item->mode ? (mode_t)*item->mode : c->mode);
	}
	return RC_OK;
}

static enum rc add_secret(struct collector *c, struct str name,
			  const struct key_to_path_array *items, const bool *optional,
			  struct err *err)
{
	const struct secret *s = pod_secret(c->in->worker, name);
	bool is_optional = optional && *optional;
	if (!s && is_optional)
		return RC_OK;
	if (!s)
		return err_set(err, RC_NOT_FOUND, "secret \"%.*s\" not found", STR_FMT(name));
	return add_maps(c, (const struct str_map *const[]){&s->data, NULL}, items, "secret",
			is_optional, err);
}

static enum rc add_config_map(struct collector *c, struct str name,
			      const struct key_to_path_array *items, const bool *optional,
			      struct err *err)
{
	const struct config_map *m = pod_config_map(c->in->worker, name);
	bool is_optional = optional && *optional;
	if (!m && is_optional)
		return RC_OK;
	if (!m)
		return err_set(err, RC_NOT_FOUND, "configmap \"%.*s\" not found", STR_FMT(name));
	return add_maps(c, (const struct str_map *const[]){&m->data, &m->binary_data}, items,
			"config", is_optional, err);
}

static const struct container *container_named(const struct pod_worker *w, struct str name)
{
	for (size_t i = 0; i < w->count; i++)
		if (str_eq(w->containers[i]->name, name))
			return w->containers[i]->spec;
	return NULL;
}

static enum rc add_downward(struct collector *c, const struct downward_api_volume_file_array *items,
			    struct err *err)
{
	const struct pod_worker *w = c->in->worker;
	for (uint32_t i = 0; i < items->count; i++) {
		const struct downward_api_volume_file *f = &items->at[i];
		struct str value = STR("");
		if (f->field_ref)
			TRY(downward_field(c->a, w, f->field_ref->field_path, &value, err));
		if (f->resource_field_ref) {
			const struct container *spec =
				container_named(w, f->resource_field_ref->container_name);
			if (!spec)
				return err_set(err, RC_INVALID, "container %.*s not found",
					       STR_FMT(f->resource_field_ref->container_name));
			TRY(downward_resource(c->a, w, spec, f->resource_field_ref, &value, err));
		}
		add(c, f->path, value, f->mode ? (mode_t)*f->mode : c->mode);
	}
	return RC_OK;
}

static enum rc add_token(struct collector *c, const struct service_account_token_projection *p,
			 struct err *err)
{
	struct str token = c->in->token(c->in->token_ctx, p);
	bool is_private = c->in->user >= 0 || c->in->group >= 0;
	if (!token.len)
		return err_set(err, RC_UNAVAILABLE, "the token is not there yet");
	add(c, p->path, token, is_private ? MODE_TOKEN : c->mode);
	c->files.items[c->files.count - 1].owner = c->in->user;
	return RC_OK;
}

static enum rc add_projection(struct collector *c, const struct volume_projection *p,
			      struct err *err)
{
	if (p->secret)
		return add_secret(c, p->secret->name, &p->secret->items, p->secret->optional, err);
	if (p->config_map)
		return add_config_map(c, p->config_map->name, &p->config_map->items,
				      p->config_map->optional, err);
	if (p->downward_api)
		return add_downward(c, &p->downward_api->items, err);
	if (p->service_account_token)
		return add_token(c, p->service_account_token, err);
	return err_set(err, RC_INVALID,
		       "this node cannot project clusterTrustBundle or "
		       "podCertificate");
}

bool volume_has_files(const struct volume *v)
{
	return v->secret || v->config_map || v->downward_api || v->projected;
}

static mode_t default_mode(const struct volume *v)
{
	const int32_t *mode = v->secret		? v->secret->default_mode
			      : v->config_map	? v->config_map->default_mode
			      : v->projected	? v->projected->default_mode
			      : v->downward_api ? v->downward_api->default_mode
						: NULL;
	return mode ? (mode_t)*mode : MODE_DEFAULT;
}

enum rc volume_files_make(struct arena *a, const struct volume_files_input *in,
			  struct folder_files *ret_files, struct err *err)
{
	const struct volume *v = in->volume;
	struct collector c = {.a = a, .in = in, .mode = default_mode(v)};
	if (v->secret)
		TRY(add_secret(&c, v->secret->secret_name, &v->secret->items, v->secret->optional,
			       err));
	if (v->config_map)
		TRY(add_config_map(&c, v->config_map->name, &v->config_map->items,
				   v->config_map->optional, err));
	if (v->downward_api)
		TRY(add_downward(&c, &v->downward_api->items, err));
	for (uint32_t i = 0; v->projected && i < v->projected->sources.count; i++)
		TRY(add_projection(&c, &v->projected->sources.at[i], err));
	*ret_files = c.files;
	return RC_OK;
}
