#include "http/transfer.h"

#include <pthread.h>

#include "base/mem.h"
#include "http/http1_parse.h"

#define HEAD_BYTES_MAX	   (256u << 10)
#define FIELDS_MAX	   1000
#define BODY_DEFAULT_MAX   ((size_t)64 << 20)
#define CONNECT_DEFAULT_MS 10000
#define BUFFER_BYTES	   (128L << 10)

static void curl_start(void)
{
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
	ASSERT(code == CURLE_OK);
}

/* --- options --- */

enum rc transfer_opts_init(struct transfer_opts *o, const struct http_client_opts *opts,
			   struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, curl_start);
	if (opts->cert_pem.len > 0 && opts->key_pem.len == 0)
		return err_set(err, RC_INVALID, "client certificate: its private key is missing");
	*o = (struct transfer_opts){.opts = *opts, .authorization = BUF_INIT(64u << 10)};
	o->opts.ca_pem = arena_str(&o->arena, opts->ca_pem);
	o->opts.cert_pem = arena_str(&o->arena, opts->cert_pem);
	o->opts.key_pem = arena_str(&o->arena, opts->key_pem);
	o->opts.user_agent = arena_str(&o->arena, opts->user_agent.at ? opts->user_agent
								      : STR("skeg/" SKEG_VERSION));
	transfer_opts_set_token(o, opts->bearer_token);
	return RC_OK;
}

static void forget_key(struct transfer_opts *o)
{
	if (o->opts.key_pem.len > 0)
		explicit_bzero((char *)o->opts.key_pem.at, o->opts.key_pem.len);
}

void transfer_opts_done(struct transfer_opts *o)
{
	if (o->authorization.data)
		explicit_bzero(o->authorization.data, o->authorization.len);
	forget_key(o);
	buf_done(&o->authorization);
	arena_done(&o->arena);
}

void transfer_opts_set_identity(struct transfer_opts *o, struct str cert_pem, struct str key_pem)
{
	forget_key(o); /* each request has taken a copy */
	o->opts.cert_pem = arena_str(&o->arena, cert_pem);
	o->opts.key_pem = arena_str(&o->arena, key_pem);
}

void transfer_opts_set_token(struct transfer_opts *o, struct str token)
{
	buf_reset(&o->authorization);
	if (token.len > 0)
		buf_printf(&o->authorization, "authorization: Bearer %.*s", STR_FMT(token));
}

/* --- the reply --- */

/* "HTTP/2 200" or "HTTP/1.1 200 OK". */
static int status_of(struct str line)
{
	struct str version, rest, code;
	int64_t status = 0;
	str_cut(line, ' ', &version, &rest);
	str_cut(rest, ' ', &code, &rest);
	return str_to_i64(code, &status) && status >= 100 && status < 1000 ? (int)status : 0;
}

static bool is_redirect(const struct transfer *t)
{
	return t->max_redirects > 0 && t->response.status >= 300 && t->response.status < 400 &&
	       t->response.status != 304 && http_response_header(&t->response, "location").at;
}

static void head_end(struct transfer *t)
{
	if (t->response.status < 200 || is_redirect(t) || t->is_head_told)
		return;
	t->is_head_told = true;
	if (t->on_head)
		t->on_head(t);
}

static struct str name_lower(struct arena *a, struct str name)
{
	char *out = arena_cstr(a, name);
	for (size_t i = 0; i < name.len; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] + 32);
	return str_n(out, name.len);
}

static void field_add(struct transfer *t, struct str line)
{
	struct str name, value;
	if (!str_cut(line, ':', &name, &value) || t->field_count == FIELDS_MAX)
		return;
	if (t->field_count == t->field_cap)
		t->fields = arena_grow(&t->arena, t->fields, t->field_count, &t->field_cap,
				       sizeof(struct http_header));
	t->fields[t->field_count++] = (struct http_header){name_lower(&t->arena, str_trim(name)),
							   arena_str(&t->arena, str_trim(value))};
	t->response.headers = t->fields;
	t->response.header_count = t->field_count;
}

static size_t header_on(char *at, size_t one, size_t len, void *user)
{
	struct transfer *t = user;
	struct str line = str_trim(str_n(at, len));
	t->head_bytes += len;
	if (t->head_bytes > HEAD_BYTES_MAX) {
		err_set(&t->own, RC_TOO_LARGE, "the reply's head exceeds %u bytes", HEAD_BYTES_MAX);
		return 0;
	}
	if (str_has_prefix(line, STR("HTTP/"))) {
		t->response.status = status_of(line);
		t->field_count = t->response.header_count = 0;
	} else if (line.len == 0) {
		head_end(t);
	} else {
		field_add(t, line);
	}
	return len;
}

static size_t write_on(char *at, size_t one, size_t len, void *user)
{
	struct transfer *t = user;
	struct str bytes = str_n(at, len);
	if (t->on_data)
		return t->on_data(t, bytes) ? len : CURL_WRITEFUNC_ERROR;
	buf_add_str(&t->body, bytes);
	if (!t->body.is_full)
		return len;
	err_set(&t->own, RC_TOO_LARGE, "the reply's body exceeds %zu bytes", t->body_max);
	return CURL_WRITEFUNC_ERROR;
}

struct str http_response_header(const struct http_response *response, const char *name)
{
	for (size_t i = 0; i < response->header_count; i++)
		if (str_is(response->headers[i].name, name))
			return response->headers[i].value;
	return (struct str){};
}

/* --- the request --- */

static void blob_set(CURL *easy, CURLoption option, struct str pem)
{
	struct curl_blob blob = {(void *)pem.at, pem.len, CURL_BLOB_COPY};
	if (pem.len > 0)
		curl_easy_setopt(easy, option, &blob);
}

static void tls_set(CURL *easy, const struct http_client_opts *opts)
{
	if (opts->ca_pem.len > 0) {
		/* The system's authorities count no more. */
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		blob_set(easy, CURLOPT_CAINFO_BLOB, opts->ca_pem);
	}
	blob_set(easy, CURLOPT_SSLCERT_BLOB, opts->cert_pem);
	blob_set(easy, CURLOPT_SSLKEY_BLOB, opts->key_pem);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, opts->skip_verify ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, opts->skip_verify ? 0L : 2L);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

static void connection_set(CURL *easy, const struct http_client_opts *opts)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, opts->user_agent.at);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 (long)(opts->http1_only   ? CURL_HTTP_VERSION_1_1
				: opts->http2_only ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
						   : CURL_HTTP_VERSION_2TLS));
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, opts->http2_only ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, opts->http2_only ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, opts->http1_only ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(opts->connect_timeout_ms > 0 ? opts->connect_timeout_ms
							     : CONNECT_DEFAULT_MS));
	if (!opts->use_proxy_env)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static void limits_set(struct transfer *t, const struct http_request *request)
{
	if (request->timeout_ms > 0)
		curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	if (request->idle_timeout_ms > 0) {
		curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME,
				 (long)((request->idle_timeout_ms + 999) / 1000));
	}
	if (request->max_redirects > 0) {
		bool is_https = strncmp(request->url, "https:", 6) == 0;
		curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 1L);
		curl_easy_setopt(t->easy, CURLOPT_MAXREDIRS, (long)request->max_redirects);
		curl_easy_setopt(t->easy, CURLOPT_REDIR_PROTOCOLS_STR,
				 is_https ? "https" : "http,https");
	}
}

static void slist_add(struct curl_slist **list, const char *text)
{
	struct curl_slist *grown = curl_slist_append(*list, text);
	ASSERT(grown);
	*list = grown;
}

static bool has_field(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (str_eq_nocase(request->headers[i].name, str_of(name)))
			return true;
	return false;
}

static enum rc field_check(const struct http_header *field, struct err *err)
{
	if (http_is_token(field->name) && http_is_field_value(field->value))
		return RC_OK;
	return err_set(err, RC_INVALID,
		       "header '%.*s': want a token and a value without control characters",
		       STR_FMT(field->name));
}

static enum rc headers_set(struct transfer *t, const struct transfer_opts *o,
			   const struct http_request *request, struct err *err)
{
	CLEANUP_BUF line = BUF_INIT(128u << 10);
	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_header *field = &request->headers[i];
		TRY(field_check(field, err));
		buf_reset(&line);
		buf_printf(&line, field->value.len ? "%.*s: %.*s" : "%.*s;%.*s",
			   STR_FMT(field->name), STR_FMT(field->value));
		TRY(buf_check(&line, "header", err));
		slist_add(&t->headers, line.data);
	}
	if (request->authorization.at) {
		buf_reset(&line);
		buf_printf(&line, "authorization: %.*s", STR_FMT(request->authorization));
		slist_add(&t->headers, line.data);
	} else if (o->authorization.len > 0 && !has_field(request, "authorization")) {
		slist_add(&t->headers, o->authorization.data);
	}
	if (!has_field(request, "content-type"))
		slist_add(&t->headers, "Content-Type:"); /* curl's own guess is wrong here */
	slist_add(&t->headers, "Expect:");
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return RC_OK;
}

static void method_set(struct transfer *t, const struct http_request *request)
{
	const char *method = request->method ? request->method : request->body.at ? "POST" : "GET";
	bool has_body = request->body.at || strcmp(method, "POST") == 0;
	if (has_body) {
		t->request_body = (struct buf)BUF_INIT(request->body.len + 1);
		buf_add_str(&t->request_body, request->body);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)request->body.len);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS,
				 t->request_body.data ? t->request_body.data : "");
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, "GET") != 0 || has_body)
		curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void pin_set(struct transfer *t, const char *address)
{
	char text[128];
	snprintf(text, sizeof(text), strchr(address, ':') ? "::[%s]:" : "::%s:", address);
	slist_add(&t->connect_to, text);
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
}

enum rc transfer_begin(struct transfer *t, CURL *easy, struct transfer_opts *o,
		       const struct http_request *request, struct err *err)
{
	t->easy = easy;
	t->body_max = request->body_max ? request->body_max : BODY_DEFAULT_MAX;
	t->body.max_bytes = t->body_max;
	t->max_redirects = request->max_redirects;
	if (!request->url ||
	    (strncmp(request->url, "http://", 7) != 0 && strncmp(request->url, "https://", 8) != 0))
		return err_set(err, RC_INVALID, "URL '%s': want http:// or https://",
			       request->url ? request->url : "");
	TRY(headers_set(t, o, request, err));
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_text);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_on);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_on);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	connection_set(easy, &o->opts);
	tls_set(easy, &o->opts);
	limits_set(t, request);
	method_set(t, request);
	if (request->pin_address)
		pin_set(t, request->pin_address);
	return RC_OK;
}

/* --- the end --- */

static const struct {
	CURLcode code;
	enum rc rc;
} codes[] = {
	{CURLE_URL_MALFORMAT, RC_INVALID},
	{CURLE_UNSUPPORTED_PROTOCOL, RC_INVALID},
	{CURLE_COULDNT_RESOLVE_PROXY, RC_UNAVAILABLE},
	{CURLE_COULDNT_RESOLVE_HOST, RC_UNAVAILABLE},
	{CURLE_COULDNT_CONNECT, RC_UNAVAILABLE},
	{CURLE_OPERATION_TIMEDOUT, RC_TIMEOUT},
	{CURLE_PEER_FAILED_VERIFICATION, RC_UNAUTHORIZED},
	{CURLE_SSL_CERTPROBLEM, RC_INVALID},
	{CURLE_SSL_CACERT_BADFILE, RC_INVALID},
	{CURLE_SSL_CONNECT_ERROR, RC_IO},
	{CURLE_TOO_MANY_REDIRECTS, RC_IO},
};

static enum rc rc_of(CURLcode code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			return codes[i].rc;
	return RC_IO;
}

enum rc transfer_end(struct transfer *t, CURLcode code, struct err *err)
{
	const char *url = NULL;
	curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
	t->response.url = arena_str(&t->arena, str_of(url ? url : ""));
	t->response.body = buf_str(&t->body);
	if (t->own.rc != RC_OK) {
		if (err)
			*err = t->own;
		return t->own.rc;
	}
	if (code == CURLE_OK)
		return RC_OK;
	return err_set(err, rc_of(code), "%.*s: %s", STR_FMT(t->response.url),
		       t->curl_text[0] ? t->curl_text : curl_easy_strerror(code));
}

void transfer_done(struct transfer *t)
{
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->connect_to);
	buf_done(&t->request_body);
	buf_done(&t->body);
	arena_done(&t->arena);
}
