#include "node/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/quantity.h"
#include "base/log.h"
#include "io/file.h"
#include "node/agent-int.h"
#include "node/pod_paths.h"
#include "node/pod_setup.h"
#include "node/pod_sources.h"
#include "node/volume_files.h"
#include "node/volume_token.h"

#define FOLDER_MODE 0750
#define MOUNTS_FILE "/proc/self/mountinfo"
#define MOUNTS_MAX  (16u << 20)

struct pod_volume {
	struct str name;
	const char *path; /* NULL: not known yet */
	bool is_up;
};

struct pod_volumes {
	struct pod_worker *worker;
	struct volume_tokens *tokens;
	struct pod_volume *items; /* as in the spec; in the worker's arena */
	size_t count;
};

static const struct volume *spec_of(const struct pod_volumes *v, size_t index)
{
	return &v->worker->pod->spec.volumes.at[index];
}

/* ---- owners ---- */

static int64_t fs_group(const struct pod_worker *w)
{
	const struct pod_security_context *s = w->pod->spec.security_context;
	return s && s->fs_group ? *s->fs_group : -1;
}

static int64_t container_user(const struct pod_worker *w, const struct container *c)
{
	const struct pod_security_context *pod = w->pod->spec.security_context;
	const struct security_context *own = c->security_context;
	const int64_t *user = own && own->run_as_user ? own->run_as_user
			      : pod		      ? pod->run_as_user
						      : NULL;
	return user ? *user : -1;
}

/* The uid that every container runs as; -1 when they differ or an image decides. */
static int64_t common_user(const struct pod_worker *w)
{
	int64_t user = w->count ? container_user(w, w->containers[0]->spec) : -1;
	for (size_t i = 1; i < w->count; i++)
		if (w->containers[i]->role != CONTAINER_EPHEMERAL &&
		    container_user(w, w->containers[i]->spec) != user)
			return -1;
	return user;
}

/* ---- kinds of volumes ---- */

static const char *plugin_name(const struct volume *v)
{
	return v->empty_dir    ? "empty-dir"
	       : v->secret     ? "secret"
	       : v->config_map ? "configmap"
	       : v->projected  ? "projected"
			       : "downward-api";
}

static bool is_mount_point(const char *path)
{
	CLEANUP_ARENA a = {};
	struct str text;
	CLEANUP(free_p) char *needle = mem_printf(" %s ", path);
	if (file_read(MOUNTS_FILE, MOUNTS_MAX, &a, &text, NULL) != RC_OK)
		return false;
	return memmem(text.at, text.len, needle, strlen(needle)) != NULL;
}

static enum rc mount_memory(const char *path, int64_t size_bytes, struct err *err)
{
	char options[64] = "mode=0777";
	if (is_mount_point(path))
		return RC_OK;
	if (size_bytes > 0)
		snprintf(options, sizeof(options), "mode=0777,size=%lld", (long long)size_bytes);
	if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
		return err_sys(err, RC_IO, errno, "mount tmpfs on '%s'", path);
	return RC_OK;
}

/* Whoever the containers run as may use it; files in it have modes of their own. */
static enum rc folder_open_up(const struct pod_worker *w, const char *path, struct err *err)
{
	int64_t group = fs_group(w);
	if (group >= 0 && chown(path, 0, (gid_t)group) != 0)
		return err_sys(err, RC_IO, errno, "set the group of '%s'", path);
	if (chmod(path, group >= 0 ? 02777 : 0777) != 0)
		return err_sys(err, RC_IO, errno, "set the mode of '%s'", path);
	return RC_OK;
}

static enum rc empty_dir_up(const struct pod_worker *w, const struct volume *v, const char *path,
			    struct err *err)
{
	if (str_is(v->empty_dir->medium, "Memory"))
		TRY(mount_memory(path, quantity_text_value(v->empty_dir->size_limit), err));
	else if (v->empty_dir->medium.len)
		return err_set(err, RC_INVALID, "emptyDir medium '%.*s' is not known to this node",
			       STR_FMT(v->empty_dir->medium));
	return folder_open_up(w, path, err);
}

static enum rc files_up(struct pod_volumes *all, const struct volume *v, const char *path,
			struct err *err)
{
	CLEANUP_ARENA a = {};
	struct folder_files files;
	struct volume_files_input in = {
		.worker = all->worker,
		.volume = v,
		.user = common_user(all->worker),
		.group = fs_group(all->worker),
		.token = volume_token_get,
		.token_ctx = all->tokens,
	};
	TRY(volume_files_make(&a, &in, &files, err));
	if (!v->config_map && !v->downward_api)
		TRY(mount_memory(path, 0, err));
	TRY(folder_open_up(all->worker, path, err));
	return atomic_folder_write(path, &files, in.group, err);
}

static enum rc host_path_up(const struct volume *v, const char *path, struct err *err)
{
	struct str type = v->host_path->type;
	struct stat st;
	bool is_there = stat(path, &st) == 0;
	if (str_is(type, "DirectoryOrCreate") && !is_there)
		return dir_make(path, 0755, err);
	if (str_is(type, "FileOrCreate") && !is_there)
		return file_write_volatile(path, STR(""), 0644, err);
	static const struct {
		const char *type, *words;
		mode_t format;
	} rows[] = {
		{"Directory", "a directory", S_IFDIR},
		{"DirectoryOrCreate", "a directory", S_IFDIR},
		{"File", "a file", S_IFREG},
		{"FileOrCreate", "a file", S_IFREG},
		{"Socket", "a socket file", S_IFSOCK},
		{"CharDevice", "a character device", S_IFCHR},
		{"BlockDevice", "a block device", S_IFBLK},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(type, rows[i].type) &&
		    (!is_there || (st.st_mode & S_IFMT) != rows[i].format))
			return err_set(err, RC_INVALID, "hostPath type check failed: %s is not %s",
				       path, rows[i].words);
	if (!is_there) /* as container runtimes do for an unchecked path */
		return dir_make(path, 0755, err);
	return RC_OK;
}

static enum rc volume_up(struct pod_volumes *all, struct pod_volume *item, const struct volume *v,
			 struct err *err)
{
	struct arena *a = &all->worker->arena;
	if (v->host_path) {
		item->path = arena_cstr(a, v->host_path->path);
		return host_path_up(v, item->path, err);
	}
	if (!v->empty_dir && !volume_has_files(v))
		return err_set(err, RC_INVALID,
			       "this node has no plugin for this type of volume (it has emptyDir, "
			       "hostPath, configMap, secret, projected, downwardAPI)");
	if (!item->path)
		item->path = pod_path_below(a, all->worker, "volumes/kubernetes.io~%s/%.*s",
					    plugin_name(v), STR_FMT(v->name));
	TRY(dir_make(item->path, FOLDER_MODE, err));
	if (v->empty_dir)
		return empty_dir_up(all->worker, v, item->path, err);
	return files_up(all, v, item->path, err);
}

/* ---- making them ---- */

static void sources_changed(struct pod_worker *w)
{
	for (size_t i = 0; i < w->count; i++) { /* those that miss a variable's source try again */
		struct pod_container *c = w->containers[i];
		if (c->waiting_reason &&
		    strcmp(c->waiting_reason, "CreateContainerConfigError") == 0)
			c->due_ms = 0;
	}
	w->retry_at_ms = 0;
	pod_volumes_refresh(w);
	pod_worker_wake(w);
}

static void volumes_begin(struct pod_worker *w)
{
	struct pod_volumes *v = NEW(struct pod_volumes);
	v->worker = w;
	v->count = w->pod->spec.volumes.count;
	v->items = ARENA_ARRAY(&w->arena, struct pod_volume, v->count + 1);
	for (size_t i = 0; i < v->count; i++)
		v->items[i].name = arena_str(&w->arena, spec_of(v, i)->name);
	w->volumes = v;
	w->sources = pod_sources_new(w, sources_changed);
	v->tokens = volume_tokens_new(w, sources_changed);
}

static bool needs_token(const struct pod_volumes *v, const struct volume *spec)
{
	for (uint32_t i = 0; spec->projected && i < spec->projected->sources.count; i++) {
		const struct service_account_token_projection *p =
			spec->projected->sources.at[i].service_account_token;
		if (p && !volume_token_get(v->tokens, p).len)
			return true;
	}
	return false;
}

static void mount_failed(struct pod_worker *w, const struct pod_volume *item, const char *why)
{
	agent_event(w->agent, w->object, NULL, "Warning", "FailedMount",
		    "MountVolume.SetUp failed for volume \"%.*s\" : %s", STR_FMT(item->name), why);
	pod_setup_retry_later(w);
}

bool pod_volumes_ready(struct pod_worker *w)
{
	bool is_ready = true;
	if (w->agent->config.is_simulated)
		return true;
	if (!w->volumes)
		volumes_begin(w);
	if (!pod_sources_are_known(w->sources))
		return false;
	for (size_t i = 0; i < w->volumes->count; i++) {
		struct pod_volume *item = &w->volumes->items[i];
		const struct volume *spec = spec_of(w->volumes, i);
		const char *problem = volume_tokens_problem(w->volumes->tokens);
		struct err err;
		if (item->is_up)
			continue;
		if (needs_token(w->volumes, spec)) {
			is_ready = false;
			if (problem)
				mount_failed(w, item, problem);
			continue;
		}
		item->is_up = volume_up(w->volumes, item, spec, &err) == RC_OK;
		is_ready &= item->is_up;
		if (!item->is_up)
			mount_failed(w, item, err.text);
	}
	return is_ready;
}

void pod_volumes_refresh(struct pod_worker *w)
{
	struct err err;
	if (!w->volumes || w->stage > POD_ENDING)
		return;
	for (size_t i = 0; i < w->volumes->count; i++) {
		struct pod_volume *item = &w->volumes->items[i];
		const struct volume *spec = spec_of(w->volumes, i);
		if (!item->is_up || !volume_has_files(spec))
			continue;
		if (files_up(w->volumes, spec, item->path, &err) != RC_OK)
			log_warn("node", "volume '%.*s' of pod %.*s/%.*s keeps its old content: %s",
				 STR_FMT(item->name), STR_FMT(w->namespace), STR_FMT(w->name),
				 err.text);
	}
}

/* ---- what a container mounts ---- */

static struct pod_volume *find(struct pod_volumes *v, struct str name)
{
	for (size_t i = 0; v && i < v->count; i++)
		if (str_eq(v->items[i].name, name))
			return &v->items[i];
	return NULL;
}

static int open_beneath(int dir_fd, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

/* Makes the folders of path one by one, each opened beneath the one before. */
static enum rc make_beneath(const char *volume, const char *path, int64_t group, struct err *err)
{
	CLEANUP(free_p) char *copy = mem_strdup(path);
	CLEANUP(close_fd_p) int fd = -1;
	char *save = NULL;
	TRY(dir_open(volume, &fd, err));
	for (char *part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		bool is_new = mkdirat(fd, part, FOLDER_MODE) == 0;
		if (!is_new && errno != EEXIST)
			return err_sys(err, RC_IO, errno, "make folder '%s' of subPath", part);
		if (is_new && group >= 0 &&
		    fchownat(fd, part, 0, (gid_t)group, AT_SYMLINK_NOFOLLOW) != 0)
			return err_sys(err, RC_IO, errno, "set the group of '%s' of subPath", part);
		int next = open_beneath(fd, part, O_PATH | O_DIRECTORY);
		if (next < 0)
			return err_sys(err, RC_INVALID, errno, "open '%s' of subPath", part);
		close(fd);
		fd = next;
	}
	return RC_OK;
}

static enum rc sub_path_open(const char *volume, const char *path, int64_t group, int *ret_fd,
			     struct err *err)
{
	CLEANUP(close_fd_p) int dir_fd = -1;
	TRY(dir_open(volume, &dir_fd, err));
	*ret_fd = open_beneath(dir_fd, path, O_PATH);
	if (*ret_fd < 0 && errno == ENOENT) {
		TRY(make_beneath(volume, path, group, err));
		*ret_fd = open_beneath(dir_fd, path, O_PATH);
	}
	if (*ret_fd < 0)
		return err_sys(err, RC_INVALID, errno,
			       "failed to prepare subPath for volumeMount: open '%s'", path);
	return RC_OK;
}

/* Binds what was opened, so that nobody can put something else in its place. */
static enum rc sub_path_bind(int fd, const char *target, struct err *err)
{
	CLEANUP(free_p) char *source = mem_printf("/proc/self/fd/%d", fd);
	struct stat st, bound;
	if (fstat(fd, &st) != 0)
		return err_sys(err, RC_IO, errno, "look at the subPath of '%s'", target);
	if (is_mount_point(target)) { /* of a run before; the file may have been replaced since */
		if (stat(target, &bound) == 0 && bound.st_dev == st.st_dev &&
		    bound.st_ino == st.st_ino)
			return RC_OK;
		if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
			return err_sys(err, RC_IO, errno, "unmount '%s'", target);
	}
	if (S_ISDIR(st.st_mode)) {
		TRY(dir_make(target, FOLDER_MODE, err));
	} else {
		CLEANUP(free_p) char *parent = mem_strdup(target);
		*strrchr(parent, '/') = '\0';
		TRY(dir_make(parent, FOLDER_MODE, err));
		TRY(file_write_volatile(target, STR(""), 0600, err));
	}
	if (mount(source, target, NULL, MS_BIND, NULL) != 0)
		return err_sys(err, RC_IO, errno, "bind subPath on '%s'", target);
	return RC_OK;
}

enum rc pod_volume_source(struct arena *a, struct pod_container *c,
			  const struct volume_mount *mount, struct str sub_path, uint32_t index,
			  struct str *ret_path, struct err *err)
{
	const struct pod_volume *item = find(c->worker->volumes, mount->name);
	CLEANUP(close_fd_p) int fd = -1;
	if (!item || !item->is_up)
		return err_set(err, RC_INVALID,
			       "cannot find volume \"%.*s\" to mount into "
			       "container \"%.*s\"",
			       STR_FMT(mount->name), STR_FMT(c->name));
	*ret_path = str_of(item->path);
	if (!sub_path.len)
		return RC_OK;
	const char *target = pod_path_below(a, c->worker, "volume-subpaths/%.*s/%.*s/%u",
					    STR_FMT(mount->name), STR_FMT(c->name), index);
	TRY(sub_path_open(item->path, arena_cstr(a, sub_path), fs_group(c->worker), &fd, err));
	TRY(sub_path_bind(fd, target, err));
	*ret_path = str_of(target);
	return RC_OK;
}

/* ---- removing them ---- */

struct removal {
	struct loop_work work;
	struct pod_worker *worker; /* NULL: nobody waits */
	char *path;
	enum rc rc;
	struct err err;
};

/* The field of a line of mountinfo that is the mount point; escapes are left as they are: our own
 * paths have none. */
static struct str mount_point(struct str line)
{
	struct str field = {};
	for (int i = 0; i < 5; i++)
		str_cut(line, ' ', &field, &line);
	return field;
}

static void unmount_below(const char *path)
{
	CLEANUP_ARENA a = {};
	struct str text, line, prefix = arena_printf(&a, "%s/", path);
	if (file_read(MOUNTS_FILE, MOUNTS_MAX, &a, &text, NULL) != RC_OK)
		return;
	while (text.len) {
		str_cut(text, '\n', &line, &text);
		struct str point = mount_point(line);
		if (str_has_prefix(point, prefix))
			(void)umount2(arena_cstr(&a, point), MNT_DETACH | UMOUNT_NOFOLLOW);
	}
}

static void removal_work(struct loop_work *work)
{
	struct removal *r = CONTAINER_OF(work, struct removal, work);
	unmount_below(r->path);
	r->rc = dir_remove(r->path, &r->err);
}

static void volumes_removed(struct pod_worker *w, const struct removal *r)
{
	w->is_busy = false;
	if (r->rc == RC_OK) {
		w->has_folder = false;
	} else {
		log_warn("node", "pod %.*s: %s", STR_FMT(w->uid), r->err.text);
		pod_setup_retry_later(w);
	}
	pod_worker_wake(w);
}

static void removal_done(struct loop_work *work)
{
	struct removal *r = CONTAINER_OF(work, struct removal, work);
	if (r->worker)
		volumes_removed(r->worker, r);
	else if (r->rc != RC_OK)
		log_warn("node", "%s", r->err.text);
	free(r->path);
	free(r);
}

static void removal_start(struct loop *loop, struct pod_worker *w, const char *path)
{
	struct removal *r = NEW(struct removal);
	r->worker = w;
	r->path = mem_strdup(path);
	r->work.work = removal_work;
	r->work.done = removal_done;
	loop_work_start(loop, &r->work);
}

void folder_remove_later(struct loop *loop, const char *path)
{
	removal_start(loop, NULL, path);
}

void pod_logs_remove(const struct pod_worker *w)
{
	CLEANUP_ARENA a = {};
	if (!w->agent->config.is_simulated && w->name.len)
		folder_remove_later(w->agent->loop, pod_log_folder(&a, w));
}

bool pod_volumes_release(struct pod_worker *w)
{
	CLEANUP_ARENA a = {};
	pod_volumes_free(TAKE_PTR(w->volumes));
	pod_sources_free(TAKE_PTR(w->sources));
	if (w->agent->config.is_simulated || !w->has_folder)
		return true;
	w->is_busy = true;
	removal_start(w->agent->loop, w, pod_path(&a, w));
	return false;
}

void pod_volumes_free(struct pod_volumes *v)
{
	if (!v)
		return;
	volume_tokens_free(v->tokens);
	free(v);
}
