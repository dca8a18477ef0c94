/* http_client-int: what the requests and the watches of the HTTP client share. */
#ifndef SKEG_SYNC_HTTP_CLIENT_INT_H
#define SKEG_SYNC_HTTP_CLIENT_INT_H

#include "base/list.h"
#include "http/client.h"
#include "sync/http_client.h"

struct client_http {
	struct client client; /* first: what users hold */
	struct http_client *http;
	char *server;
	struct list calls;
	size_t watch_count;
};

static inline struct client_http *client_http_of(struct client *client)
{
	return CONTAINER_OF(client, struct client_http, client);
}

/* An object of a reply; NULL when it is of no stored kind (Status, Scale), which is no error. */
[[nodiscard]] enum rc client_http_object(const struct api *api, const struct api_kind *kind,
					 const struct json *tree, struct object **ret_object,
					 struct err *err);
struct client_watch *client_http_watch(struct client *client, const struct api_kind *kind,
				       struct str namespace, struct str field_selector,
				       const struct client_watch_ops *ops, void *ctx);
void client_http_unwatch(struct client *client, struct client_watch *watch);
void client_http_query_add(struct buf *url, const char *key, struct str value);
void client_http_path_add(struct buf *url, const struct api_kind *kind, struct str namespace);

#endif
