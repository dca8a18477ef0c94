/* proxy: a request passed on to a pod, the pods of a service, or a node, and its reply back.
 *
 * proxy.c finds the server, proxy_pass.c speaks to it.  The client's proof of who it is (bearer
 * token, impersonation, headers of an authenticating proxy) is not passed on; X-Forwarded-For and
 * X-Forwarded-Uri are added, and links in Location headers and HTML are put below the path of the
 * proxy (proxy_rewrite.h).  Threads: the request's io thread. */
#ifndef SKEG_SERVER_PROXY_H
#define SKEG_SERVER_PROXY_H

#include "server/request.h"

struct proxy_server {
	struct str address; /* of IPv4 or IPv6 */
	uint16_t port;
	bool is_tls;   /* with any certificate */
	bool is_agent; /* a node's own server, which wants ours */
};

enum step proxy_pass(struct request *r, const struct proxy_server *server);

#endif
