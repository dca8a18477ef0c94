#include "client/api_error.h"

#include "base/buf.h"

static const struct {
	enum rc rc;
	const char *reason;
	int status;
} codes[] = {
#define X(code, reason, status) {RC_##code, reason, status},
	RC_LIST(X)
#undef X
};

static enum rc rc_of(struct str reason, int http_status)
{
	for (size_t i = 1; i < ARRAY_LEN(codes); i++)
		if (str_is(reason, codes[i].reason))
			return codes[i].rc;
	for (size_t i = 1; i < ARRAY_LEN(codes); i++)
		if (codes[i].status == http_status)
			return codes[i].rc;
	return RC_INTERNAL;
}

static void write_cause(struct buf *out, const struct json *cause)
{
	struct str field = json_path_str(cause, "field");
	buf_printf(out, "%.*s%s%.*s", STR_FMT(field), field.len ? ": " : "",
		   STR_FMT(json_path_str(cause, "message")));
}

/* `The Deployment "web" is invalid: spec.replicas: Invalid value…`, several causes one a line. */
static enum rc set_invalid(struct err *err, const struct json *status)
{
	CLEANUP_BUF text = BUF_INIT(ERR_TEXT_MAX);
	const struct json *details = json_get(status, STR("details"));
	const struct json *causes = json_get(details, STR("causes"));
	struct str kind = json_path_str(details, "kind"), name = json_path_str(details, "name");
	struct str message = json_path_str(status, "message");
	size_t count = json_count(causes);
	if (kind.len || name.len)
		buf_printf(&text, "The %.*s \"%.*s\" is invalid", STR_FMT(kind), STR_FMT(name));
	else
		buf_add_cstr(&text, "The request is invalid");
	if (count == 0 && message.len)
		buf_printf(&text, ": %.*s", STR_FMT(message));
	else if (count > 0)
		buf_add_cstr(&text, ": ");
	for (size_t i = 0; i < count; i++) {
		if (count > 1)
			buf_add_cstr(&text, "\n* ");
		write_cause(&text, json_at(causes, i));
	}
	if (text.is_full) /* the whole message is too long for an error; its beginning is not */
		return err_set(err, RC_INVALID, "%.*s", STR_FMT(message));
	return err_set(err, RC_INVALID, "%s", text.data);
}

enum rc api_error_set(struct err *err, int http_status, const struct json *status)
{
	struct str reason = json_path_str(status, "reason");
	struct str message = json_path_str(status, "message");
	enum rc rc = rc_of(reason, http_status);
	if (rc == RC_INVALID)
		return set_invalid(err, status);
	if (rc == RC_UNAUTHORIZED)
		return err_set(err, rc,
			       "You must be logged in to the server (Unauthorized); the "
			       "kubeconfig's certificate or token is not of this cluster: 'skeg "
			       "kubeconfig' prints the right one");
	if (message.len == 0 && http_status == 404)
		return err_set(err, rc,
			       API_ERROR_PREFIX
			       " (NotFound): the server could not find the requested resource");
	if (message.len == 0)
		return err_set(err, rc, API_ERROR_PREFIX ": status %d without a message",
			       http_status);
	if (reason.len == 0)
		return err_set(err, rc, API_ERROR_PREFIX ": %.*s", STR_FMT(message));
	return err_set(err, rc, API_ERROR_PREFIX " (%.*s): %.*s", STR_FMT(reason),
		       STR_FMT(message));
}

bool api_error_cut(struct str text, struct str *ret_head, struct str *ret_rest)
{
	if (!str_cut(text, ')', ret_head, ret_rest) || !str_has_prefix(*ret_rest, STR(": ")))
		return false;
	*ret_rest = str_skip(*ret_rest, 2);
	return true;
}
