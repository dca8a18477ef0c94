/* cgroup: the control groups of this node, skeg/<cluster>/<node>/pod<uid>/<container>: limits of a
 * pod, statistics, the last resort of killing, and removal.
 *
 * Knows pure v2 trees, and v1 trees also beside an (almost) empty v2 tree ("hybrid").  A
 * container's own group is made and limited by runc or crun; here are the groups above it.
 * Conversions are kubelet's (pkg/kubelet/cm/helpers_linux.go).
 * Paths are relative to each tree's root and made from validated names only.
 * Threads: any; blocking but short (files of the kernel). */
#ifndef SKEG_NODE_CGROUP_H
#define SKEG_NODE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "node/runtime.h"

#define CGROUP_PATH_MAX	      512
#define CGROUP_TREES_MAX      24
#define CGROUP_CPU_PERIOD_US  100000
#define CGROUP_CPU_SHARES_MIN 2
#define CGROUP_CPU_SHARES_MAX 262144

struct cgroup_tree {
	char controllers[96]; /* "cpu,cpuacct"; "" for the v2 tree */
	char mount[160];
};

struct cgroups {
	bool is_v2; /* pure; false: v1 or hybrid */
	struct cgroup_tree trees[CGROUP_TREES_MAX];
	size_t count;
};

/* Finds what is mounted.  RC_UNAVAILABLE when there is nothing. */
[[nodiscard]] enum rc cgroups_find(struct cgroups *ret_cgroups, struct err *err);
/* The same from the text of a mountinfo file; for tests. */
void cgroups_parse(struct cgroups *c, struct str mountinfo);

uint64_t cgroup_shares_of_milli(int64_t cpu_milli);
int64_t cgroup_quota_of_milli(int64_t cpu_milli);  /* per period; -1: no limit */
uint64_t cgroup_weight_of_shares(uint64_t shares); /* v2's cpu.weight, 1 to 10000 */

/* Makes the group and those above it, and writes its limits; an existing one is updated. */
[[nodiscard]] enum rc cgroup_make(const struct cgroups *c, const char *path,
				  const struct runtime_resources *limits, struct err *err);
/* Other limits for a group that is there; 0 takes a limit away.  has_swap: the limit on memory is
 * one on memory and swap together where cgroups_limit_swap().  RC_CONFLICT: more memory is in use
 * than shall be allowed; nothing has changed then. */
[[nodiscard]] enum rc cgroup_update(const struct cgroups *c, const char *path,
				    const struct runtime_resources *limits, bool has_swap,
				    struct err *err);
/* Kills what is in it and below, and removes all of it.  Gone already is no error. */
[[nodiscard]] enum rc cgroup_remove(const struct cgroups *c, const char *path, struct err *err);
/* Removes it and the groups above as long as they are empty. */
void cgroup_remove_empty(const struct cgroups *c, const char *path);
/* Removes every empty group below it, and it and the groups above when they are empty then. */
void cgroup_sweep(const struct cgroups *c, const char *path);
/* SIGKILL to every process in it and below. */
void cgroup_kill(const struct cgroups *c, const char *path);

[[nodiscard]] enum rc cgroup_stats(const struct cgroups *c, const char *path,
				   struct runtime_stats *ret_stats, struct err *err);
/* Has the kernel killed a process of it for want of memory? */
bool cgroup_had_oom_kill(const struct cgroups *c, const char *path);
/* Does a limit on memory and swap together exist here? */
bool cgroups_limit_swap(const struct cgroups *c);

#endif
