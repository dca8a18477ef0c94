/* object_watch: one object as it is now and as it changes, until a question is answered. */
#ifndef SKEG_CLIENT_OBJECT_WATCH_H
#define SKEG_CLIENT_OBJECT_WATCH_H

#include "api/schema.h"
#include "client/api_client.h"

struct object_watch {
	const struct api_kind *kind;
	struct str namespace, name;
	int64_t timeout_ms; /* 0: none */
	/* object: NULL when there is none; *ret_is_done ends the watch.  Errors end it, too. */
	enum rc (*look)(const struct json *object, void *ctx, bool *ret_is_done, struct err *err);
	void *ctx;
};

/* RC_OK once look says so; RC_TIMEOUT. */
[[nodiscard]] enum rc object_watch(struct api_client *c, const struct object_watch *w,
				   struct err *err);

#endif
