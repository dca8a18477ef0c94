/* pod_message: what a container said before it ended: its termination message. */
#ifndef SKEG_NODE_POD_MESSAGE_H
#define SKEG_NODE_POD_MESSAGE_H

#include "node/pod_worker.h"

/* Of run c->attempt that ended with exit_code; owned by the caller, NULL: nothing. */
[[nodiscard]] char *pod_message_read(const struct pod_container *c, int exit_code);

/* "SIGQUIT", "QUIT", "3", "SIGRTMIN+3"; 0: no signal. */
int signal_number(struct str name);

#endif
