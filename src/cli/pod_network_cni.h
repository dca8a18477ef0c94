/* pod_network_cni: the node agent's pod network by CNI plugins, services in place before a pod's
 * first packet, its host ports as well (both belong to the caller).  It lives here because node/
 * and net/ do not know each other. Pods that come before the node's pod range is known wait for it.
 * Threads: the loop's. */
#ifndef SKEG_CLI_POD_NETWORK_CNI_H
#define SKEG_CLI_POD_NETWORK_CNI_H

#include "net/cni.h"
#include "net/host_ports.h"
#include "net/service_proxy.h"
#include "node/agent.h"

struct pod_network_cni;

[[nodiscard]] struct pod_network *pod_network_cni_new(struct loop *loop,
						      struct service_proxy *proxy,
						      struct host_ports *host_ports);
/* The node's pod range is known now; owns cni. */
void pod_network_cni_open(struct pod_network *n, struct cni *own_cni);

#endif
