#include "server/route.h"

#define SEGMENTS_MAX 16

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct str percent_decode(struct arena *a, struct str text, bool is_plus_space)
{
	if (!text.len ||
	    (!memchr(text.at, '%', text.len) && !(is_plus_space && memchr(text.at, '+', text.len))))
		return text;
	char *out = arena_alloc(a, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '%' && i + 2 < text.len && hex_digit(text.at[i + 1]) >= 0 &&
		    hex_digit(text.at[i + 2]) >= 0) {
			c = (char)(hex_digit(text.at[i + 1]) * 16 + hex_digit(text.at[i + 2]));
			i += 2;
		} else if (c == '+' && is_plus_space) {
			c = ' ';
		}
		out[len++] = c;
	}
	return str_n(out, len);
}

/* Upstream's parser drops a pair that it cannot read, and one with a semicolon. */
static bool is_readable(struct str pair)
{
	for (size_t i = 0; i < pair.len; i++) {
		bool is_escape = pair.at[i] == '%';
		if (pair.at[i] == ';')
			return false;
		if (is_escape && (i + 2 >= pair.len || hex_digit(pair.at[i + 1]) < 0 ||
				  hex_digit(pair.at[i + 2]) < 0))
			return false;
	}
	return true;
}

struct str query_next(struct arena *a, struct str query, const char *name, size_t *pos)
{
	while (*pos < query.len) {
		struct str pair, rest, key, value;
		str_cut(str_skip(query, *pos), '&', &pair, &rest);
		*pos += pair.len + 1;
		if (!is_readable(pair))
			continue;
		if (!str_cut(pair, '=', &key, &value))
			value = STR("");
		if (str_is(percent_decode(a, key, true), name))
			return percent_decode(a, value, true);
	}
	return (struct str){};
}

struct str query_get(struct arena *a, struct str query, const char *name)
{
	size_t pos = 0;
	return query_next(a, query, name, &pos);
}

/* ---- options ---- */

static bool is_true(struct str value)
{
	return value.at && !str_is(value, "false") && !str_is(value, "0");
}

static void read_text(struct str value, void *ret_text)
{
	*(struct str *)ret_text = value;
}

static void read_number(struct str value, void *ret_number)
{
	str_to_i64(value, ret_number);
}

static void read_truth(struct str value, void *ret_truth)
{
	*(bool *)ret_truth = is_true(value);
}

static void read_presence(struct str value, void *ret_presence)
{
	*(bool *)ret_presence = true;
}

static void read_not_empty(struct str value, void *ret_not_empty)
{
	*(bool *)ret_not_empty = value.len > 0;
}

static void read_go_truth(struct str value, void *ret_truth)
{
	static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True"};
	if (value.len)
		*(bool *)ret_truth = false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		*(bool *)ret_truth |= str_is(value, words[i]);
}

static const struct option_row {
	const char *name;
	size_t offset;
	void (*read)(struct str value, void *ret_value);
} option_rows[] = {
	{"allowWatchBookmarks", offsetof(struct options, allow_bookmarks), read_truth},
	{"continue", offsetof(struct options, continue_token), read_text},
	{"dryRun", offsetof(struct options, is_dry_run), read_not_empty},
	{"fieldManager", offsetof(struct options, field_manager), read_text},
	{"fieldSelector", offsetof(struct options, field_selector), read_text},
	{"fieldValidation", offsetof(struct options, field_validation), read_text},
	{"force", offsetof(struct options, has_force), read_presence},
	{"force", offsetof(struct options, is_force), read_truth},
	{"includeObject", offsetof(struct options, include_object), read_text},
	{"labelSelector", offsetof(struct options, label_selector), read_text},
	{"limit", offsetof(struct options, limit), read_number},
	{"pretty", offsetof(struct options, wants_pretty), read_go_truth},
	{"resourceVersion", offsetof(struct options, resource_version), read_text},
	{"resourceVersionMatch", offsetof(struct options, resource_version_match), read_text},
	{"sendInitialEvents", offsetof(struct options, has_send_initial_events), read_presence},
	{"sendInitialEvents", offsetof(struct options, send_initial_events), read_truth},
	{"timeout", offsetof(struct options, timeout), read_text},
	{"timeoutSeconds", offsetof(struct options, timeout_s), read_number},
	{"watch", offsetof(struct options, is_watch), read_truth},
};

/* Browsers and tools of the command line: what they get is read by people. */
static bool is_by_hand(struct str user_agent)
{
	static const char *const names[] = {"curl", "Wget", "Mozilla/5.0"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_has_prefix(user_agent, str_of(names[i])))
			return true;
	return false;
}

/* One pass over the query; of a parameter that is given twice the first counts. */
static void parse_options(struct request *r)
{
	bool is_read[ARRAY_LEN(option_rows)] = {};
	r->options.wants_pretty = is_by_hand(r->user_agent);
	struct str rest = r->query, pair, key, value;
	while (rest.len) {
		str_cut(rest, '&', &pair, &rest);
		if (!is_readable(pair))
			continue;
		if (!str_cut(pair, '=', &key, &value))
			value = STR("");
		key = percent_decode(&r->arena, key, true);
		value = percent_decode(&r->arena, value, true);
		for (size_t i = 0; i < ARRAY_LEN(option_rows); i++) {
			const struct option_row *row = &option_rows[i];
			if (is_read[i] || !str_is(key, row->name))
				continue;
			row->read(value, (char *)&r->options + row->offset);
			is_read[i] = true;
		}
	}
}

/* Path segments without their slashes; -1 when there are too many or an empty one inside. */
static int split_path(struct request *r, struct str segments[SEGMENTS_MAX])
{
	struct str rest = str_skip(r->path, 1);
	int count = 0;
	while (rest.at && rest.len) {
		struct str head;
		if (count == SEGMENTS_MAX)
			return count; /* only proxies are that deep, and they keep the raw path */
		str_cut(rest, '/', &head, &rest);
		segments[count++] = percent_decode(&r->arena, head, false);
	}
	return count;
}

static enum verb verb_of(const struct request *r, bool has_name)
{
	static const struct {
		const char *method;
		enum verb with_name, without;
	} rows[] = {
		{"GET", DO_GET, DO_LIST},	{"HEAD", DO_GET, DO_LIST},
		{"POST", DO_CREATE, DO_CREATE}, {"PUT", DO_UPDATE, DO_UPDATE},
		{"PATCH", DO_PATCH, DO_PATCH},	{"DELETE", DO_DELETE, DO_DELETE_COLLECTION},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(r->method, rows[i].method))
			return has_name ? rows[i].with_name : rows[i].without;
	return DO_GET;
}

const char *verb_name(enum verb verb)
{
	static const char *const names[] = {"get",    "list",  "watch",	 "create",
					    "update", "patch", "delete", "deletecollection",
					    "connect"};
	return names[verb];
}

static bool is_connect(struct str subresource)
{
	static const char *const names[] = {"exec", "attach", "portforward", "log", "proxy"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(subresource, names[i]))
			return true;
	return false;
}

/* With the kind known: does it connect, and which verb must rules allow? */
static void settle_verb(struct request *r)
{
	struct route *route = &r->route;
	if (is_connect(route->subresource) && route->kind)
		route->verb = DO_CONNECT;
	enum verb asked = route->verb == DO_CONNECT ? verb_of(r, true) : route->verb;
	/* Other methods are no verb that a rule names, but for "*". */
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
	bool is_named = false;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		is_named = is_named || str_is(r->method, methods[i]);
	route->authz_verb = str_of(is_named ? verb_name(asked) : "");
}

/* segments: [namespaces ns] resource [name [subresource [rest…]]] */
static void route_resource(struct request *r, const struct str *segments, int count)
{
	struct route *route = &r->route;
	route->is_resource = true;
	bool is_watch_prefix = count > 0 && str_is(segments[0], "watch");
	if (is_watch_prefix) {
		segments++;
		count--;
	}
	if (count >= 3 && str_is(segments[0], "namespaces") && !str_is(segments[2], "status") &&
	    !str_is(segments[2], "finalize")) {
		route->namespace = segments[1];
		segments += 2;
		count -= 2;
	}
	route->resource = count > 0 ? segments[0] : STR("");
	route->name = count > 1 ? segments[1] : (struct str){};
	route->subresource = count > 2 ? segments[2] : (struct str){};
	if (count > 3)
		route->rest = str_n(segments[3].at,
				    1); /* its presence matters; proxies read the raw path */
	bool is_in_namespace = route->namespace.at != NULL;
	const struct api_kind *kind =
		api_by_resource(api_builtin(), route->group, route->version, route->resource);
	if (kind && str_is(kind->plural, "namespaces") && route->name.len && !route->namespace.at)
		route->namespace = route->name;
	/* A kind of cluster scope below a namespace would be judged by that namespace's roles
	 * (CVE-2019-11247). */
	bool is_in_place = !kind || !is_in_namespace || kind->is_namespaced;
	bool needs_namespace = kind && kind->is_namespaced && !route->namespace.at &&
			       route->name.at;
	route->verb = verb_of(r, route->name.at != NULL);
	if (is_watch_prefix && (route->verb == DO_LIST || route->verb == DO_GET))
		r->options.is_watch = true;
	if (r->options.is_watch &&
	    (route->verb == DO_LIST || (is_watch_prefix && route->verb == DO_GET)))
		route->verb = DO_WATCH;
	bool is_clean = !route->name.at || !memchr(route->name.at, '/', route->name.len);
	if (kind && is_in_place && !needs_namespace && is_clean)
		route->kind = kind;
	if (route->kind && route->subresource.at) {
		route->sub = api_subresource(kind, route->subresource);
		if (!route->sub || (route->rest.at && !str_is(route->subresource, "proxy")) ||
		    is_watch_prefix)
			route->kind = NULL;
	}
	settle_verb(r);
}

/* "/api/v1/" {"nodes/X" | "namespaces/N/" ("pods" | "services") "/X"} "/proxy" ["/" …] */
bool route_is_proxy(struct str path, struct str *ret_prefix, struct str *ret_below)
{
	static const struct str start = STR_INIT("/api/v1/");
	struct str rest = str_skip(path, start.len), word;
	if (!str_has_prefix(path, start) || !memmem(path.at, path.len, "/proxy", 6))
		return false;
	str_cut(rest, '/', &word, &rest);
	bool is_node = str_is(word, "nodes");
	if (!is_node && !str_is(word, "namespaces"))
		return false;
	if (!is_node) {
		str_cut(rest, '/', &word, &rest);
		str_cut(rest, '/', &word, &rest);
		if (!str_is(word, "pods") && !str_is(word, "services"))
			return false;
	}
	str_cut(rest, '/', &word, &rest);
	str_cut(rest, '/', &word, &rest);
	if (!str_is(word, "proxy"))
		return false;
	*ret_prefix = str_n(path.at, (size_t)(word.at + word.len - path.at));
	*ret_below = str_skip(path, ret_prefix->len);
	return true;
}

static struct str lower(struct arena *a, struct str s)
{
	char *out = arena_cstr(a, s);
	for (size_t i = 0; i < s.len; i++)
		out[i] = (char)(out[i] | 0x20);
	return str_n(out, s.len);
}

void route_parse(struct request *r)
{
	struct str segments[SEGMENTS_MAX];
	parse_options(r);
	int count = split_path(r, segments);
	if (count >= 3 && str_is(segments[0], "api")) {
		r->route.version = segments[1];
		r->route.group = STR("");
		route_resource(r, segments + 2, count - 2);
	} else if (count >= 4 && str_is(segments[0], "apis")) {
		r->route.group = segments[1];
		r->route.version = segments[2];
		route_resource(r, segments + 3, count - 3);
	} else {
		r->route.authz_verb = lower(&r->arena, r->method);
	}
}
