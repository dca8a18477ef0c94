/* pod_logs: keeps the logs of running containers within bounds, as kubelet does: 10 MiB a file,
 * five files a container.  Looked at together with the lease, every 10 s: one stat a container.
 * Threads: the agent's loop. */
#ifndef SKEG_NODE_POD_LOGS_H
#define SKEG_NODE_POD_LOGS_H

#define POD_LOG_MAX_BYTES (10 << 20)
#define POD_LOG_MAX_FILES 5

struct node_agent;

void pod_logs_rotate(struct node_agent *agent);

#endif
