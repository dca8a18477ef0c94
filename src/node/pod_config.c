#include "node/pod_config.h"

#include <sys/stat.h>

#include "api/quantity.h"
#include "io/file.h"
#include "node/agent-int.h"
#include "node/pod_env.h"
#include "node/pod_files.h"
#include "node/pod_paths.h"
#include "node/pod_security.h"
#include "node/volumes.h"

#define SIMULATION_PREFIX "sim.skeg.dev/"
#define OWN_MOUNTS	  3
#define OWN_ANNOTATIONS	  1

struct maker {
	struct arena *a;
	struct pod_container *c;
	const struct container *spec;
	struct runtime_container_config *config;
	struct pod_env env;
	struct runtime_mount *mounts;
};

/* Kept by the runtime: how to stop it, for an agent that adopts it; orders of a simulation. */
static void set_annotations(struct maker *m, struct str stop_signal)
{
	const struct str_map *map = &m->c->worker->pod->metadata.annotations;
	struct runtime_container_config *config = m->config;
	struct runtime_name_value *list =
		ARENA_ARRAY(m->a, struct runtime_name_value, map->count + OWN_ANNOTATIONS);
	for (uint32_t i = 0; i < map->count; i++)
		if (str_has_prefix(map->at[i].key, STR(SIMULATION_PREFIX)))
			list[config->annotation_count++] =
				(struct runtime_name_value){map->at[i].key, map->at[i].value};
	if (stop_signal.len)
		list[config->annotation_count++] =
			(struct runtime_name_value){STR(POD_ANNOTATION_STOP_SIGNAL), stop_signal};
	config->annotations = list;
}

/* ---- mounts ---- */

static enum runtime_propagation propagation_of(struct str text)
{
	return str_is(text, "HostToContainer") ? RUNTIME_PROPAGATION_HOST_TO_CONTAINER
	       : str_is(text, "Bidirectional") ? RUNTIME_PROPAGATION_BIDIRECTIONAL
					       : RUNTIME_PROPAGATION_NONE;
}

static enum rc add_volume_mount(struct maker *m, uint32_t index, struct err *err)
{
	const struct volume_mount *v = &m->spec->volume_mounts.at[index];
	struct runtime_mount *mount = &m->mounts[m->config->mount_count];
	struct str sub_path = v->sub_path;
	if (v->sub_path_expr.len)
		TRY(pod_env_expand(m->a, &m->env, v->sub_path_expr, &sub_path, err));
	TRY(pod_volume_source(m->a, m->c, v, sub_path, index, &mount->host_path, err));
	mount->container_path = v->mount_path;
	if (v->mount_path.len && v->mount_path.at[0] != '/')
		mount->container_path = arena_printf(m->a, "/%.*s", STR_FMT(v->mount_path));
	mount->is_read_only = v->read_only;
	mount->propagation = propagation_of(v->mount_propagation);
	m->config->mount_count++;
	return RC_OK;
}

static bool is_mounted(const struct maker *m, struct str path)
{
	for (size_t i = 0; i < m->config->mount_count; i++)
		if (str_eq(m->mounts[i].container_path, path))
			return true;
	return false;
}

static void add_own_mount(struct maker *m, const char *host_path, struct str path,
			  bool is_read_only)
{
	if (!is_mounted(m, path))
		m->mounts[m->config->mount_count++] = (struct runtime_mount){
			.host_path = str_of(host_path),
			.container_path = path,
			.is_read_only = is_read_only,
		};
}

/* A file that the container may write its last words to, whoever it runs as. */
static enum rc add_message_file(struct maker *m, struct err *err)
{
	struct str path = m->spec->termination_message_path;
	const char *file = container_message_path(m->a, m->c, m->config->attempt);
	const char *folder =
		pod_path_below(m->a, m->c->worker, "containers/%.*s", STR_FMT(m->c->name));
	if (!path.len)
		return RC_OK;
	TRY(dir_make(folder, 0750, err));
	TRY(file_write_volatile(file, STR(""), 0666, err));
	if (chmod(file, 0666) != 0)
		return err_set(err, RC_IO, "set the mode of '%s'", file);
	add_own_mount(m, file, path, false);
	return RC_OK;
}

static enum rc set_mounts(struct maker *m, struct err *err)
{
	struct pod_worker *w = m->c->worker;
	bool is_read_only = m->config->security.is_root_read_only;
	m->mounts =
		ARENA_ARRAY(m->a, struct runtime_mount, m->spec->volume_mounts.count + OWN_MOUNTS);
	m->config->mounts = m->mounts;
	for (uint32_t i = 0; i < m->spec->volume_mounts.count; i++)
		TRY(add_volume_mount(m, i, err));
	TRY(pod_files_write(w, err));
	add_own_mount(m, pod_path_below(m->a, w, "etc-hosts"), STR("/etc/hosts"), false);
	add_own_mount(m, pod_path_below(m->a, w, "resolv.conf"), STR("/etc/resolv.conf"),
		      is_read_only);
	return add_message_file(m, err);
}

/* ---- command and environment ---- */

static enum rc expand_all(struct maker *m, const struct str_array *from,
			  const struct str **ret_list, struct err *err)
{
	struct str *list = ARENA_ARRAY(m->a, struct str, from->count);
	for (uint32_t i = 0; i < from->count; i++)
		TRY(pod_env_expand(m->a, &m->env, from->at[i], &list[i], err));
	*ret_list = list;
	return RC_OK;
}

static enum rc set_process(struct maker *m, struct err *err)
{
	struct runtime_container_config *config = m->config;
	TRY(pod_env_make(m->a, m->c, &m->env, err));
	config->env = m->env.items;
	config->env_count = m->env.count;
	config->command_count = m->spec->command.count;
	config->arg_count = m->spec->args.count;
	config->working_dir = m->spec->working_dir;
	TRY(expand_all(m, &m->spec->command, &config->command, err));
	return expand_all(m, &m->spec->args, &config->args, err);
}

static enum rc set_log(struct maker *m, struct err *err)
{
	const char *path = container_log_path(m->a, m->c, m->config->attempt);
	struct str folder, name;
	str_cut_last(str_of(path), '/', &folder, &name);
	m->config->log_path = str_of(path);
	return dir_make(arena_cstr(m->a, folder), 0755, err);
}

static enum rc make_real(struct maker *m, const struct runtime_image_info *image, struct err *err)
{
	struct pod_container *c = m->c;
	struct object *node = agent_node_object(c->worker->agent);
	const struct str_map *capacity =
		node ? &((const struct node *)object_view(node))->status.capacity : NULL;
	TRY(pod_security_make(m->a, c, image, &m->config->security, err));
	TRY(set_process(m, err));
	TRY(set_mounts(m, err));
	m->config->oom_score_adj = pod_oom_score_adj(
		c, capacity ? quantity_text_value(str_map_cget(capacity, "memory")) : 0);
	return set_log(m, err);
}

/* The process namespace of another container, for those who debug it. */
static enum rc set_target(struct maker *m, struct err *err)
{
	struct str name = m->c->target_name;
	const struct pod_container *target = name.len ? pod_container_find(m->c->worker, name)
						      : NULL;
	if (!name.len || m->config->is_host_pid)
		return RC_OK;
	if (!target || !target->id[0])
		return err_set(err, RC_NOT_FOUND, "unable to find target container %.*s",
			       STR_FMT(name));
	m->config->target_id = arena_str(m->a, str_of(target->id));
	return RC_OK;
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
		.is_host_pid = w->pod->spec.host_pid,
		.resources = runtime_resources_of(container_requirements(c, POD_ALLOCATED)),
		.is_tty = c->spec->tty,
		.has_stdin = c->spec->stdin,
		.is_stdin_once = c->spec->stdin_once,
		.security = {.run_as_user = RUNTIME_ID_UNSET, .run_as_group = RUNTIME_ID_UNSET},
	};
	struct maker m = {.a = a, .c = c, .spec = c->spec, .config = &config};
	struct str own_signal = c->spec->lifecycle ? c->spec->lifecycle->stop_signal
						   : (struct str){};
	set_annotations(&m, own_signal.len ? own_signal : image->stop_signal);
	TRY(set_target(&m, err));
	if (!w->agent->config.is_simulated)
		TRY(make_real(&m, image, err));
	*ret_config = config;
	return RC_OK;
}
