/* runtime: what a pod worker asks of containers and images, behind an ops table.
 *
 * Backends: `oci` (runtime_oci.h: runc or crun under conmon, images unpacked to overlayfs) and
 * `fake` (runtime_fake.h: simulated nodes).  The shape follows the CRI
 * (https://github.com/kubernetes/cri-api, runtime.v1), so that a `cri` backend can join: image
 * config and container config are merged here, not by the caller.
 *
 * Every operation is asynchronous: the caller embeds a struct runtime_call in what it works on,
 * fills `done`, and gets one callback on the runtime's loop, never from inside the call that
 * started it. Configuration structs, what they point to, and results must stay until `done` has
 * run.  Calls about one container or sandbox run in the order in which the caller waits for them:
 * start the next when the former is done.  No call can be cancelled; each ends by itself in bounded
 * time.
 *
 * Threads: all calls and callbacks on the loop's thread.
 * Errors: RC_NOT_FOUND for an unknown id (remove and kill: RC_OK, gone is gone); RC_INVALID for a
 * configuration that cannot be run, in the runtime's words; RC_UNAVAILABLE for a missing program,
 * naming its package.
 * Limits: RUNTIME_*_MAX below.  Used by: pod workers, streaming, statistics. */
#ifndef SKEG_NODE_RUNTIME_H
#define SKEG_NODE_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#define RUNTIME_ID_MAX			65	    /* 64 hexadecimal digits and NUL */
#define RUNTIME_PATH_MAX		512	    /* of a path in the node's data folder */
#define RUNTIME_ARGS_MAX		4096	    /* entries of a command or of an environment */
#define RUNTIME_MOUNTS_MAX		1024	    /* of a container */
#define RUNTIME_EXEC_OUTPUT_MAX		(16u << 10) /* kept of an exec_sync, as kubelet does for probes */
#define RUNTIME_TERMINATION_MESSAGE_MAX 4096	    /* bytes, as kubelet does */

struct runtime;
struct runtime_call {
	void (*done)(struct runtime_call *call); /* rc and err are set */
	enum rc rc;
	struct err err;
	struct loop_msg msg; /* of the runtime */
};

/* --- sandbox: what the containers of a pod share --- */

struct runtime_name_value {
	struct str name, value;
};

/* Amounts as the API gives them; 0: not set. */
struct runtime_resources {
	int64_t cpu_request_milli, cpu_limit_milli;
	int64_t memory_request_bytes, memory_limit_bytes;
	int64_t pids_limit;
};

struct runtime_sandbox_config {
	struct str pod_uid;
	struct str pod_namespace, pod_name;
	struct str hostname; /* ignored with is_host_network */
	bool is_host_network, is_host_ipc, is_host_pid;
	const struct runtime_name_value
		*sysctls; /* names are checked against the namespaced ones */
	size_t sysctl_count;
	struct runtime_resources resources; /* of the whole pod: sum of the containers */
};

struct runtime_sandbox {
	char netns_path[RUNTIME_PATH_MAX]; /* bind mount of the network namespace; "" for the host's
					    */
	bool was_there;			   /* adopted, not made */
};

/* --- container --- */

enum runtime_propagation {
	RUNTIME_PROPAGATION_NONE,
	RUNTIME_PROPAGATION_HOST_TO_CONTAINER,
	RUNTIME_PROPAGATION_BIDIRECTIONAL,
};

struct runtime_mount {
	struct str host_path;	   /* absolute, exists: the volume manager made or checked it */
	struct str container_path; /* absolute */
	bool is_read_only;
	enum runtime_propagation propagation;
};

enum runtime_seccomp {
	RUNTIME_SECCOMP_DEFAULT, /* the profile of oci_seccomp.h */
	RUNTIME_SECCOMP_UNCONFINED,
	RUNTIME_SECCOMP_LOCALHOST, /* seccomp_path: absolute path of a profile */
};

#define RUNTIME_ID_UNSET (-1)

struct runtime_security {
	int64_t run_as_user, run_as_group;  /* RUNTIME_ID_UNSET: the image's */
	const int64_t *supplemental_groups; /* fsGroup included */
	size_t supplemental_group_count;
	bool is_supplemental_groups_strict; /* supplementalGroupsPolicy Strict: not the image's too
					     */
	bool is_privileged;
	bool is_root_read_only;
	bool has_no_new_privs; /* allowPrivilegeEscalation: false */
	bool is_proc_unmasked; /* procMount: Unmasked */
	const struct str *capabilities_add, *capabilities_drop; /* without CAP_; "ALL" is known */
	size_t capability_add_count, capability_drop_count;
	enum runtime_seccomp seccomp;
	struct str seccomp_path;
};

/* New limits for running containers of a pod, and for all of them together. */
struct runtime_resize_item {
	struct str id, name;
	struct runtime_resources resources;
};

struct runtime_resize {
	struct str pod_uid;
	struct runtime_resources pod_before, pod_after;
	const struct runtime_resize_item *items;
	size_t count;
};

struct runtime_container_config {
	struct str pod_uid, pod_namespace, pod_name;
	struct str name;
	int attempt;	     /* restart count: 0 for the first */
	struct str image_id; /* from runtime_image_info.id */
	/* As the API's command, args, workingDir: absent or empty falls back to the image's. */
	const struct str *command, *args;
	size_t command_count, arg_count;
	struct str working_dir;
	const struct runtime_name_value *env; /* the image's come first and are overridden */
	size_t env_count;
	const struct runtime_mount *mounts;
	size_t mount_count;
	struct runtime_security security;
	bool is_host_pid; /* as the sandbox's */
	/* Shares the process namespace of this running container; absent: of none. */
	struct str target_id;
	struct runtime_resources resources;
	int oom_score_adj;
	struct str log_path; /* absolute; its folder exists; CRI log format */
	bool is_tty, has_stdin, is_stdin_once;
	const struct runtime_name_value *annotations; /* kept, given back by list */
	size_t annotation_count;
};

enum runtime_state { RUNTIME_CREATED, RUNTIME_RUNNING, RUNTIME_EXITED };

struct runtime_container_status {
	char id[RUNTIME_ID_MAX];
	enum runtime_state state;
	struct str pod_uid, pod_namespace, pod_name, name, image_id;
	int attempt;
	int exit_code; /* 128 + signal number when a signal ended it */
	bool is_oom_killed;
	bool is_lost; /* its monitor died with it: exit code 137, reason ContainerStatusUnknown */
	int64_t created_us, started_us, finished_us; /* wall clock; 0: not yet */
	struct str log_path;
	const struct runtime_name_value *annotations;
	size_t annotation_count;
};

struct runtime_container_list {
	const struct runtime_container_status *items;
	size_t count;
};

/* Told once of every exit that this process sees, never before `done` of start; an exit from before
 * a restart of the agent is only in the list.  status is valid during the call. */
struct runtime_listener {
	void (*exited)(struct runtime_listener *listener,
		       const struct runtime_container_status *status);
};

struct runtime_stats {
	int64_t time_us;
	uint64_t cpu_usage_ns; /* since the container started */
	uint64_t memory_usage_bytes, memory_working_set_bytes, memory_rss_bytes;
	uint64_t pids;
};

/* --- exec --- */

struct runtime_exec_config {
	struct str container_id;
	const struct str *argv;
	size_t argc;
	bool is_tty;
	bool has_stdin, has_stdout, has_stderr; /* with is_tty stderr goes to stdout */
};

/* A running command.  The descriptors are non-blocking and the caller's to close (-1: none); with a
 * tty stdin_fd and stdout_fd are one and the same terminal master, given in stdout_fd only.
 * exited() runs once, after which the exec may be freed with ops->exec_free(). */
struct runtime_exec {
	int stdin_fd, stdout_fd, stderr_fd;
	int exit_code;
	enum rc rc; /* not RC_OK: the command could not be run at all; err says why */
	struct err err;
	void (*exited)(struct runtime_exec *exec);
	void *owner; /* free for the caller */
};

struct runtime_exec_result {
	int exit_code;
	bool is_timed_out; /* killed after timeout_ms; exit_code has no meaning */
	char output[RUNTIME_EXEC_OUTPUT_MAX + 1]; /* stdout and stderr together, cut */
	size_t output_len;
};

/* --- images --- */

/* One entry of an imagePullSecret: the text of .dockerconfigjson or of .dockercfg. */
struct runtime_pull_secret {
	struct str json;
	bool is_legacy; /* .dockercfg */
};

struct runtime_image_info {
	struct str id; /* "sha256:..." of the image's config */
	const struct str *tags,
		*digests; /* "docker.io/library/nginx:1", "docker.io/library/nginx@sha256:..." */
	size_t tag_count, digest_count;
	int64_t size_bytes;	/* compressed, as upstream reports it */
	int64_t user_id;	/* RUNTIME_ID_UNSET when the image names no number */
	struct str user_name;	/* when the image names its user by name; else absent */
	struct str stop_signal; /* absent: SIGTERM */
	bool is_pinned;
};

struct runtime_image_list {
	const struct runtime_image_info *items;
	size_t count;
};

struct runtime_pull_config {
	struct str ref; /* as the user wrote it */
	const struct runtime_pull_secret *secrets;
	size_t secret_count;
	/* May be NULL; on the loop's thread, at most every 500 ms; total_bytes 0: not known yet. */
	void (*progress)(void *arg, int64_t done_bytes, int64_t total_bytes);
	void *progress_arg;
};

struct runtime_pull_result {
	struct str image_id; /* in the arena given */
	const char *reason;  /* of a failure: "ErrImagePull", "InvalidImageName",
				"RegistryUnavailable" */
	int64_t size_bytes;
};

struct runtime_trim_result {
	int64_t wanted_bytes, freed_bytes; /* 0: there is room enough */
	size_t image_count;
};

/* --- the table --- */

struct runtime_ops {
	const char *name; /* "oci" */
	void (*free)(struct runtime *r);
	/* Version for status.nodeInfo.containerRuntimeVersion: "skeg-runc://1.1.5". */
	const char *(*version)(struct runtime *r);
	/* RC_OK, or what is missing on this machine; NetworkReady is not its business. */
	void (*check)(struct runtime *r, struct runtime_call *call);

	void (*sandbox_create)(struct runtime *r, const struct runtime_sandbox_config *config,
			       struct runtime_sandbox *ret_sandbox, struct runtime_call *call);
	/* Its containers must be removed and its network torn down before. */
	void (*sandbox_remove)(struct runtime *r, struct str pod_uid, struct runtime_call *call);
	/* Pods that have a sandbox; strings in a. */
	void (*sandbox_list)(struct runtime *r, struct arena *a, struct str **ret_pod_uids,
			     size_t *ret_count, struct runtime_call *call);

	void (*create)(struct runtime *r, const struct runtime_container_config *config,
		       char ret_id[RUNTIME_ID_MAX], struct runtime_call *call);
	void (*start)(struct runtime *r, struct str id, int64_t *ret_started_us,
		      struct runtime_call *call);
	/* All of it or, when that fails, perhaps a part: it can be called again.  RC_CONFLICT: a
	 * container uses more memory than it shall have. */
	void (*resize)(struct runtime *r, const struct runtime_resize *config,
		       struct runtime_call *call);
	/* To the first process, for SIGKILL to every process.  The exit is told by the listener. */
	void (*kill)(struct runtime *r, struct str id, int signal, struct runtime_call *call);
	/* Kills what still runs, unmounts and deletes all but the log. */
	void (*remove)(struct runtime *r, struct str id, struct runtime_call *call);
	/* Containers of this node, also those of a former process; strings in a. */
	void (*list)(struct runtime *r, struct arena *a, struct runtime_container_list *ret_list,
		     struct runtime_call *call);
	void (*stats)(struct runtime *r, struct str id, struct runtime_stats *ret_stats,
		      struct runtime_call *call);
	/* When the log is larger than max_bytes: <log>.<time> keeps the old, at most max_files - 1.
	 */
	void (*log_rotate)(struct runtime *r, struct str id, int64_t max_bytes, int max_files,
			   struct runtime_call *call);

	/* *ret_exec is set before `done`, when rc is RC_OK; fill exited and owner in `done`. */
	void (*exec)(struct runtime *r, const struct runtime_exec_config *config,
		     struct runtime_exec **ret_exec, struct runtime_call *call);
	void (*exec_resize)(struct runtime_exec *exec, uint16_t columns, uint16_t rows);
	/* Does what it has printed so far come from the runtime, which could not run the command?
	 * NULL: never. */
	bool (*exec_is_refused)(struct runtime_exec *exec);
	/* Kills a command that still runs; exited is not called any more. */
	void (*exec_free)(struct runtime_exec *exec);
	/* For probes and hooks; timeout_ms > 0. */
	void (*exec_sync)(struct runtime *r, struct str id, const struct str *argv, size_t argc,
			  int64_t timeout_ms, struct runtime_exec_result *ret_result,
			  struct runtime_call *call);
	/* A stream to the running container's own stdio: a non-blocking SOCK_SEQPACKET socket. Each
	 * packet read is one byte 2 (stdout) or 3 (stderr) and data; what is written is stdin. */
	void (*attach)(struct runtime *r, struct str id, int *ret_fd, struct runtime_call *call);
	/* The size of the terminal of a container that was made with one; nothing else is told. */
	void (*attach_resize)(struct runtime *r, struct str id, uint16_t columns, uint16_t rows);

	/* ref as the user wrote it, or an image id.  RC_NOT_FOUND: absent; RC_INVALID: no valid
	 * name. */
	void (*image_status)(struct runtime *r, struct str ref, struct arena *a,
			     struct runtime_image_info *ret_info, struct runtime_call *call);
	void (*image_pull)(struct runtime *r, const struct runtime_pull_config *config,
			   struct arena *a, struct runtime_pull_result *ret_result,
			   struct runtime_call *call);
	void (*image_list)(struct runtime *r, struct arena *a, struct runtime_image_list *ret_list,
			   struct runtime_call *call);
	void (*image_remove)(struct runtime *r, struct str ref, struct runtime_call *call);
	/* Removes unused images when their file system is nearly full. */
	void (*image_trim)(struct runtime *r, struct runtime_trim_result *ret_result,
			   struct runtime_call *call);
};

struct runtime {
	const struct runtime_ops *ops;
	struct loop *loop;
	struct runtime_listener *listener; /* may be NULL */
};

bool runtime_resources_equal(const struct runtime_resources *a, const struct runtime_resources *b);
/* Each limit as the more generous one has it; requests as b. */
struct runtime_resources runtime_resources_widest(const struct runtime_resources *a,
						  const struct runtime_resources *b);

/* For backends, on the loop's thread: done runs once the current callbacks are through. */
void runtime_call_finish(struct loop *loop, struct runtime_call *call, enum rc rc);

#endif
