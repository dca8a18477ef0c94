#include "server/bootstrap.h"

#include "api/api_ids.h"
#include "server/allocator.h"
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

static void add(struct bootstrap *b, const struct json *tree)
{
	const struct api_kind *kind = api_by_api_version(
		api_builtin(), json_path_str(tree, "apiVersion"), json_path_str(tree, "kind"));
	ASSERT(kind);
	struct str namespace = json_path_str(tree, "metadata.namespace"),
		   name = json_path_str(tree, "metadata.name");
	if (store_pending_get(b->server->store, kind->stored_id, namespace, name))
		return;
	struct client_request q = {.verb = CLIENT_CREATE,
				   .kind = kind,
				   .namespace = namespace,
				   .body = tree,
				   .field_manager = STR("skeg"),
				   .grace_period_s = -1};
	b->waiting++;
	b->server->local->ops->submit(b->server->local, &q, created, b);
}

static void add_text(struct bootstrap *b, struct str text)
{
	struct json *tree;
	enum rc rc = json_parse(&b->arena, text, &tree, NULL, NULL);
	ASSERT(rc == RC_OK);
	add(b, tree);
}

static void add_defaults(struct bootstrap *b)
{
	struct str rest = str_n(bootstrap_objects, bootstrap_objects_len), line;
	while (rest.len) {
		str_cut(rest, '\n', &line, &rest);
		if (line.len)
			add_text(b, line);
	}
}

/* Reached by pods and nodes at the first address of the service CIDR. */
static void add_kubernetes_service(struct bootstrap *b)
{
	const struct server_config *c = &b->server->config;
	struct str ip = allocator_first(&b->arena, b->server->allocator);
	add_text(
		b,
		arena_printf(
			&b->arena,
			"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":"
			"\"kubernetes\",\"namespace\":\"default\","
			"\"labels\":{\"component\":\"apiserver\",\"provider\":\"kubernetes\"}},"
			"\"spec\":{\"clusterIP\":\"%.*s\","
			"\"ports\":[{\"name\":\"https\",\"port\":443,\"protocol\":\"TCP\","
			"\"targetPort\":%u}],\"sessionAffinity\":\"None\",\"type\":\"ClusterIP\"}}",
			STR_FMT(ip), server_port(b->server)));
	add_text(b, arena_printf(&b->arena,
				 "{\"apiVersion\":\"discovery.k8s.io/"
				 "v1\",\"kind\":\"EndpointSlice\",\"metadata\":{\"name\":"
				 "\"kubernetes\",\"namespace\":\"default\","
				 "\"labels\":{\"kubernetes.io/"
				 "service-name\":\"kubernetes\"}},\"addressType\":\"IPv4\","
				 "\"endpoints\":[{\"addresses\":[\"%s\"],"
				 "\"conditions\":{\"ready\":true}}],\"ports\":[{\"name\":\"https\","
				 "\"port\":%u,\"protocol\":\"TCP\"}]}",
				 c->advertise, server_port(b->server)));
	add_text(b,
		 arena_printf(
			 &b->arena,
			 "{\"apiVersion\":\"v1\",\"kind\":\"Endpoints\",\"metadata\":{\"name\":"
			 "\"kubernetes\",\"namespace\":\"default\","
			 "\"labels\":{\"endpointslice.kubernetes.io/"
			 "skip-mirror\":\"true\"}},\"subsets\":[{\"addresses\":[{\"ip\":\"%s\"}],"
			 "\"ports\":[{\"name\":\"https\",\"port\":%u,\"protocol\":\"TCP\"}]}]}",
			 c->advertise, server_port(b->server)));
	add_text(b, arena_printf(&b->arena,
				 "{\"apiVersion\":\"networking.k8s.io/"
				 "v1\",\"kind\":\"ServiceCIDR\",\"metadata\":{\"name\":"
				 "\"kubernetes\"},\"spec\":{\"cidrs\":[\"%s\"]}}",
				 c->service_cidr));
}

void bootstrap_start(struct server *server,
		     void (*done)(struct server *server, const struct err *err))
{
	struct bootstrap *b = NEW(struct bootstrap);
	server->bootstrap = b;
	*b = (struct bootstrap){.server = server, .waiting = 1, .is_adding = true, .done = done};
	add_defaults(b);
	add_kubernetes_service(b);
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
