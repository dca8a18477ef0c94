#include "client/object_watch.h"

#include "client/api_error.h"
#include "client/api_path.h"
#include "client/object_output.h"
#include "io/loop.h"

struct watching {
	const struct object_watch *what;
	struct arena arena;  /* of the round */
	struct str revision; /* of the list, in the round's arena */
	int64_t until_ms;
	bool is_done;
	struct err *own_error; /* of look: not a failure of the connection */
	bool has_own_error;
};

static enum rc look(struct watching *w, const struct json *object, struct err *err)
{
	enum rc rc = w->what->look(object, w->what->ctx, &w->is_done, w->own_error);
	w->has_own_error = rc != RC_OK;
	/* Any error ends the stream; the caller looks at is_done first. */
	if (w->is_done || w->has_own_error)
		return err_set(err, RC_GONE, "done");
	return RC_OK;
}

static enum rc take_list(struct json *list, void *ctx, struct err *err)
{
	struct watching *w = ctx;
	w->revision = json_path_str(list, "metadata.resourceVersion");
	struct json *object = json_at(json_get(list, STR("items")), 0);
	if (object)
		object_complete(&w->arena, object, w->what->kind);
	return look(w, object, err);
}

static enum rc take_event(struct arena *a, struct json *event, void *ctx, struct err *err)
{
	struct watching *w = ctx;
	const struct json *object = json_get(event, STR("object"));
	struct str type = json_path_str(event, "type");
	if (str_is(type, "ERROR"))
		return api_error_set(err, (int)json_i64(json_get(object, STR("code"))), object);
	if (str_is(type, "BOOKMARK"))
		return RC_OK;
	return look(w, str_is(type, "DELETED") ? NULL : object, err);
}

static bool is_answered(const struct watching *w)
{
	return w->is_done || w->has_own_error;
}

/* One list and the watch after it, until the server ends it. */
static enum rc watch_round(struct api_client *c, struct watching *w, struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	const struct object_watch *what = w->what;
	struct arena *a = &w->arena;
	arena_done(a);
	buf_add_str(&url, api_path(a, what->kind, what->namespace, (struct str){}, NULL));
	query_add(&url, "fieldSelector",
		  arena_printf(a, "metadata.name=%.*s", STR_FMT(what->name)));
	enum rc rc = api_client_list(c, a, buf_str(&url), NULL, take_list, w, err);
	if (is_answered(w) || rc != RC_OK)
		return rc;
	query_add(&url, "watch", STR("true"));
	query_add(&url, "resourceVersion", w->revision);
	struct api_request request = {.path = buf_str(&url), .is_endless = !w->until_ms};
	if (w->until_ms) {
		request.timeout_ms = w->until_ms - world_mono_ms();
		if (request.timeout_ms <= 0)
			return err_set(err, RC_TIMEOUT, "timed out waiting for the condition");
	}
	rc = api_client_lines(c, &request, take_event, w, err);
	/* An old revision means: look again. */
	return rc == RC_GONE || rc == RC_EXPIRED ? RC_OK : rc;
}

enum rc object_watch(struct api_client *c, const struct object_watch *what, struct err *err)
{
	struct err own = {};
	struct watching w = {
		.what = what,
		.until_ms = what->timeout_ms ? world_mono_ms() + what->timeout_ms : 0,
		.own_error = &own,
	};
	enum rc rc = RC_OK;
	while (rc == RC_OK && !is_answered(&w))
		rc = watch_round(c, &w, err);
	arena_done(&w.arena);
	if (w.has_own_error) {
		*err = own;
		return own.rc;
	}
	if (w.is_done)
		return RC_OK;
	return rc == RC_TIMEOUT ? err_set(err, rc, "timed out waiting for the condition") : rc;
}
