#include "cli/control_process.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <uv.h>

#include "base/ipaddr.h"
#include "base/log.h"
#include "cli/child.h"
#include "cli/cluster_files.h"
#include "cli/option_value.h"
#include "cli/sandbox.h"
#include "client/kubeconfig.h"
#include "control/control.h"
#include "node/simulated.h"
#include "sched/sched.h"
#include "server/keys.h"
#include "server/local_client.h"
#include "server/server.h"
#include "sync/reconcile.h"

#define CIDRS_MAX     2
#define STOP_GRACE_MS 1000
#define LOW_PORTS     1024 /* listening on one needs a capability */
#define TURN_MS	      1000

#define ARENAS_MAX	2
#define MAP_FROM_BYTES	(256 << 10)
#define KEEP_FREE_BYTES (2 << 20)

/* A thread with a loop of its own, for work that only talks to the rest by its client. */
struct side_thread {
	struct loop *loop;
	struct client *client;
	pthread_t thread;
	struct loop_msg start_msg, stop_msg;
	void (*start)(struct side_thread *t);
	void (*stop)(struct side_thread *t);
	struct control *control;
	void *work;
	bool is_running, is_through; /* core's */
};

struct control {
	const struct control_options *options;
	struct loop *loop;
	struct server *server;
	struct cache *cache;
	struct reconciler *reconciler;
	struct client *clients; /* of the controllers */
	struct side_thread scheduler, simulated;
	struct ipnet cidrs[CIDRS_MAX];
	struct control_settings settings;
	uv_signal_t signals[3];
	struct err fatal;
	int code;
};

static void *run_side(void *arg)
{
	struct side_thread *t = arg;
	loop_run(t->loop);
	return NULL;
}

static void start_side(struct loop_msg *msg)
{
	struct side_thread *t = CONTAINER_OF(msg, struct side_thread, start_msg);
	t->start(t);
}

static void side_through(struct loop_msg *msg)
{
	CONTAINER_OF(msg, struct side_thread, stop_msg)->is_through = true;
}

static void side_drained(void *ctx)
{
	struct side_thread *t = ctx;
	loop_stop(t->loop);
	t->stop_msg.fn = side_through;
	loop_post(t->control->loop, &t->stop_msg);
}

static void stop_side(struct loop_msg *msg)
{
	struct side_thread *t = CONTAINER_OF(msg, struct side_thread, stop_msg);
	t->stop(t);
	local_client_drain(t->client, side_drained, t);
}

static void side_start(struct side_thread *t, struct control *c, const char *name,
		       const char *account, void (*start)(struct side_thread *),
		       void (*stop)(struct side_thread *))
{
	*t = (struct side_thread){.loop = loop_new(), .control = c, .start = start, .stop = stop};
	t->client = local_client_new(c->server, t->loop, account);
	t->start_msg.fn = start_side;
	loop_post(t->loop, &t->start_msg);
	t->is_running = pthread_create(&t->thread, NULL, run_side, t) == 0;
	ASSERT(t->is_running);
	pthread_setname_np(t->thread, name);
}

/* Core goes on meanwhile: what the thread has asked for is answered. */
static void side_stop(struct side_thread *t)
{
	if (!t->is_running)
		return;
	t->stop_msg.fn = stop_side;
	loop_post(t->loop, &t->stop_msg);
	while (!t->is_through)
		loop_run_once(t->control->loop, TURN_MS);
	pthread_join(t->thread, NULL);
	local_client_free(t->client);
	loop_free(t->loop);
	t->is_running = false;
}

/* ---- scheduler ---- */

static void scheduler_start(struct side_thread *t)
{
	t->work = sched_new(t->client, NULL, NULL);
}

static void scheduler_stop(struct side_thread *t)
{
	sched_free(t->work);
}

/* ---- simulated nodes ---- */

static void simulated_start(struct side_thread *t)
{
	const struct control_options *o = t->control->options;
	t->work = simulated_nodes_new(t->client, (size_t)o->simulated_nodes, o->node_labels.at,
				      o->node_labels.count);
}

static void simulated_stop(struct side_thread *t)
{
	simulated_nodes_free(t->work);
}

/* ---- controllers ---- */

static struct client *client_for(void *ctx, const char *service_account)
{
	struct control *c = ctx;
	return c->clients;
}

static void controllers_start(struct control *c)
{
	const struct api *api = api_builtin();
	CLEANUP(free_p) uint16_t *kinds = mem_alloc(api->stored_count * sizeof(*kinds));
	size_t count = control_kinds(api, kinds);
	c->clients = local_client_new(c->server, c->loop, "controller-manager");
	c->cache = cache_new(c->clients, kinds, count, NULL);
	c->reconciler = reconciler_new(c->cache, client_for, c, controllers, controllers_count,
				       &c->settings);
}

static void take_settings(struct control *c)
{
	struct str rest = str_of(c->options->cluster_cidr), one;
	size_t count = 0;
	while (rest.len && count < CIDRS_MAX) {
		str_cut(rest, ',', &one, &rest);
		if (ipnet_parse(one, &c->cidrs[count]))
			count++;
	}
	c->settings = (struct control_settings){
		.cluster_cidrs = c->cidrs,
		.cluster_cidr_count = count,
		.ca_pem = c->server->keys->server_ca.cert_pem,
		.has_own_load_balancer = true,
	};
}

/* ---- the process ---- */

static void on_fatal(void *ctx, const struct err *err)
{
	struct control *c = ctx;
	log_error("control", "%s", err->text);
	c->fatal = *err;
	c->code = EXIT_FAILED;
	loop_stop(c->loop);
}

static void on_signal(uv_signal_t *handle, int signal)
{
	struct control *c = handle->data;
	if (signal == SIGHUP) {
		if (c->server && c->server->is_ready)
			server_renew(c->server);
		return;
	}
	log_info("control", "signal %d: stopping", signal);
	loop_stop(c->loop);
}

static void catch_signals(struct control *c)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(loop_uv(c->loop), &c->signals[i]);
		c->signals[i].data = c;
		uv_signal_start(&c->signals[i], on_signal, numbers[i]);
	}
}

static enum rc write_kubeconfig(struct control *c, struct err *err)
{
	CLEANUP_ARENA a = {};
	const struct cluster_keys *keys = c->server->keys;
	const struct kubeconfig_admin admin = {
		.host = "127.0.0.1",
		.port = server_port(c->server),
		.ca_pem = keys->server_ca.cert_pem,
		.cert_pem = keys->admin.cert_pem,
		.key_pem = keys->admin.key_pem,
	};
	return kubeconfig_write(cluster_path(&a, c->options->data_dir, "admin.kubeconfig"), &admin,
				err);
}

/* Who started us learns of it as of the beginning: the kubeconfig has changed. */
static void on_renewed(void *ctx)
{
	struct control *c = ctx;
	struct err err;
	if (write_kubeconfig(c, &err) != RC_OK)
		log_error("control", "%s", err.text);
	child_tell_ready(c->options->notify_fd, "control");
}

static void on_ready(void *ctx)
{
	struct control *c = ctx;
	struct err err;
	if (write_kubeconfig(c, &err) != RC_OK) {
		on_fatal(c, &err);
		return;
	}
	controllers_start(c);
	side_start(&c->scheduler, c, "sched", "kube-scheduler", scheduler_start, scheduler_stop);
	if (c->options->simulated_nodes)
		side_start(&c->simulated, c, "simulated", NULL, simulated_start, simulated_stop);
	log_info("control", "ready on port %u after %lld ms", server_port(c->server),
		 (long long)(world_mono_ms() - c->server->started_ms));
	child_tell_ready(c->options->notify_fd, "control");
}

static enum rc start(struct control *c, struct err *err)
{
	const struct control_options *o = c->options;
	struct server_config config = {
		.data_folder = o->data_dir,
		.is_memory = o->is_memory,
		.address = o->bind_address,
		.port = (uint16_t)o->port,
		.advertise = o->advertise_address,
		.service_cidr = o->service_cidr,
		.cluster_domain = o->cluster_domain,
		.sans = o->tls_sans.at,
		.san_count = o->tls_sans.count,
		.on_ready = on_ready,
		.on_renewed = on_renewed,
		.on_fatal = on_fatal,
		.ctx = c,
	};
	CLEANUP_ARENA a = {};
	TRY(api_options_apply(&o->api, &a, &config, err));
	TRY(server_new(c->loop, &config, &c->server, err));
	take_settings(c);
	return server_start(c->server, err);
}

static void stop(struct control *c)
{
	side_stop(&c->simulated);
	side_stop(&c->scheduler);
	reconciler_free(c->reconciler);
	cache_free(c->cache);
	if (c->clients)
		local_client_drain_here(c->clients);
	local_client_free(c->clients);
	if (c->server)
		server_stop(c->server, STOP_GRACE_MS);
	server_free(c->server);
}

/* Few arenas, for what they hold free is lost to the others; and some free memory is kept, so that
 * a reply of usual size costs no page faults. */
static void set_up_malloc(void)
{
	mallopt(M_ARENA_MAX, ARENAS_MAX);
	mallopt(M_MMAP_THRESHOLD, MAP_FROM_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEEP_FREE_BYTES);
}

/* Before any thread.  Sanitizers trace and fork at will. */
static enum rc enter_sandbox(const struct control_options *o, struct err *err)
{
	if (!o->api.has_sandbox)
		return RC_OK;
#ifdef SKEG_SANITIZERS
	log_info("control", "built with sanitizers: no sandbox");
	return RC_OK;
#else
	return sandbox_enter(o->port > 0 && o->port < LOW_PORTS, err);
#endif
}

static int run(struct command_line *line)
{
	set_up_malloc();
	struct control c = {.options = line->values, .loop = loop_new()};
	struct err err;
	log_setup(LOG_LEVEL_INFO, c.options->has_json_log);
	log_setup_name(c.options->log_level);
	catch_signals(&c);
	if (enter_sandbox(c.options, &err) == RC_OK && start(&c, &err) == RC_OK)
		loop_run(c.loop);
	else
		c.code = command_failed(&err);
	stop(&c);
	for (size_t i = 0; i < ARRAY_LEN(c.signals); i++)
		uv_close((uv_handle_t *)&c.signals[i], NULL);
	loop_free(c.loop);
	return c.code;
}

#define AT(member) offsetof(struct control_options, member)
static const struct option options[] = {
	{"data-dir", 0, OPTION_TEXT, AT(data_dir), "DIR", "where keys and the database live"},
	{"memory", 0, OPTION_FLAG, AT(is_memory), NULL,
	 "keep the database in memory; nothing survives"},
	{"bind-address", 0, OPTION_TEXT, AT(bind_address), "IP",
	 "address to listen on; all by default", .is_good = value_is_bind_address,
	 .wants = ADDRESS_WANTED},
	{"port", 0, OPTION_NUMBER, AT(port), "N", "port of the API server; 0 takes a free one",
	 .most = PORT_MOST},
	{"advertise-address", 0, OPTION_TEXT, AT(advertise_address), "IP",
	 "where nodes and pods reach the API server", .is_good = value_is_address,
	 .wants = ADDRESS_WANTED},
	{"cluster-cidr", 0, OPTION_TEXT, AT(cluster_cidr), "CIDR", "addresses of pods",
	 .is_good = value_is_pod_cidrs, .wants = POD_CIDR_WANTED},
	{"service-cidr", 0, OPTION_TEXT, AT(service_cidr), "CIDR", "addresses of services",
	 .is_good = value_is_service_cidr, .wants = SERVICE_CIDR_WANTED},
	{"cluster-domain", 0, OPTION_TEXT, AT(cluster_domain), "NAME", "DNS domain of the cluster",
	 .is_good = value_is_domain, .wants = DOMAIN_WANTED},
	{"tls-san", 0, OPTION_LIST, AT(tls_sans), "NAME",
	 "one more name or address of the serving certificate",
	 .is_good = value_is_certificate_name, .wants = CERTIFICATE_NAME_WANTED},
	{"simulated-nodes", 0, OPTION_NUMBER, AT(simulated_nodes), "N",
	 "run N nodes without containers, named n1, n2, …", .most = SIMULATED_NODES_MOST},
	{"node-label", 0, OPTION_LIST, AT(node_labels), "K=V", "label of simulated nodes",
	 .is_good = value_is_label, .wants = LABEL_WANTED},
	{"log-level", 0, OPTION_TEXT, AT(log_level), "LEVEL", "debug, info, warn or error",
	 .is_good = value_is_level, .wants = LEVEL_WANTED},
	{"log-json", 0, OPTION_FLAG, AT(has_json_log), NULL, "log lines as JSON"},
	{"notify-fd", 0, OPTION_NUMBER, AT(notify_fd), "FD",
	 "descriptor that gets \"ready\" once requests are served"},
};

static const struct control_options defaults = {
	.data_dir = "/var/lib/skeg/server",
	.bind_address = "",
	.cluster_cidr = "10.42.0.0/16",
	.service_cidr = "10.43.0.0/16",
	.cluster_domain = "cluster.local",
	.log_level = "info",
	.api = API_OPTIONS_DEFAULTS,
	.port = 6443,
};

const struct command command_control = {
	.name = "control",
	.summary = "Run the control plane in the foreground",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.shared = &api_option_set,
	.shared_offset = offsetof(struct control_options, api),
	.values_size = sizeof(struct control_options),
	.defaults = &defaults,
	.run = run,
	.is_internal = true,
};
