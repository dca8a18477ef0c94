#include "node/registry.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/log.h"

#define CONNECT_TIMEOUT_S 10L
#define SILENCE_TIMEOUT_S 60L
#define TOKEN_TIMEOUT_S	  60L
#define REDIRECTS_MAX	  5L
#define ERROR_BODY_MAX	  (8u << 10)
#define CHALLENGE_MAX	  4096
#define ADDRESS_MAX	  2048
#define AUTHORIZATION_MAX (REGISTRY_TOKEN_MAX + 64)

#define MANIFEST_ACCEPT                                                                            \
	"Accept: " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST                  \
	", " MEDIA_DOCKER_MANIFEST

struct registry_session {
	const struct registry_endpoint *endpoint;
	const struct registry_auth *auth;
	_Atomic int64_t *received_bytes;
	CURL *curl;
	struct buf authorization; /* "Authorization: ...", empty: none yet */
	char error_text[CURL_ERROR_SIZE];
};

/* What one request collects. */
struct answer {
	struct registry_session *session;
	long status;
	struct buf challenge; /* WWW-Authenticate */
	struct buf media_type;
	struct buf body;	  /* of a document, or of an error */
	struct blob_writer *blob; /* of a blob, once the status is known to be 200 */
	struct err *blob_err;
	enum rc blob_rc;
};

static void answer_init(struct answer *answer, struct registry_session *s, size_t body_max)
{
	*answer = (struct answer){
		.session = s,
		.challenge = BUF_INIT(CHALLENGE_MAX),
		.media_type = BUF_INIT(256),
		.body = BUF_INIT(body_max),
	};
}

static void answer_done(struct answer *answer)
{
	buf_done(&answer->challenge);
	buf_done(&answer->media_type);
	buf_done(&answer->body);
}

/* --- one request --- */

static bool header_value(struct str line, const char *name, struct str *ret_value)
{
	struct str head, tail;
	if (!str_cut(line, ':', &head, &tail) || !str_eq_nocase(head, str_of(name)))
		return false;
	*ret_value = str_trim(tail);
	return true;
}

/* A new status line begins the next answer of a chain of redirects. */
static size_t header_on(char *bytes, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	struct str line = str_trim(str_n(bytes, size * count)), value;
	if (str_has_prefix(line, STR("HTTP/"))) {
		buf_reset(&answer->challenge);
		buf_reset(&answer->media_type);
	} else if (header_value(line, "www-authenticate", &value)) {
		/* Of several challenges a Bearer one is preferred. */
		if (answer->challenge.len == 0 || str_has_prefix(value, STR("Bearer "))) {
			buf_reset(&answer->challenge);
			buf_add_str(&answer->challenge, value);
		}
	} else if (header_value(line, "content-type", &value)) {
		struct str type, rest;
		str_cut(value, ';', &type, &rest);
		buf_reset(&answer->media_type);
		buf_add_str(&answer->media_type, str_trim(type));
	}
	return size * count;
}

static size_t body_on(char *bytes, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	size_t len = size * count;
	curl_easy_getinfo(answer->session->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	if (answer->status != 200) {
		/* Only the beginning matters: it is for a message. */
		buf_add(&answer->body, bytes,
			MIN(len, ERROR_BODY_MAX - MIN(answer->body.len, ERROR_BODY_MAX)));
		return len;
	}
	if (!answer->blob) {
		buf_add(&answer->body, bytes, len);
		return answer->body.is_full ? 0 : len;
	}
	answer->blob_rc = blob_add(answer->blob, bytes, len, answer->blob_err);
	if (answer->session->received_bytes)
		atomic_fetch_add(answer->session->received_bytes, (int64_t)len);
	return answer->blob_rc == RC_OK ? len : 0;
}

static void trust_set(CURL *curl, const struct registry_tls *tls)
{
	if (tls->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, tls->ca_file);
	if (tls->cert_file)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, tls->cert_file);
	if (tls->key_file)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, tls->key_file);
	if (tls->is_insecure) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void request_set(struct registry_session *s, const char *address, struct answer *answer)
{
	CURL *curl = s->curl;
	bool is_https = strncmp(address, "https://", 8) == 0;
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, address);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, is_https ? "https" : "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SILENCE_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "skeg/" SKEG_VERSION);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, s->error_text);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_on);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_on);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	trust_set(curl, &s->endpoint->tls);
}

static struct curl_slist *header_append(struct curl_slist *list, const char *line)
{
	struct curl_slist *more = curl_slist_append(list, line);
	ASSERT(more);
	return more;
}

/* RC_OK when there was an answer, whatever its status. */
static enum rc perform(struct registry_session *s, const char *address, struct answer *answer,
		       struct err *err)
{
	s->error_text[0] = '\0';
	CURLcode code = curl_easy_perform(s->curl);
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	if (answer->blob_rc != RC_OK)
		return answer->blob_rc;
	if (answer->body.is_full)
		return err_set(err, RC_TOO_LARGE, "answer of %s is larger than %zu bytes", address,
			       answer->body.max_bytes);
	if (code == CURLE_OK)
		return RC_OK;
	const char *text = s->error_text[0] ? s->error_text : curl_easy_strerror(code);
	bool is_trust = code == CURLE_PEER_FAILED_VERIFICATION ||
			code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM;
	return err_set(err, is_trust ? RC_INVALID : RC_UNAVAILABLE, "Get \"%s\": %s%s", address,
		       text, is_trust ? ": give the registry's ca_file in registries.yaml" : "");
}

/* The registry's own words: {"errors":[{"code":"...","message":"..."}]}. */
static void error_words(const struct answer *answer, char *out, size_t size)
{
	CLEANUP_ARENA arena = {};
	struct json *tree = NULL;
	out[0] = '\0';
	if (answer->body.len == 0 ||
	    json_parse(&arena, buf_str(&answer->body), &tree, NULL, NULL) != RC_OK)
		return;
	const struct json *first = json_at(json_get(tree, STR("errors")), 0);
	struct str message = json_str(json_get(first, STR("message")));
	struct str code = json_str(json_get(first, STR("code")));
	if (message.len > 0 || code.len > 0)
		snprintf(out, size, ": %.60s%s%.200s", code.at ? arena_cstr(&arena, code) : "",
			 code.len && message.len ? ": " : "",
			 message.at ? arena_cstr(&arena, message) : "");
}

static enum rc status_error(const struct answer *answer, const char *address, struct err *err)
{
	char words[300];
	error_words(answer, words, sizeof(words));
	switch (answer->status) {
	case 404:
		return err_set(err, RC_NOT_FOUND, "not found%s", words);
	case 401:
	case 403:
		return err_set(err, RC_UNAUTHORIZED,
			       "pull access denied, repository does not exist or may require "
			       "authorization: server message: %ld from GET %s%s",
			       answer->status, address, words);
	case 429:
		return err_set(err, RC_TOO_MANY_REQUESTS,
			       "unexpected status from GET request to %s: 429 Too Many Requests%s",
			       address, words);
	default:
		return err_set(err, answer->status >= 500 ? RC_UNAVAILABLE : RC_INVALID,
			       "unexpected status from GET request to %s: %ld%s", address,
			       answer->status, words);
	}
}

/* --- the token flow --- */

/* key="value" of a challenge. */
static bool challenge_value(struct str challenge, const char *key, struct arena *a,
			    const char **ret_value)
{
	struct str rest = challenge;
	size_t key_len = strlen(key);
	for (size_t i = 0; i + key_len + 2 < rest.len; i++) {
		bool begins = i == 0 || strchr(" ,", rest.at[i - 1]) != NULL;
		if (!begins || memcmp(rest.at + i, key, key_len) != 0 ||
		    memcmp(rest.at + i + key_len, "=\"", 2) != 0)
			continue;
		struct str value, after;
		str_cut(str_skip(rest, i + key_len + 2), '"', &value, &after);
		*ret_value = arena_cstr(a, value);
		return true;
	}
	return false;
}

static void basic_set(struct buf *out, const struct registry_auth *auth)
{
	CLEANUP_BUF both = BUF_INIT(8192);
	buf_add_str(&both, auth->username);
	buf_add_char(&both, ':');
	buf_add_str(&both, auth->password);
	buf_reset(out);
	buf_add_cstr(out, "Authorization: Basic ");
	base64_add(out, buf_str(&both));
}

static void parameter_add(CURL *curl, struct buf *out, const char *name, struct str value)
{
	char *escaped = curl_easy_escape(curl, value.at ? value.at : "", (int)value.len);
	ASSERT(escaped);
	buf_printf(out, "%s%s=%s", out->len ? "&" : "", name, escaped);
	curl_free(escaped);
}

static enum rc token_read(const struct answer *answer, struct buf *authorization, struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct json *tree;
	if (json_parse(&arena, buf_str(&answer->body), &tree, NULL, err) != RC_OK)
		return err_wrap(err, "token of the registry");
	struct str token = json_str(json_get(tree, STR("token")));
	if (token.len == 0)
		token = json_str(json_get(tree, STR("access_token")));
	for (size_t i = 0; i < token.len; i++) {
		if ((unsigned char)token.at[i] <= ' ' || token.at[i] == 0x7f)
			return err_set(err, RC_INVALID, "the registry's token has a bad character");
	}
	if (token.len == 0)
		return err_set(err, RC_INVALID, "the registry's answer holds no token");
	buf_reset(authorization);
	buf_add_cstr(authorization, "Authorization: Bearer ");
	buf_add_str(authorization, token);
	return buf_check(authorization, "token of the registry", err);
}

static enum rc realm_check(const struct registry_session *s, const char *realm, struct err *err)
{
	bool is_https = strncmp(realm, "https://", 8) == 0;
	bool is_http = strncmp(realm, "http://", 7) == 0;
	bool needs_https = str_has_prefix(s->endpoint->base, STR("https://")) &&
			   !s->endpoint->tls.is_insecure;
	if (is_https || (is_http && !needs_https))
		return RC_OK;
	return err_set(err, RC_INVALID,
		       "token address '%.200s' of the registry is not https: credentials are not "
		       "sent there",
		       realm);
}

/* An identity token is exchanged by POST (OAuth2), a name and password by GET with basic auth. */
static enum rc token_request(struct registry_session *s, const char *realm, struct buf *parameters,
			     struct err *err)
{
	struct answer answer;
	CLEANUP_BUF address = BUF_INIT(ADDRESS_MAX);
	CLEANUP_BUF basic = BUF_INIT(AUTHORIZATION_MAX);
	bool is_post = s->auth && s->auth->identity_token.len > 0;
	answer_init(&answer, s, REGISTRY_TOKEN_MAX);
	buf_printf(&address, "%s", realm);
	if (!is_post)
		buf_printf(&address, "%c%s", strchr(realm, '?') ? '&' : '?', parameters->data);
	if (is_post) {
		buf_add_cstr(parameters, "&grant_type=refresh_token&client_id=skeg");
		parameter_add(s->curl, parameters, "refresh_token", s->auth->identity_token);
	}
	enum rc rc = buf_check(&address, "token address of the registry", err);
	if (rc == RC_OK)
		rc = buf_check(parameters, "token request to the registry", err);
	struct curl_slist *headers = NULL;
	if (rc == RC_OK) {
		request_set(s, address.data, &answer);
		curl_easy_setopt(s->curl, CURLOPT_TIMEOUT, TOKEN_TIMEOUT_S);
		if (is_post)
			curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, parameters->data);
		if (!is_post && s->auth && s->auth->username.len > 0) {
			basic_set(&basic, s->auth);
			headers = header_append(headers, basic.data);
			curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, headers);
		}
		rc = perform(s, realm, &answer, err);
	}
	if (rc == RC_OK && answer.status != 200)
		rc = status_error(&answer, realm, err);
	if (rc == RC_OK)
		rc = token_read(&answer, &s->authorization, err);
	curl_easy_reset(s->curl);
	curl_slist_free_all(headers);
	answer_done(&answer);
	return rc;
}

static enum rc token_get(struct registry_session *s, struct str challenge, struct err *err)
{
	CLEANUP_ARENA arena = {};
	CLEANUP_BUF parameters = BUF_INIT(AUTHORIZATION_MAX);
	const char *realm, *value;
	if (!challenge_value(challenge, "realm", &arena, &realm))
		return err_set(err, RC_INVALID, "the registry's challenge names no realm");
	TRY(realm_check(s, realm, err));
	if (challenge_value(challenge, "service", &arena, &value))
		parameter_add(s->curl, &parameters, "service", str_of(value));
	if (!challenge_value(challenge, "scope", &arena, &value))
		value = arena_printf(&arena, "repository:%.*s:pull",
				     STR_FMT(s->endpoint->repository))
				.at;
	parameter_add(s->curl, &parameters, "scope", str_of(value));
	return token_request(s, realm, &parameters, err);
}

/* RC_UNAUTHORIZED without a word when there is nothing left to offer. */
static enum rc authorize(struct registry_session *s, const struct answer *answer, struct err *err)
{
	struct str challenge = buf_str(&answer->challenge), scheme, rest;
	str_cut(challenge, ' ', &scheme, &rest);
	if (str_eq_nocase(scheme, STR("Bearer")))
		return token_get(s, rest, err);
	bool was_basic = str_has_prefix(buf_str(&s->authorization), STR("Authorization: Basic "));
	if (str_eq_nocase(scheme, STR("Basic")) && s->auth && s->auth->username.len && !was_basic) {
		basic_set(&s->authorization, s->auth);
		return RC_OK;
	}
	return RC_UNAUTHORIZED;
}

/* --- GET with at most one round of authorization --- */

static enum rc get_once(struct registry_session *s, const char *address, const char *accept,
			struct answer *answer, struct err *err)
{
	struct curl_slist *headers = NULL;
	if (accept)
		headers = header_append(headers, accept);
	if (s->authorization.len > 0)
		headers = header_append(headers, s->authorization.data);
	request_set(s, address, answer);
	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, headers);
	enum rc rc = perform(s, address, answer, err);
	curl_easy_reset(s->curl);
	curl_slist_free_all(headers);
	return rc;
}

static enum rc get(struct registry_session *s, const char *address, const char *accept,
		   struct answer *answer, struct err *err)
{
	TRY(get_once(s, address, accept, answer, err));
	if (answer->status == 401) {
		enum rc rc = authorize(s, answer, err);
		if (rc == RC_UNAUTHORIZED)
			return status_error(answer, address, err);
		TRY(rc);
		buf_reset(&answer->body);
		TRY(get_once(s, address, accept, answer, err));
	}
	return answer->status == 200 ? RC_OK : status_error(answer, address, err);
}

static enum rc address_print(const struct registry_session *s, const char *kind,
			     const char *reference, struct buf *out, struct err *err)
{
	const struct registry_endpoint *e = s->endpoint;
	buf_printf(out, "%.*s/%.*s/%s/%s", STR_FMT(e->base), STR_FMT(e->repository), kind,
		   reference);
	if (e->origin.len > 0)
		buf_printf(out, "?ns=%.*s", STR_FMT(e->origin));
	return buf_check(out, "address at the registry", err);
}

/* --- sessions --- */

static void library_start(void)
{
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
	ASSERT(code == CURLE_OK);
}

struct registry_session *registry_open(const struct registry_endpoint *endpoint,
				       const struct registry_auth *auth,
				       _Atomic int64_t *received_bytes)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, library_start);
	struct registry_session *s = NEW(struct registry_session);
	*s = (struct registry_session){
		.endpoint = endpoint,
		.auth = auth,
		.received_bytes = received_bytes,
		.curl = curl_easy_init(),
		.authorization = BUF_INIT(AUTHORIZATION_MAX),
	};
	ASSERT(s->curl);
	return s;
}

void registry_close(struct registry_session *s)
{
	if (!s)
		return;
	curl_easy_cleanup(s->curl);
	buf_done(&s->authorization);
	free(s);
}

static enum rc document_take(const struct answer *answer, const char *reference, struct arena *a,
			     struct registry_document *out, struct err *err)
{
	out->bytes = arena_str(a, buf_str(&answer->body));
	out->media_type = arena_str(a, buf_str(&answer->media_type));
	image_digest_of(out->bytes, out->digest);
	if (image_digest_is_valid(str_of(reference)) && strcmp(reference, out->digest) != 0)
		return err_set(err, RC_INVALID, "manifest has digest %s, expected %s", out->digest,
			       reference);
	return RC_OK;
}

enum rc registry_manifest(struct registry_session *s, const char *reference, struct arena *a,
			  struct registry_document *ret_document, struct err *err)
{
	struct answer answer;
	CLEANUP_BUF address = BUF_INIT(ADDRESS_MAX);
	TRY(address_print(s, "manifests", reference, &address, err));
	answer_init(&answer, s, MANIFEST_BYTES_MAX);
	enum rc rc = get(s, address.data, MANIFEST_ACCEPT, &answer, err);
	if (rc == RC_OK)
		rc = document_take(&answer, reference, a, ret_document, err);
	answer_done(&answer);
	return rc;
}

enum rc registry_blob(struct registry_session *s, struct image_store *store,
		      const struct image_descriptor *blob, struct err *err)
{
	struct answer answer;
	struct blob_writer writer;
	char digest[IMAGE_DIGEST_MAX];
	CLEANUP_BUF address = BUF_INIT(ADDRESS_MAX);
	TRY(address_print(s, "blobs", blob->digest, &address, err));
	TRY(blob_open(store, blob->size_bytes, &writer, err));
	answer_init(&answer, s, ERROR_BODY_MAX);
	answer.blob = &writer;
	answer.blob_err = err;
	enum rc rc = get(s, address.data, NULL, &answer, err);
	if (rc == RC_OK && writer.size_bytes != blob->size_bytes)
		rc = err_set(err, RC_INVALID, "has %lld bytes, the manifest announced %lld",
			     (long long)writer.size_bytes, (long long)blob->size_bytes);
	if (rc == RC_OK)
		rc = blob_commit(&writer, blob->digest, digest, err);
	blob_abort(&writer);
	answer_done(&answer);
	return rc == RC_OK ? RC_OK : err_wrap(err, "blob %s", blob->digest);
}
