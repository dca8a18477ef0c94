/* api_client: blocking requests of the client verbs to the API server of a kubeconfig.
 *
 * Owns: its connection.  Threads: one.  Memory of replies is the given arena's.
 * Errors: what the server refuses in kubectl's words (api_error.h); what never reached it with its
 * remedy. */
#ifndef SKEG_CLIENT_API_CLIENT_H
#define SKEG_CLIENT_API_CLIENT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "client/command.h"
#include "client/kubeconfig.h"
#include "codec/json.h"

struct http_header;
struct http_session;

/* Options of every client verb; put CLIENT_OPTIONS(struct x, client) into its table. */
struct client_options {
	const char *namespace, *kubeconfig, *context, *server, *token, *as;
	struct text_list as_groups;
	bool skip_verify;
};

#define CLIENT_OPTION(type, member, letter, name, field, form, value, help)                        \
	{                                                                                          \
		name, letter, form, offsetof(type, member.field), value, help                      \
	}
#define CLIENT_OPTIONS(type, member)                                                               \
	CLIENT_OPTION(type, member, 'n', "namespace", namespace, OPTION_TEXT, "NS",                \
		      "namespace (the context's, else default)"),                                  \
		CLIENT_OPTION(type, member, 0, "context", context, OPTION_TEXT, "NAME",            \
			      "context of the kubeconfig (the current one)"),                      \
		CLIENT_OPTION(type, member, 0, "kubeconfig", kubeconfig, OPTION_TEXT, "FILE",      \
			      "how to reach the cluster ($KUBECONFIG, else ~/.kube/config)"),      \
		CLIENT_OPTION(type, member, 's', "server", server, OPTION_TEXT, "URL",             \
			      "address of the API server (the kubeconfig's)"),                     \
		CLIENT_OPTION(type, member, 0, "token", token, OPTION_TEXT, "TOKEN",               \
			      "bearer token instead of the kubeconfig's user"),                    \
		CLIENT_OPTION(type, member, 0, "insecure-skip-tls-verify", skip_verify,            \
			      OPTION_FLAG, NULL, "take any certificate of the server"),            \
		CLIENT_OPTION(type, member, 0, "as", as, OPTION_TEXT, "USER",                      \
			      "act as this user or system:serviceaccount:NS:NAME"),                \
		CLIENT_OPTION(type, member, 0, "as-group", as_groups, OPTION_LIST, "GROUP",        \
			      "and as member of this group")

struct api_client {
	struct arena *arena; /* of the command */
	struct http_session *session;
	struct kubeconfig_target target;
	const struct client_options *options;
	struct str server;    /* "https://127.0.0.1:6443" */
	struct str namespace; /* -n, else the context's, else "default" */
	bool is_namespace_given;
	int64_t page_limit; /* objects a page of a list; 0: all in one */
};

/* options must stay as long as the client. */
[[nodiscard]] enum rc api_client_open(struct arena *a, const struct client_options *options,
				      struct api_client *ret_client, struct err *err);
void api_client_close(struct api_client *c); /* accepts a zeroed one */

struct api_request {
	const char *method; /* NULL: GET, or POST with a body */
	struct str path;    /* with its query, see api_path.h */
	const char *accept; /* NULL: application/json */
	const char *content_type;
	struct str body;
	bool is_endless;    /* no time limit: watches, logs */
	int64_t timeout_ms; /* 0: API_REQUEST_TIMEOUT_MS */
	/* Where the body of a refusal goes, NULL when it is no JSON; NULL: nobody asks. */
	struct json **ret_refusal;
};

#define API_ACCEPT_TABLE       "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
#define API_REQUEST_TIMEOUT_MS 60000
#define API_LINE_MAX	       (16u << 20) /* of a stream */

struct api_reply {
	int status;
	struct str body;
	struct json *tree; /* NULL when the body is no JSON */
};

/* RC_OK for 2xx only. */
[[nodiscard]] enum rc api_client_call(struct api_client *c, struct arena *a,
				      const struct api_request *request,
				      struct api_reply *ret_reply, struct err *err);
/* GET of a path; the reply must be an object. */
[[nodiscard]] enum rc api_client_get(struct api_client *c, struct arena *a, struct str path,
				     struct json **ret_tree, struct err *err);
/* A request with a tree as its body; content_type NULL: JSON. */
[[nodiscard]] enum rc api_client_send(struct api_client *c, struct arena *a, const char *method,
				      struct str path, const char *content_type,
				      const struct json *body, struct json **ret_tree,
				      struct err *err);
/* Headers that say who acts (impersonation), at most API_IDENTITY_HEADERS; for requests that are
 * not made here. */
#define API_IDENTITY_HEADERS 16
size_t api_client_identity(const struct api_client *c, struct http_header *out);
/* Prints bytes as they come, until the server ends the reply. */
[[nodiscard]] enum rc api_client_print(struct api_client *c, const struct api_request *request,
				       struct err *err);
/* Calls each for one JSON document a line, until the server or each ends it (watches); the tree
 * lives until each returns. */
[[nodiscard]] enum rc api_client_lines(struct api_client *c, const struct api_request *request,
				       enum rc (*each)(struct arena *a, struct json *tree,
						       void *ctx, struct err *err),
				       void *ctx, struct err *err);
#define API_PAGE_LIMIT 500
/* All pages of a list: each gets one list (or Table) after the other.  When a token has expired
 * meanwhile (410) the list goes on from the same place in what is there now, as the server offers.
 */
[[nodiscard]] enum rc api_client_list(
	struct api_client *c, struct arena *a, struct str url, const char *accept,
	enum rc (*each)(struct json *list, void *ctx, struct err *err), void *ctx, struct err *err);
/* The items of all pages as one array. */
[[nodiscard]] enum rc api_client_items(struct api_client *c, struct arena *a, struct str url,
				       struct json **ret_items, struct err *err);

/* Prints the error as kubectl does: "error: " before it unless it is a refusal of a server.
 * Returns EXIT_FAILED. */
int client_failed(const struct err *err);

#endif
