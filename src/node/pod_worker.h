/* pod_worker: one pod on this node, from what the API wants to what the runtime has.
 *
 *   STARTING   volumes, sandbox, network; each is tried again with back-off
 *   RUNNING    init containers in order (those with restartPolicy Always stay), then all others;
 *              restarts with back-off, probes; ephemeral containers as they come, once each
 *   ENDING     containers are told to end within the grace period, sidecars after the others
 *   RELEASING  network and volumes are taken away
 *   ENDED      only ended containers, logs and the final status are left; once the API asks for
 *              the pod's end they go too and the object is deleted
 *
 * Everything is driven by events: the pod changed in the API, an operation of the runtime is done,
 * a container exited, a probe told, a timer is due.  Each calls pod_worker_wake(); the step that
 * follows looks at the whole state and starts what can be started.
 *
 * The status is a pure function of the worker (pod_status.h), posted when it differs from the
 * API's.
 *
 * Owns: its containers' records.  Threads: the agent's loop.  Limits: those of the API's validation
 * on containers and volumes.  Errors: become conditions, waiting reasons and Events. */
#ifndef SKEG_NODE_POD_WORKER_H
#define SKEG_NODE_POD_WORKER_H

#include "api/views.h"
#include "base/arena.h"
#include "base/ipaddr.h"
#include "io/loop.h"
#include "node/pod_resize.h"
#include "node/pod_resources.h"
#include "node/runtime.h"

#define POD_WORKER_MAGIC  0x706f6477u /* "podw" */
#define POD_ADDRESSES_MAX 4
#define POD_RETRY_MS	  2000

struct node_agent;
struct pod_worker;

enum pod_stage { POD_STARTING, POD_RUNNING, POD_ENDING, POD_RELEASING, POD_ENDED };

enum container_role { CONTAINER_INIT, CONTAINER_SIDECAR, CONTAINER_MAIN, CONTAINER_EPHEMERAL };

enum container_stage {
	CONTAINER_WAITING,  /* was never started, or its record is gone */
	CONTAINER_STARTING, /* pulled, configured, created, started: a chain of calls is under way
			     */
	CONTAINER_RUNNING,
	CONTAINER_EXITED,
};

/* How a run of a container ended. */
struct container_end {
	bool is_set;
	char id[RUNTIME_ID_MAX];
	int exit_code;
	char *reason, *message; /* owned, or NULL */
	int64_t started_us, finished_us;
};

struct pod_container {
	struct pod_worker *worker;
	enum container_role role;
	struct str name;
	const struct container *spec; /* of worker->object; or ephemeral_spec */
	struct container ephemeral_spec;
	struct allotment allocated, actual; /* granted by the node; what it runs with */
	struct str target_name;		    /* of an ephemeral one; in worker->object */
	enum container_stage stage;
	char id[RUNTIME_ID_MAX]; /* of the newest run; "": none */
	bool has_container;	 /* the runtime has it */
	char *image_id;		 /* owned, or NULL */
	int attempt;		 /* of that run; restartCount */
	int64_t started_us;
	int stop_signal;
	struct container_end end;   /* of that run, when EXITED */
	struct container_end last;  /* of the run before */
	const char *waiting_reason; /* NULL: ContainerCreating or PodInitializing */
	char *waiting_message;	    /* owned, or NULL */
	bool is_started, is_ready;  /* by its probes */

	/* not to be started before due_ms (monotonic); 0: at once */
	int64_t due_ms;
	int64_t crash_delay_ms, crash_us; /* back-off of restarts: next delay, when it was set */
	int64_t pull_delay_ms, pull_due_ms;
	struct loop_timer due_timer;

	struct container_job *job; /* the start that is under way */
	struct pod_probes *probes; /* while it runs */
	struct pod_check *hook;	   /* postStart or preStop under way */

	bool is_ending;	  /* told to end */
	bool is_resized;  /* so that it starts again with other resources, without back-off */
	bool is_killing;  /* a signal is on its way */
	bool is_removing; /* the removal is */
	int wanted_signal, sent_signal;
	int64_t kill_at_ms;
	struct loop_timer kill_timer;
	struct runtime_call kill_call, remove_call;
};

struct pod_worker {
	uint32_t magic;
	struct node_agent *agent;
	struct arena arena; /* identity; lives as long as the worker */
	struct str uid, namespace, name;
	struct object *object; /* newest state seen; NULL: pod unknown, only to be cleaned up */
	const struct pod *pod; /* its view */
	bool is_removed;       /* gone from the API */
	bool is_shut_down;     /* the node goes: is_removed as well */
	bool is_left;	       /* the node goes, its containers run on: nothing is begun any more */
	enum pod_stage stage;
	bool is_evicted; /* ended by us, reason and message say why */
	struct str end_reason, end_message;
	/* init and sidecars in order, the others, ephemeral ones; in the arena */
	struct pod_container **containers;
	size_t count;
	struct loop_msg wake_msg;

	/* STARTING and RELEASING */
	bool is_clean;		     /* ENDED, and the runtime has nothing of it any more */
	bool has_folder;	     /* the pod's own, with volumes: to be removed */
	struct pod_volumes *volumes; /* NULL: not begun, or released */
	struct pod_sources *sources;
	bool has_volumes, has_sandbox, has_network;
	bool may_have_sandbox, may_have_network; /* begun, or a former agent's: taken away anyway */
	bool is_adopted;  /* the API knew it running: says nothing new before it is whole again */
	size_t leftovers; /* removals of containers without a record here */
	bool is_busy;	  /* one of the calls for them is under way */
	int64_t retry_ms, retry_at_ms;
	struct loop_timer retry_timer;
	struct runtime_sandbox sandbox;
	struct runtime_sandbox_config sandbox_config;
	struct runtime_call sandbox_call;
	struct ipaddr addresses[POD_ADDRESSES_MAX];
	size_t address_count;

	struct pod_resize resize;

	/* ENDING */
	int64_t end_by_ms;		  /* monotonic: SIGKILL from then on */
	struct loop_timer deadline_timer; /* activeDeadlineSeconds */

	/* the API */
	int64_t start_time_us;
	bool is_posting, is_deleting, is_deleted;
	int64_t posted_revision;
	struct loop_timer post_timer;
};

[[nodiscard]] struct pod_worker *pod_worker_new(struct node_agent *agent, struct str uid,
						struct object *pod);
void pod_worker_free(struct pod_worker *w);
/* The pod's newest state; NULL: it is gone from the API. */
void pod_worker_saw(struct pod_worker *w, struct object *pod);
void pod_worker_wake(struct pod_worker *w);
/* What a former agent left: called for all of it before the first wake. */
void pod_worker_adopt_sandbox(struct pod_worker *w);
void pod_worker_adopt(struct pod_worker *w, const struct runtime_container_status *status);
void pod_worker_exited(struct pod_worker *w, const struct runtime_container_status *status);
/* Ends the pod for a reason of the node's: phase Failed. */
void pod_worker_evict(struct pod_worker *w, struct str reason, struct str message);
/* Ends its containers without a word to the API: the node goes away. */
void pod_worker_shut_down(struct pod_worker *w);
/* Begins nothing any more; the agent is told when it is quiet. */
void pod_worker_leave(struct pod_worker *w);
bool pod_worker_is_quiet(const struct pod_worker *w); /* no call of the runtime under way */

/* --- between the parts of the worker --- */

bool pod_worker_is_over(const struct pod_worker *w); /* no container runs or will run again */
int64_t pod_grace_s(const struct pod_worker *w);
bool container_is_restartable(const struct pod_container *c); /* after its exit */
bool container_is_init(const struct pod_container *c);	      /* sidecars included */
bool container_is_lasting(const struct pod_container *c);     /* sidecars and main ones */
bool container_is_started(const struct pod_container *c);     /* what comes after it may start */
const char *container_field_path(const struct pod_container *c, char out[128]);

/* pod_members.c */
struct pod_container *pod_container_find(struct pod_worker *w, struct str name);
void pod_members_make(struct pod_worker *w);	 /* once, from w->pod */
bool pod_members_bind(struct pod_worker *w);	 /* w->pod is a newer one; true: some joined */
void pod_members_remember(struct pod_worker *w); /* from its status, after making them */

/* pod_container.c */
void pod_container_run(struct pod_container *c); /* its start has succeeded */
/* A run that was there before this agent. */
void pod_container_adopt(struct pod_container *c, const struct runtime_container_status *status);
void pod_container_exit(struct pod_container *c, const struct runtime_container_status *status);
void pod_container_end_run(struct pod_container *c, struct container_end *own_end);
void pod_container_kill(struct pod_container *c, int64_t grace_ms);
void pod_container_remove(struct pod_container *c); /* its dead container, if there is one */
void pod_container_wait_until(struct pod_container *c, int64_t due_ms);
/* fmt NULL: no message */
[[gnu::format(printf, 3, 4)]] void pod_container_wait(struct pod_container *c, const char *reason,
						      const char *fmt, ...);
void pod_container_done(struct pod_container *c);
void container_end_done(struct container_end *end);

/* pod_job.c: image, configuration, create, start */
void pod_job_start(struct pod_container *c);
/* Takes back a start that waits for its image; others are at their end soon. */
void pod_job_give_up_pull(struct pod_container *c);
void pod_job_free(struct container_job *job);

/* pod_post.c: status and deletion */
void pod_worker_post(struct pod_worker *w);

#endif
