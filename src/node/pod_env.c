#include "node/pod_env.h"

#include "api/api_ids.h"
#include "api/names.h"
#include "node/agent-int.h"
#include "node/downward.h"
#include "node/pod_sources.h"

/* ---- a list of variables; a later one of the same name replaces ---- */

static struct runtime_name_value *find(const struct pod_env *env, struct str name)
{
	for (size_t i = 0; i < env->count; i++)
		if (str_eq(env->items[i].name, name))
			return &env->items[i];
	return NULL;
}

struct str pod_env_get(const struct pod_env *env, struct str name)
{
	const struct runtime_name_value *v = find(env, name);
	return v ? v->value : (struct str){};
}

static void set(struct arena *a, struct pod_env *env, struct str name, struct str value)
{
	struct runtime_name_value *v = find(env, name);
	if (!value.at)
		value = STR("");
	if (v) {
		v->value = value;
		return;
	}
	env->items = arena_grow(a, env->items, env->count, &env->cap, sizeof(*env->items));
	env->items[env->count++] = (struct runtime_name_value){name, value};
}

/* ---- $(NAME) ---- */

static size_t reference(const struct pod_env *env, struct str rest, struct buf *out)
{
	const char *end = rest.len > 1 && rest.at[1] == '(' ? memchr(rest.at, ')', rest.len) : NULL;
	if (rest.len > 1 && rest.at[1] == '$') {
		buf_add_char(out, '$');
		return 2;
	}
	if (!end) {
		buf_add_char(out, '$');
		return 1;
	}
	struct str name = str_n(rest.at + 2, (size_t)(end - rest.at) - 2);
	struct str value = pod_env_get(env, name);
	if (value.at)
		buf_add_str(out, value);
	else
		buf_add(out, rest.at, name.len + 3);
	return name.len + 3;
}

enum rc pod_env_expand(struct arena *a, const struct pod_env *env, struct str text,
		       struct str *ret_text, struct err *err)
{
	CLEANUP_BUF out = BUF_INIT(POD_ENV_MAX_BYTES);
	*ret_text = text;
	if (!text.len || !memchr(text.at, '$', text.len))
		return RC_OK;
	for (size_t i = 0; i < text.len;) {
		if (text.at[i] == '$') {
			i += reference(env, str_skip(text, i), &out);
		} else {
			buf_add_char(&out, text.at[i++]);
		}
	}
	TRY(buf_check(&out, "an expanded variable", err));
	*ret_text = arena_str(a, buf_str(&out));
	return RC_OK;
}

/* ---- services ---- */

static struct str upper(struct arena *a, struct str name)
{
	char *out = arena_cstr(a, name);
	for (char *p = out; *p; p++)
		*p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
	return str_n(out, name.len);
}

static void add_links(struct arena *a, struct pod_env *env, struct str prefix,
		      const struct service *service)
{
	struct str ip = service->spec.cluster_ip;
	for (uint32_t i = 0; i < service->spec.ports.count; i++) {
		const struct service_port *p = &service->spec.ports.at[i];
		struct str protocol = p->protocol.len ? p->protocol : STR("TCP");
		char lower[16];
		snprintf(lower, sizeof(lower), "%.*s", STR_FMT(protocol));
		for (char *c = lower; *c; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
		struct str url = arena_printf(a, "%s://%.*s:%d", lower, STR_FMT(ip), p->port);
		struct str base = arena_printf(a, "%.*s_PORT_%d_%.*s", STR_FMT(prefix), p->port,
					       STR_FMT(protocol));
		if (i == 0)
			set(a, env, arena_printf(a, "%.*s_PORT", STR_FMT(prefix)), url);
		set(a, env, base, url);
		set(a, env, arena_printf(a, "%.*s_PROTO", STR_FMT(base)),
		    arena_str(a, str_of(lower)));
		set(a, env, arena_printf(a, "%.*s_PORT", STR_FMT(base)),
		    arena_printf(a, "%d", p->port));
		set(a, env, arena_printf(a, "%.*s_ADDR", STR_FMT(base)), ip);
	}
}

void service_env_add(struct arena *a, struct pod_env *env, const struct service *service)
{
	struct str prefix = upper(a, service->metadata.name);
	struct str ip = service->spec.cluster_ip;
	if (!ip.len || str_is(ip, "None") || service->spec.ports.count == 0)
		return;
	set(a, env, arena_printf(a, "%.*s_SERVICE_HOST", STR_FMT(prefix)), ip);
	set(a, env, arena_printf(a, "%.*s_SERVICE_PORT", STR_FMT(prefix)),
	    arena_printf(a, "%d", service->spec.ports.at[0].port));
	for (uint32_t i = 0; i < service->spec.ports.count; i++) {
		const struct service_port *p = &service->spec.ports.at[i];
		if (p->name.len)
			set(a, env,
			    arena_printf(a, "%.*s_SERVICE_PORT_%.*s", STR_FMT(prefix),
					 STR_FMT(upper(a, p->name))),
			    arena_printf(a, "%d", p->port));
	}
	add_links(a, env, prefix, service);
}

static void services_add(struct arena *a, const struct pod_worker *w, struct pod_env *env)
{
	const struct cache *cache = w->agent->config.services;
	const bool *links = w->pod->spec.enable_service_links;
	struct object *o = NULL;
	if (!cache)
		return;
	o = cache_get(cache, KIND_SERVICE, STR("default"), STR("kubernetes"));
	if (o)
		service_env_add(a, env, object_view(o));
	if (links && !*links)
		return;
	struct cache_iter it = cache_iterate(cache, KIND_SERVICE, w->namespace);
	while ((o = cache_next(&it)))
		service_env_add(a, env, object_view(o));
}

/* ---- envFrom ---- */

static void add_all(struct arena *a, struct pod_env *env, struct str prefix,
		    const struct str_map *data)
{
	for (uint32_t i = 0; i < data->count; i++) {
		struct str name = prefix.len ? arena_printf(a, "%.*s%.*s", STR_FMT(prefix),
							    STR_FMT(data->at[i].key))
					     : arena_str(a, data->at[i].key);
		if (name_is(NAME_ENV_VAR, name))
			set(a, env, name, arena_str(a, data->at[i].value));
	}
}

static enum rc add_from(struct arena *a, const struct pod_worker *w, struct pod_env *env,
			const struct env_from_source *from, struct err *err)
{
	if (from->config_map_ref) {
		const struct config_map *m = pod_config_map(w, from->config_map_ref->name);
		const bool *optional = from->config_map_ref->optional;
		if (!m && !(optional && *optional))
			return err_set(err, RC_NOT_FOUND, "configmap \"%.*s\" not found",
				       STR_FMT(from->config_map_ref->name));
		if (m)
			add_all(a, env, from->prefix, &m->data);
	}
	if (from->secret_ref) {
		const struct secret *s = pod_secret(w, from->secret_ref->name);
		const bool *optional = from->secret_ref->optional;
		if (!s && !(optional && *optional))
			return err_set(err, RC_NOT_FOUND, "secret \"%.*s\" not found",
				       STR_FMT(from->secret_ref->name));
		if (s)
			add_all(a, env, from->prefix, &s->data);
	}
	return RC_OK;
}

/* ---- one variable ---- */

/* *ret_value absent: an optional one that is not there. */
static enum rc from_config_map(struct arena *a, const struct pod_worker *w,
			       const struct config_map_key_selector *ref, struct str *ret_value,
			       struct err *err)
{
	const struct config_map *m = pod_config_map(w, ref->name);
	bool is_optional = ref->optional && *ref->optional;
	struct str value = m ? str_map_get(&m->data, ref->key) : (struct str){};
	*ret_value = (struct str){};
	if (value.at)
		*ret_value = arena_str(a, value);
	if (value.at || is_optional)
		return RC_OK;
	if (!m)
		return err_set(err, RC_NOT_FOUND, "configmap \"%.*s\" not found",
			       STR_FMT(ref->name));
	return err_set(err, RC_NOT_FOUND, "couldn't find key %.*s in ConfigMap %.*s/%.*s",
		       STR_FMT(ref->key), STR_FMT(w->namespace), STR_FMT(ref->name));
}

static enum rc from_secret(struct arena *a, const struct pod_worker *w,
			   const struct secret_key_selector *ref, struct str *ret_value,
			   struct err *err)
{
	const struct secret *s = pod_secret(w, ref->name);
	bool is_optional = ref->optional && *ref->optional;
	struct str value = s ? str_map_get(&s->data, ref->key) : (struct str){};
	*ret_value = (struct str){};
	if (value.at)
		*ret_value = arena_str(a, value);
	if (value.at || is_optional)
		return RC_OK;
	if (!s)
		return err_set(err, RC_NOT_FOUND, "secret \"%.*s\" not found", STR_FMT(ref->name));
	return err_set(err, RC_NOT_FOUND, "couldn't find key %.*s in Secret %.*s/%.*s",
		       STR_FMT(ref->key), STR_FMT(w->namespace), STR_FMT(ref->name));
}

static enum rc value_from(struct arena *a, const struct pod_container *c,
			  const struct env_var_source *from, struct str *ret_value, struct err *err)
{
	const struct pod_worker *w = c->worker;
	if (from->field_ref)
		return downward_field(a, w, from->field_ref->field_path, ret_value, err);
	if (from->resource_field_ref) {
		struct str name = from->resource_field_ref->container_name;
		const struct pod_container *other =
			name.len ? pod_container_find((struct pod_worker *)w, name) : c;
		return downward_resource(a, w, (other ? other : c)->spec, from->resource_field_ref,
					 ret_value, err);
	}
	if (from->config_map_key_ref)
		return from_config_map(a, w, from->config_map_key_ref, ret_value, err);
	if (from->secret_key_ref)
		return from_secret(a, w, from->secret_key_ref, ret_value, err);
	return err_set(err, RC_INVALID, "this node cannot set a variable from fileKeyRef");
}

/* What may be referred to by $(NAME): what stands before, and services. */
static enum rc expand(struct arena *a, const struct pod_env *env, const struct pod_env *services,
		      struct str text, struct str *ret_text, struct err *err)
{
	struct pod_env all = {};
	*ret_text = text;
	if (!text.len || !memchr(text.at, '$', text.len))
		return RC_OK;
	for (size_t i = 0; i < services->count; i++)
		set(a, &all, services->items[i].name, services->items[i].value);
	for (size_t i = 0; i < env->count; i++)
		set(a, &all, env->items[i].name, env->items[i].value);
	return pod_env_expand(a, &all, text, ret_text, err);
}

static enum rc add_var(struct arena *a, const struct pod_container *c, struct pod_env *env,
		       const struct pod_env *services, const struct env_var *var, struct err *err)
{
	struct str value = {};
	if (var->value_from) {
		TRY(value_from(a, c, var->value_from, &value, err));
		if (!value.at)
			return RC_OK;
	} else {
		TRY(expand(a, env, services, var->value, &value, err));
	}
	set(a, env, var->name, value);
	return RC_OK;
}

enum rc pod_env_make(struct arena *a, const struct pod_container *c, struct pod_env *ret_env,
		     struct err *err)
{
	const struct container *spec = c->spec;
	struct pod_env env = {}, services = {};
	services_add(a, c->worker, &services);
	for (uint32_t i = 0; i < spec->env_from.count; i++)
		TRY(add_from(a, c->worker, &env, &spec->env_from.at[i], err));
	for (uint32_t i = 0; i < spec->env.count; i++)
		TRY(add_var(a, c, &env, &services, &spec->env.at[i], err));
	for (size_t i = 0; i < services.count; i++)
		if (!find(&env, services.items[i].name))
			set(a, &env, services.items[i].name, services.items[i].value);
	*ret_env = env;
	return RC_OK;
}
