/* cluster_files: where a cluster on this machine keeps what, and whether it runs.
 *
 *	<data>/supervisor.pid   locked by the running supervisor
 *	<data>/skeg.log         its log when detached
 *	<data>/server/          keys, database, admin.kubeconfig
 *	<data>/nodes/<name>/    a node agent's state
 *	<data>/nodes/<name>/runtime/   its containers (node/runtime_oci.h)
 *	<data>/nodes/<name>/host-network   of a node that is the machine itself: its DNS address
 *	<data>/images/          images of all nodes
 */
#ifndef SKEG_CLI_CLUSTER_FILES_H
#define SKEG_CLI_CLUSTER_FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/* /var/lib/skeg, or ~/.local/share/skeg for others than root. */
const char *cluster_default_data(struct arena *a);
/* The folder a user means by --data-dir (NULL: the default one), as an absolute path. */
const char *cluster_data(struct arena *a, const char *given);
const char *cluster_path(struct arena *a, const char *data, const char *name);

#define CLUSTER_NAME	       "skeg" /* of its network and its control groups */
#define CLUSTER_CGROUP	       "skeg/" CLUSTER_NAME
#define CLUSTER_RUNTIME_FOLDER "runtime" /* in a node's folder */
#define CLUSTER_HOST_NETWORK   "host-network"
#define CLUSTER_CGROUP_ROOT    "skeg"
#define CLUSTER_CGROUP_MAX     512
/* "skeg/skeg/<node>": the control group of a node's pods. */
void cluster_node_cgroup(const char *node, char out[CLUSTER_CGROUP_MAX]);

/* Takes the lock for this process; RC_CONFLICT names the pid that has it. The descriptor is kept
 * until exit. */
[[nodiscard]] enum rc cluster_lock(const char *data, struct err *err);
/* The supervisor's pid, 0 when none runs. */
pid_t cluster_supervisor(const char *data);
/* RC_CONFLICT when one runs. */
[[nodiscard]] enum rc cluster_check_idle(const char *data, struct err *err);

#endif
