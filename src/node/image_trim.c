/* Making room: images that nothing uses go, those unused the longest first.  When an image was used
 * last is the time of its config's blob. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/map.h"
#include "io/file.h"
#include "node/image_store-int.h"

struct candidate {
	struct str id;
	int64_t used_us;
};

void store_touch(struct image_store *store, struct str image_id)
{
	CLEANUP_ARENA arena = {};
	if (image_digest_is_valid(image_id))
		(void)utimensat(store->blobs_fd, digest_hex(arena_cstr(&arena, image_id)), NULL, 0);
}

static enum rc space_read(struct image_store *store, int64_t *ret_bytes, int64_t *ret_free_bytes,
			  struct err *err)
{
	struct statvfs fs;
	if (fstatvfs(store->dir_fd, &fs) < 0)
		return err_sys(err, RC_IO, errno, "size of the file system of %s", store->dir);
	*ret_bytes = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
	*ret_free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	return RC_OK;
}

static int candidate_cmp(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	return x->used_us < y->used_us ? -1 : x->used_us > y->used_us;
}

static int64_t used_us(struct image_store *store, struct str id)
{
	CLEANUP_ARENA arena = {};
	struct stat st;
	if (fstatat(store->blobs_fd, digest_hex(arena_cstr(&arena, id)), &st, 0) < 0)
		return 0;
	return (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
}

static enum rc candidates_find(struct image_store *store, struct arena *a, int64_t min_age_us,
			       struct candidate **ret_list, size_t *ret_count, struct err *err)
{
	struct runtime_image_list images;
	struct map users = {};
	size_t count = 0;
	TRY(image_store_list(store, a, &images, err));
	struct candidate *list = ARENA_ARRAY(a, struct candidate, images.count + 1);
	TRY(store_users_read(store, &users, err));
	for (size_t i = 0; i < images.count; i++) {
		const struct runtime_image_info *info = &images.items[i];
		int64_t us = used_us(store, info->id);
		if (!info->is_pinned && !map_has(&users, info->id) &&
		    us + min_age_us <= world_wall_us())
			list[count++] = (struct candidate){info->id, us};
	}
	map_done(&users);
	if (count > 1)
		qsort(list, count, sizeof(*list), candidate_cmp);
	*ret_list = list;
	*ret_count = count;
	return RC_OK;
}

static enum rc remove_some(struct image_store *store, const struct image_trim_policy *policy,
			   int64_t free_before, struct runtime_trim_result *result, struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct candidate *list;
	size_t count;
	int64_t size = 0, free_now = 0;
	TRY(candidates_find(store, &arena, policy->min_age_us, &list, &count, err));
	for (size_t i = 0; i < count && result->freed_bytes < result->wanted_bytes; i++) {
		TRY(store_names_remove(store, list[i].id, err));
		TRY(store_sweep(store, err));
		log_info("runtime", "image %.*s is unused and goes: the disk is full to %d %%",
			 STR_FMT(list[i].id), policy->high_percent);
		result->image_count++;
		TRY(space_read(store, &size, &free_now, err));
		result->freed_bytes = MAX(free_now - free_before, INT64_C(0));
	}
	return RC_OK;
}

enum rc image_store_trim(struct image_store *store, const struct image_trim_policy *policy,
			 struct runtime_trim_result *ret_result, struct err *err)
{
	CLEANUP(close_fd_p) int lock = -1;
	int64_t size = 0, free_before = 0;
	*ret_result = (struct runtime_trim_result){};
	TRY(space_read(store, &size, &free_before, err));
	if (size <= 0 || 100 - free_before * 100 / size < policy->high_percent)
		return RC_OK;
	/* While a pull runs no blob goes, so one image after the other would, and free nothing. */
	enum rc rc = store_lock(store->dir_fd, "gc.lock", LOCK_EX | LOCK_NB, &lock, err);
	if (rc == RC_CONFLICT)
		return RC_OK;
	TRY(rc);
	ret_result->wanted_bytes =
		MAX(size / 100 * (100 - policy->low_percent) - free_before, INT64_C(0));
	return remove_some(store, policy, free_before, ret_result, err);
}
