/* grpc_health: one question to a gRPC server whether a service of it is healthy.
 * Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md (grpc.health.v1.Health,
 * Check) over https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, without TLS, as
 * kubelet asks; messages in kubelet's words.
 * Threads: the client's loop.  Limits: replies of 64 KiB. */
#ifndef SKEG_NODE_GRPC_HEALTH_H
#define SKEG_NODE_GRPC_HEALTH_H

#include "base/str.h"
#include "http/client.h"

struct grpc_health;

/* Once, last, never from within grpc_health_start(); the question is gone then. */
typedef void grpc_health_done_fn(void *ctx, bool is_healthy, const char *message);

/* client: with http2_only.  host: a name or an address; service may be empty: the whole server. */
struct grpc_health *grpc_health_start(struct loop *loop, struct http_client *client,
				      const char *host, uint16_t port, struct str service,
				      int64_t timeout_ms, grpc_health_done_fn *done, void *ctx);
void grpc_health_cancel(struct grpc_health *own_question); /* done is not called any more */

#endif
