#include "client/delete_wait.h"

#include "client/object_watch.h"

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
