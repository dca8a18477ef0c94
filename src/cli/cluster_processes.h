/* cluster_processes: processes of a cluster that outlived their supervisor (it was killed).
 *
 * Found in /proc by what only they have: a verb that skeg starts itself ("control", "agent") and
 * --data-dir below the cluster's folder.  Signals go through pidfds, so never to another process.
 * Limits: CLUSTER_PROCESSES_MAX. */
#ifndef SKEG_CLI_CLUSTER_PROCESSES_H
#define SKEG_CLI_CLUSTER_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CLUSTER_PROCESSES_MAX 256

/* Does an agent run on this machine, of whatever cluster? */
bool cluster_agents_run(void);
size_t cluster_processes(const char *data, pid_t out[CLUSTER_PROCESSES_MAX]);
/* Asks them to end, kills what is left after a while; returns how many there were. */
size_t cluster_processes_end(const char *data);

#endif
