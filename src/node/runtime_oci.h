/* runtime_oci: real containers: runc or crun, each under a conmon of its own, images on overlayfs,
 * namespaces of a pod pinned by bind mounts.
 *
 *   <dir>/sandboxes/<pod uid>/{net,ipc,uts}   bind mounts of the pod's namespaces
 *                             /shm, hostname  its /dev/shm and /etc/hostname
 *   <dir>/containers/<id>/state.json          what list gives after a restart
 *                        /config.json         for runc or crun
 *                        /rootfs, upper, work overlay of the image's layers
 *                        /pid, conmon.pid, exit, ctl, attach
 *   <dir>/runtime/                            state of runc or crun
 *
 * conmon outlives us: it keeps the container's stdio and log, and writes the exit code to a file
 * before it ends; its end is seen through a pidfd.  A new runtime on the same dir adopts all of
 * that.
 *
 * Degrades with a warning, and goes on: no CAP_SYS_RESOURCE (oom_score_adj below our own is raised
 * to it), capabilities that we do not hold ourselves, a data folder that cannot be an upper layer
 * (the containers' changes go to a tmpfs then). Threads: as runtime.h; opening blocks. */
#ifndef SKEG_NODE_RUNTIME_OCI_H
#define SKEG_NODE_RUNTIME_OCI_H

#include "node/image_store.h"
#include "node/registry_config.h"
#include "node/runtime.h"

struct runtime_oci_config {
	const char *dir; /* of this node, e.g. /var/lib/skeg/agents/n1/runtime; at most 200 bytes */
	const char *cgroup; /* "skeg/<cluster>/<node>": letters, digits, '-', '.', '/' */
	const char
		*program; /* NULL: crun on pure v2 trees when it is there, else runc; or a name */
	struct image_store *images;		  /* must outlive the runtime */
	const struct registry_config *registries; /* must outlive the runtime */
	int pull_netns_fd;			  /* network namespace for pulls; -1: our own */
	int64_t pids_limit;			  /* of a pod; 0: none */
};

/* Adopts what is in dir.  RC_UNAVAILABLE names a missing program or control groups. */
[[nodiscard]] enum rc runtime_oci_new(struct loop *loop, const struct runtime_oci_config *config,
				      struct runtime_listener *listener,
				      struct runtime **ret_runtime, struct err *err);

#endif
