/* http_client: the client ops over HTTP, for node agents, commands and controllers away from home.
 *
 * A watch lists in chunks of 500, then watches from the list's revision with bookmarks, and
 * connects again from the last revision when the connection ends.  Expired history or a broken
 * stream is mended by a new list: what differs from before arrives as events.  Waits between
 * attempts double from 0.8 s to 30 s, as client-go's reflector does.
 *
 * Owns: its connections; of each watch a reference to every object it has shown.
 * Threads: its loop.  Limits: replies of 64 MiB, one watch event of OBJECT_MAX_BYTES and a bit.
 * Errors: those of http/client.h, and what the server's Status says, with its message. */
#ifndef SKEG_SYNC_HTTP_CLIENT_H
#define SKEG_SYNC_HTTP_CLIENT_H

#include "sync/client.h"

struct http_client_opts; /* http/client.h */

/* server: "https://10.0.0.1:6443", without a slash at the end. */
[[nodiscard]] enum rc client_http_new(struct loop *loop, const struct api *api, const char *server,
				      const struct http_client_opts *opts,
				      struct client **ret_client, struct err *err);
void client_http_free(struct client *client); /* all watches have to be gone; drops requests */
/* As http_client_set_identity(). */
void client_http_set_identity(struct client *client, struct str cert_pem, struct str key_pem);

/* The path with query of a request: "/apis/apps/v1/namespaces/a/deployments/b/status". */
struct str client_http_path(struct arena *a, const struct client_request *request);
/* The error that a reply of status >= 400 stands for; body is a Status or any text. */
enum rc client_http_error(int status, struct str body, struct err *err);

#endif
