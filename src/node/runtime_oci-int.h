/* What the files of the oci runtime share.
 *
 * The loop's thread owns struct runtime_oci and its containers.  Worker threads see the part marked
 * constant, and what a job carries: they find everything else of a container in its folder. */
#ifndef SKEG_NODE_RUNTIME_OCI_INT_H
#define SKEG_NODE_RUNTIME_OCI_INT_H

#include "base/map.h"
#include "io/watch.h"
#include "node/cgroup.h"
#include "node/runtime_oci.h"
#include "node/runtime_programs.h"

#define OCI_COMMAND_TIMEOUT_MS 120000
#define OCI_STATE_MAX	       (1u << 20)
#define OCI_SPEC_MAX	       (16u << 20)

struct runtime_oci {
	struct runtime base;
	/* constant after opening: */
	char *dir, *cgroup, *upper_dir;
	bool is_upper_volatile; /* a tmpfs, mounted while there are containers */
	char program[PROGRAM_PATH_MAX], monitor[PROGRAM_PATH_MAX];
	char version[96];
	struct image_store *images;
	const struct registry_config *registries;
	int pull_netns_fd;
	int64_t pids_limit;
	struct cgroups cgroups;
	uint64_t capabilities;
	int oom_score_min;
	int containers_fd, sandboxes_fd;
	/* of the loop's thread: */
	struct map containers; /* id -> struct oci_container */
	struct map pulls;      /* key -> struct oci_pull */
	size_t pulls_running;
	size_t jobs; /* under way */
	bool is_closing;
};

struct oci_container {
	struct runtime_oci *oci;
	struct runtime_container_status status; /* strings in arena */
	struct arena arena;
	char pod_uid[64];
	int monitor_fd, init_fd; /* pidfds; -1: gone */
	struct loop_watch watch;
	bool is_starting, has_pending_exit;
};

/* Work on the pool on behalf of a call. */
struct oci_job {
	struct loop_work work;
	struct runtime_oci *oci;
	struct runtime_call *call;			      /* NULL: of our own accord */
	enum rc (*run)(struct oci_job *job, struct err *err); /* on the pool */
	void (*finish)(struct oci_job *job); /* on the loop, before done; or NULL */
	enum rc rc;
	struct err err;
	struct arena arena;
	char id[RUNTIME_ID_MAX];
	char cgroup[CGROUP_PATH_MAX];
	/* what the operation needs: */
	const void *config;
	void *result;
	int64_t number;
	int64_t number_two;
	int fds[3];
};

static inline struct runtime_oci *oci_of(struct runtime *r)
{
	return CONTAINER_OF(r, struct runtime_oci, base);
}

/* runtime_oci.c */
[[nodiscard]] struct oci_job *oci_job_new(struct runtime_oci *oci, struct runtime_call *call,
					  enum rc (*run)(struct oci_job *, struct err *),
					  void (*finish)(struct oci_job *));
void oci_job_start(struct oci_job *job);
void oci_job_ended(struct runtime_oci *oci); /* takes one from jobs; the last one closes */
struct oci_container *oci_find(struct runtime_oci *oci, struct str id);
/* Ends the call with RC_NOT_FOUND. */
void oci_missing(struct runtime_oci *oci, struct runtime_call *call, struct str id);
/* "<dir>/containers/<id>[/<file>]"; id has been checked to be ours. */
void oci_path(const struct runtime_oci *oci, const char *id, const char *file,
	      char out[RUNTIME_PATH_MAX]);
/* "skeg/<cluster>/<node>/pod<uid>[/<name>]" */
void oci_cgroup_path(const struct runtime_oci *oci, struct str pod_uid, const char *id,
		     char out[CGROUP_PATH_MAX]);
bool oci_uid_is_valid(struct str pod_uid); /* letters, digits, '-': safe as a file name */

/* runtime_oci_record.c: a container's folder, and its adoption */
[[nodiscard]] enum rc oci_record_write(const struct runtime_oci *oci, const char *id,
				       const struct runtime_container_config *config,
				       int64_t created_us, struct err *err);
[[nodiscard]] enum rc oci_mark(const struct runtime_oci *oci, const char *id, const char *file,
			       int64_t value, struct err *err);
[[nodiscard]] struct oci_container *oci_container_new(struct runtime_oci *oci, const char *id);
void oci_container_free(struct oci_container *c);
void oci_status_fill(struct oci_container *c, const struct runtime_container_config *config,
		     int64_t created_us);
void oci_status_copy(struct arena *a, const struct runtime_container_status *from,
		     struct runtime_container_status *to);
/* Opens pidfds of monitor and first process where they live, -1 else. */
void oci_pids_open(const struct runtime_oci *oci, const char *id, int *ret_monitor_fd,
		   int *ret_init_fd);
/* The process namespace of a container that runs; id is one of ours. */
[[nodiscard]] enum rc oci_pid_namespace_open(const struct runtime_oci *oci, const char *id,
					     int *ret_fd, struct err *err);
/* Exit code and time from the monitor's file; false when there is none. */
bool oci_exit_read(const struct runtime_oci *oci, const char *id, int *ret_exit_code,
		   int64_t *ret_finished_us);
[[nodiscard]] enum rc oci_adopt(struct runtime_oci *oci, struct err *err);
void oci_monitor_watch(struct oci_container *c);

/* runtime_oci_container.c */
/* Runs "<program> --root <dir>/runtime words...". */
[[nodiscard]] enum rc oci_command(const struct runtime_oci *oci, const char *const *words,
				  struct err *err);
void oci_create(struct runtime *r, const struct runtime_container_config *config,
		char ret_id[RUNTIME_ID_MAX], struct runtime_call *call);
void oci_start(struct runtime *r, struct str id, int64_t *ret_started_us,
	       struct runtime_call *call);
void oci_resize(struct runtime *r, const struct runtime_resize *config, struct runtime_call *call);
void oci_kill(struct runtime *r, struct str id, int signal, struct runtime_call *call);
void oci_remove(struct runtime *r, struct str id, struct runtime_call *call);
void oci_log_rotate(struct runtime *r, struct str id, int64_t max_bytes, int max_files,
		    struct runtime_call *call);
/* A line to conmon's control pipe; never blocks, on any thread. */
[[nodiscard]] enum rc oci_monitor_tell(const struct runtime_oci *oci, const char *id,
				       const char *line, struct err *err);
[[nodiscard]] enum rc oci_container_destroy(const struct runtime_oci *oci, const char *id,
					    const char *cgroup, struct err *err);

/* runtime_oci_mount.c */
[[nodiscard]] enum rc oci_upper_find(struct runtime_oci *oci, struct err *err);
void oci_upper_release(const struct runtime_oci *oci);
[[nodiscard]] enum rc oci_root_mount(const struct runtime_oci *oci, const char *id,
				     const struct image_config *image, struct err *err);
[[nodiscard]] enum rc oci_root_unmount(const struct runtime_oci *oci, const char *id,
				       struct err *err);
/* Runs fn in a thread of its own, whose namespaces and folder end with it. */
[[nodiscard]] enum rc oci_in_thread(enum rc (*fn)(void *arg, struct err *err), void *arg,
				    struct err *err);
[[nodiscard]] enum rc oci_unmount(const char *path, struct err *err); /* nothing there: RC_OK */

/* runtime_oci_sandbox.c */
void oci_sandbox_create(struct runtime *r, const struct runtime_sandbox_config *config,
			struct runtime_sandbox *ret_sandbox, struct runtime_call *call);
void oci_sandbox_remove(struct runtime *r, struct str pod_uid, struct runtime_call *call);
void oci_sandbox_list(struct runtime *r, struct arena *a, struct str **ret_pod_uids,
		      size_t *ret_count, struct runtime_call *call);
/* "" when the pod uses the host's. */
void oci_sandbox_path(const struct runtime_oci *oci, struct str pod_uid, const char *file,
		      char out[RUNTIME_PATH_MAX]);

/* runtime_oci_exec.c */
void oci_exec(struct runtime *r, const struct runtime_exec_config *config,
	      struct runtime_exec **ret_exec, struct runtime_call *call);
bool oci_exec_is_refused(struct runtime_exec *exec);
void oci_exec_resize(struct runtime_exec *exec, uint16_t columns, uint16_t rows);
void oci_exec_free(struct runtime_exec *exec);
void oci_exec_sync(struct runtime *r, struct str id, const struct str *argv, size_t argc,
		   int64_t timeout_ms, struct runtime_exec_result *ret_result,
		   struct runtime_call *call);
void oci_attach(struct runtime *r, struct str id, int *ret_fd, struct runtime_call *call);
void oci_attach_resize(struct runtime *r, struct str id, uint16_t columns, uint16_t rows);

/* runtime_oci_image.c */
void oci_image_status(struct runtime *r, struct str ref, struct arena *a,
		      struct runtime_image_info *ret_info, struct runtime_call *call);
void oci_image_pull(struct runtime *r, const struct runtime_pull_config *config, struct arena *a,
		    struct runtime_pull_result *ret_result, struct runtime_call *call);
void oci_image_list(struct runtime *r, struct arena *a, struct runtime_image_list *ret_list,
		    struct runtime_call *call);
void oci_image_remove(struct runtime *r, struct str ref, struct runtime_call *call);
void oci_image_trim(struct runtime *r, struct runtime_trim_result *ret_result,
		    struct runtime_call *call);

#endif
