#include "server/allocator.h"

#include "api/api_ids.h"
#include "api/defaults.h"
#include "api/validate.h"
#include "base/ipaddr.h"
#include "server/server.h"
#include "server/service_families.h"

#define POOL_MAX (1u << 16)

struct service_allocator {
	struct ipnet net;
	uint32_t address_count; /* addresses 1 … address_count - 1 of net may be given */
	uint32_t next_address;
	uint8_t *taken; /* one byte an address */
	bool port_taken[NODE_PORT_LAST - NODE_PORT_FIRST + 1];
	uint32_t next_port;
};

enum rc allocator_new(const char *service_cidr, struct service_allocator **ret_allocator,
		      struct err *err)
{
	struct service_allocator *al = NEW(struct service_allocator);
	if (!ipnet_parse(str_of(service_cidr), &al->net) || ipnet_size(al->net) < 8) {
		free(al);
		return err_set(err, RC_INVALID,
			       "service CIDR '%s' is not a prefix of at least 8 addresses; give "
			       "one like 10.43.0.0/16",
			       service_cidr);
	}
	uint64_t size = ipnet_size(al->net);
	al->address_count = (uint32_t)MIN(size - 1, (uint64_t)POOL_MAX);
	al->taken = mem_alloc(al->address_count);
	al->taken[0] = 1; /* the network's own */
	/* Drawn from above the lowest part, so that wished addresses there (DNS is number 10) stay
	 * free. */
	al->next_address = MIN(256u, al->address_count / 16);
	*ret_allocator = al;
	return RC_OK;
}

void allocator_free(struct service_allocator *al)
{
	if (!al)
		return;
	free(al->taken);
	free(al);
}

static struct str address_text(struct arena *a, const struct service_allocator *al, uint32_t n)
{
	struct ipaddr addr;
	char text[IPADDR_TEXT_MAX];
	ipnet_nth(al->net, n, &addr);
	return arena_str(a, str_n(text, ipaddr_format(addr, text)));
}

struct str allocator_first(struct arena *a, const struct service_allocator *al)
{
	return address_text(a, al, 1);
}

/* The number of an address in our prefix, 0 when it is not one of ours. */
static uint32_t address_number(const struct service_allocator *al, struct str text)
{
	struct ipaddr addr;
	uint64_t n;
	if (!api_parse_ip(text, &addr) || !ipnet_contains(al->net, addr) ||
	    !ipnet_index(al->net, addr, &n))
		return 0;
	return n < al->address_count ? (uint32_t)n : 0;
}

/* The node ports of a Service: one for each port (0: none), then that of its health check. */
static size_t port_count(const struct json *tree)
{
	return tree ? json_count(json_path(tree, "spec.ports")) + 1 : 0;
}

static int64_t port_at(const struct json *tree, size_t i)
{
	struct json *ports = json_path(tree, "spec.ports");
	return i < json_count(ports) ? json_i64(json_get(json_at(ports, i), STR("nodePort")))
				     : json_i64(json_path(tree, "spec.healthCheckNodePort"));
}

static bool is_node_port(int64_t port)
{
	return port >= NODE_PORT_FIRST && port <= NODE_PORT_LAST;
}

static bool holds_port(const struct json *tree, int64_t port)
{
	for (size_t i = 0; i < port_count(tree); i++)
		if (port_at(tree, i) == port)
			return true;
	return false;
}

static void mark(struct service_allocator *al, const struct json *tree, bool is_taken)
{
	uint32_t n = address_number(al, json_path_str(tree, "spec.clusterIP"));
	if (n)
		al->taken[n] = is_taken;
	for (size_t i = 0; i < port_count(tree); i++) {
		int64_t port = port_at(tree, i);
		if (is_node_port(port))
			al->port_taken[port - NODE_PORT_FIRST] = is_taken;
	}
}

void allocator_load(struct service_allocator *al, const struct snapshot *s)
{
	struct snapshot_iter it;
	snapshot_iter_init(&it, s, KIND_SERVICE, (struct str){}, (struct str){}, (struct str){});
	for (struct object *o; (o = snapshot_next(&it));) {
		CLEANUP_ARENA a = {};
		mark(al, object_tree(&a, o), true);
	}
}

void allocator_settle(struct service_allocator *al, const struct json *old, const struct json *new,
		      bool is_durable)
{
	const struct json *gone = is_durable ? old : new, *kept = is_durable ? new : old;
	struct str address = json_path_str(gone, "spec.clusterIP");
	uint32_t n = address_number(al, address);
	if (n && !str_eq(address, json_path_str(kept, "spec.clusterIP")))
		al->taken[n] = false;
	for (size_t i = 0; i < port_count(gone); i++) {
		int64_t port = port_at(gone, i);
		if (is_node_port(port) && !holds_port(kept, port))
			al->port_taken[port - NODE_PORT_FIRST] = false;
	}
}

/* ---- cluster IP ---- */

static struct str next_address(struct arena *a, struct service_allocator *al)
{
	for (uint32_t tries = 0; tries < al->address_count; tries++) {
		uint32_t n = al->next_address++;
		if (al->next_address >= al->address_count)
			al->next_address = 1;
		if (n && !al->taken[n])
			return address_text(a, al, n);
	}
	return (struct str){};
}

static bool has_cluster_ip(const struct json *spec)
{
	struct str ip = json_path_str(spec, "clusterIP");
	return !str_is(json_path_str(spec, "type"), "ExternalName") && !str_is(ip, "None");
}

static void set_addresses(struct arena *a, struct json *spec, struct str ip)
{
	struct json *ips = json_array(a);
	json_append(a, ips, json_string(a, ip));
	json_set_str(a, spec, STR("clusterIP"), ip);
	json_set(a, spec, STR("clusterIPs"), ips);
}

static void refuse_address(struct field_errors *errors, const struct json *spec, struct str ip,
			   const char *why)
{
	field_error_add(errors, FIELD_ERROR_INVALID, STR("spec.clusterIPs"),
			json_get(spec, STR("clusterIPs")), "failed to allocate IP %.*s: %s",
			STR_FMT(ip), why);
}

/* Our prefix holds it, but it is the network's own or beyond what is given. */
static void refuse_range(struct arena *a, const struct service_allocator *al,
			 const struct json *spec, struct str ip, struct field_errors *errors)
{
	char net[IPNET_TEXT_MAX], text[IPADDR_TEXT_MAX];
	struct ipaddr addr;
	ipnet_format(al->net, net);
	if (api_parse_ip(ip, &addr))
		ipaddr_format(addr, text);
	else
		snprintf(text, sizeof(text), "%.*s", STR_FMT(ip));
	refuse_address(errors, spec, ip,
		       arena_cstr(a, arena_printf(a,
						  "the provided IP (%s) is not in the valid range. "
						  "The range of valid IPs is %s",
						  text, net)));
}

static bool is_ip_text(struct str text)
{
	struct ipaddr addr;
	return api_parse_ip(text, &addr);
}

static void assign_address(struct service_allocator *al, struct request *r, struct str old_ip,
			   struct json *spec, struct field_errors *errors)
{
	struct arena *a = &r->arena;
	struct str ip = json_path_str(spec, "clusterIP");
	uint32_t n = address_number(al, ip);
	if (!has_cluster_ip(spec))
		return;
	if (ip.len == 0) {
		ip = next_address(a, al);
		if (ip.len == 0)
			field_error_add(errors, FIELD_ERROR_INTERNAL, STR("spec.clusterIPs"), NULL,
					"failed to allocate a serviceIP: range is full");
	} else if (str_eq(ip, old_ip) || is_ip_text(old_ip)) {
		return; /* validation refuses another one */
	} else if (n == 0 && !r->options.is_dry_run) {
		refuse_address(errors, spec, ip,
			       "the provided network does not match the current range");
	} else if (n == 0) {
		refuse_range(a, al, spec, ip, errors);
	} else if (al->taken[n]) {
		refuse_address(errors, spec, ip, "provided IP is already allocated");
	}
	set_addresses(a, spec, ip);
}

/* ---- node ports ---- */

static int64_t next_port(struct service_allocator *al, const bool *also_taken)
{
	static const uint32_t count = NODE_PORT_LAST - NODE_PORT_FIRST + 1;
	uint32_t start = al->next_port ? al->next_port : (uint32_t)(world_random_u64() % count);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = (start + i) % count;
		if (al->port_taken[n] || also_taken[n])
			continue;
		al->next_port = (n + 1 + (uint32_t)(world_random_u64() % 97)) % count;
		return NODE_PORT_FIRST + n;
	}
	return 0;
}

/* The ports that one write has asked for, beside those that are taken. */
struct port_wishes {
	bool taken[NODE_PORT_LAST - NODE_PORT_FIRST + 1];
	int64_t last;	/* a dry run only: it counts on from here */
	int64_t *asked; /* those asked for, so that the same port twice is noticed */
	size_t asked_count;
	bool is_dry_run; /* ranges are not looked at, and no port is drawn */
};

#define DRY_RUN_FIRST 32768

static bool was_asked(const struct port_wishes *wishes, int64_t port)
{
	for (size_t i = 0; i < wishes->asked_count; i++)
		if (wishes->asked[i] == port)
			return true;
	return false;
}

static void note_wish(struct port_wishes *wishes, int64_t port)
{
	wishes->asked[wishes->asked_count++] = port;
	wishes->last = MAX(wishes->last, port);
	if (is_node_port(port))
		wishes->taken[port - NODE_PORT_FIRST] = true;
}

static int64_t draw_port(struct service_allocator *al, struct port_wishes *wishes)
{
	int64_t port = wishes->is_dry_run ? (wishes->asked_count ? wishes->last : DRY_RUN_FIRST) + 1
					  : next_port(al, wishes->taken);
	note_wish(wishes, port);
	return port;
}

static void ask_port(struct service_allocator *al, struct port_wishes *wishes, int64_t port,
		     size_t index, struct field_errors *errors)
{
	struct str path = FIELD_PATH(errors, "spec.ports[%zu].nodePort", index);
	struct json *value = json_int(errors->arena, port);
	bool is_taken = is_node_port(port) && al->port_taken[port - NODE_PORT_FIRST];
	if (!is_node_port(port) && !wishes->is_dry_run)
		field_error_add(errors, FIELD_ERROR_INVALID, path, value,
				"provided port is not in the valid range. The range of valid ports "
				"is %d-%d",
				NODE_PORT_FIRST, NODE_PORT_LAST);
	else if (is_taken || was_asked(wishes, port))
		field_error_add(errors, FIELD_ERROR_INVALID, path, value,
				"provided port is already allocated");
	note_wish(wishes, port);
}

/* A new Service's ports with one number share a node port: TCP and UDP of one server. */
static int64_t node_port_of_same(const struct json *ports, size_t count, int64_t port)
{
	for (size_t i = 0; i < count; i++) {
		const struct json *item = json_at(ports, i);
		int64_t node_port = json_i64(json_get(item, STR("nodePort")));
		if (node_port && json_i64(json_get(item, STR("port"))) == port)
			return node_port;
	}
	return 0;
}

static void assign_port(struct arena *a, struct service_allocator *al, const struct json *old,
			const struct json *ports, size_t i, struct port_wishes *wishes,
			struct field_errors *errors)
{
	struct json *item = json_at(ports, i);
	int64_t wish = json_i64(json_get(item, STR("nodePort")));
	int64_t port = json_i64(json_get(item, STR("port")));
	int64_t before = old ? 0 : node_port_of_same(ports, i, port);
	if (wish && (wish == before || (old && (holds_port(old, wish) || was_asked(wishes, wish)))))
		return;
	if (!wish)
		wish = before ? before
			      : (old ? 0 : node_port_of_same(ports, json_count(ports), port));
	if (!wish)
		wish = draw_port(al, wishes);
	else if (wish != before)
		ask_port(al, wishes, wish, i, errors);
	json_set(a, item, STR("nodePort"), json_int(a, wish));
}

/* The first refused port is the last one looked at. */
static void assign_ports(struct service_allocator *al, struct request *r, const struct json *old,
			 struct json *spec, struct field_errors *errors)
{
	struct arena *a = &r->arena;
	struct json *ports = json_get(spec, STR("ports"));
	struct port_wishes *wishes = arena_alloc(a, sizeof(*wishes));
	size_t before = errors->count;
	wishes->is_dry_run = r->options.is_dry_run;
	wishes->asked = arena_alloc(a, (json_count(ports) + 2) * sizeof(*wishes->asked));
	if (str_is(json_path_str(spec, "type"), "ExternalName") ||
	    str_is(json_path_str(spec, "type"), "ClusterIP"))
		return;
	for (size_t i = 0; i < json_count(ports) && errors->count == before; i++)
		if (api_service_has_node_ports(spec) ||
		    json_get(json_at(ports, i), STR("nodePort")))
			assign_port(a, al, old, ports, i, wishes, errors);
	bool is_local = str_is(json_path_str(spec, "externalTrafficPolicy"), "Local");
	if (is_local && str_is(json_path_str(spec, "type"), "LoadBalancer") &&
	    !json_get(spec, STR("healthCheckNodePort")))
		json_set(a, spec, STR("healthCheckNodePort"), json_int(a, draw_port(al, wishes)));
}

enum rc allocator_assign(struct service_allocator *al, struct request *r, const struct json *old,
			 struct json *tree, struct field_errors *errors)
{
	const struct json *was = json_get(old, STR("spec"));
	struct json *spec = json_get(tree, STR("spec"));
	size_t before = errors->count;
	if (r->route.kind->stored_id != KIND_SERVICE || r->route.sub || !spec)
		return RC_OK;
	api_validate_service_addresses(tree, errors);
	if (errors->count == before)
		service_families_settle(&r->arena, was, spec,
					al->net.addr.family == IP_V4 ? "IPv4" : "IPv6", errors);
	if (errors->count == before)
		assign_address(al, r, json_path_str(was, "clusterIP"), spec, errors);
	if (errors->count == before)
		assign_ports(al, r, old, spec, errors);
	if (errors->count > before)
		return RC_INVALID;
	if (r->options.is_dry_run)
		return RC_OK;
	r->service_old = (struct json *)old;
	r->service_new = tree;
	mark(al, tree, true);
	return RC_OK;
}

void allocator_release(struct service_allocator *al, struct request *r)
{
	allocator_settle(al, r->service_old, r->service_new, false);
	r->service_old = r->service_new = NULL;
}
