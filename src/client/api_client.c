#include "client/api_client.h"

#include <stdio.h>

#include "client/api_error.h"
#include "client/api_path.h"
#include "client/kubeconfig.h"
#include "http/client.h"

#define HEADERS_MAX    (2 + API_IDENTITY_HEADERS)
#define BODY_BYTES_MAX (16u << 20)

/* What the command line says of the server, instead of the kubeconfig or with it. */
static enum rc find_target(struct arena *a, const struct client_options *o,
			   struct kubeconfig_target *ret_target, struct err *err)
{
	*ret_target = (struct kubeconfig_target){};
	if (!o->server || o->kubeconfig || o->context)
		TRY(kubeconfig_load(a, o->kubeconfig, o->context, ret_target, err));
	if (o->server)
		ret_target->server = str_of(o->server);
	if (o->token) {
		ret_target->token = str_of(o->token);
		ret_target->cert_pem = ret_target->key_pem = (struct str){};
	}
	ret_target->skip_verify |= o->skip_verify;
	return RC_OK;
}

enum rc api_client_open(struct arena *a, const struct client_options *o,
			struct api_client *ret_client, struct err *err)
{
	struct api_client c = {.arena = a, .options = o, .page_limit = API_PAGE_LIMIT};
	struct kubeconfig_target *target = &c.target;
	TRY(find_target(a, o, target, err));
	const struct http_client_opts opts = {
		.ca_pem = target->ca_pem,
		.cert_pem = target->cert_pem,
		.key_pem = target->key_pem,
		.bearer_token = target->token,
		.skip_verify = target->skip_verify,
	};
	c.server = target->server;
	while (str_has_suffix(c.server, STR("/")))
		c.server.len--;
	c.is_namespace_given = o->namespace && *o->namespace;
	c.namespace = c.is_namespace_given    ? str_of(o->namespace)
		      : target->namespace.len ? target->namespace
					      : STR("default");
	TRY(http_session_new(&opts, &c.session, err));
	*ret_client = c;
	return RC_OK;
}

size_t api_client_identity(const struct api_client *c, struct http_header *out)
{
	const struct client_options *o = c->options;
	size_t count = 0;
	if (o->as)
		out[count++] = (struct http_header){STR("impersonate-user"), str_of(o->as)};
	for (size_t i = 0; i < o->as_groups.count && count < API_IDENTITY_HEADERS; i++)
		out[count++] =
			(struct http_header){STR("impersonate-group"), str_of(o->as_groups.at[i])};
	return count;
}

void api_client_close(struct api_client *c)
{
	http_session_free(c->session);
	c->session = NULL;
}

/* What kept a request from an answer, with what to do about it. */
static enum rc unreachable(const struct api_client *c, struct err *err)
{
	static const char *const remedies[] = {
		[RC_UNAVAILABLE] = "; 'skeg status' tells whether a cluster runs here, 'skeg up' "
				   "starts one, --kubeconfig and --context choose another",
		[RC_UNAUTHORIZED] =
			"; the kubeconfig belongs to another cluster, 'skeg kubeconfig' "
			"prints that of this machine",
		[RC_TIMEOUT] = "; try again, and see 'skeg status'",
	};
	const char *remedy = (size_t)err->rc < ARRAY_LEN(remedies) ? remedies[err->rc] : NULL;
	struct err cause = *err;
	return err_set(err, cause.rc, "no answer from %.*s: %s%s", STR_FMT(c->server), cause.text,
		       remedy ? remedy : "");
}

/* RFC 7234 5.5: 299 - "text"; the server escapes quotes and backslashes. */
static void print_warnings(const struct http_response *response)
{
	for (size_t i = 0; i < response->header_count; i++) {
		struct str text = response->headers[i].value, head;
		if (!str_is(response->headers[i].name, "warning") ||
		    !str_cut(text, '"', &head, &text) || !str_has_suffix(text, STR("\"")))
			continue;
		fputs("Warning: ", stderr);
		for (size_t k = 0; k + 1 < text.len; k++) {
			k += text.at[k] == '\\';
			fputc(text.at[k], stderr);
		}
		fputc('\n', stderr);
	}
}

static enum rc fetch(struct api_client *c, struct arena *a, const struct api_request *request,
		     const struct http_fetch_ops *ops, struct api_reply *ret_reply, struct err *err)
{
	struct http_response response;
	struct http_header headers[HEADERS_MAX];
	size_t header_count = api_client_identity(c, headers);
	headers[header_count++] = (struct http_header){
		STR("accept"), str_of(request->accept ? request->accept : "application/json")};
	if (request->content_type)
		headers[header_count++] =
			(struct http_header){STR("content-type"), str_of(request->content_type)};
	const struct http_request http = {
		.method = request->method,
		.url = arena_cstr(
			a, arena_printf(a, "%.*s%.*s", STR_FMT(c->server), STR_FMT(request->path))),
		.headers = headers,
		.header_count = header_count,
		.body = request->body,
		.timeout_ms = request->is_endless   ? 0
			      : request->timeout_ms ? request->timeout_ms
						    : API_REQUEST_TIMEOUT_MS,
	};
	enum rc rc = http_fetch(c->session, &http, ops, a, &response, err);
	if (rc != RC_OK)
		return ops && rc != RC_UNAVAILABLE ? rc : unreachable(c, err);
	print_warnings(&response);
	struct api_reply reply = {.status = response.status, .body = response.body};
	if (reply.body.len && json_parse(a, reply.body, &reply.tree, NULL, NULL) != RC_OK)
		reply.tree = NULL;
	if (response.status / 100 != 2 && request->ret_refusal)
		*request->ret_refusal = reply.tree;
	if (response.status / 100 != 2)
		return api_error_set(err, response.status, reply.tree);
	*ret_reply = reply;
	return RC_OK;
}

enum rc api_client_call(struct api_client *c, struct arena *a, const struct api_request *request,
			struct api_reply *ret_reply, struct err *err)
{
	return fetch(c, a, request, NULL, ret_reply, err);
}

enum rc api_client_get(struct api_client *c, struct arena *a, struct str path,
		       struct json **ret_tree, struct err *err)
{
	struct api_reply reply;
	const struct api_request request = {.path = path};
	TRY(api_client_call(c, a, &request, &reply, err));
	if (!reply.tree || reply.tree->type != JSON_OBJECT)
		return err_set(err, RC_INVALID, "the answer of %.*s is no object",
			       STR_FMT(c->server));
	*ret_tree = reply.tree;
	return RC_OK;
}

enum rc api_client_send(struct api_client *c, struct arena *a, const char *method, struct str path,
			const char *content_type, const struct json *body, struct json **ret_tree,
			struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(BODY_BYTES_MAX);
	struct api_reply reply;
	if (body)
		json_write(&text, body);
	TRY(buf_check(&text, "the object", err));
	const struct api_request request = {
		.method = method,
		.path = path,
		.content_type = content_type ? content_type : "application/json",
		.body = body ? buf_str(&text) : (struct str){},
	};
	TRY(api_client_call(c, a, &request, &reply, err));
	*ret_tree = reply.tree ? reply.tree : json_object(a);
	return RC_OK;
}

struct byte_stream {
	enum rc (*write)(struct str bytes, void *ctx, struct err *err);
	void *ctx;
};

static enum rc pass_bytes(struct str bytes, const struct http_response *response, void *ctx,
			  struct err *err)
{
	struct byte_stream *s = ctx;
	return s->write(bytes, s->ctx, err);
}

static enum rc stream(struct api_client *c, const struct api_request *request,
		      enum rc (*write)(struct str bytes, void *ctx, struct err *err), void *ctx,
		      struct err *err)
{
	CLEANUP_ARENA a = {};
	struct byte_stream bytes = {write, ctx};
	const struct http_fetch_ops ops = {.write = pass_bytes, .ctx = &bytes};
	struct api_reply reply;
	return fetch(c, &a, request, &ops, &reply, err);
}

static enum rc print_bytes(struct str bytes, void *ctx, struct err *err)
{
	fwrite(bytes.at, 1, bytes.len, stdout);
	if (fflush(stdout) != 0)
		return err_set(err, RC_IO, "the reply can't be written to standard output");
	return RC_OK;
}

enum rc api_client_print(struct api_client *c, const struct api_request *request, struct err *err)
{
	return stream(c, request, print_bytes, NULL, err);
}

struct line_stream {
	enum rc (*each)(struct arena *a, struct json *tree, void *ctx, struct err *err);
	void *ctx;
	struct buf waiting; /* a line whose end has not come */
	struct arena arena; /* of one line */
};

static enum rc pass_line(struct line_stream *s, struct str line, struct err *err)
{
	struct json *tree;
	arena_reset(&s->arena);
	TRY(json_parse(&s->arena, line, &tree, NULL, err));
	return s->each(&s->arena, tree, s->ctx, err);
}

static enum rc cut_lines(struct str bytes, void *ctx, struct err *err)
{
	struct line_stream *s = ctx;
	size_t done = 0;
	buf_add_str(&s->waiting, bytes);
	TRY(buf_check(&s->waiting, "an event of the watch", err));
	for (;;) {
		struct str rest = str_skip(buf_str(&s->waiting), done);
		const char *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
		if (!end)
			break;
		size_t len = (size_t)(end - rest.at);
		if (len)
			TRY(pass_line(s, str_n(rest.at, len), err));
		done += len + 1;
	}
	buf_consume(&s->waiting, done);
	return RC_OK;
}

enum rc api_client_lines(struct api_client *c, const struct api_request *request,
			 enum rc (*each)(struct arena *a, struct json *tree, void *ctx,
					 struct err *err),
			 void *ctx, struct err *err)
{
	struct line_stream s = {.each = each, .ctx = ctx, .waiting = BUF_INIT(API_LINE_MAX)};
	enum rc rc = stream(c, request, cut_lines, &s, err);
	buf_done(&s.waiting);
	arena_done(&s.arena);
	return rc;
}

enum rc api_client_list(struct api_client *c, struct arena *a, struct str url, const char *accept,
			enum rc (*each)(struct json *list, void *ctx, struct err *err), void *ctx,
			struct err *err)
{
	struct str page = STR("");
	do {
		struct api_reply reply;
		struct json *refusal = NULL;
		struct str limit = arena_printf(a, "%lld", (long long)c->page_limit);
		CLEANUP_BUF path = BUF_INIT(URL_MAX_BYTES);
		buf_add_str(&path, url);
		query_add(&path, "limit", c->page_limit > 0 ? limit : STR(""));
		query_add(&path, "continue", page);
		TRY(buf_check(&path, "the request's URL", err));
		const struct api_request request = {
			.path = buf_str(&path), .accept = accept, .ret_refusal = &refusal};
		enum rc rc = api_client_call(c, a, &request, &reply, err);
		struct str next = json_path_str(refusal, "metadata.continue");
		bool is_expired = page.len && (rc == RC_EXPIRED || rc == RC_GONE);
		if (is_expired && next.len && !str_eq(next, page)) {
			page = next;
			continue;
		}
		TRY(rc);
		TRY(each(reply.tree, ctx, err));
		page = json_path_str(reply.tree, "metadata.continue");
	} while (page.len);
	return RC_OK;
}

struct taken {
	struct arena *arena;
	struct json *items;
};

static enum rc take_items(struct json *list, void *ctx, struct err *err)
{
	struct taken *t = ctx;
	struct json *items = json_get(list, STR("items"));
	for (size_t i = 0; i < json_count(items); i++)
		json_append(t->arena, t->items, json_at(items, i));
	return RC_OK;
}

enum rc api_client_items(struct api_client *c, struct arena *a, struct str url,
			 struct json **ret_items, struct err *err)
{
	struct taken taken = {a, json_array(a)};
	TRY(api_client_list(c, a, url, NULL, take_items, &taken, err));
	*ret_items = taken.items;
	return RC_OK;
}

int client_failed(const struct err *err)
{
	static const char *const words_of_servers[] = {API_ERROR_PREFIX, "The ",
						       "You must be logged in"};
	bool has_color = isatty(STDERR_FILENO);
	for (size_t i = 0; i < ARRAY_LEN(words_of_servers); i++) {
		if (!str_has_prefix(str_of(err->text), str_of(words_of_servers[i])))
			continue;
		fprintf(stderr, "%s\n", err->text);
		return EXIT_FAILED;
	}
	fprintf(stderr, "%serror%s: %s\n", has_color ? "\033[31m" : "", has_color ? "\033[0m" : "",
		err->text);
	return EXIT_FAILED;
}
