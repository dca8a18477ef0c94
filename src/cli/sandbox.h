/* sandbox: what a process of ours gives up for good before it talks to anybody.
 *
 * Capabilities: all, but those that are asked for.  System calls: an allow-list (files, memory,
 * threads, time, sockets of IP, UNIX and netlink); anything else, such as running programs, mounts,
 * namespaces, tracing, kernel modules, io_uring and BPF, fails with ENOSYS, as if the kernel had it
 * not, so that libraries take their older ways.  New privileges can never be gained.
 * Threads: before any other thread exists; threads that come later inherit it. */
#ifndef SKEG_CLI_SANDBOX_H
#define SKEG_CLI_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"

/* binds_low_ports: ports below 1024 are going to be listened on. */
[[nodiscard]] enum rc sandbox_enter(bool binds_low_ports, struct err *err);

#endif
