#include "server/continue_token.h"

#include "base/encode.h"
#include "codec/json.h"

#define TOKEN_MAX_BYTES 4096

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct str continue_token_write(struct arena *a, const struct continue_token *t)
{
	CLEANUP_BUF text = BUF_INIT(TOKEN_MAX_BYTES);
	struct json *tree = json_object(a);
	json_set_str(a, tree, STR("v"), STR("meta.k8s.io/v1"));
	json_set(a, tree, STR("rv"), json_int(a, t->revision));
	struct str start = t->namespace.len ? arena_printf(a, "%.*s/%.*s", STR_FMT(t->namespace),
							   STR_FMT(t->name))
					    : t->name;
	char *key = arena_cstr(a, start); /* its NUL is upstream's "just after this key" */
	json_set_str(a, tree, STR("start"), str_n(key, start.len + 1));
	json_write(&text, tree);
	CLEANUP_BUF out = BUF_INIT(TOKEN_MAX_BYTES);
	base64url_add(&out, buf_str(&text));
	return arena_str(a, buf_str(&out));
}

/* As upstream, whose keys are paths: nothing that a clean path would not hold. */
static bool is_clean(struct str key)
{
	struct str segment;
	for (bool has_more = true; has_more;) {
		has_more = str_cut(key, '/', &segment, &key);
		if (segment.len == 0 || str_is(segment, ".") || str_is(segment, ".."))
			return false;
	}
	return true;
}

/* Where a decoder stops that takes four letters at a time. */
static size_t first_bad_letter(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!text.at[i] || !strchr(letters, text.at[i]))
			return i;
	return text.len ? text.len - 1 : 0;
}

enum rc continue_token_parse(struct arena *a, struct str text, struct continue_token *ret_token,
			     struct err *err)
{
	struct str bytes;
	struct json *tree;
	struct err cause;
	if (text.len > TOKEN_MAX_BYTES || (text.len && text.at[text.len - 1] == '=') ||
	    !base64url_decode(a, text, &bytes))
		return err_set(err, RC_BAD_REQUEST,
			       "invalid continue token: continue key is not valid: illegal base64 "
			       "data at input byte %zu",
			       first_bad_letter(text));
	if (json_parse(a, bytes, &tree, NULL, &cause) != RC_OK)
		return err_set(err, RC_BAD_REQUEST,
			       "invalid continue token: continue key is not valid: %s", cause.text);
	if (!str_is(json_path_str(tree, "v"), "meta.k8s.io/v1"))
		return err_set(err, RC_BAD_REQUEST,
			       "invalid continue token: continue key is not valid: server does not "
			       "recognize this encoded "
			       "version %.*s",
			       STR_FMT(json_path_str(tree, "v")));
	int64_t revision = json_i64(json_get(tree, STR("rv")));
	struct str start = json_path_str(tree, "start");
	if (revision == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "invalid continue token: continue key is not valid: incorrect "
			       "encoded start resourceVersion "
			       "(version meta.k8s.io/v1)");
	if (start.len == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "invalid continue token: continue key is not valid: encoded start "
			       "key empty (version "
			       "meta.k8s.io/v1)");
	if (!is_clean(start))
		return err_set(err, RC_BAD_REQUEST,
			       "invalid continue token: continue key is not valid: %.*s",
			       STR_FMT(start));
	if (start.at[start.len - 1] == '\0')
		start.len--;
	*ret_token = (struct continue_token){.revision = revision};
	if (!str_cut(start, '/', &ret_token->namespace, &ret_token->name)) {
		ret_token->namespace = STR("");
		ret_token->name = start;
	}
	return RC_OK;
}
