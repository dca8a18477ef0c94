/* netns: network namespaces kept alive by a file, as `ip netns` does, and work done inside them.
 *
 * A kept namespace is a file in /run/netns with the namespace mounted on it, so that `ip netns exec
 * NAME` helps whoever looks for a fault.  All calls block; none changes the namespace of the caller
 * but netns_enter().  Threads: all calls safe.  Needs CAP_SYS_ADMIN. */
#ifndef SKEG_NET_NETNS_H
#define SKEG_NET_NETNS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define NETNS_FOLDER   "/run/netns"
#define NETNS_NAME_MAX 200
#define NETNS_PATH_MAX 256

/* "/run/netns/<name>"; RC_INVALID when name is empty, too long or has a '/'. */
[[nodiscard]] enum rc netns_path(struct str name, char out[NETNS_PATH_MAX], struct err *err);

/* Makes a new namespace with lo up and keeps it at path.  One that is there already is adopted
 * (*ret_was_there, may be NULL); a dead file (after a crash between creation and mount) is mended.
 */
[[nodiscard]] enum rc netns_keep(const char *path, bool *ret_was_there, struct err *err);

/* Lets go of it; the kernel removes it with its links when no process and no descriptor holds it.
 * A path that isn't there is success.  Removes the folder when it is empty afterwards. */
[[nodiscard]] enum rc netns_release(const char *path, struct err *err);

/* RC_NOT_FOUND when nothing is kept there. */
[[nodiscard]] enum rc netns_open(const char *path, int *ret_fd, struct err *err);
[[nodiscard]] enum rc netns_open_own(int *ret_fd, struct err *err); /* of the calling thread */

/* Moves the calling thread (at the start of a process: the process) into it. */
[[nodiscard]] enum rc netns_enter(int fd, struct err *err);

[[nodiscard]] enum rc netns_set_loopback_up(struct err *err); /* in the calling thread's */

/* Runs fn(arg) in a thread of its own inside the namespace and waits for it; fd -1 means the
 * caller's own, and then fn is called directly. */
[[nodiscard]] enum rc netns_call(int fd, enum rc (*fn)(void *arg, struct err *err), void *arg,
				 struct err *err);

#endif
