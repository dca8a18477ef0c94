/* skeg server: the control plane and this machine as a node, in the foreground; other machines join
 * with the line that it prints. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli/cluster_files.h"
#include "cli/config_file.h"
#include "cli/option_value.h"
#include "cli/supervisor.h"
#include "cli/verbs.h"
#include "io/file.h"
#include "io/host.h"
#include "node/runtime_programs.h"

#define TOKEN_BYTES_MAX 4096

struct server_options {
	struct cluster_options cluster;
	const char *config, *node_name, *advertise_address;
	bool is_agent_disabled;
};

/* ---- joining ---- */

static const struct server_options defaults = {.cluster = CLUSTER_DEFAULTS};

/* What an agent must be told because it is not as usual. */
static void print_unusual(const struct cluster_options *o)
{
	const struct cluster_options *usual = &defaults.cluster;
	const struct {
		const char *name, *value, *usual;
	} rows[] = {
		{"cluster-cidr", o->cluster_cidr, usual->cluster_cidr},
		{"service-cidr", o->service_cidr, usual->service_cidr},
		{"cluster-dns", o->cluster_dns, usual->cluster_dns},
		{"cluster-domain", o->cluster_domain, usual->cluster_domain},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].value, rows[i].usual) != 0)
			printf(" --%s %s", rows[i].name, rows[i].value);
}

static void tell_join(const struct cluster_plan *plan)
{
	CLEANUP_ARENA a = {};
	struct str token;
	struct err err;
	const struct cluster_options *o = plan->options;
	const char *path = cluster_path(&a, o->data_dir, "server/token");
	if (file_read(path, TOKEN_BYTES_MAX, &a, &token, &err) != RC_OK) {
		command_failed(&err);
		return;
	}
	token = str_trim(token);
	bool is_v6 = strchr(plan->host_address, ':');
	printf("Join another machine as a node:\n\n  skeg agent --server https://%s%s%s:%lld "
	       "--token %.*s",
	       is_v6 ? "[" : "", plan->host_address, is_v6 ? "]" : "", (long long)o->port,
	       STR_FMT(token));
	print_unusual(o);
	printf("\n\nUse the cluster from here:\n\n  export KUBECONFIG=%s/server/admin.kubeconfig\n\n",
	       o->data_dir);
	fflush(stdout);
}

/* ---- this machine ---- */

static const char *own_name(struct arena *a)
{
	struct utsname host;
	if (uname(&host) != 0)
		return "localhost";
	for (char *c = host.nodename; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return arena_cstr(a, str_of(host.nodename));
}

static enum rc find_address(struct server_options *o, struct arena *a, struct err *err)
{
	char text[IPADDR_TEXT_MAX];
	struct ipaddr address;
	if (o->advertise_address)
		return RC_OK;
	if (!host_address(&address))
		return err_set(err, RC_UNAVAILABLE,
			       "this machine has no address that others could reach; give one to "
			       "an interface, or name it with --advertise-address");
	o->advertise_address = arena_cstr(a, str_n(text, ipaddr_format(address, text)));
	return RC_OK;
}

static enum rc check_node(struct server_options *o, struct arena *a, struct err *err)
{
	struct err missing;
	if (o->is_agent_disabled)
		return RC_OK;
	if (!o->node_name)
		o->node_name = own_name(a);
	if (!value_is_domain(o->node_name))
		return err_set(err, RC_INVALID,
			       "this machine is called '%s', which a node cannot be; give it a "
			       "name with --node-name",
			       o->node_name);
	if (geteuid() != 0)
		return err_set(err, RC_FORBIDDEN,
			       "a node needs root, for containers and networks; run it with sudo "
			       "or say --disable-agent");
	if (programs_check(&missing) == RC_OK)
		return RC_OK;
	return err_set(err, RC_UNAVAILABLE,
		       "containers need programs of this machine: %s (or say --disable-agent)",
		       missing.text);
}

static enum rc check(struct command_line *line, struct err *err)
{
	struct server_options *o = line->values;
	struct arena *a = &line->arena;
	if (line->words.count)
		return err_set(err, RC_BAD_REQUEST, "'%s' belongs to no option", line->words.at[0]);
	TRY(config_file_apply(line, o->config, err));
	o->cluster.data_dir = cluster_data(a, o->cluster.data_dir);
	TRY(api_options_check(&o->cluster.api, err));
	TRY(find_address(o, a, err));
	TRY(check_node(o, a, err));
	return cluster_check_idle(o->cluster.data_dir, err);
}

static int run(struct command_line *line)
{
	struct server_options *o = line->values;
	struct err err;
	if (check(line, &err) != RC_OK)
		return command_failed(&err);
	const struct cluster_plan plan = {
		.options = &o->cluster,
		.host_node = o->is_agent_disabled ? NULL : o->node_name,
		.host_address = o->advertise_address,
		.kubeconfig = o->cluster.kubeconfig,
		.on_ready = tell_join,
	};
	return supervise(&plan);
}

#define AT(member) offsetof(struct server_options, member)
static const struct option options[] = {
	{"config", 'c', OPTION_TEXT, AT(config), "FILE",
	 "options as 'name: value' lines (" CONFIG_FILE_DEFAULT ")"},
	{"disable-agent", 0, OPTION_FLAG, AT(is_agent_disabled), NULL,
	 "control plane only: this machine runs no pods"},
	{"node-name", 0, OPTION_TEXT, AT(node_name), "NAME", "name of this node (the host's name)",
	 .is_good = value_is_domain, .wants = DOMAIN_WANTED},
	{"node-label", 0, OPTION_LIST, AT(cluster.node_labels), "K=V", "label of this node",
	 .is_good = value_is_label, .wants = LABEL_WANTED},
	{"advertise-address", 0, OPTION_TEXT, AT(advertise_address), "IP",
	 "where other machines reach this one (its first address)", .is_good = value_is_address,
	 .wants = ADDRESS_WANTED},
	{"write-kubeconfig", 0, OPTION_TEXT, AT(cluster.kubeconfig), "FILE",
	 "file that gets the context 'skeg'"},
	CLUSTER_OPTIONS(struct server_options, cluster),
};

const struct command command_server = {
	.name = "server",
	.summary = "Run the control plane and this machine as a node, in the foreground",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.shared = &api_option_set,
	.shared_offset = offsetof(struct server_options, cluster.api),
	.values_size = sizeof(struct server_options),
	.defaults = &defaults,
	.run = run,
};
