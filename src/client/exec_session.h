/* exec_session: a command in a container, its streams joined to descriptors of this process.
 * Blocks until the command ends.  Threads: its own loop in the caller's, one more for reading
 * the input, one for writing what comes.  Source: sub-protocols v5 and v4 of channel.k8s.io. */
#ifndef SKEG_CLIENT_EXEC_SESSION_H
#define SKEG_CLIENT_EXEC_SESSION_H

#include "client/api_client.h"

struct exec_session {
	struct api_client *client;
	struct str path;	   /* of .../exec?… or .../attach?… */
	int in_fd, out_fd, err_fd; /* -1: none */
	bool is_terminal;	   /* raw mode, and its size is told */
};

/* What is asked of a pod. */
struct exec_request {
	struct str namespace, pod, container;
	const char *subresource; /* "exec", "attach" */
	struct text_list command;
	bool has_input, is_terminal;
};
[[nodiscard]] enum rc exec_path(struct arena *a, const struct exec_request *r, struct str *ret_path,
				struct err *err);

/* *ret_code: of the command.  Errors: refusals of the server, a broken connection. */
[[nodiscard]] enum rc exec_session_run(const struct exec_session *s, int *ret_code,
				       struct err *err);

#endif
