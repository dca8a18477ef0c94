/* proxy_rewrite: links of a proxied service, put below the path under which the client reached it.
 *
 * A service that is proxied at /api/v1/…/proxy believes itself at /.  Absolute paths in Location
 * headers and in the attributes of HTML that are links get that prefix; relative links and those to
 * other hosts stay.  Pure functions of bytes; what looks like no HTML passes as it is.
 * Limits: a tag above 64 KiB is passed on unread.  Source: upstream's
 * apimachinery/pkg/util/proxy/transport.go. */
#ifndef SKEG_SERVER_PROXY_REWRITE_H
#define SKEG_SERVER_PROXY_REWRITE_H

#include "base/arena.h"
#include "base/buf.h"

struct proxy_links {
	struct str prefix;	 /* "/api/v1/namespaces/n/services/s/proxy" */
	struct str server_host;	 /* as dialled: "10.42.0.5:80" */
	struct str request_host; /* as the client sent it */
};

struct str proxy_rewrite_url(struct arena *a, const struct proxy_links *links, struct str url);

/* prefix and path without its empty, "." and ".." segments; a slash at the end stays. */
struct str proxy_join_path(struct arena *a, struct str prefix, struct str path);

/* An HTML document as it passes by; zero it but for links. */
struct proxy_html {
	struct proxy_links links;
	struct buf pending;   /* the beginning of a tag */
	const char *raw_text; /* the element whose text has no tags */
	bool is_comment;
};
/* Adds what comes of these bytes; empty ones are the end. */
void proxy_html_feed(struct proxy_html *h, struct str bytes, struct buf *out);
void proxy_html_done(struct proxy_html *h);

#endif
