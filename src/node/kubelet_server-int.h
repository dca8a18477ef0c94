/* kubelet_server-int: what the parts of the node's server share. */
#ifndef SKEG_NODE_KUBELET_SERVER_INT_H
#define SKEG_NODE_KUBELET_SERVER_INT_H

#include "base/list.h"
#include "http/channels.h"
#include "http/server.h"
#include "io/watch.h"
#include "node/kubelet_server.h"

#define KUBELET_SERVER_MAGIC 0x6b756265u  /* "kube" */
#define STREAM_HIGH_BYTES    (256u << 10) /* a reader is too slow: stop reading */
#define STREAM_LOW_BYTES     (32u << 10)

struct kubelet_server {
	uint32_t magic;
	struct kubelet_server_config config;
	struct arena arena;
	struct loop *loop;
	struct http_server *http;
	struct runtime_listener exits, *former;
	struct list logs;     /* struct log_stream */
	struct list sessions; /* struct exec_session */
	struct list forwards; /* struct forward */
	size_t log_count, session_count, forward_count;
	size_t pending; /* lookups under way */
	int inotify_fd; /* one for all log streams; -1: not needed yet */
	struct loop_watch inotify_watch;
	bool is_stopping, is_http_stopped;
	void (*on_stopped)(void *ctx);
	void *stop_ctx;
};

/* ---- requests ---- */

struct found_container {
	char id[RUNTIME_ID_MAX];
	enum runtime_state state;
	struct str log_path; /* lives as long as the exchange, as the next one */
	struct str pod_uid;
	bool is_host_network;
};

/* A request about a container or a pod, in the exchange's arena: looked up first, then served. */
struct kubelet_request {
	struct kubelet_server *server;
	struct http_exchange *x;
	struct str namespace, pod, container; /* no container: any of the pod */
	bool wants_previous;
	struct runtime_call call;
	struct arena list_arena;
	struct runtime_container_list list;
	struct found_container found;
	/* found is filled; the exchange is alive and waits for its reply. */
	void (*serve)(struct kubelet_request *q);
};

/* Serves, or replies with the error. */
void kubelet_find(struct kubelet_request *q);
/* All pods of this node; NULL while they are not known. */
const struct cache *kubelet_pods(const struct kubelet_server *server);
void kubelet_fail(struct http_exchange *x, const struct err *err);
bool kubelet_param_is_true(struct http_exchange *x, const char *name); /* "1" or "true" */
/* Something has ended: is a stop complete? */
void kubelet_check_stopped(struct kubelet_server *server);

/* Pure functions on a runtime's list, newest pod of the name and newest attempt; for tests. */
const struct runtime_container_status *kubelet_newest(const struct runtime_container_list *list,
						      struct str namespace, struct str pod,
						      struct str container);
/* The newest of the same pod and name with an older attempt, or NULL. */
const struct runtime_container_status *kubelet_former(
	const struct runtime_container_list *list, const struct runtime_container_status *newest);

/* ---- logs ---- */

void kubelet_serve_log(struct kubelet_request *q);
void kubelet_log_gone(struct http_exchange *x); /* the client went away */
void kubelet_logs_exited(struct kubelet_server *server, const char *id);
void kubelet_logs_stop(struct kubelet_server *server);
void kubelet_logs_done(struct kubelet_server *server);

/* ---- exec and attach ---- */

void kubelet_serve_exec(struct kubelet_request *q);
void kubelet_serve_attach(struct kubelet_request *q);
void kubelet_sessions_stop(struct kubelet_server *server);
/* A metav1.Status as text: success for RC_OK and exit code 0. */
struct str kubelet_exec_status(struct arena *a, enum rc rc, const char *problem, int exit_code);

/* ---- port-forward ---- */

void kubelet_serve_forward(struct kubelet_request *q);
void kubelet_forwards_stop(struct kubelet_server *server);

#endif
