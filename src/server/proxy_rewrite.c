#include "server/proxy_rewrite.h"

#include <ctype.h>

#include "base/mem.h"

#define TAG_MAX (64u << 10)

/* ---- one link ---- */

struct url_parts {
	struct str scheme, host, path, rest; /* rest: query and fragment, with their marks */
	bool has_host;
};

static struct str cut_scheme(struct str *url)
{
	size_t i = 0;
	while (i < url->len && (isalnum((unsigned char)url->at[i]) || strchr("+-.", url->at[i])))
		i++;
	if (i == 0 || i >= url->len || url->at[i] != ':' || !isalpha((unsigned char)url->at[0]))
		return STR("");
	struct str scheme = str_n(url->at, i);
	*url = str_skip(*url, i + 1);
	return scheme;
}

static size_t span_before(struct str text, const char *marks)
{
	size_t i = 0;
	while (i < text.len && !strchr(marks, text.at[i]))
		i++;
	return i;
}

static struct url_parts url_split(struct str url)
{
	struct url_parts p = {.scheme = cut_scheme(&url)};
	if (str_has_prefix(url, STR("//"))) {
		url = str_skip(url, 2);
		size_t len = span_before(url, "/?#");
		p.has_host = len > 0;
		p.host = str_n(url.at, len);
		url = str_skip(url, len);
	}
	size_t len = span_before(url, "?#");
	p.path = str_n(url.at, len);
	p.rest = str_skip(url, len);
	return p;
}

struct str proxy_join_path(struct arena *a, struct str prefix, struct str path)
{
	CLEANUP_BUF out = BUF_INIT(prefix.len + path.len + 2);
	struct str rest = path, segment;
	while (rest.len) {
		str_cut(rest, '/', &segment, &rest);
		if (segment.len == 0 || str_is(segment, "."))
			continue;
		if (!str_is(segment, "..")) {
			buf_add_char(&out, '/');
			buf_add_str(&out, segment);
			continue;
		}
		while (out.len > 0 && out.data[out.len - 1] != '/')
			buf_cut(&out, out.len - 1);
		buf_cut(&out, out.len ? out.len - 1 : 0);
	}
	bool has_slash = str_has_suffix(path, STR("/"));
	return arena_printf(a, "%.*s%.*s%s", STR_FMT(prefix), STR_FMT(buf_str(&out)),
			    has_slash ? "/" : "");
}

struct str proxy_rewrite_url(struct arena *a, const struct proxy_links *links, struct str url)
{
	struct url_parts p = url_split(url);
	bool is_asked_host = p.has_host && str_eq(p.host, links->request_host);
	bool is_ours = !p.has_host || is_asked_host || str_eq(p.host, links->server_host);
	if (!is_ours || !str_has_prefix(p.path, STR("/")))
		return url;
	struct str path = str_has_prefix(p.path, links->prefix)
				  ? p.path
				  : proxy_join_path(a, links->prefix, p.path);
	if (!is_asked_host)
		return arena_printf(a, "%.*s%.*s", STR_FMT(path), STR_FMT(p.rest));
	return arena_printf(a, "%.*s%s//%.*s%.*s%.*s", STR_FMT(p.scheme), p.scheme.len ? ":" : "",
			    STR_FMT(p.host), STR_FMT(path), STR_FMT(p.rest));
}

/* ---- a tag ---- */

static const struct {
	const char *tag;
	const char *attributes[4];
} link_rows[] = {
	{"a", {"href"}},
	{"applet", {"codebase"}},
	{"area", {"href"}},
	{"audio", {"src"}},
	{"base", {"href"}},
	{"blockquote", {"cite"}},
	{"body", {"background"}},
	{"button", {"formaction"}},
	{"command", {"icon"}},
	{"del", {"cite"}},
	{"embed", {"src"}},
	{"form", {"action"}},
	{"frame", {"longdesc", "src"}},
	{"head", {"profile"}},
	{"html", {"manifest"}},
	{"iframe", {"longdesc", "src"}},
	{"img", {"longdesc", "src", "usemap"}},
	{"input", {"src", "formaction", "usemap"}},
	{"ins", {"cite"}},
	{"link", {"href"}},
	{"object", {"classid", "codebase", "data", "usemap"}},
	{"q", {"cite"}},
	{"script", {"src"}},
	{"source", {"src"}},
	{"video", {"poster", "src"}},
};

/* Elements whose text is text, whatever it looks like (HTML §13.2.5). */
static const char *const raw_elements[] = {"iframe", "noembed", "noframes", "noscript", "script",
					   "style",  "title",	"textarea", "xmp"};

static bool is_link(struct str tag, struct str attribute)
{
	for (size_t i = 0; i < ARRAY_LEN(link_rows); i++) {
		if (!str_eq_nocase(tag, str_of(link_rows[i].tag)))
			continue;
		for (size_t k = 0; k < 4 && link_rows[i].attributes[k]; k++)
			if (str_eq_nocase(attribute, str_of(link_rows[i].attributes[k])))
				return true;
	}
	return false;
}

static size_t skip_space(struct str tag, size_t at)
{
	while (at < tag.len && (isspace((unsigned char)tag.at[at]) || tag.at[at] == '/'))
		at++;
	return at;
}

static size_t word_end(struct str tag, size_t at, const char *marks)
{
	while (at < tag.len && !isspace((unsigned char)tag.at[at]) && !strchr(marks, tag.at[at]))
		at++;
	return at;
}

struct attribute {
	struct str name, value; /* value without quotes; absent: none */
	size_t end;
};

static struct attribute attribute_at(struct str tag, size_t at)
{
	size_t end = word_end(tag, at, "=/>");
	struct attribute x = {.name = str_n(tag.at + at, end - at)};
	size_t value = end;
	while (value < tag.len && isspace((unsigned char)tag.at[value]))
		value++;
	x.end = end;
	if (value >= tag.len || tag.at[value] != '=')
		return x;
	value++;
	while (value < tag.len && isspace((unsigned char)tag.at[value]))
		value++;
	char quote = value < tag.len && strchr("\"'", tag.at[value]) ? tag.at[value] : 0;
	if (!quote) {
		x.end = word_end(tag, value, ">");
		x.value = str_n(tag.at + value, x.end - value);
		return x;
	}
	const char *close = memchr(tag.at + value + 1, quote, tag.len - value - 1);
	size_t len = close ? (size_t)(close - tag.at) - value - 1 : tag.len - value - 1;
	x.value = str_n(tag.at + value + 1, len);
	x.end = MIN(value + len + 2, tag.len);
	return x;
}

/* tag: from '<' to '>'. */
static void tag_rewrite(const struct proxy_html *h, struct str tag, struct buf *out)
{
	CLEANUP_ARENA a = {};
	size_t at = word_end(tag, 1, "/>"), copied = 0;
	struct str name = str_n(tag.at + 1, at - 1);
	for (at = skip_space(tag, at); at < tag.len && tag.at[at] != '>';
	     at = skip_space(tag, at)) {
		struct attribute x = attribute_at(tag, at);
		if (x.value.len && is_link(name, x.name)) {
			size_t begin = (size_t)(x.value.at - tag.at);
			buf_add(out, tag.at + copied, begin - copied);
			buf_add_str(out, proxy_rewrite_url(&a, &h->links, x.value));
			copied = begin + x.value.len;
		}
		at = MAX(x.end, at + 1);
	}
	buf_add(out, tag.at + copied, tag.len - copied);
}

/* ---- the document ---- */

/* Length of the tag that begins here; 0: it does not end in these bytes. */
static size_t tag_length(struct str text)
{
	char quote = 0;
	for (size_t i = 1; i < text.len; i++) {
		char c = text.at[i];
		if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '>')
			return i + 1;
		else if ((c == '"' || c == '\'') && text.at[i - 1] == '=')
			quote = c;
	}
	return 0;
}

static const char *raw_text_of(struct str tag)
{
	struct str name = str_n(tag.at + 1, word_end(tag, 1, "/>") - 1);
	for (size_t i = 0; i < ARRAY_LEN(raw_elements); i++)
		if (str_eq_nocase(name, str_of(raw_elements[i])))
			return raw_elements[i];
	return NULL;
}

/* What a '<' begins: its length, with where it leads; 0: more bytes are needed. */
static size_t markup_take(struct proxy_html *h, struct str text, struct buf *out)
{
	if (h->raw_text) {
		size_t len = strlen(h->raw_text);
		if (text.len < len + 2 && text.len > 1 && text.at[1] != '/')
			len = 0;
		else if (text.len < len + 2)
			return 0;
		bool is_end = len && text.at[1] == '/' &&
			      str_eq_nocase(str_n(text.at + 2, len), str_of(h->raw_text));
		if (!is_end) {
			buf_add_char(out, '<');
			return 1;
		}
		h->raw_text = NULL;
	}
	if (text.len < 4 && str_has_prefix(STR("<!--"), text))
		return 0;
	if (str_has_prefix(text, STR("<!--"))) {
		h->is_comment = true;
		buf_add(out, text.at, 4);
		return 4;
	}
	size_t len = isalpha((unsigned char)text.at[1]) ? tag_length(text) : 1;
	if (len == 0 && text.len < TAG_MAX)
		return 0;
	if (len <= 1) {
		buf_add_char(out, '<');
		return 1;
	}
	struct str tag = str_n(text.at, len);
	tag_rewrite(h, tag, out);
	h->raw_text = raw_text_of(tag);
	return len;
}

static size_t comment_take(struct proxy_html *h, struct str text, struct buf *out)
{
	const char *end = memmem(text.at, text.len, "-->", 3);
	size_t len = end ? (size_t)(end - text.at) + 3 : text.len > 2 ? text.len - 2 : 0;
	h->is_comment = !end;
	buf_add(out, text.at, len);
	return len;
}

static size_t text_take(struct str text, struct buf *out)
{
	const char *mark = memchr(text.at, '<', text.len);
	size_t len = mark ? (size_t)(mark - text.at) : text.len;
	buf_add(out, text.at, len);
	return len;
}

void proxy_html_feed(struct proxy_html *h, struct str bytes, struct buf *out)
{
	h->pending.max_bytes = TAG_MAX + bytes.len + 4;
	buf_add_str(&h->pending, bytes);
	struct str rest = buf_str(&h->pending);
	size_t used = 1;
	while (rest.len && used) {
		if (h->is_comment)
			used = comment_take(h, rest, out);
		else if (rest.at[0] == '<')
			used = markup_take(h, rest, out);
		else
			used = text_take(rest, out);
		rest = str_skip(rest, used);
	}
	if (bytes.len == 0) {
		buf_add_str(out, rest);
		rest = STR("");
	}
	buf_consume(&h->pending, h->pending.len - rest.len);
}

void proxy_html_done(struct proxy_html *h)
{
	buf_done(&h->pending);
}
