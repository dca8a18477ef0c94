/* Sandboxes: namespaces kept alive by bind mounts, made by a thread that unshares and ends.
 * Network, IPC and UTS namespaces belong to a thread, so no helper process is needed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "io/file.h"
#include "node/runtime_oci-int.h"

#define NSFS_MAGIC	0x6e736673
#define SHM_OPTIONS	"mode=1777,size=65536k"
#define HOSTNAME_MAX	64
#define SYSCTL_NAME_MAX 200

struct namespace_kind {
	const char *file; /* also its name in /proc/thread-self/ns */
	int flag;
};

static const struct namespace_kind kinds[] = {
	{"net", CLONE_NEWNET},
	{"ipc", CLONE_NEWIPC},
	{"uts", CLONE_NEWUTS},
};

struct sandbox_plan {
	const struct runtime_sandbox_config *config;
	char dir[RUNTIME_PATH_MAX];
	char path[RUNTIME_PATH_MAX + 16];
};

void oci_sandbox_path(const struct runtime_oci *oci, struct str pod_uid, const char *file,
		      char out[RUNTIME_PATH_MAX])
{
	int len = snprintf(out, RUNTIME_PATH_MAX, "%s/sandboxes/%.*s%s%s", oci->dir,
			   STR_FMT(pod_uid), file[0] ? "/" : "", file);
	ASSERT(len > 0 && len < RUNTIME_PATH_MAX);
}

static bool kind_is_wanted(const struct runtime_sandbox_config *config, int flag)
{
	if (flag == CLONE_NEWIPC)
		return !config->is_host_ipc;
	return !config->is_host_network; /* the host's network has the host's name */
}

static bool is_pinned(const char *path)
{
	struct statfs fs;
	return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

/* --- sysctls --- */

/* Those that a namespace has of its own; k8s.io/component-helpers/node/utils/sysctl. */
static bool sysctl_is_namespaced(const struct runtime_sandbox_config *config, struct str name)
{
	static const struct {
		struct str prefix;
		bool is_net;
	} rows[] = {
		{STR_INIT("net."), true},	 {STR_INIT("kernel.shm"), false},
		{STR_INIT("kernel.msg"), false}, {STR_INIT("kernel.sem"), false},
		{STR_INIT("fs.mqueue."), false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (str_has_prefix(name, rows[i].prefix))
			return rows[i].is_net ? !config->is_host_network : !config->is_host_ipc;
	}
	return false;
}

/* Letters, digits, '_', '-', '.', '/' and no empty part, so that a name stays below /proc/sys
 * (CVE-2022-0811). */
static bool sysctl_name_is_valid(struct str name)
{
	char before = '.';
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];
		bool is_separator = c == '.' || c == '/';
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				 (c >= '0' && c <= '9') || c == '_' || c == '-';
		if (!is_letter && (!is_separator || before == '.'))
			return false;
		before = is_separator ? '.' : c;
	}
	return name.len > 0 && name.len < SYSCTL_NAME_MAX && before != '.';
}

/* "net.ipv4.ip_forward", or with '/' where a '.' is part of a name ("net/ipv4/conf/eth0.1/..."). */
static void sysctl_path(struct str name, char out[SYSCTL_NAME_MAX + 16])
{
	const char *first_slash = memchr(name.at, '/', name.len);
	const char *first_dot = memchr(name.at, '.', name.len);
	bool is_slashed = first_slash && (!first_dot || first_slash < first_dot);
	int len = snprintf(out, SYSCTL_NAME_MAX + 16, "/proc/sys/%.*s", STR_FMT(name));
	for (int i = 10; i < len && !is_slashed; i++) {
		if (out[i] == '.')
			out[i] = '/';
		else if (out[i] == '/')
			out[i] = '.';
	}
}

static enum rc sysctl_write(struct str name, struct str value, struct err *err)
{
	char path[SYSCTL_NAME_MAX + 16];
	sysctl_path(name, path);
	CLEANUP(close_fd_p) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, RC_INVALID, errno, "sysctl \"%.*s\"", STR_FMT(name));
	if (write(fd, value.at, value.len) != (ssize_t)value.len)
		return err_sys(err, RC_INVALID, errno, "set sysctl \"%.*s\" to \"%.*s\"",
			       STR_FMT(name), STR_FMT(value));
	return RC_OK;
}

static enum rc sysctls_check(const struct runtime_sandbox_config *config, struct err *err)
{
	for (size_t i = 0; i < config->sysctl_count; i++) {
		struct str name = config->sysctls[i].name;
		if (!sysctl_name_is_valid(name) || !sysctl_is_namespaced(config, name))
			return err_set(err, RC_INVALID,
				       "sysctl \"%.*s\" is not in a separate kernel namespace",
				       STR_FMT(name));
	}
	return RC_OK;
}

/* Ports below 1024 and ping for everybody in the pod, as containerd 2 does by default. */
static enum rc sysctls_write(const struct runtime_sandbox_config *config, struct err *err)
{
	if (!config->is_host_network) {
		TRY(sysctl_write(STR("net.ipv4.ip_unprivileged_port_start"), STR("0"), err));
		TRY(sysctl_write(STR("net.ipv4.ping_group_range"), STR("0 2147483647"), err));
	}
	for (size_t i = 0; i < config->sysctl_count; i++)
		TRY(sysctl_write(config->sysctls[i].name, config->sysctls[i].value, err));
	return RC_OK;
}

/* --- making --- */

static enum rc namespaces_make(void *arg, struct err *err)
{
	struct sandbox_plan *plan = arg;
	int flags = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		flags |= kind_is_wanted(plan->config, kinds[i].flag) ? kinds[i].flag : 0;
	if (flags && unshare(flags) < 0)
		return err_sys(err, RC_IO, errno, "make namespaces");
	struct str name = plan->config->hostname;
	if (flags & CLONE_NEWUTS && sethostname(name.at ? name.at : "", name.len) < 0)
		return err_sys(err, RC_INVALID, errno, "set hostname '%.*s'", STR_FMT(name));
	TRY(sysctls_write(plan->config, err));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char from[64];
		if (!(flags & kinds[i].flag))
			continue;
		snprintf(from, sizeof(from), "/proc/thread-self/ns/%s", kinds[i].file);
		snprintf(plan->path, sizeof(plan->path), "%s/%s", plan->dir, kinds[i].file);
		if (mount(from, plan->path, NULL, MS_BIND, NULL) < 0)
			return err_sys(err, RC_IO, errno, "pin namespace at %s", plan->path);
	}
	return RC_OK;
}

static enum rc files_make(const struct runtime_oci *oci,
			  const struct runtime_sandbox_config *config, struct err *err)
{
	char path[RUNTIME_PATH_MAX];
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!kind_is_wanted(config, kinds[i].flag))
			continue;
		oci_sandbox_path(oci, config->pod_uid, kinds[i].file, path);
		TRY(file_write_volatile(path, STR(""), 0400, err));
	}
	if (!config->is_host_network) {
		char line[HOSTNAME_MAX + 2];
		snprintf(line, sizeof(line), "%.*s\n", STR_FMT(config->hostname));
		oci_sandbox_path(oci, config->pod_uid, "hostname", path);
		TRY(file_write_volatile(path, str_of(line), 0644, err));
	}
	if (config->is_host_ipc)
		return RC_OK;
	oci_sandbox_path(oci, config->pod_uid, "shm", path);
	TRY(dir_make(path, 0700, err));
	if (mount("shm", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, SHM_OPTIONS) < 0)
		return err_sys(err, RC_IO, errno, "mount %s", path);
	return RC_OK;
}

static enum rc sandbox_destroy(const struct runtime_oci *oci, struct str pod_uid, struct err *err)
{
	char path[RUNTIME_PATH_MAX], name[64];
	static const char *const mounts[] = {"net", "ipc", "uts", "shm"};
	for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
		oci_sandbox_path(oci, pod_uid, mounts[i], path);
		TRY(oci_unmount(path, err));
	}
	snprintf(name, sizeof(name), "%.*s", STR_FMT(pod_uid));
	return dir_remove_at(oci->sandboxes_fd, name, err);
}

static enum rc sandbox_make(const struct runtime_oci *oci,
			    const struct runtime_sandbox_config *config, struct err *err)
{
	struct sandbox_plan plan = {.config = config};
	oci_sandbox_path(oci, config->pod_uid, "", plan.dir);
	TRY(dir_make(plan.dir, 0700, err));
	TRY(files_make(oci, config, err));
	return oci_in_thread(namespaces_make, &plan, err);
}

static enum rc config_check(const struct runtime_sandbox_config *config, struct err *err)
{
	if (!oci_uid_is_valid(config->pod_uid))
		return err_set(err, RC_INVALID, "pod uid '%.*s' has characters of no uid",
			       STR_FMT(config->pod_uid));
	if (config->hostname.len > HOSTNAME_MAX)
		return err_set(err, RC_INVALID, "hostname '%.*s' is longer than %d bytes",
			       STR_FMT(config->hostname), HOSTNAME_MAX);
	return sysctls_check(config, err);
}

/* The last thing made is what tells a whole sandbox from one that a crash left half done. */
static bool sandbox_is_whole(const struct runtime_oci *oci,
			     const struct runtime_sandbox_config *config)
{
	char path[RUNTIME_PATH_MAX];
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		oci_sandbox_path(oci, config->pod_uid, kinds[i].file, path);
		if (kind_is_wanted(config, kinds[i].flag) && !is_pinned(path))
			return false;
	}
	oci_sandbox_path(oci, config->pod_uid, "", path);
	return file_exists(path);
}

static enum rc create_run(struct oci_job *job, struct err *err)
{
	const struct runtime_oci *oci = job->oci;
	const struct runtime_sandbox_config *config = job->config;
	struct runtime_sandbox *sandbox = job->result;
	struct runtime_resources limits = config->resources;
	TRY(config_check(config, err));
	limits.pids_limit = limits.pids_limit ? limits.pids_limit : oci->pids_limit;
	oci_cgroup_path(oci, config->pod_uid, "", job->cgroup);
	TRY(cgroup_make(&oci->cgroups, job->cgroup, &limits, err));
	*sandbox = (struct runtime_sandbox){.was_there = sandbox_is_whole(oci, config)};
	if (!config->is_host_network)
		oci_sandbox_path(oci, config->pod_uid, "net", sandbox->netns_path);
	if (sandbox->was_there)
		return RC_OK;
	TRY(sandbox_destroy(oci, config->pod_uid, err));
	enum rc rc = sandbox_make(oci, config, err);
	if (rc != RC_OK && sandbox_destroy(oci, config->pod_uid, NULL) != RC_OK)
		return err_wrap(err, "sandbox of pod %.*s", STR_FMT(config->pod_uid));
	return rc;
}

/* ---- other limits ---- */

/* The pod is never narrower than its containers, whichever way they go. */
static enum rc resize_run(struct oci_job *job, struct err *err)
{
	const struct runtime_oci *oci = job->oci;
	const struct runtime_resize *config = job->config;
	struct runtime_resources wide =
		runtime_resources_widest(&config->pod_before, &config->pod_after);
	oci_cgroup_path(oci, config->pod_uid, "", job->cgroup);
	TRY(cgroup_update(&oci->cgroups, job->cgroup, &wide, false, err));
	for (size_t i = 0; i < config->count; i++) {
		const struct runtime_resize_item *item = &config->items[i];
		char path[CGROUP_PATH_MAX];
		oci_cgroup_path(oci, config->pod_uid, arena_cstr(&job->arena, item->id), path);
		if (cgroup_update(&oci->cgroups, path, &item->resources, true, err) != RC_OK)
			return err_wrap(err, "container \"%.*s\"", STR_FMT(item->name));
	}
	return cgroup_update(&oci->cgroups, job->cgroup, &config->pod_after, false, err);
}

void oci_resize(struct runtime *r, const struct runtime_resize *config, struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	for (size_t i = 0; i < config->count; i++) {
		if (!oci_find(oci, config->items[i].id)) {
			oci_missing(oci, call, config->items[i].id);
			return;
		}
	}
	struct oci_job *job = oci_job_new(oci, call, resize_run, NULL);
	job->config = config;
	oci_job_start(job);
}

/* ---- creation ---- */

void oci_sandbox_create(struct runtime *r, const struct runtime_sandbox_config *config,
			struct runtime_sandbox *ret_sandbox, struct runtime_call *call)
{
	struct oci_job *job = oci_job_new(oci_of(r), call, create_run, NULL);
	job->config = config;
	job->result = ret_sandbox;
	oci_job_start(job);
}

/* --- removing --- */

static bool has_sandboxes(const struct runtime_oci *oci)
{
	int fd = openat(oci->sandboxes_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	bool found = false;
	if (!dir) {
		close_fd_p(&fd);
		return true;
	}
	for (struct dirent *d = readdir(dir); d && !found; d = readdir(dir))
		found = d->d_name[0] != '.';
	closedir(dir);
	return found;
}

static enum rc remove_run(struct oci_job *job, struct err *err)
{
	const struct runtime_oci *oci = job->oci;
	struct str uid = str_of(job->id);
	oci_cgroup_path(oci, uid, "", job->cgroup);
	TRY(cgroup_remove(&oci->cgroups, job->cgroup, err));
	TRY(sandbox_destroy(oci, uid, err));
	if (has_sandboxes(oci))
		return RC_OK;
	cgroup_remove_empty(&oci->cgroups, oci->cgroup);
	oci_upper_release(oci);
	return RC_OK;
}

void oci_sandbox_remove(struct runtime *r, struct str pod_uid, struct runtime_call *call)
{
	if (!oci_uid_is_valid(pod_uid)) {
		runtime_call_finish(r->loop, call, RC_OK);
		return;
	}
	struct oci_job *job = oci_job_new(oci_of(r), call, remove_run, NULL);
	snprintf(job->id, sizeof(job->id), "%.*s", STR_FMT(pod_uid));
	oci_job_start(job);
}

/* --- listing --- */

struct list_result {
	struct arena *a;
	struct str **ret_pod_uids;
	size_t *ret_count;
};

static enum rc list_run(struct oci_job *job, struct err *err)
{
	struct list_result *result = job->result;
	struct str *uids = NULL;
	size_t count = 0, cap = 0;
	int fd = openat(job->oci->sandboxes_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		close_fd_p(&fd);
		return err_sys(err, RC_IO, errno, "list %s/sandboxes", job->oci->dir);
	}
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		if (d->d_name[0] == '.')
			continue;
		if (count == cap)
			uids = arena_grow(result->a, uids, count, &cap, sizeof(*uids));
		uids[count++] = arena_str(result->a, str_of(d->d_name));
	}
	closedir(dir);
	*result->ret_pod_uids = uids;
	*result->ret_count = count;
	return RC_OK;
}

void oci_sandbox_list(struct runtime *r, struct arena *a, struct str **ret_pod_uids,
		      size_t *ret_count, struct runtime_call *call)
{
	struct oci_job *job = oci_job_new(oci_of(r), call, list_run, NULL);
	struct list_result *result = ARENA_NEW(&job->arena, struct list_result);
	*result = (struct list_result){a, ret_pod_uids, ret_count};
	job->result = result;
	oci_job_start(job);
}
