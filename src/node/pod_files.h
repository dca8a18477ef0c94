/* pod_files: /etc/hosts and /etc/resolv.conf of a pod, as kubelet writes them.
 * pod_hosts_text() and pod_resolv_text() are pure but for reading the machine's own files.
 * Source: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/ */
#ifndef SKEG_NODE_POD_FILES_H
#define SKEG_NODE_POD_FILES_H

#include "base/buf.h"
#include "node/pod_worker.h"

#define POD_FILE_MAX   (1u << 20)
#define POD_SEARCH_MAX 32

void pod_hosts_text(struct buf *out, const struct pod_worker *w, struct str machine_hosts);
void pod_resolv_text(struct buf *out, const struct pod_worker *w, struct str machine_resolv);

/* Writes both into the pod's folder, when they are not there yet. */
[[nodiscard]] enum rc pod_files_write(struct pod_worker *w, struct err *err);

#endif
