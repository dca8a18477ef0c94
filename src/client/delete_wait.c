#include "client/delete_wait.h"

#include "client/api_error.h"
#include "client/api_path.h"

struct wait {
	const struct deleted_object *object;
	struct str revision; /* of the list, in the client's arena */
	bool is_gone;
};

static bool is_it(const struct wait *w, const struct json *object)
{
	struct str uid = json_path_str(object, "metadata.uid");
	return !w->object->uid.len || str_eq(uid, w->object->uid);
}

static enum rc take_list(struct json *list, void *ctx, struct err *err)
{
	struct wait *w = ctx;
	const struct json *items = json_get(list, STR("items"));
	w->revision = json_path_str(list, "metadata.resourceVersion");
	w->is_gone = json_count(items) == 0 || !is_it(w, json_at(items, 0));
	return RC_OK;
}

static enum rc take_event(struct arena *a, struct json *event, void *ctx, struct err *err)
{
	struct wait *w = ctx;
	const struct json *object = json_get(event, STR("object"));
	struct str type = json_path_str(event, "type");
	if (str_is(type, "ERROR"))
		return api_error_set(err, (int)json_i64(json_get(object, STR("code"))), object);
	w->is_gone = str_is(type, "DELETED") && is_it(w, object);
	/* Any error ends the stream; the caller looks at is_gone first. */
	return w->is_gone ? err_set(err, RC_GONE, "gone") : RC_OK;
}

static enum rc watch(struct api_client *c, struct wait *w, struct str url, struct err *err)
{
	CLEANUP_BUF path = BUF_INIT(URL_MAX_BYTES);
	buf_add_str(&path, url);
	query_add(&path, "watch", STR("true"));
	query_add(&path, "resourceVersion", w->revision);
	const struct api_request request = {.path = buf_str(&path), .is_endless = true};
	enum rc rc = api_client_lines(c, &request, take_event, w, err);
	/* An old revision means: look again. */
	return w->is_gone || rc == RC_GONE || rc == RC_EXPIRED ? RC_OK : rc;
}

enum rc delete_wait(struct api_client *c, const struct deleted_object *o, struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	CLEANUP_ARENA a = {};
	struct wait w = {.object = o};
	if (!(o->kind->verbs & VERB_WATCH) || !(o->kind->verbs & VERB_LIST))
		return RC_OK;
	buf_add_str(&url, api_path(&a, o->kind, o->namespace, (struct str){}, NULL));
	query_add(&url, "fieldSelector", arena_printf(&a, "metadata.name=%.*s", STR_FMT(o->name)));
	while (!w.is_gone) {
		TRY(api_client_list(c, &a, buf_str(&url), NULL, take_list, &w, err));
		if (!w.is_gone)
			TRY(watch(c, &w, buf_str(&url), err));
	}
	return RC_OK;
}
