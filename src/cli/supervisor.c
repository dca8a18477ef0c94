#include "cli/supervisor.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/child.h"
#include "cli/cluster_files.h"
#include "client/kubeconfig.h"
#include "client/progress.h"
#include "net/node_network.h"

struct supervisor {
	const struct cluster_plan *plan;
	const struct cluster_options *options;
	struct loop *loop;
	struct arena arena;
	struct child control;
	struct child nodes[NODES_MAX + 1]; /* the last may be the machine itself */
	size_t node_count, ready_count, stopped_count;
	struct machine_network net;
	const char *host_address;
	uv_signal_t signals[3];
	bool has_terminal; /* then SIGHUP is its end, and ours */
	int stop_signal;   /* for node agents; 0: running */
	int code;
};

/* ---- stopping: nodes first, so that their last words reach the control plane ---- */

static void control_stopped(struct child *c)
{
	struct supervisor *s = c->ctx;
	loop_stop(s->loop);
}

static void node_stopped(struct child *c)
{
	struct supervisor *s = c->ctx;
	if (++s->stopped_count == s->node_count)
		child_stop(&s->control, SIGTERM);
}

static void stop(struct supervisor *s, int node_signal)
{
	if (s->stop_signal)
		return;
	s->stop_signal = node_signal;
	if (s->node_count == 0)
		child_stop(&s->control, SIGTERM);
	for (size_t i = 0; i < s->node_count; i++)
		child_stop(&s->nodes[i], node_signal);
}

/* Each looks at its certificates again. */
static void reload(struct supervisor *s)
{
	child_signal(&s->control, SIGHUP);
	for (size_t i = 0; i < s->node_count; i++)
		child_signal(&s->nodes[i], SIGHUP);
}

static void on_signal(uv_signal_t *handle, int signal)
{
	struct supervisor *s = handle->data;
	if (signal == SIGHUP && !s->has_terminal) {
		reload(s);
		return;
	}
	bool ends_pods = signal == SIGINT && !s->options->keep_pods;
	progress_step(ends_pods ? "stopping, pods too" : "stopping; containers run on");
	stop(s, ends_pods ? SIGINT : SIGTERM);
}

static void fail(struct supervisor *s, const struct err *err)
{
	s->code = command_failed(err);
	stop(s, SIGTERM);
}

/* ---- starting ---- */

static void tell_ready(struct supervisor *s)
{
	progress_done("the cluster is ready");
	if (s->plan->on_ready)
		s->plan->on_ready(s->plan);
	child_tell_ready(s->options->notify_fd, "up");
}

static void node_ready(struct child *c)
{
	struct supervisor *s = c->ctx;
	progress_done("%s is ready", c->name);
	if (++s->ready_count == s->node_count)
		tell_ready(s);
}

static void add_labels(struct child *c, const struct text_list *labels)
{
	for (size_t i = 0; i < labels->count; i++)
		child_arg(c, "--node-label=%s", labels->at[i]);
}

static void start_agent(struct supervisor *s, const char *name, const char *address,
			const char *netns)
{
	const struct cluster_options *o = s->options;
	struct child *c = &s->nodes[s->node_count++];
	child_init(c, s->loop, name);
	child_arg(c, "agent");
	child_arg(c, "--node-name=%s", name);
	child_arg(c, "--node-ip=%s", address);
	if (netns)
		child_arg(c, "--netns=%s", netns);
	child_arg(c, "--server=https://%s:%lld", s->host_address, (long long)o->port);
	child_arg(c, "--token-file=%s/server/token", o->data_dir);
	child_arg(c, "--data-dir=%s/nodes/%s", o->data_dir, name);
	child_arg(c, "--image-dir=%s/images", o->data_dir);
	child_arg(c, "--cluster-cidr=%s", o->cluster_cidr);
	child_arg(c, "--service-cidr=%s", o->service_cidr);
	child_arg(c, "--cluster-dns=%s", o->cluster_dns);
	child_arg(c, "--cluster-domain=%s", o->cluster_domain);
	child_arg(c, "--log-level=%s", o->log_level);
	child_arg(c, "--notify-fd=%d", CHILD_NOTIFY_FD);
	if (o->registries)
		child_arg(c, "--registries=%s", o->registries);
	add_labels(c, &o->node_labels);
	c->ctx = s;
	c->on_ready = node_ready;
	c->on_stopped = node_stopped;
	child_start(c);
}

static enum rc start_node(struct supervisor *s, size_t index, struct err *err)
{
	struct node_network net;
	char name[32], address[IPADDR_TEXT_MAX];
	snprintf(name, sizeof(name), "node%zu", index + 1);
	TRY(node_network_up(&s->net, str_of(name), (unsigned)index, &net, err));
	ipaddr_format(net.addr, address);
	start_agent(s, name, address, net.netns_path);
	return RC_OK;
}

static enum rc start_nodes(struct supervisor *s, struct err *err)
{
	const struct cluster_plan *plan = s->plan;
	for (size_t i = 0; i < (size_t)plan->nodes; i++)
		TRY(start_node(s, i, err));
	if (plan->host_node)
		start_agent(s, plan->host_node, plan->host_address, NULL);
	return RC_OK;
}

static enum rc merge_kubeconfig(struct supervisor *s, struct err *err)
{
	CLEANUP_ARENA a = {};
	if (!s->plan->kubeconfig)
		return RC_OK;
	return kubeconfig_merge(s->plan->kubeconfig,
				cluster_path(&a, s->options->data_dir, "server/admin.kubeconfig"),
				KUBECONFIG_NAME, err);
}

/* It was started again, or its certificates are new. */
static void control_again(struct child *c)
{
	struct err err;
	if (merge_kubeconfig(c->ctx, &err) != RC_OK)
		log_warn("up", "%s", err.text);
}

static void control_ready(struct child *c)
{
	struct supervisor *s = c->ctx;
	struct err err;
	progress_done("the control plane answers at https://%s:%lld", s->host_address,
		      (long long)s->options->port);
	if (merge_kubeconfig(s, &err) != RC_OK) {
		fail(s, &err);
		return;
	}
	if (start_nodes(s, &err) != RC_OK)
		fail(s, &err);
	else if (s->node_count == 0)
		tell_ready(s);
	else
		progress_step("starting %zu node%s", s->node_count, s->node_count == 1 ? "" : "s");
}

static void start_control(struct supervisor *s)
{
	const struct cluster_options *o = s->options;
	struct child *c = &s->control;
	child_init(c, s->loop, "control");
	child_arg(c, "control");
	child_arg(c, "--data-dir=%s/server", o->data_dir);
	child_arg(c, "--bind-address=%s", o->bind_address);
	if (s->plan->nodes || s->plan->host_address)
		child_arg(c, "--advertise-address=%s", s->host_address);
	child_arg(c, "--port=%lld", (long long)o->port);
	child_arg(c, "--cluster-cidr=%s", o->cluster_cidr);
	child_arg(c, "--service-cidr=%s", o->service_cidr);
	child_arg(c, "--cluster-domain=%s", o->cluster_domain);
	child_arg(c, "--simulated-nodes=%lld", (long long)s->plan->simulated_nodes);
	child_arg(c, "--log-level=%s", o->log_level);
	child_arg(c, "--notify-fd=%d", CHILD_NOTIFY_FD);
	if (o->is_memory)
		child_arg(c, "--memory");
	if (s->plan->simulated_nodes)
		add_labels(c, &o->node_labels);
	for (size_t i = 0; i < o->tls_sans.count; i++)
		child_arg(c, "--tls-san=%s", o->tls_sans.at[i]);
	option_set_args(&c->arena, &api_option_set, &o->api, &c->args);
	c->ctx = s;
	c->on_ready = control_ready;
	c->on_again = control_again;
	c->on_stopped = control_stopped;
	child_start(c);
}

static enum rc prepare_network(struct supervisor *s, struct err *err)
{
	char text[IPADDR_TEXT_MAX];
	s->host_address = s->plan->host_address ? s->plan->host_address : "127.0.0.1";
	if (s->plan->nodes == 0)
		return RC_OK;
	TRY(machine_network_up(STR(CLUSTER_NAME), (struct ipnet){}, &s->net, err));
	s->host_address = arena_cstr(&s->arena, str_n(text, ipaddr_format(s->net.host_addr, text)));
	return RC_OK;
}

static void catch_signals(struct supervisor *s)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(loop_uv(s->loop), &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, numbers[i]);
	}
}

int supervise(const struct cluster_plan *plan)
{
	struct supervisor *s = NEW(struct supervisor);
	struct err err;
	s->plan = plan;
	s->options = plan->options;
	s->loop = loop_new();
	s->has_terminal = isatty(STDIN_FILENO);
	log_setup(LOG_LEVEL_INFO, false);
	catch_signals(s);
	if (cluster_lock(s->options->data_dir, &err) == RC_OK &&
	    prepare_network(s, &err) == RC_OK) {
		progress_step("starting the control plane");
		start_control(s);
		loop_run(s->loop);
	} else {
		s->code = command_failed(&err);
	}
	int code = s->code;
	for (size_t i = 0; i < ARRAY_LEN(s->signals); i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
	for (size_t i = 0; i < s->node_count; i++)
		child_done(&s->nodes[i]);
	child_done(&s->control);
	arena_done(&s->arena);
	loop_free(s->loop);
	free(s);
	return code;
}
