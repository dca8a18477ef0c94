/* cni: attach a pod's network namespace through the plugins of a CNI configuration list.
 *
 * Source: https://www.cni.dev/docs/spec/ (1.0.0; 0.3.x and 0.4.0 lists work as well).  A plugin
 * gets its configuration as JSON on standard input and CNI_* in its environment; the result of each
 * plugin of a chain is prevResult of the next.  ADD goes through the chain forwards, DEL backwards.
 *
 * The built-in list is ptp with host-local addresses: one routed link a pod, so that every packet
 * between two pods of a node passes the node's rules (a bridge would let replies of a service pass
 * by unless br_netfilter is loaded).  A list in conf_folder (first *.conflist or *.conf by name)
 * replaces it, so Calico or Cilium can be installed as on any node.
 *
 * cni_add/del/check block (tens of ms, at most CNI_TIMEOUT_MS a plugin): call them from a pool
 * thread, or use cni_start().  Threads: a struct cni is immutable after cni_new(); all calls safe.
 * Errors: RC_UNAVAILABLE for a missing plugin (names the package containernetworking-plugins);
 * RC_INTERNAL with the plugin's own code, msg and details. */
#ifndef SKEG_NET_CNI_H
#define SKEG_NET_CNI_H

#include "base/arena.h"
#include "base/err.h"
#include "base/ipaddr.h"
#include "io/loop.h"

#define CNI_TIMEOUT_MS	60000
#define CNI_MAX_PLUGINS 16
#define CNI_MAX_ADDRS	16

struct cni_config {
	const char *plugin_folders; /* colon-separated; NULL: /opt/cni/bin:/usr/lib/cni */
	const char *conf_folder;    /* NULL: none, always the built-in list */
	const char
		*data_folder; /* of the node: host-local's leases and cached results go below it */
	int netns_fd; /* the node's namespace, -1: the caller's; not owned, must stay open */
	const struct ipnet *pod_cidrs; /* of this node, at most one a family */
	size_t pod_cidr_count;
	unsigned mtu; /* 0: 1500 */
};

struct cni;

/* Everything in config is copied. */
[[nodiscard]] enum rc cni_new(const struct cni_config *config, struct cni **ret_cni,
			      struct err *err);
void cni_free(struct cni *cni);

struct cni_pod {
	struct str namespace, name, uid;
	struct str sandbox_id;	/* CNI_CONTAINERID: letters, digits, _ . - */
	const char *netns_path; /* the pod's pinned namespace; DEL accepts one that is gone */
};

struct cni_result {
	struct ipaddr addrs[CNI_MAX_ADDRS]; /* the first is podIP */
	size_t addr_count;
};

[[nodiscard]] enum rc cni_add(struct cni *cni, const struct cni_pod *pod,
			      struct cni_result *ret_result, struct err *err);
/* Never fails for a pod that was never added. */
[[nodiscard]] enum rc cni_del(struct cni *cni, const struct cni_pod *pod, struct err *err);
/* RC_OK: still attached as cni_add() left it. */
[[nodiscard]] enum rc cni_check(struct cni *cni, const struct cni_pod *pod, struct err *err);

/* What cni_add() returned for a sandbox, also before a restart of the agent; RC_NOT_FOUND. */
[[nodiscard]] enum rc cni_find(struct cni *cni, struct str sandbox_id,
			       struct cni_result *ret_result, struct err *err);

enum cni_verb { CNI_ADD, CNI_DEL, CNI_CHECK };

/* The same on the loop's pool; done runs on the loop.  pod is copied; cni must stay until done. */
typedef void cni_done_fn(void *ctx, enum rc rc, const struct cni_result *result,
			 const struct err *err);
void cni_start(struct cni *cni, struct loop *loop, enum cni_verb verb, const struct cni_pod *pod,
	       cni_done_fn *done, void *ctx);

#endif
