/* request_header: users whom an authenticating proxy names in headers.
 *
 * A proxy shows a client certificate of an authority of its own (`--requestheader-client-ca-file`)
 * and, when names are listed, one of those as its common name.  From nobody else are such headers
 * heeded, and the certificate of a proxy says nothing of itself: without a user it is anonymous.
 * Owns: copies of its settings.  Threads: constant after start.  Source: upstream's
 * pkg/authentication/request/headerrequest. */
#ifndef SKEG_SERVER_REQUEST_HEADER_H
#define SKEG_SERVER_REQUEST_HEADER_H

#include "http/tls.h"
#include "server/request.h"

/* Lists are separated by commas. */
struct request_header_options {
	const char *client_ca_file; /* NULL: no proxy is trusted */
	const char *allowed_names;  /* common names; NULL or empty: any */
	const char *username_headers, *uid_headers, *group_headers, *extra_prefixes;
};

struct request_headers;

/* NULL when no proxy is trusted. */
[[nodiscard]] enum rc request_headers_new(const struct request_header_options *options,
					  struct request_headers **ret_headers, struct err *err);
void request_headers_free(struct request_headers *h);
/* PEM of the authorities of proxies; empty without them. */
struct str request_headers_authority(const struct request_headers *h);

enum header_user {
	HEADER_NONE,	/* look for another proof */
	HEADER_TAKEN,	/* r->user is complete */
	HEADER_REFUSED, /* a proxy that is not allowed to name users */
};
/* id is verified.  Accepts NULL for h. */
enum header_user request_headers_take(const struct request_headers *h, struct request *r,
				      const struct tls_identity *id);
/* Does a header of this name (in lower case) name a user?  Accepts NULL for h. */
bool request_headers_has(const struct request_headers *h, struct str name);
/* Was the certificate given by an authority of proxies? */
bool request_headers_is_proxy(const struct request_headers *h, const struct tls_identity *id);

#endif
