/* Root file systems: the image's layers below, a container's own changes above, by overlayfs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "io/file.h"
#include "node/runtime_oci-int.h"

#define MOUNT_OPTIONS_MAX 4000 /* the kernel takes one page */
#define VOLATILE_OPTIONS  "mode=0700,size=50%"

/* --- threads for what must not stick to the pool's --- */

struct thread_call {
	enum rc (*fn)(void *arg, struct err *err);
	void *arg;
	enum rc rc;
	struct err err;
};

static void *thread_main(void *arg)
{
	struct thread_call *call = arg;
	call->rc = call->fn(call->arg, &call->err);
	return NULL;
}

enum rc oci_in_thread(enum rc (*fn)(void *arg, struct err *err), void *arg, struct err *err)
{
	struct thread_call call = {.fn = fn, .arg = arg};
	pthread_t thread;
	int failed = pthread_create(&thread, NULL, thread_main, &call);
	if (failed)
		return err_sys(err, RC_UNAVAILABLE, failed, "start a thread");
	pthread_join(thread, NULL);
	if (call.rc != RC_OK && err)
		*err = call.err;
	return call.rc;
}

enum rc oci_unmount(const char *path, struct err *err)
{
	for (int i = 0; i < 16; i++) {
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
			continue;
		if (errno == EINVAL || errno == ENOENT)
			return RC_OK;
		return err_sys(err, RC_IO, errno, "unmount %s", path);
	}
	return err_set(err, RC_CONFLICT, "%s is mounted over and over", path);
}

/* --- overlay --- */

struct overlay {
	int layers_fd;
	struct buf lower; /* names relative to the layers' folder, topmost first, by ':' */
	char upper[RUNTIME_PATH_MAX], work[RUNTIME_PATH_MAX], target[RUNTIME_PATH_MAX];
};

/* Relative names keep the options within a page for about 55 layers; the folder of this thread is
 * its own (CLONE_FS), so nobody else notices. */
static enum rc overlay_mount_short(const struct overlay *o, struct err *err)
{
	CLEANUP_BUF options = BUF_INIT(MOUNT_OPTIONS_MAX);
	buf_printf(&options, "lowerdir=%s,upperdir=%s,workdir=%s", o->lower.data, o->upper,
		   o->work);
	TRY(buf_check(&options, "list of layers", err));
	if (unshare(CLONE_FS) < 0 || fchdir(o->layers_fd) < 0)
		return err_sys(err, RC_IO, errno, "enter the folder of layers");
	if (mount("overlay", o->target, "overlay", MS_NODEV, options.data) < 0)
		return err_sys(err, RC_IO, errno, "mount overlay on %s", o->target);
	return RC_OK;
}

static int fs_set(int fs, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

static bool layers_append(int fs, const struct overlay *o, const char *dir)
{
	struct str name, rest = buf_str(&o->lower);
	while (rest.len > 0) {
		char path[RUNTIME_PATH_MAX];
		str_cut(rest, ':', &name, &rest);
		snprintf(path, sizeof(path), "%.400s/%.*s", dir, (int)MIN(name.len, 64u), name.at);
		if (fs_set(fs, "lowerdir+", path) < 0)
			return false;
	}
	return true;
}

/* Many layers: one by one, since Linux 6.7. */
static enum rc overlay_mount_long(const struct overlay *o, const char *layers_dir, struct err *err)
{
	CLEANUP(close_fd_p) int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	CLEANUP(close_fd_p) int mounted = -1;
	if (fs < 0 || !layers_append(fs, o, layers_dir) || fs_set(fs, "upperdir", o->upper) < 0 ||
	    fs_set(fs, "workdir", o->work) < 0 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, RC_IO, errno, "overlay of many layers");
	mounted = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
	if (mounted < 0 ||
	    syscall(SYS_move_mount, mounted, "", AT_FDCWD, o->target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, RC_IO, errno, "mount overlay on %s", o->target);
	return RC_OK;
}

static enum rc overlay_mount(void *arg, struct err *err)
{
	const struct overlay *o = arg;
	return overlay_mount_short(o, err);
}

static enum rc folder_make(const char *path, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_sys(err, RC_IO, errno, "make folder %s", path);
	return RC_OK;
}

static enum rc volatile_mount(const char *path, struct err *err);

static enum rc overlay_paths(const struct runtime_oci *oci, const char *id, struct overlay *o,
			     struct err *err)
{
	char own[RUNTIME_PATH_MAX];
	snprintf(own, sizeof(own), "%.300s/%s", oci->upper_dir, id);
	snprintf(o->upper, sizeof(o->upper), "%.400s/upper", own);
	snprintf(o->work, sizeof(o->work), "%.400s/work", own);
	oci_path(oci, id, "rootfs", o->target);
	if (oci->is_upper_volatile)
		TRY(volatile_mount(oci->upper_dir, err));
	TRY(folder_make(own, 0700, err));
	TRY(folder_make(o->upper, 0755, err));
	TRY(folder_make(o->work, 0700, err));
	return folder_make(o->target, 0755, err);
}

static enum rc lower_list(const struct runtime_oci *oci, const struct image_config *image,
			  struct buf *out, struct err *err)
{
	/* An image without layers: its own empty upper folder needs some lower one. */
	if (image->diff_id_count == 0)
		return err_set(err, RC_INVALID, "the image has no layers");
	for (size_t i = image->diff_id_count; i-- > 0;) {
		if (!image_store_has_layer(oci->images, image->diff_ids[i]))
			return err_set(err, RC_NOT_FOUND,
				       "layer %s of the image is missing: pull "
				       "it again",
				       image->diff_ids[i]);
		buf_printf(out, "%s%s", out->len ? ":" : "", image->diff_ids[i] + 7);
	}
	return buf_check(out, "list of layers", err);
}

enum rc oci_root_mount(const struct runtime_oci *oci, const char *id,
		       const struct image_config *image, struct err *err)
{
	struct overlay o = {.layers_fd = -1, .lower = BUF_INIT(64u << 10)};
	char layers_dir[RUNTIME_PATH_MAX];
	snprintf(layers_dir, sizeof(layers_dir), "%s/layers", image_store_dir(oci->images));
	enum rc rc = lower_list(oci, image, &o.lower, err);
	if (rc == RC_OK)
		rc = overlay_paths(oci, id, &o, err);
	if (rc == RC_OK)
		rc = dir_open(layers_dir, &o.layers_fd, err);
	if (rc == RC_OK && o.lower.len + 2 * RUNTIME_PATH_MAX < MOUNT_OPTIONS_MAX)
		rc = oci_in_thread(overlay_mount, &o, err);
	else if (rc == RC_OK)
		rc = overlay_mount_long(&o, layers_dir, err);
	close_fd_p(&o.layers_fd);
	buf_done(&o.lower);
	return rc;
}

enum rc oci_root_unmount(const struct runtime_oci *oci, const char *id, struct err *err)
{
	char path[RUNTIME_PATH_MAX];
	oci_path(oci, id, "rootfs", path);
	TRY(oci_unmount(path, err));
	snprintf(path, sizeof(path), "%.300s/%s", oci->upper_dir, id);
	return dir_remove(path, err);
}

/* --- can the data folder hold an upper layer? --- */

static enum rc trial_mount(const char *dir, struct err *err)
{
	static const char *const names[] = {"", "/lower", "/upper", "/work", "/target"};
	char path[RUNTIME_PATH_MAX], options[RUNTIME_PATH_MAX * 4];
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%.300s%s", dir, names[i]);
		TRY(folder_make(path, 0700, err));
	}
	snprintf(options, sizeof(options),
		 "lowerdir=%.300s/lower,upperdir=%.300s/upper,workdir=%.300s/work", dir, dir, dir);
	if (mount("overlay", path, "overlay", MS_NODEV, options) < 0)
		return err_sys(err, RC_IO, errno, "mount overlay in %s", dir);
	return oci_unmount(path, err);
}

/* A file system that is an overlay itself, NFS and some others cannot; memory always can. */
static enum rc volatile_mount(const char *path, struct err *err)
{
	struct stat own, above;
	char parent[RUNTIME_PATH_MAX];
	snprintf(parent, sizeof(parent), "%.400s/..", path);
	if (stat(path, &own) < 0 || stat(parent, &above) < 0)
		return err_sys(err, RC_IO, errno, "look at %s", path);
	if (own.st_dev == above.st_dev &&
	    mount("skeg", path, "tmpfs", MS_NODEV, VOLATILE_OPTIONS) < 0)
		return err_sys(err, RC_IO, errno, "mount tmpfs on %s", path);
	return RC_OK;
}

/* Without MNT_DETACH: one that a container uses stays. */
void oci_upper_release(const struct runtime_oci *oci)
{
	if (oci->is_upper_volatile)
		umount2(oci->upper_dir, UMOUNT_NOFOLLOW);
}

enum rc oci_upper_find(struct runtime_oci *oci, struct err *err)
{
	char path[RUNTIME_PATH_MAX];
	struct err cause = {};
	snprintf(path, sizeof(path), "%s/trial", oci->dir);
	oci->upper_dir = mem_printf("%s/containers", oci->dir);
	enum rc rc = trial_mount(path, &cause);
	TRY(dir_remove(path, err));
	if (rc == RC_OK)
		return RC_OK;
	log_warn("runtime",
		 "%s: what containers write goes to memory; give a data folder on ext4, xfs or "
		 "btrfs",
		 cause.text);
	free(oci->upper_dir);
	oci->upper_dir = mem_printf("%s/volatile", oci->dir);
	oci->is_upper_volatile = true;
	return folder_make(oci->upper_dir, 0700, err);
}
