/* service_proxy: keeps a node's packet rules in step with services and endpoints.
 *
 * Pulls: whoever watches the API calls service_proxy_changed() at every event; within
 * SERVICE_PROXY_DELAY_MS the proxy asks collect() for the whole current picture once, computes the
 * difference to what the kernel has, and applies it as one atomic batch on a pool thread.  A batch
 * that fails is followed by a full replacement, with backoff 1 s … 60 s.  The first batch replaces
 * what a former agent left, without a moment in between.  Connections outlive all of this.
 *
 * Owns: rules and nft.  Threads: its loop.  The table stays when the proxy is freed (pods outlive
 * the agent); service_proxy_remove_table() is for the end of the node. */
#ifndef SKEG_NET_SERVICE_PROXY_H
#define SKEG_NET_SERVICE_PROXY_H

#include "io/loop.h"
#include "net/nft.h"
#include "net/service_rules.h"

#define SERVICE_PROXY_DELAY_MS 50

struct service_proxy;

/* Fills ret_snapshot with memory of a. */
typedef void service_proxy_collect_fn(void *ctx, struct arena *a,
				      struct proxy_snapshot *ret_snapshot);

/* config is copied.  netns_fd: for connection tracking, -1: the caller's; not owned. */
[[nodiscard]] struct service_proxy *service_proxy_new(struct loop *loop,
						      const struct service_rules_config *config,
						      struct nft *own_nft, int netns_fd,
						      service_proxy_collect_fn *collect, void *ctx);
/* At once, but for a batch on its way: the loop has to run until that is done. */
void service_proxy_free(struct service_proxy *p);

void service_proxy_changed(struct service_proxy *p);
/* fn runs once everything reported so far is in the kernel (at once when it is): a pod's first
 * packet must find its services. */
void service_proxy_when_applied(struct service_proxy *p, void (*fn)(void *ctx), void *ctx);

[[nodiscard]] enum rc service_proxy_remove_table(struct nft *nft, struct err *err); /* blocks */

#endif
