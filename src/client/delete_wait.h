/* delete_wait: deleting one object, and waiting until an object that was deleted is gone:
 * finalizers done, pods ended. */
#ifndef SKEG_CLIENT_DELETE_WAIT_H
#define SKEG_CLIENT_DELETE_WAIT_H

#include "api/schema.h"
#include "client/api_client.h"

struct deleted_object {
	const struct api_kind *kind;
	struct str namespace, name, uid;
};

/* Of a reply to DELETE: the object while it lives on, else a Status with its uid. */
struct str delete_reply_uid(const struct json *reply);
/* Deletes it in the server's own way; *ret_gone is what to wait for. */
[[nodiscard]] enum rc delete_object(struct api_client *c, const struct api_kind *kind,
				    struct str namespace, struct str name,
				    struct deleted_object *ret_gone, struct err *err);
/* An object of the same name with another uid counts as gone.  Kinds that can't be watched are not
 * waited for.  timeout_ms 0: none. */
[[nodiscard]] enum rc delete_wait(struct api_client *c, const struct deleted_object *o,
				  int64_t timeout_ms, struct err *err);

#endif
