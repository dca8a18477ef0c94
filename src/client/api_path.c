#include "client/api_path.h"

#include <ctype.h>

/* RFC 3986: all but unreserved characters are escaped; ':' may stand in segments and is common in
 * names of roles. */
static void add_escaped(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if (isalnum(c) || strchr("-._~:", c))
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

struct str api_path(struct arena *a, const struct api_kind *kind, struct str namespace,
		    struct str name, const char *subresource)
{
	CLEANUP_BUF path = BUF_INIT(URL_MAX_BYTES);
	buf_printf(&path, "%s%.*s", kind->group.len ? "/apis/" : "/api/",
		   STR_FMT(kind->api_version));
	if (kind->is_namespaced && namespace.len) {
		buf_add_cstr(&path, "/namespaces/");
		add_escaped(&path, namespace);
	}
	buf_printf(&path, "/%.*s", STR_FMT(kind->plural));
	if (name.len) {
		buf_add_char(&path, '/');
		add_escaped(&path, name);
	}
	if (subresource)
		buf_printf(&path, "/%s", subresource);
	return arena_str(a, buf_str(&path));
}

void query_add(struct buf *url, const char *key, struct str value)
{
	if (value.len == 0)
		return;
	bool has_query = url->len && memchr(url->data, '?', url->len);
	buf_printf(url, "%c%s=", has_query ? '&' : '?', key);
	add_escaped(url, value);
}
