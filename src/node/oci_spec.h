/* oci_spec: the configuration of a container for runc or crun, from typed values only.
 * Source: https://github.com/opencontainers/runtime-spec (version 1.0.2); defaults (mounts, masked
 * paths) are containerd's for Kubernetes.
 * Pure functions; trees and strings live in the arena given or in the input. */
#ifndef SKEG_NODE_OCI_SPEC_H
#define SKEG_NODE_OCI_SPEC_H

#include <sys/types.h>

#include "codec/json.h"
#include "node/image_manifest.h"
#include "node/image_user.h"
#include "node/runtime.h"

struct oci_device {
	const char *path;
	char type; /* 'c' or 'b' */
	int64_t major, minor;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

struct oci_spec_input {
	const struct runtime_container_config *config;
	const struct image_config *image;
	const struct image_user *user;
	uint64_t capabilities; /* the container's, cut to what this process holds itself */
	int oom_score_adj;     /* cut to what this process may set */
	bool can_limit_swap;
	bool has_cgroup_namespace; /* on v2 only, as containerd */
	const char *rootfs_path;
	const char *cgroups_path;		    /* "/skeg/<cluster>/<node>/pod<uid>/<name>" */
	const char *net_path, *ipc_path, *uts_path; /* NULL: the host's */
	bool is_host_pid;
	const char *pid_path;	   /* of the process namespace to share; NULL: one of its own */
	const char *shm_path;	   /* the pod's /dev/shm */
	const char *hostname_path; /* file for /etc/hostname; NULL: none */
	struct str hostname;	   /* for the environment; absent: none */
	struct json *seccomp;	   /* NULL: unconfined */
	const struct oci_device *devices; /* for privileged containers */
	size_t device_count;
};

[[nodiscard]] enum rc oci_spec_build(struct arena *a, const struct oci_spec_input *in,
				     struct json **ret_spec, struct err *err);

/* The `process` part for a further command in a container whose configuration is spec. */
[[nodiscard]] enum rc oci_process_build(struct arena *a, const struct json *spec,
					const struct str *argv, size_t argc, bool is_tty,
					struct json **ret_process, struct err *err);

#endif
