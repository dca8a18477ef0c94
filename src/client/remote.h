/* remote: an upgraded connection to the API server, for exec, attach and port-forward. */
#ifndef SKEG_CLIENT_REMOTE_H
#define SKEG_CLIENT_REMOTE_H

#include "client/api_client.h"
#include "http/dial.h"

/* Asks for a WebSocket of one of the protocols (comma-separated) at path; done runs once with the
 * reply and what websocket_answered() needs, or with the error. */
struct remote {
	struct api_client *client;
	struct loop *loop;
	struct str key;
	void (*done)(struct remote *r, const struct dial_reply *reply, const struct err *err);
	void *ctx;
};

[[nodiscard]] enum rc remote_start(struct remote *r, struct str path, const char *protocols,
				   struct err *err);

#endif
