#include "client/delete_wait.h"

#include "client/api_path.h"
#include "client/object_watch.h"

struct str delete_reply_uid(const struct json *reply)
{
	struct str uid = json_path_str(reply, "metadata.uid");
	return uid.len ? uid : json_path_str(reply, "details.uid");
}

enum rc delete_object(struct api_client *c, const struct api_kind *kind, struct str namespace,
		      struct str name, struct deleted_object *ret_gone, struct err *err)
{
	struct json *reply;
	struct str path = api_path(c->arena, kind, namespace, name, NULL);
	TRY(api_client_send(c, c->arena, "DELETE", path, NULL, NULL, &reply, err));
	*ret_gone = (struct deleted_object){kind, namespace, name, delete_reply_uid(reply)};
	return RC_OK;
}

/* Another object of the same name means that ours is gone. */
static enum rc look(const struct json *object, void *ctx, bool *ret_is_done, struct err *err)
{
	const struct deleted_object *o = ctx;
	struct str uid = json_path_str(object, "metadata.uid");
	*ret_is_done = !object || (o->uid.len && !str_eq(uid, o->uid));
	return RC_OK;
}

enum rc delete_wait(struct api_client *c, const struct deleted_object *o, int64_t timeout_ms,
		    struct err *err)
{
	struct deleted_object object = *o;
	const struct object_watch watch = {
		.kind = o->kind,
		.namespace = o->namespace,
		.name = o->name,
		.timeout_ms = timeout_ms,
		.look = look,
		.ctx = &object,
	};
	if (!(o->kind->verbs & VERB_WATCH) || !(o->kind->verbs & VERB_LIST))
		return RC_OK;
	return object_watch(c, &watch, err);
}
