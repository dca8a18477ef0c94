/* kubelet_server: the HTTPS server of a node, as the API server's kubelet client expects it.
 *
 *	GET      /healthz                            any verified client
 *	GET      /pods                               v1 PodList of this node
 *	GET      /containerLogs/NS/POD/CONTAINER     follow previous tailLines sinceSeconds
 *sinceTime timestamps limitBytes GET|POST /exec/NS/POD/CONTAINER              command... input
 *output error tty GET|POST /attach/NS/POD/CONTAINER            input output error tty GET|POST
 * /portForward/NS/POD
 *
 * Everything but /healthz is for clients whose certificate is verified and has the organization
 * system:masters, which the control plane's client certificate has: 401 and 403 for others.
 *
 * Containers are found in the runtime's list, newest attempt first; pods() tells more about those
 * that have no container yet.  Exits are heard by standing before the listener that the runtime
 * had when the server was made.
 *
 * Owns: its connections, sessions and commands that run for them; nothing it was given.  Threads:
 * the loop's.  Limits: KUBELET_LOG_STREAMS_MAX and KUBELET_SESSIONS_MAX at once (429).
 * Errors of requests: plain text with upstream's wording.
 * Source: kubelet's pkg/kubelet/server; staging/src/k8s.io/kubelet/pkg/cri/streaming. */
#ifndef SKEG_NODE_KUBELET_SERVER_H
#define SKEG_NODE_KUBELET_SERVER_H

#include "http/tls.h"
#include "node/runtime.h"
#include "sync/cache.h"

#define KUBELET_PORT		10250
#define KUBELET_LOG_STREAMS_MAX 512
#define KUBELET_SESSIONS_MAX	512

struct kubelet_server_config {
	struct runtime *runtime; /* outlives the server */
	const char *address;	 /* to listen on; "": every address */
	uint16_t port;		 /* 0: any */
	struct tls_context *tls; /* referenced; with the client authority */
	/* "<folder>/<pod uid>/net" is a pod's network namespace; NULL: no port-forward. */
	const char *sandbox_folder;
	/* A cache with this node's pods, NULL while there is none; may be NULL itself. */
	const struct cache *(*pods)(void *ctx);
	void *ctx;
};

struct kubelet_server;

/* Strings of config are copied. */
[[nodiscard]] enum rc kubelet_server_new(struct loop *loop,
					 const struct kubelet_server_config *config,
					 struct kubelet_server **ret_server, struct err *err);
uint16_t kubelet_server_port(const struct kubelet_server *server);
void kubelet_server_set_tls(struct kubelet_server *server, struct tls_context *tls);
/* Ends all streams and commands; done runs once nothing of them is left. */
void kubelet_server_stop(struct kubelet_server *server, void (*done)(void *ctx), void *ctx);
void kubelet_server_free(struct kubelet_server *server); /* stopped; NULL is fine */

#endif
