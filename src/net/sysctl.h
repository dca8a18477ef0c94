/* sysctl: single numbers below /proc/sys/net, of the network namespace of the calling thread.
 * Threads: all calls safe.  A setting that this kernel doesn't have is not an error of
 * sysctl_set(): modules bring theirs along. */
#ifndef SKEG_NET_SYSCTL_H
#define SKEG_NET_SYSCTL_H

#include <stdint.h>

#include "base/err.h"

/* name as below /proc/sys: "net/ipv4/ip_forward".  RC_NOT_FOUND when there is none. */
[[nodiscard]] enum rc sysctl_get(const char *name, int64_t *ret_value, struct err *err);
/* Writes only when the value differs. */
[[nodiscard]] enum rc sysctl_set(const char *name, int64_t value, struct err *err);

#endif
