/* pod_check: one look at a running container, or one order to it: what probes and lifecycle hooks
 * are made of: exec, httpGet, tcpSocket, grpc, sleep.
 *
 * From the node's network namespace, in which this process lives.  HTTP: 200 to 399 is success,
 * certificates are not verified, redirects are not followed (they are success), every request has
 * a connection of its own.  Owns: itself until its answer.  Threads: the agent's loop.
 * Source: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ */
#ifndef SKEG_NODE_POD_CHECK_H
#define SKEG_NODE_POD_CHECK_H

#include "node/pod_worker.h"

enum check_result {
	CHECK_SUCCESS,
	CHECK_FAILURE, /* it answered no, or not in time */
	CHECK_UNKNOWN, /* it could not be asked */
};

/* At most one is set. */
struct check_action {
	const struct exec_action *exec;
	const struct http_get_action *http_get;
	const struct tcp_socket_action *tcp_socket;
	const struct sleep_action *sleep;
	const struct grpc_action *grpc;
};

struct pod_check;

/* Once, never from within pod_check_start(); message is borrowed, "" with success. */
typedef void pod_check_done_fn(void *ctx, enum check_result result, const char *message);

/* What action points to is copied where it is needed longer. */
[[nodiscard]] struct pod_check *pod_check_start(struct pod_container *c,
						const struct check_action *action,
						int64_t timeout_ms, pod_check_done_fn *done,
						void *ctx);
void pod_check_cancel(struct pod_check *own_check); /* done is not called any more; NULL is fine */

#endif
