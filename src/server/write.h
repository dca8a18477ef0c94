/* write: the bracket in which a write is decided, on the core thread:
 *
 *     current → patch → default → admit → prepare → validate → managed fields → no-op? → commit
 *
 * There is one writer, and the newest state includes writes in flight, so nothing here is ever
 * retried: a conflict is the client's own resourceVersion.
 * Threads: core. */
#ifndef SKEG_SERVER_WRITE_H
#define SKEG_SERVER_WRITE_H

#include "server/request.h"

/* The newest state of the route's object; NULL when absent. */
struct object *write_current(struct request *r);
const struct api_kind *write_storage_kind(const struct request *r);

enum step write_create(struct request *r);
enum step write_update(struct request *r); /* r->tree is the new object */
enum step write_patch(struct request *r);  /* r->tree is the patch */
enum step write_delete(struct request *r);
enum step write_delete_collection(struct request *r);

/* From a finished tree (storage version) to the store: a create when old is NULL; the request waits
 * for the ticket, the reply is the object. An update of an object that only waited for its last
 * finalizer deletes it. */
enum step write_commit(struct request *r, struct json *tree, struct object *old, int status);
/* Removes old; the reply is made by the caller's done. */
enum step write_remove(struct request *r, struct object *old, struct object *last_state);

/* What a network client should know of the valid tree that is about to be written. */
void write_warn(struct request *r, const struct json *old, const struct json *tree);
/* Before a new object is prepared. */
void write_warn_early(struct request *r, const struct json *tree);

/* The patch of the request laid over before, which is of kind: *ret_after is normalised.
 * STEP_DONE: the reply is an error. */
enum step patch_lay(struct request *r, const struct api_kind *kind, const struct json *before,
		    struct json **ret_after);
/* The same for an applied configuration; live is NULL where there is no object. */
enum step patch_lay_apply(struct request *r, const struct api_kind *kind, const struct json *live,
			  struct json **ret_after);

/* A second object that becomes durable with the request's own write, or not at all.  STEP_DONE: the
 * reply is an error. */
enum step write_beside(struct request *r, struct object *old, struct json *tree);

/* The shared middle of every change of an existing object: r->tree is the wanted state in the
 * served version. */
enum step write_change(struct request *r, struct object *old, struct json *old_tree);

/* metadata of new objects: uid, creationTimestamp, generated name; false: the reply is an error. */
bool write_meta_create(struct request *r, struct json *tree);
/* Its namespace is that of the path; false: it says another one and the reply is an error. */
bool write_meta_namespace(struct request *r, struct json *tree);
/* Owners that are listed twice are listed once, and the client is warned. */
void write_meta_owners(struct request *r, struct json *tree, bool is_after_admission);
/* False: the body names another object than the path, the reply is an error. */
bool write_check_name(struct request *r);
/* The same for its namespace, and then its name. */
bool write_check_identity(struct request *r);
/* Why a write that expects this uid is a conflict. */
struct str write_wrong_uid(struct request *r, struct str wanted, const struct object *old);

enum step pod_binding_create(struct request *r);
enum step pod_eviction_create(struct request *r);
/* What a client cannot change: uid, creationTimestamp, deletionTimestamp …; checks preconditions in
 * the body. */
bool write_meta_update(struct request *r, struct object *old, struct json *old_tree,
		       struct json *tree);

/* Who owns the fields of this write: the name the client gives, else the first word of its user
 * agent. */
struct str write_manager(struct request *r);

void json_set_time(struct arena *a, struct json *object, const char *key, int64_t time_us);

/* Rows of subresources that are more than status: which function serves which verb. */
struct subresource_rule {
	const char *resource, *name; /* resource NULL: any */
	enum step (*get)(struct request *r, struct object *o);
	enum step (*create)(struct request *r);
	enum step (*update)(struct request *r);
	enum step (*patch)(struct request *r);
};
const struct subresource_rule *subresource_rule(struct str resource, struct str name);

/* Turns the reply's object into its Scale. */
void scale_reply(struct request *r);

#endif
