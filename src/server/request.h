/* request: one request on its way through the stages, whoever sent it.
 *
 * Requests from the network begin at the first stage on an io thread; requests of controllers and
 * scheduler begin at the write bracket on the core thread.  A request has one owner at a time; it
 * moves between threads as a message.  Everything it needs lives in its arena until request_free().
 *
 * A stage returns STEP_NEXT, STEP_DONE (the reply is complete; nothing more runs but encoding), or
 * STEP_LATER (somebody will call request_resume()). */
#ifndef SKEG_SERVER_REQUEST_H
#define SKEG_SERVER_REQUEST_H

#include "api/field_error.h"
#include "api/object.h"
#include "api/selector.h"
#include "base/arena.h"
#include "base/list.h"
#include "codec/json.h"
#include "http/server.h"
#include "io/loop.h"
#include "server/fair_queue.h"
#include "server/pieces.h"
#include "store/store.h"

#define REQUEST_BODY_MAX     (3u << 20)
#define REQUEST_GROUPS_MAX   64
#define REQUEST_WARNINGS_MAX 100

struct server;
struct request;
struct decoded;

enum verb {
	DO_GET,
	DO_LIST,
	DO_WATCH,
	DO_CREATE,
	DO_UPDATE,
	DO_PATCH,
	DO_DELETE,
	DO_DELETE_COLLECTION,
	DO_CONNECT, /* exec, attach, port-forward, log, proxy */
};

const char *verb_name(enum verb verb); /* as authorization spells it */

struct user {
	struct str name, uid;
	struct str groups[REQUEST_GROUPS_MAX];
	size_t group_count;
	struct json *extra; /* object of lists, or NULL */
};

bool user_is_in(const struct user *user, struct str group);

/* What a path asks for. */
struct route {
	bool is_resource;
	enum verb verb;
	struct str
		authz_verb; /* "get", "create", … or the lower-case method of a non-resource path */
	struct str group, version, resource; /* also set when the kind is unknown */
	const struct api_kind *kind;
	const struct api_subresource *sub; /* NULL: the object itself */
	struct str namespace, name, subresource;
	struct str rest; /* below a proxy subresource */
};

/* Query parameters of all verbs. */
struct options {
	struct str field_manager, field_validation, label_selector, field_selector;
	struct str resource_version, resource_version_match, continue_token, include_object,
		timeout;
	int64_t limit, timeout_s;
	bool is_watch, is_dry_run, is_force, has_force, wants_pretty, allow_bookmarks,
		send_initial_events, has_send_initial_events;
};

enum media { MEDIA_JSON, MEDIA_YAML, MEDIA_PROTOBUF };
enum output_shape { AS_OBJECT, AS_TABLE, AS_PARTIAL, AS_PARTIAL_LIST, AS_DISCOVERY };

/* What the client accepts. */
struct output {
	enum media media;
	enum output_shape shape;
	struct str meta_version; /* "v1" or "v1beta1" of Table and PartialObjectMetadata */
	struct str content_type;
	bool is_pretty; /* pretty=1 of the media type, or an error for nobody's form */
};

struct warning {
	struct warning *next;
	struct str text;
};

struct reply {
	int status;
	struct object *object;		  /* referenced */
	struct json *tree;		  /* any document; used when object is NULL */
	const struct api_kind *tree_kind; /* for its protobuf form; NULL: JSON and YAML only */
	struct str text;      /* plain text with content_type; used when tree is NULL too */
	struct pieces pieces; /* already encoded; when there are any they go before all others */
	struct str content_type;
	struct str etag;	  /* quoted; absent: the reply has none */
	struct str cache_control; /* absent: nobody keeps it */
	bool makes_scale;	  /* object is sent as its Scale */
	bool is_streaming;	  /* somebody writes to the exchange directly */
	bool is_sent;		  /* somebody has replied to it already */
	int32_t retry_after_s;	  /* 0: none */
	struct warning *warnings;
	size_t warning_count;
};

enum patch_type { PATCH_JSON, PATCH_MERGE, PATCH_STRATEGIC, PATCH_APPLY };

struct deletion {
	bool has_grace;
	int64_t grace_s;
	struct str
		propagation; /* "Background", "Foreground", "Orphan", absent: the kind's default */
	struct str uid, resource_version; /* preconditions */
};

enum step { STEP_NEXT, STEP_DONE, STEP_LATER };

struct request {
	struct arena arena;
	struct server *server;
	struct loop *home;		/* where it began and ends */
	struct http_exchange *exchange; /* NULL: in process */
	struct loop_msg msg;
	size_t stage;
	void (*finish)(struct request *r); /* on home, when the reply is complete */
	void *ctx;			   /* of finish */

	struct str method, path, query, accept, content_type, user_agent;
	struct str body;
	struct route route;
	struct user user;
	struct options options;
	struct output output;
	struct snapshot *snapshot; /* held from the first stage that reads */

	struct str id;		   /* Audit-Id */
	struct fair_request seats; /* see fairness.h */
	struct waiting *waiting;
	struct audit_record *audit; /* NULL: it is not recorded */
	const char *token_note;	    /* annotation about its token, NULL: none */
	struct str token_note_text;

	struct json *tree;     /* decoded body, later the object that is written */
	struct decoded *patch; /* text of a patch; NULL when it came as a tree */
	bool has_managers;     /* tree says who owns its fields */
	enum patch_type patch_type;
	struct deletion deletion;
	struct http_call *call;	 /* to a node, while a log is passed on */
	struct forward *forward; /* while it is proxied */
	struct store_ticket ticket;
	struct json *service_old, *service_new; /* whose addresses wait for the commit */
	struct object *beside;			/* own: a second write of the same commit */
	int64_t beside_expect;
	struct object *pending; /* what the reply will be when the commit is durable */
	int64_t started_us;	/* when it came, wall clock */
	int64_t began_us;	/* the same, monotonic */
	int64_t due_ms;		/* monotonic, see deadline.h; 0: never */
	struct list deadline_link;
	bool is_timed_out; /* the client has its answer: 504 */
	uint32_t long_run; /* see request_metrics_begin_long() */
	struct reply reply;
};

[[nodiscard]] struct request *request_new(struct server *server, struct loop *home);
void request_free(struct request *r);
/* Runs stages from r->stage until one is done or waits; call on the thread of that stage or on any
 * loop (it moves by itself). */
void request_run(struct request *r);
/* After STEP_LATER: go on with the next stage, or to the end when the reply is complete. */
void request_resume(struct request *r, enum step step);

/* The snapshot of this request, taken at first use. */
struct snapshot *request_snapshot(struct request *r);

/* Completes the reply with a Status; returns STEP_DONE. */
[[gnu::format(printf, 3, 4)]] enum step request_fail(struct request *r, enum rc rc, const char *fmt,
						     ...);
enum step request_fail_err(struct request *r, const struct err *err);
/* The same about the object of the route: `pods "x" not found`, with details. */
enum step request_not_found(struct request *r, const struct api_kind *kind, struct str name);
enum step request_already_exists(struct request *r, const struct api_kind *kind, struct str name);
enum step request_conflict(struct request *r, const struct api_kind *kind, struct str name,
			   const char *why);
enum step request_forbidden(struct request *r, const struct api_kind *kind, struct str name,
			    struct str why);
/* The same of the kind of the route. */
[[gnu::format(printf, 3, 4)]] enum step request_forbid(struct request *r, struct str name,
						       const char *fmt, ...);
enum step request_invalid(struct request *r, struct str group, struct str kind, struct str name,
			  const struct field_errors *errors);
enum step request_not_allowed(struct request *r); /* 405 */
enum step request_no_such_path(
	struct request *r); /* the server could not find the requested resource */
enum step request_text(struct request *r, int status, struct str text); /* text/plain */
[[gnu::format(printf, 2, 3)]] void request_warn(struct request *r, const char *fmt, ...);

/* "deployments.apps", "pods" */
struct str kind_group_resource(struct arena *a, const struct api_kind *kind);

#endif
