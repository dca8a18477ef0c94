#include "server/bootstrap.h"

#include "api/api_ids.h"
#include "server/allocator.h"
#include "server/bootstrap_reconcile.h"
#include "sync/client.h"

extern const char bootstrap_objects[];
extern const size_t bootstrap_objects_len;

struct bootstrap {
	struct server *server;
	struct arena arena;
	size_t waiting;
	bool is_adding;
	struct err err;
	void (*done)(struct server *server, const struct err *err);
};

static void finish_one(struct bootstrap *b)
{
	if (--b->waiting || b->is_adding)
		return;
	b->done(b->server, b->err.rc == RC_OK ? NULL : &b->err);
}

static void created(void *ctx, const struct client_reply *reply)
{
	struct bootstrap *b = ctx;
	if (reply->rc != RC_OK && reply->rc != RC_ALREADY_EXISTS && b->err.rc == RC_OK)
		b->err = reply->err;
	finish_one(b);
}

static void submit(struct bootstrap *b, enum client_verb verb, const struct api_kind *kind,
		   const struct json *tree)
{
	struct client_request q = {.verb = verb,
				   .kind = kind,
				   .namespace = json_path_str(tree, "metadata.namespace"),
				   .name = verb == CLIENT_CREATE
						   ? (struct str){}
						   : json_path_str(tree, "metadata.name"),
				   .body = verb == CLIENT_DELETE ? NULL : tree,
				   .field_manager = STR("skeg"),
				   .grace_period_s = -1};
	b->waiting++;
	b->server->local->ops->submit(b->server->local, &q, created, b);
}

/* Writes of one caller are decided in the order in which they are sent. */
static void mend(struct bootstrap *b, const struct api_kind *kind, struct object *there,
		 const struct json *wanted)
{
	struct json *tree = NULL;
	switch (bootstrap_reconcile(&b->arena, object_tree(&b->arena, there), wanted, &tree)) {
	case RECONCILE_NOTHING:
		break;
	case RECONCILE_UPDATE:
		submit(b, CLIENT_UPDATE, kind, tree);
		break;
	case RECONCILE_REPLACE:
		submit(b, CLIENT_DELETE, kind, wanted);
		submit(b, CLIENT_CREATE, kind, wanted);
		break;
	}
}

static void add(struct bootstrap *b, const struct json *tree)
{
	const struct api_kind *kind = api_by_api_version(
		api_builtin(), json_path_str(tree, "apiVersion"), json_path_str(tree, "kind"));
	ASSERT(kind);
	struct str namespace = json_path_str(tree, "metadata.namespace"),
		   name = json_path_str(tree, "metadata.name");
	struct object *there =
		store_pending_get(b->server->store, kind->stored_id, namespace, name);
	if (there)
		mend(b, kind, there, tree);
	else
		submit(b, CLIENT_CREATE, kind, tree);
}

/* What differs from cluster to cluster stands as ${name} in the data. */
static void fill_in(struct bootstrap *b, struct str line, struct buf *out)
{
	const struct server_config *c = &b->server->config;
	const struct {
		const char *name;
		struct str value;
	} variables[] = {
		{"${serviceIP}", allocator_first(&b->arena, b->server->allocator)},
		{"${serviceCIDR}", str_of(c->service_cidr)},
		{"${advertise}", str_of(c->advertise)},
		{"${port}", arena_printf(&b->arena, "%u", server_port(b->server))},
	};
	while (line.len) {
		size_t i = 0;
		while (i < ARRAY_LEN(variables) && !str_has_prefix(line, str_of(variables[i].name)))
			i++;
		bool is_variable = i < ARRAY_LEN(variables);
		buf_add_str(out, is_variable ? variables[i].value : str_n(line.at, 1));
		line = str_skip(line, is_variable ? strlen(variables[i].name) : 1);
	}
}

/* Endpoints must not be loopback addresses: a machine without another one has none of the API
 * server. */
static bool is_wanted(const struct bootstrap *b, struct str line)
{
	struct ipaddr addr;
	bool needs_address = memmem(line.at, line.len, "${advertise}", 12) != NULL;
	return !needs_address || (ipaddr_parse(str_of(b->server->config.advertise), &addr) &&
				  !ipaddr_is_loopback(addr));
}

static void add_line(struct bootstrap *b, struct str line)
{
	struct json *tree;
	CLEANUP_BUF text = BUF_INIT(1u << 20);
	if (!is_wanted(b, line))
		return;
	fill_in(b, line, &text);
	enum rc rc = json_parse(&b->arena, arena_str(&b->arena, buf_str(&text)), &tree, NULL, NULL);
	ASSERT(rc == RC_OK);
	add(b, tree);
}

static void add_all(struct bootstrap *b)
{
	struct str rest = str_n(bootstrap_objects, bootstrap_objects_len), line;
	while (rest.len) {
		str_cut(rest, '\n', &line, &rest);
		if (line.len)
			add_line(b, line);
	}
}

void bootstrap_start(struct server *server,
		     void (*done)(struct server *server, const struct err *err))
{
	struct bootstrap *b = NEW(struct bootstrap);
	server->bootstrap = b;
	*b = (struct bootstrap){.server = server, .waiting = 1, .is_adding = true, .done = done};
	add_all(b);
	b->is_adding = false;
	finish_one(b);
}

void bootstrap_free(struct bootstrap *b)
{
	if (!b)
		return;
	arena_done(&b->arena);
	free(b);
}
