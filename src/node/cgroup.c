#include "node/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"

#define CGROUP_FILE_MAX	      (64u << 10)
#define CGROUP_DEPTH_MAX      16
#define CGROUP_MAKE_TRIES     10
#define CGROUP_REMOVE_TRIES   200
#define CGROUP_REMOVE_WAIT_MS 10
#define CGROUP_QUOTA_MIN_US   1000

/* --- finding the trees --- */

static struct str word_take(struct str *line)
{
	struct str word, rest;
	str_cut(*line, ' ', &word, &rest);
	*line = rest;
	return word;
}

/* Super block options name the controllers of a v1 tree among others: keep all, they are looked up
 * by name.  "name=systemd" has no controller. */
static void tree_add(struct cgroups *c, struct str mount, struct str type, struct str options)
{
	if (c->count == CGROUP_TREES_MAX)
		return;
	struct cgroup_tree *tree = &c->trees[c->count];
	bool is_v2 = str_is(type, "cgroup2");
	if (mount.len >= sizeof(tree->mount) || options.len >= sizeof(tree->controllers))
		return;
	snprintf(tree->mount, sizeof(tree->mount), "%.*s", STR_FMT(mount));
	snprintf(tree->controllers, sizeof(tree->controllers), "%.*s",
		 STR_FMT(is_v2 ? STR("") : options));
	c->is_v2 |= is_v2 && str_is(mount, "/sys/fs/cgroup");
	c->count++;
}

/* "36 35 98:0 / /sys/fs/cgroup/cpu rw shared:1 - cgroup cgroup rw,cpu" (proc(5)) */
static void mount_parse(struct cgroups *c, struct str line)
{
	struct str mount = {};
	for (int i = 0; i < 5; i++)
		mount = word_take(&line);
	struct str word = STR("none");
	while (word.len > 0 && !str_is(word, "-"))
		word = word_take(&line);
	struct str type = word_take(&line);
	(void)word_take(&line);
	if (str_is(type, "cgroup") || str_is(type, "cgroup2"))
		tree_add(c, mount, type, line);
}

void cgroups_parse(struct cgroups *c, struct str mountinfo)
{
	*c = (struct cgroups){};
	while (mountinfo.len > 0) {
		struct str line, rest;
		str_cut(mountinfo, '\n', &line, &rest);
		mount_parse(c, line);
		mountinfo = rest;
	}
}

enum rc cgroups_find(struct cgroups *ret_cgroups, struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct str text;
	TRY(file_read("/proc/self/mountinfo", 4u << 20, &arena, &text, err));
	cgroups_parse(ret_cgroups, text);
	if (ret_cgroups->count == 0)
		return err_set(err, RC_UNAVAILABLE,
			       "no control groups are mounted: mount cgroup2 at /sys/fs/cgroup");
	return RC_OK;
}

static bool list_has(struct str list, const char *name)
{
	while (list.len > 0) {
		struct str item, rest;
		str_cut(list, ',', &item, &rest);
		if (str_is(item, name))
			return true;
		list = rest;
	}
	return false;
}

static const struct cgroup_tree *tree_of(const struct cgroups *c, const char *controller)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct cgroup_tree *tree = &c->trees[i];
		bool is_v2_tree = tree->controllers[0] == '\0';
		if (c->is_v2 ? is_v2_tree : list_has(str_of(tree->controllers), controller))
			return tree;
	}
	return NULL;
}

/* --- conversions --- */

uint64_t cgroup_shares_of_milli(int64_t cpu_milli)
{
	if (cpu_milli <= 0)
		return CGROUP_CPU_SHARES_MIN;
	if (cpu_milli >= (int64_t)CGROUP_CPU_SHARES_MAX * 1000 / 1024)
		return CGROUP_CPU_SHARES_MAX;
	return MAX((uint64_t)cpu_milli * 1024 / 1000, (uint64_t)CGROUP_CPU_SHARES_MIN);
}

int64_t cgroup_quota_of_milli(int64_t cpu_milli)
{
	if (cpu_milli <= 0)
		return -1;
	if (cpu_milli > INT64_MAX / CGROUP_CPU_PERIOD_US)
		return -1;
	return MAX(cpu_milli * CGROUP_CPU_PERIOD_US / 1000, CGROUP_QUOTA_MIN_US);
}

uint64_t cgroup_weight_of_shares(uint64_t shares)
{
	shares = MAX(shares, (uint64_t)CGROUP_CPU_SHARES_MIN);
	shares = MIN(shares, (uint64_t)CGROUP_CPU_SHARES_MAX);
	return 1 + (shares - 2) * 9999 / 262142;
}

/* --- files --- */

static bool path_print(char out[CGROUP_PATH_MAX], const struct cgroup_tree *tree, const char *path,
		       const char *file)
{
	int len = snprintf(out, CGROUP_PATH_MAX, "%s/%s%s%s", tree->mount, path, *file ? "/" : "",
			   file);
	return len > 0 && len < CGROUP_PATH_MAX;
}

static enum rc value_write(const struct cgroup_tree *tree, const char *path, const char *file,
			   const char *value, struct err *err)
{
	char name[CGROUP_PATH_MAX];
	if (!path_print(name, tree, path, file))
		return err_set(err, RC_TOO_LARGE, "path of control group %s is too long", path);
	CLEANUP(close_fd_p) int fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "open %s", name);
	if (write(fd, value, strlen(value)) < 0)
		return err_sys(err, RC_IO, errno, "write '%s' to %s", value, name);
	return RC_OK;
}

static enum rc number_write(const struct cgroup_tree *tree, const char *path, const char *file,
			    int64_t value, struct err *err)
{
	char text[32];
	snprintf(text, sizeof(text), "%lld", (long long)value);
	return value_write(tree, path, file, text, err);
}

static struct str value_read(struct arena *a, const struct cgroup_tree *tree, const char *path,
			     const char *file)
{
	char name[CGROUP_PATH_MAX];
	struct str text = {};
	if (!tree || !path_print(name, tree, path, file) ||
	    file_read(name, CGROUP_FILE_MAX, a, &text, NULL) != RC_OK)
		return (struct str){};
	return str_trim(text);
}

static uint64_t number_of(struct str text)
{
	int64_t value;
	return str_to_i64(text, &value) && value > 0 ? (uint64_t)value : 0;
}

/* "key 123" lines, as in memory.stat. */
static uint64_t field_of(struct str text, const char *key)
{
	while (text.len > 0) {
		struct str line, rest, name, value;
		str_cut(text, '\n', &line, &rest);
		if (str_cut(line, ' ', &name, &value) && str_is(name, key))
			return number_of(str_trim(value));
		text = rest;
	}
	return 0;
}

/* --- make --- */

/* v2: a group's children get only the controllers that it hands down. */
static enum rc controllers_hand_down(const struct cgroup_tree *tree, const char *path,
				     struct err *err)
{
	static const char *const wanted[] = {"+cpu", "+memory", "+pids", "+cpuset", "+io"};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		struct err cause = {};
		if (value_write(tree, path, "cgroup.subtree_control", wanted[i], &cause) == RC_OK)
			continue;
		if (cause.sys == EBUSY)
			return err_set(err, RC_UNAVAILABLE,
				       "%s; processes live in that control group: start skeg from "
				       "the host's root group or from a delegated, empty one",
				       cause.text);
		if (i < 3)
			return err_set(err, RC_UNAVAILABLE, "%s", cause.text);
	}
	return RC_OK;
}

static enum rc folders_try(const struct cgroups *c, const struct cgroup_tree *tree,
			   const char *path, struct err *err)
{
	char part[CGROUP_PATH_MAX] = "";
	char name[CGROUP_PATH_MAX];
	for (const char *at = path; at;) {
		if (c->is_v2)
			TRY(controllers_hand_down(tree, part, err));
		const char *slash = strchr(at, '/');
		size_t len = slash ? (size_t)(slash - path) : strlen(path);
		if (len >= sizeof(part))
			return err_set(err, RC_TOO_LARGE, "name of control group is too long");
		memcpy(part, path, len);
		part[len] = '\0';
		if (!path_print(name, tree, part, ""))
			return err_set(err, RC_TOO_LARGE, "path of control group %s is too long",
				       path);
		if (mkdir(name, 0755) < 0 && errno != EEXIST)
			return err_sys(err, RC_IO, errno, "make control group %s", name);
		at = slash ? slash + 1 : NULL;
	}
	return c->is_v2 ? controllers_hand_down(tree, part, err) : RC_OK;
}

/* Another node of this machine may be removing the groups above, empty for this moment. */
static enum rc folders_make(const struct cgroups *c, const struct cgroup_tree *tree,
			    const char *path, struct err *err)
{
	struct err cause = {};
	enum rc rc = RC_OK;
	for (int i = 0; i < CGROUP_MAKE_TRIES; i++) {
		rc = folders_try(c, tree, path, &cause);
		if (rc == RC_OK || cause.sys != ENOENT)
			break;
	}
	if (rc != RC_OK && err)
		*err = cause;
	return rc;
}

static enum rc limits_write_v2(const struct cgroup_tree *tree, const char *path,
			       const struct runtime_resources *limits, struct err *err)
{
	uint64_t shares = cgroup_shares_of_milli(limits->cpu_request_milli);
	TRY(number_write(tree, path, "cpu.weight", (int64_t)cgroup_weight_of_shares(shares), err));
	char quota[48] = "max 100000";
	if (limits->cpu_limit_milli > 0)
		snprintf(quota, sizeof(quota), "%lld %d",
			 (long long)cgroup_quota_of_milli(limits->cpu_limit_milli),
			 CGROUP_CPU_PERIOD_US);
	TRY(value_write(tree, path, "cpu.max", quota, err));
	if (limits->memory_limit_bytes > 0)
		TRY(number_write(tree, path, "memory.max", limits->memory_limit_bytes, err));
	if (limits->pids_limit > 0)
		TRY(number_write(tree, path, "pids.max", limits->pids_limit, err));
	return RC_OK;
}

static enum rc limits_write_v1(const struct cgroups *c, const char *path,
			       const struct runtime_resources *limits, struct err *err)
{
	const struct cgroup_tree *cpu = tree_of(c, "cpu");
	if (cpu) {
		int64_t shares = (int64_t)cgroup_shares_of_milli(limits->cpu_request_milli);
		TRY(number_write(cpu, path, "cpu.shares", shares, err));
		TRY(number_write(cpu, path, "cpu.cfs_period_us", CGROUP_CPU_PERIOD_US, err));
		TRY(number_write(cpu, path, "cpu.cfs_quota_us",
				 cgroup_quota_of_milli(limits->cpu_limit_milli), err));
	}
	const struct cgroup_tree *memory = tree_of(c, "memory");
	if (memory && limits->memory_limit_bytes > 0)
		TRY(number_write(memory, path, "memory.limit_in_bytes", limits->memory_limit_bytes,
				 err));
	const struct cgroup_tree *pids = tree_of(c, "pids");
	if (pids && limits->pids_limit > 0)
		TRY(number_write(pids, path, "pids.max", limits->pids_limit, err));
	return RC_OK;
}

enum rc cgroup_make(const struct cgroups *c, const char *path,
		    const struct runtime_resources *limits, struct err *err)
{
	/* The others are made by runc on its way down; cpuset wants values from above, which it
	 * copies. */
	static const char *const v1[] = {"cpu", "memory", "pids"};
	if (c->is_v2) {
		const struct cgroup_tree *tree = tree_of(c, "");
		ASSERT(tree);
		TRY(folders_make(c, tree, path, err));
		return limits_write_v2(tree, path, limits, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(v1); i++) {
		const struct cgroup_tree *tree = tree_of(c, v1[i]);
		if (tree)
			TRY(folders_make(c, tree, path, err));
	}
	return limits_write_v1(c, path, limits, err);
}

/* --- update --- */

static enum rc usage_check(const struct cgroup_tree *tree, const char *path, const char *file,
			   int64_t limit_bytes, struct err *err)
{
	CLEANUP_ARENA arena = {};
	uint64_t usage = number_of(value_read(&arena, tree, path, file));
	if (limit_bytes <= 0 || usage <= (uint64_t)limit_bytes)
		return RC_OK;
	return err_set(err, RC_CONFLICT,
		       "attempting to set memory limit (%lld) below current usage (%llu)",
		       (long long)limit_bytes, (unsigned long long)usage);
}

/* Memory alone is never allowed more than memory and swap together: which of them has to go first
 * depends on the direction. */
static enum rc memory_write_v1(const struct cgroup_tree *tree, const char *path, int64_t bytes,
			       bool has_swap, struct err *err)
{
	static const char alone[] = "memory.limit_in_bytes", both[] = "memory.memsw.limit_in_bytes";
	if (!has_swap)
		return number_write(tree, path, alone, bytes, err);
	if (number_write(tree, path, alone, bytes, NULL) == RC_OK)
		return number_write(tree, path, both, bytes, err);
	TRY(number_write(tree, path, both, bytes, err));
	return number_write(tree, path, alone, bytes, err);
}

static enum rc update_v1(const struct cgroups *c, const char *path,
			 const struct runtime_resources *limits, bool has_swap, struct err *err)
{
	const struct cgroup_tree *memory = tree_of(c, "memory");
	int64_t bytes = limits->memory_limit_bytes > 0 ? limits->memory_limit_bytes : -1;
	struct runtime_resources others = *limits;
	others.memory_limit_bytes = 0;
	if (memory) {
		TRY(usage_check(memory, path, "memory.usage_in_bytes", bytes, err));
		TRY(memory_write_v1(memory, path, bytes, has_swap && cgroups_limit_swap(c), err));
	}
	return limits_write_v1(c, path, &others, err);
}

static enum rc update_v2(const struct cgroup_tree *tree, const char *path,
			 const struct runtime_resources *limits, struct err *err)
{
	TRY(usage_check(tree, path, "memory.current", limits->memory_limit_bytes, err));
	if (limits->memory_limit_bytes <= 0)
		TRY(value_write(tree, path, "memory.max", "max", err));
	return limits_write_v2(tree, path, limits, err);
}

enum rc cgroup_update(const struct cgroups *c, const char *path,
		      const struct runtime_resources *limits, bool has_swap, struct err *err)
{
	if (c->is_v2)
		return update_v2(tree_of(c, ""), path, limits, err);
	return update_v1(c, path, limits, has_swap, err);
}

/* --- kill and remove --- */

static void procs_kill(const struct cgroup_tree *tree, const char *path)
{
	CLEANUP_ARENA arena = {};
	struct str text = value_read(&arena, tree, path, "cgroup.procs");
	while (text.len > 0) {
		struct str line, rest;
		str_cut(text, '\n', &line, &rest);
		uint64_t pid = number_of(line);
		if (pid > 1)
			kill((pid_t)pid, SIGKILL);
		text = rest;
	}
}

/* fn is called with each group below path, deepest first, then with path itself. */
static void groups_walk(const struct cgroup_tree *tree, const char *path, int depth,
			void (*fn)(const struct cgroup_tree *tree, const char *path))
{
	char name[CGROUP_PATH_MAX];
	DIR *dir = path_print(name, tree, path, "") ? opendir(name) : NULL;
	if (!dir)
		return;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.' || depth == CGROUP_DEPTH_MAX)
			continue;
		char below[CGROUP_PATH_MAX];
		int len = snprintf(below, sizeof(below), "%s/%s", path, d->d_name);
		if (len > 0 && len < CGROUP_PATH_MAX)
			groups_walk(tree, below, depth + 1, fn);
	}
	closedir(dir);
	fn(tree, path);
}

static void group_remove_one(const struct cgroup_tree *tree, const char *path)
{
	char name[CGROUP_PATH_MAX];
	if (path_print(name, tree, path, ""))
		rmdir(name);
}

static bool group_exists(const struct cgroup_tree *tree, const char *path)
{
	char name[CGROUP_PATH_MAX];
	return path_print(name, tree, path, "") && access(name, F_OK) == 0;
}

void cgroup_kill(const struct cgroups *c, const char *path)
{
	const struct cgroup_tree *tree = tree_of(c, "pids");
	if (!tree)
		tree = tree_of(c, "memory");
	if (tree)
		groups_walk(tree, path, 0, procs_kill);
}

/* A killed process leaves its group a little later. */
static enum rc tree_remove(const struct cgroup_tree *tree, const char *path, struct err *err)
{
	for (int i = 0; i < CGROUP_REMOVE_TRIES; i++) {
		groups_walk(tree, path, 0, group_remove_one);
		if (!group_exists(tree, path))
			return RC_OK;
		groups_walk(tree, path, 0, procs_kill);
		poll(NULL, 0, CGROUP_REMOVE_WAIT_MS);
	}
	return err_set(err, RC_CONFLICT, "control group %s/%s cannot be removed: it is in use",
		       tree->mount, path);
}

/* rmdir() of a group that is not empty fails, and that is where it ends. */
static void parents_remove(const struct cgroup_tree *tree, const char *path)
{
	char above[CGROUP_PATH_MAX];
	snprintf(above, sizeof(above), "%s", path);
	for (char *slash = strrchr(above, '/'); slash; slash = strrchr(above, '/')) {
		*slash = '\0';
		group_remove_one(tree, above);
	}
}

enum rc cgroup_remove(const struct cgroups *c, const char *path, struct err *err)
{
	ASSERT(path[0] != '\0' && path[0] != '/');
	for (size_t i = 0; i < c->count; i++) {
		if (group_exists(&c->trees[i], path))
			TRY(tree_remove(&c->trees[i], path, err));
	}
	return RC_OK;
}

void cgroup_remove_empty(const struct cgroups *c, const char *path)
{
	for (size_t i = 0; i < c->count; i++) {
		group_remove_one(&c->trees[i], path);
		parents_remove(&c->trees[i], path);
	}
}

void cgroup_sweep(const struct cgroups *c, const char *path)
{
	for (size_t i = 0; i < c->count; i++) {
		groups_walk(&c->trees[i], path, 0, group_remove_one);
		parents_remove(&c->trees[i], path);
	}
}

/* --- reading --- */

static void stats_v2(struct arena *a, const struct cgroup_tree *tree, const char *path,
		     struct runtime_stats *s)
{
	s->cpu_usage_ns = field_of(value_read(a, tree, path, "cpu.stat"), "usage_usec") * 1000;
	s->memory_usage_bytes = number_of(value_read(a, tree, path, "memory.current"));
	struct str stat = value_read(a, tree, path, "memory.stat");
	uint64_t inactive = field_of(stat, "inactive_file");
	s->memory_rss_bytes = field_of(stat, "anon");
	s->memory_working_set_bytes = s->memory_usage_bytes - MIN(inactive, s->memory_usage_bytes);
	s->pids = number_of(value_read(a, tree, path, "pids.current"));
}

static void stats_v1(struct arena *a, const struct cgroups *c, const char *path,
		     struct runtime_stats *s)
{
	const struct cgroup_tree *memory = tree_of(c, "memory");
	s->cpu_usage_ns = number_of(value_read(a, tree_of(c, "cpuacct"), path, "cpuacct.usage"));
	s->memory_usage_bytes = number_of(value_read(a, memory, path, "memory.usage_in_bytes"));
	struct str stat = value_read(a, memory, path, "memory.stat");
	uint64_t inactive = field_of(stat, "total_inactive_file");
	s->memory_rss_bytes = field_of(stat, "total_rss");
	s->memory_working_set_bytes = s->memory_usage_bytes - MIN(inactive, s->memory_usage_bytes);
	s->pids = number_of(value_read(a, tree_of(c, "pids"), path, "pids.current"));
}

enum rc cgroup_stats(const struct cgroups *c, const char *path, struct runtime_stats *ret_stats,
		     struct err *err)
{
	CLEANUP_ARENA arena = {};
	const struct cgroup_tree *tree = tree_of(c, "memory");
	if (!tree || !group_exists(tree, path))
		return err_set(err, RC_NOT_FOUND, "control group %s does not exist", path);
	*ret_stats = (struct runtime_stats){.time_us = world_wall_us()};
	if (c->is_v2)
		stats_v2(&arena, tree, path, ret_stats);
	else
		stats_v1(&arena, c, path, ret_stats);
	return RC_OK;
}

bool cgroup_had_oom_kill(const struct cgroups *c, const char *path)
{
	CLEANUP_ARENA arena = {};
	const char *file = c->is_v2 ? "memory.events" : "memory.oom_control";
	return field_of(value_read(&arena, tree_of(c, "memory"), path, file), "oom_kill") > 0;
}

bool cgroups_limit_swap(const struct cgroups *c)
{
	if (c->is_v2)
		return true;
	const struct cgroup_tree *memory = tree_of(c, "memory");
	char name[CGROUP_PATH_MAX];
	return memory && path_print(name, memory, "memory.memsw.limit_in_bytes", "") &&
	       access(name, F_OK) == 0;
}
