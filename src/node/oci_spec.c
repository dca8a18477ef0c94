#include "node/oci_spec.h"

#include <stdio.h>

#include "base/map.h"
#include "node/cgroup.h"
#include "node/oci_capabilities.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* --- small builders --- */

static struct json *strings(struct arena *a, const char *const *items)
{
	struct json *list = json_array(a);
	for (; *items; items++)
		json_append(a, list, json_cstring(a, *items));
	return list;
}

static void set_cstr(struct arena *a, struct json *object, const char *key, const char *value)
{
	json_set_str(a, object, str_of(key), str_of(value));
}

static void set_int(struct arena *a, struct json *object, const char *key, int64_t value)
{
	json_set(a, object, str_of(key), json_int(a, value));
}

static void set_bool(struct arena *a, struct json *object, const char *key, bool value)
{
	json_set(a, object, str_of(key), json_bool(a, value));
}

static bool has_nul(struct str s)
{
	return s.len > 0 && memchr(s.at, '\0', s.len) != NULL;
}

/* --- process --- */

static void args_append(struct arena *a, struct json *list, const struct str *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_append(a, list, json_string(a, items[i].at ? items[i] : STR("")));
}

/* A command takes the place of the image's entrypoint and cmd, args that of cmd. */
static enum rc args_build(struct arena *a, const struct oci_spec_input *in, struct json **ret_args,
			  struct err *err)
{
	const struct runtime_container_config *c = in->config;
	struct json *args = json_array(a);
	if (c->command_count > 0)
		args_append(a, args, c->command, c->command_count);
	else
		args_append(a, args, in->image->entrypoint, in->image->entrypoint_count);
	if (c->arg_count > 0)
		args_append(a, args, c->args, c->arg_count);
	else if (c->command_count == 0)
		args_append(a, args, in->image->cmd, in->image->cmd_count);
	if (json_count(args) == 0)
		return err_set(err, RC_INVALID,
			       "no command specified: neither the image nor the container has one");
	if (json_count(args) > RUNTIME_ARGS_MAX)
		return err_set(err, RC_TOO_LARGE, "the command has more than %d words",
			       RUNTIME_ARGS_MAX);
	for (size_t i = 0; i < json_count(args); i++) {
		if (has_nul(json_str(json_at(args, i))))
			return err_set(err, RC_INVALID, "word %zu of the command has a NUL byte",
				       i);
	}
	*ret_args = args;
	return RC_OK;
}

/* One value a name, at the place of its first mention; the last one wins. */
struct environment {
	struct map values; /* name -> const struct str * "name=value" */
	struct arena *a;
};

static void env_set(struct environment *env, struct str name, struct str line)
{
	struct str *copy = ARENA_NEW(env->a, struct str);
	*copy = line;
	map_set(&env->values, name, copy);
}

static void env_line(struct environment *env, struct str line)
{
	struct str name, value;
	if (str_cut(line, '=', &name, &value) && name.len > 0)
		env_set(env, name, line);
}

static void env_defaults(struct environment *env, const struct oci_spec_input *in)
{
	env_line(env, STR(DEFAULT_PATH));
	if (in->config->is_tty)
		env_line(env, STR("TERM=xterm"));
	if (in->hostname.len > 0)
		env_line(env, arena_printf(env->a, "HOSTNAME=%.*s", STR_FMT(in->hostname)));
}

static enum rc env_fill(struct environment *env, const struct oci_spec_input *in, struct err *err)
{
	env_defaults(env, in);
	for (size_t i = 0; i < in->image->env_count; i++)
		env_line(env, in->image->env[i]);
	for (size_t i = 0; i < in->config->env_count; i++) {
		const struct runtime_name_value *e = &in->config->env[i];
		if (e->name.len == 0 || memchr(e->name.at, '=', e->name.len) || has_nul(e->name) ||
		    has_nul(e->value))
			return err_set(
				err, RC_INVALID,
				"environment variable '%.*s' has '=' in its name, no name or a "
				"NUL byte",
				STR_FMT(e->name));
		env_set(env, e->name,
			arena_printf(env->a, "%.*s=%.*s", STR_FMT(e->name), STR_FMT(e->value)));
	}
	if (env->values.count > RUNTIME_ARGS_MAX)
		return err_set(err, RC_TOO_LARGE, "more than %d environment variables",
			       RUNTIME_ARGS_MAX);
	return RC_OK;
}

static enum rc env_build(struct arena *a, const struct oci_spec_input *in, struct json **ret_env,
			 struct err *err)
{
	struct environment env = {.a = a};
	struct json *list = json_array(a);
	enum rc rc = env_fill(&env, in, err);
	for (struct map_entry *e = map_next(&env.values, NULL); e; e = map_next(&env.values, e)) {
		const struct str *line = e->value;
		json_append(a, list, json_string(a, *line));
	}
	map_done(&env.values);
	*ret_env = list;
	return rc;
}

static void groups_append(struct arena *a, struct json *list, const int64_t *groups, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool is_new = true;
		for (size_t j = 0; j < json_count(list) && is_new; j++)
			is_new = json_i64(json_at(list, j)) != groups[i];
		if (is_new)
			json_append(a, list, json_int(a, groups[i]));
	}
}

static struct json *user_build(struct arena *a, const struct oci_spec_input *in)
{
	const struct runtime_security *s = &in->config->security;
	struct json *user = json_object(a), *groups = json_array(a);
	set_int(a, user, "uid", in->user->uid);
	set_int(a, user, "gid", in->user->gid);
	groups_append(a, groups, &in->user->gid, 1);
	if (!s->is_supplemental_groups_strict)
		groups_append(a, groups, in->user->groups, in->user->group_count);
	groups_append(a, groups, s->supplemental_groups, s->supplemental_group_count);
	json_set(a, user, STR("additionalGids"), groups);
	return user;
}

/* Never inheritable or ambient: those would outlive a change of user (CVE-2022-27650). */
static struct json *capabilities_build(struct arena *a, uint64_t capabilities)
{
	static const char *const sets[] = {"bounding", "effective", "permitted"};
	struct json *object = json_object(a);
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct json *list = json_array(a);
		for (int n = 0; capability_name(n); n++) {
			if (capabilities & 1ull << n)
				json_append(a, list, json_cstring(a, capability_name(n)));
		}
		json_set(a, object, str_of(sets[i]), list);
	}
	return object;
}

static enum rc process_build(struct arena *a, const struct oci_spec_input *in,
			     struct json **ret_process, struct err *err)
{
	const struct runtime_container_config *c = in->config;
	struct json *process = json_object(a), *args = NULL, *env = NULL;
	struct str cwd = c->working_dir.len ? c->working_dir : in->image->working_dir;
	if (cwd.len == 0)
		cwd = STR("/");
	if (cwd.at[0] != '/' || has_nul(cwd))
		return err_set(err, RC_INVALID, "working directory '%.*s' is not absolute",
			       STR_FMT(cwd));
	TRY(args_build(a, in, &args, err));
	TRY(env_build(a, in, &env, err));
	set_bool(a, process, "terminal", c->is_tty);
	json_set(a, process, STR("user"), user_build(a, in));
	json_set(a, process, STR("args"), args);
	json_set(a, process, STR("env"), env);
	json_set_str(a, process, STR("cwd"), cwd);
	json_set(a, process, STR("capabilities"), capabilities_build(a, in->capabilities));
	set_bool(a, process, "noNewPrivileges", c->security.has_no_new_privs);
	set_int(a, process, "oomScoreAdj", in->oom_score_adj);
	*ret_process = process;
	return RC_OK;
}

enum rc oci_process_build(struct arena *a, const struct json *spec, const struct str *argv,
			  size_t argc, bool is_tty, struct json **ret_process, struct err *err)
{
	struct json *process = json_copy(a, json_get(spec, STR("process")));
	struct json *args = json_array(a);
	if (argc == 0 || argc > RUNTIME_ARGS_MAX)
		return err_set(err, RC_INVALID, "a command has 1 to %d words, this one %zu",
			       RUNTIME_ARGS_MAX, argc);
	for (size_t i = 0; i < argc; i++) {
		if (has_nul(argv[i]))
			return err_set(err, RC_INVALID, "word %zu of the command has a NUL byte",
				       i);
	}
	args_append(a, args, argv, argc);
	json_set(a, process, STR("args"), args);
	set_bool(a, process, "terminal", is_tty);
	if (is_tty)
		json_append(a, json_get(process, STR("env")), json_cstring(a, "TERM=xterm"));
	*ret_process = process;
	return RC_OK;
}

/* --- mounts --- */

struct mount_row {
	const char *destination, *type, *source;
	const char *options[8];
};

static const struct mount_row mounts_default[] = {
	{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{"/dev/pts",
	 "devpts",
	 "devpts",
	 {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
};

static void mount_append(struct arena *a, struct json *list, const struct mount_row *row)
{
	struct json *mount = json_object(a);
	set_cstr(a, mount, "destination", row->destination);
	set_cstr(a, mount, "type", row->type);
	set_cstr(a, mount, "source", row->source);
	json_set(a, mount, STR("options"), strings(a, row->options));
	json_append(a, list, mount);
}

static bool has_mount_at(const struct runtime_container_config *c, const char *path)
{
	for (size_t i = 0; i < c->mount_count; i++) {
		if (str_is(c->mounts[i].container_path, path))
			return true;
	}
	return false;
}

static void mount_unless_given(struct arena *a, const struct oci_spec_input *in, struct json *list,
			       const struct mount_row *row)
{
	if (!has_mount_at(in->config, row->destination))
		mount_append(a, list, row);
}

static void system_mounts(struct arena *a, const struct oci_spec_input *in, struct json *list)
{
	bool is_privileged = in->config->security.is_privileged;
	const char *access = is_privileged ? "rw" : "ro";
	struct mount_row sys = {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", access}};
	struct mount_row cgroup = {"/sys/fs/cgroup",
				   "cgroup",
				   "cgroup",
				   {"nosuid", "noexec", "nodev", "relatime", access}};
	for (size_t i = 0; i < ARRAY_LEN(mounts_default); i++)
		mount_unless_given(a, in, list, &mounts_default[i]);
	mount_unless_given(a, in, list, &sys);
	mount_unless_given(a, in, list, &cgroup);
	if (in->shm_path) {
		struct mount_row shm = {
			"/dev/shm", "bind", in->shm_path, {"rbind", "rprivate", "rw"}};
		mount_unless_given(a, in, list, &shm);
	}
	if (in->hostname_path) {
		struct mount_row name = {
			"/etc/hostname", "bind", in->hostname_path, {"bind", "rprivate", "ro"}};
		if (!in->config->security.is_root_read_only)
			name.options[2] = "rw";
		mount_unless_given(a, in, list, &name);
	}
}

static const char *propagation_option(enum runtime_propagation propagation)
{
	static const char *const options[] = {
		[RUNTIME_PROPAGATION_NONE] = "rprivate",
		[RUNTIME_PROPAGATION_HOST_TO_CONTAINER] = "rslave",
		[RUNTIME_PROPAGATION_BIDIRECTIONAL] = "rshared",
	};
	return options[propagation];
}

static bool path_is_clean(struct str path)
{
	struct str part, rest = path;
	if (path.len == 0 || path.at[0] != '/' || has_nul(path) || path.len >= 4096)
		return false;
	while (rest.len > 0) {
		str_cut(rest, '/', &part, &rest);
		if (str_is(part, ".."))
			return false;
	}
	return true;
}

static size_t path_depth(struct str path)
{
	size_t depth = 0;
	while (path.len > 0) {
		struct str part;
		str_cut(path, '/', &part, &path);
		depth += part.len > 0;
	}
	return depth;
}

/* Outer ones first, whatever order the pod names them in; equals keep theirs. */
static const struct runtime_mount **mounts_sorted(struct arena *a,
						  const struct runtime_container_config *c)
{
	const struct runtime_mount **sorted =
		ARENA_ARRAY(a, const struct runtime_mount *, c->mount_count + 1);
	for (size_t i = 0; i < c->mount_count; i++) {
		size_t at = i, depth = path_depth(c->mounts[i].container_path);
		for (; at > 0 && path_depth(sorted[at - 1]->container_path) > depth; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &c->mounts[i];
	}
	return sorted;
}

static enum rc volume_mounts(struct arena *a, const struct oci_spec_input *in, struct json *list,
			     struct err *err)
{
	const struct runtime_container_config *c = in->config;
	if (c->mount_count > RUNTIME_MOUNTS_MAX)
		return err_set(err, RC_TOO_LARGE, "more than %d mounts", RUNTIME_MOUNTS_MAX);
	const struct runtime_mount **sorted = mounts_sorted(a, c);
	for (size_t i = 0; i < c->mount_count; i++) {
		const struct runtime_mount *m = sorted[i];
		if (!path_is_clean(m->container_path) || !path_is_clean(m->host_path))
			return err_set(err, RC_INVALID,
				       "mount path '%.*s' must be absolute and without '..'",
				       STR_FMT(m->container_path));
		struct mount_row row = {arena_cstr(a, m->container_path),
					"bind",
					arena_cstr(a, m->host_path),
					{"rbind", propagation_option(m->propagation),
					 m->is_read_only ? "ro" : "rw"}};
		mount_append(a, list, &row);
	}
	return RC_OK;
}

/* --- linux --- */

static void namespace_append(struct arena *a, struct json *list, const char *type, const char *path)
{
	struct json *entry = json_object(a);
	set_cstr(a, entry, "type", type);
	if (path)
		set_cstr(a, entry, "path", path);
	json_append(a, list, entry);
}

static struct json *namespaces_build(struct arena *a, const struct oci_spec_input *in)
{
	struct json *list = json_array(a);
	namespace_append(a, list, "mount", NULL);
	if (!in->is_host_pid)
		namespace_append(a, list, "pid", in->pid_path);
	if (in->net_path)
		namespace_append(a, list, "network", in->net_path);
	if (in->ipc_path)
		namespace_append(a, list, "ipc", in->ipc_path);
	if (in->uts_path)
		namespace_append(a, list, "uts", in->uts_path);
	if (in->has_cgroup_namespace)
		namespace_append(a, list, "cgroup", NULL);
	return list;
}

static struct json *resources_build(struct arena *a, const struct oci_spec_input *in)
{
	const struct runtime_resources *r = &in->config->resources;
	struct json *resources = json_object(a), *cpu = json_object(a), *memory = json_object(a);
	struct json *devices = json_array(a), *rule = json_object(a);
	set_bool(a, rule, "allow", in->config->security.is_privileged);
	set_cstr(a, rule, "access", "rwm");
	json_append(a, devices, rule);
	json_set(a, resources, STR("devices"), devices);
	set_int(a, cpu, "shares", (int64_t)cgroup_shares_of_milli(r->cpu_request_milli));
	if (r->cpu_limit_milli > 0) {
		set_int(a, cpu, "quota", cgroup_quota_of_milli(r->cpu_limit_milli));
		set_int(a, cpu, "period", CGROUP_CPU_PERIOD_US);
	}
	json_set(a, resources, STR("cpu"), cpu);
	if (r->memory_limit_bytes > 0) {
		set_int(a, memory, "limit", r->memory_limit_bytes);
		if (in->can_limit_swap)
			set_int(a, memory, "swap", r->memory_limit_bytes);
		json_set(a, resources, STR("memory"), memory);
	}
	if (r->pids_limit > 0) {
		struct json *pids = json_object(a);
		set_int(a, pids, "limit", r->pids_limit);
		json_set(a, resources, STR("pids"), pids);
	}
	return resources;
}

static struct json *devices_build(struct arena *a, const struct oci_spec_input *in)
{
	struct json *list = json_array(a);
	for (size_t i = 0; i < in->device_count; i++) {
		const struct oci_device *d = &in->devices[i];
		struct json *device = json_object(a);
		set_cstr(a, device, "path", d->path);
		json_set(a, device, STR("type"), json_printf(a, "%c", d->type));
		set_int(a, device, "major", d->major);
		set_int(a, device, "minor", d->minor);
		set_int(a, device, "fileMode", d->mode);
		set_int(a, device, "uid", d->uid);
		set_int(a, device, "gid", d->gid);
		json_append(a, list, device);
	}
	return list;
}

static const char *root_propagation(const struct runtime_container_config *c)
{
	enum runtime_propagation most = RUNTIME_PROPAGATION_NONE;
	for (size_t i = 0; i < c->mount_count; i++)
		most = MAX(most, c->mounts[i].propagation);
	return most == RUNTIME_PROPAGATION_NONE ? NULL : propagation_option(most);
}

static struct json *linux_build(struct arena *a, const struct oci_spec_input *in)
{
	static const char *const masked[] = {
		"/proc/asound",
		"/proc/acpi",
		"/proc/interrupts",
		"/proc/kcore",
		"/proc/keys",
		"/proc/latency_stats",
		"/proc/timer_list",
		"/proc/timer_stats",
		"/proc/sched_debug",
		"/proc/scsi",
		"/sys/firmware",
		"/sys/devices/virtual/powercap",
		NULL,
	};
	static const char *const read_only[] = {
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
	};
	const struct runtime_security *s = &in->config->security;
	struct json *result = json_object(a);
	json_set(a, result, STR("namespaces"), namespaces_build(a, in));
	set_cstr(a, result, "cgroupsPath", in->cgroups_path);
	json_set(a, result, STR("resources"), resources_build(a, in));
	if (in->device_count > 0)
		json_set(a, result, STR("devices"), devices_build(a, in));
	if (root_propagation(in->config))
		set_cstr(a, result, "rootfsPropagation", root_propagation(in->config));
	if (in->seccomp)
		json_set(a, result, STR("seccomp"), in->seccomp);
	if (!s->is_privileged && !s->is_proc_unmasked) {
		json_set(a, result, STR("maskedPaths"), strings(a, masked));
		json_set(a, result, STR("readonlyPaths"), strings(a, read_only));
	}
	return result;
}

enum rc oci_spec_build(struct arena *a, const struct oci_spec_input *in, struct json **ret_spec,
		       struct err *err)
{
	struct json *spec = json_object(a), *root = json_object(a), *mounts = json_array(a);
	struct json *process = NULL;
	TRY(process_build(a, in, &process, err));
	system_mounts(a, in, mounts);
	TRY(volume_mounts(a, in, mounts, err));
	set_cstr(a, spec, "ociVersion", "1.0.2");
	json_set(a, spec, STR("process"), process);
	set_cstr(a, root, "path", in->rootfs_path);
	set_bool(a, root, "readonly", in->config->security.is_root_read_only);
	json_set(a, spec, STR("root"), root);
	json_set(a, spec, STR("mounts"), mounts);
	json_set(a, spec, STR("linux"), linux_build(a, in));
	*ret_spec = spec;
	return RC_OK;
}
