/* How a webhook is reached, by a URL or as a service, and what it speaks: those of admission and of
 * conversion alike. */
#include "api/gotext.h"
#include "api/validate-int.h"

struct url_parts {
	struct str scheme, user, host, query, fragment;
	bool has_user, has_query, has_fragment;
};

static struct url_parts url_cut(struct str url)
{
	struct url_parts p = {};
	struct str rest = url, authority, path, head;
	p.has_fragment = str_cut(rest, '#', &rest, &p.fragment);
	p.has_query = str_cut(rest, '?', &rest, &p.query);
	if (str_cut(rest, ':', &head, &path)) {
		p.scheme = head;
		rest = path;
	}
	if (!str_has_prefix(rest, STR("//")))
		return p;
	str_cut(str_skip(rest, 2), '/', &authority, &path);
	p.has_user = str_cut_last(authority, '@', &p.user, &p.host);
	if (!p.has_user)
		p.host = authority;
	return p;
}

static bool is_scheme_char(char c, bool is_first)
{
	bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	return is_letter || (!is_first && ((c >= '0' && c <= '9') || memchr("+-.", c, 3)));
}

/* Why Go does not take the text for a URL; NULL: it does. */
static const char *url_fault(struct str url)
{
	size_t i = 0;
	for (size_t k = 0; k < url.len; k++)
		if ((unsigned char)url.at[k] < ' ' || url.at[k] == 0x7f)
			return "net/url: invalid control character in URL";
	while (i < url.len && is_scheme_char(url.at[i], i == 0))
		i++;
	if (i < url.len && url.at[i] == ':')
		return i == 0 ? "missing protocol scheme" : NULL;
	const char *slash = url.len ? memchr(url.at, '/', url.len) : NULL;
	size_t first = slash ? (size_t)(slash - url.at) : url.len;
	if (first > 0 && memchr(url.at, ':', first))
		return "first path segment in URL cannot contain colon";
	return NULL;
}

static void check_url(struct check *v, const struct path *at, struct str url)
{
	static const char form[] = "; desired format: https://host[/path]";
	struct url_parts p = url_cut(url);
	const char *fault = url_fault(url);
	if (fault) {
		CLEANUP_BUF quoted = BUF_INIT(JSON_MAX_BYTES);
		gotext_quote(&quoted, url);
		required(v, at, "url must be a valid URL: parse %s: %s%s", quoted.data, fault,
			 form);
		return;
	}
	if (!str_is(p.scheme, "https"))
		bad_text(v, at, p.scheme.at ? p.scheme : STR(""),
			 "'https' is the only allowed URL scheme%s", form);
	if (p.host.len == 0)
		bad_text(v, at, STR(""), "host must be specified%s", form);
	if (p.has_user)
		bad_text(v, at, p.user, "user information is not permitted in the URL");
	if (p.has_fragment && p.fragment.len > 0)
		bad_text(v, at, p.fragment, "fragments are not permitted in the URL");
	if (p.has_query && p.query.len > 0)
		bad_text(v, at, p.query, "query parameters are not permitted in the URL");
}

static void check_service_path(struct check *v, const struct path *at, struct str path)
{
	struct str segment, rest = path;
	size_t i = 0;
	if (path.len == 0 || str_is(path, "/"))
		return;
	if (str_is(path, "//")) {
		bad_text(v, at, path, "segment[0] may not be empty");
		return;
	}
	if (!str_has_prefix(path, STR("/")))
		bad_text(v, at, path, "must start with a '/'");
	rest = str_skip(path, 1);
	if (str_has_suffix(rest, STR("/")))
		rest.len--;
	for (bool more = true; more; i++) {
		struct faults f;
		more = str_cut(rest, '/', &segment, &rest);
		if (segment.len == 0) {
			bad_text(v, at, path, "segment[%zu] may not be empty", i);
			continue;
		}
		name_check(&f, NAME_DNS_SUBDOMAIN, segment);
		for (size_t k = 0; k < f.count; k++)
			bad_text(v, at, path, "segment[%zu]: %s", i, f.at[k]);
	}
}

/* Of admission webhooks upstream asks the namespace for the name and the name for the namespace. */
static void check_webhook_service(struct check *v, const struct path *at,
				  const struct json *service, bool is_admission)
{
	int64_t port = INT(service, "port");
	struct str name = TEXT(service, "name"), space = TEXT(service, "namespace");
	check_required(v, MEMBER(at, "name"), is_admission ? space : name);
	check_required(v, MEMBER(at, "namespace"), is_admission ? name : space);
	if (GET(service, "path"))
		check_service_path(v, MEMBER(at, "path"), TEXT(service, "path"));
	if (!port_is_valid(port))
		bad(v, MEMBER(at, "port"), json_int(v->arena, port), "port is not valid: %s",
		    PORT_RANGE_TEXT);
}

void check_webhook_client(struct check *v, const struct path *at, const struct json *client,
			  bool is_admission)
{
	const struct json *url = GET(client, "url"), *service = GET(client, "service");
	if ((url != NULL) == (service != NULL))
		required(v, at, "exactly one of url or service is required");
	else if (url)
		check_url(v, MEMBER(at, "url"), json_str(url));
	else
		check_webhook_service(v, MEMBER(at, "service"), service, is_admission);
}

void check_review_versions(struct check *v, const struct path *at, const struct json *versions)
{
	bool has_known = false;
	if (json_count(versions) == 0) {
		required(v, at, "must specify one of v1, v1beta1");
		return;
	}
	FOR_ITEMS(i, version, versions)
	{
		if (is_repeated(v, versions, i))
			bad(v, ITEM(at, i), version, "duplicate version");
		else
			check_name(v, ITEM(at, i), NAME_DNS_1035, json_str(version));
		has_known |= text_in(json_str(version), "v1,v1beta1");
	}
	if (!has_known)
		bad(v, at, versions, "must include at least one of v1, v1beta1");
}
