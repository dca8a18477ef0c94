#include "node/pod_files.h"

#include "io/file.h"
#include "node/agent-int.h"
#include "node/pod_paths.h"
#include "node/pod_setup.h"

/* ---- hosts ---- */

static const char hosts_head[] = "# Kubernetes-managed hosts file.\n"
				 "127.0.0.1\tlocalhost\n"
				 "::1\tlocalhost ip6-localhost ip6-loopback\n"
				 "fe00::0\tip6-localnet\n"
				 "fe00::0\tip6-mcastprefix\n"
				 "fe00::1\tip6-allnodes\n"
				 "fe00::2\tip6-allrouters\n";

static void add_own_names(struct buf *out, const struct pod_worker *w)
{
	struct str host = pod_hostname(w);
	struct str sub = w->pod->spec.subdomain;
	char text[IPADDR_TEXT_MAX];
	for (size_t i = 0; i < w->address_count; i++) {
		ipaddr_format(w->addresses[i], text);
		if (sub.len)
			buf_printf(out, "%s\t%.*s.%.*s.%.*s.svc.%.*s\t%.*s\n", text, STR_FMT(host),
				   STR_FMT(sub), STR_FMT(w->namespace),
				   STR_FMT(w->agent->config.cluster_domain), STR_FMT(host));
		else
			buf_printf(out, "%s\t%.*s\n", text, STR_FMT(host));
	}
}

static void add_aliases(struct buf *out, const struct host_alias_array *aliases)
{
	if (aliases->count)
		buf_add_cstr(out, "\n# Entries added by HostAliases.\n");
	for (uint32_t i = 0; i < aliases->count; i++) {
		buf_add_str(out, aliases->at[i].ip);
		for (uint32_t k = 0; k < aliases->at[i].hostnames.count; k++)
			buf_printf(out, "\t%.*s", STR_FMT(aliases->at[i].hostnames.at[k]));
		buf_add_char(out, '\n');
	}
}

void pod_hosts_text(struct buf *out, const struct pod_worker *w, struct str machine_hosts)
{
	if (w->pod->spec.host_network) {
		buf_add_cstr(out, "# Kubernetes-managed hosts file (host network).\n");
		buf_add_str(out, machine_hosts);
	} else {
		buf_add_cstr(out, hosts_head);
		add_own_names(out, w);
	}
	add_aliases(out, &w->pod->spec.host_aliases);
}

/* ---- resolv.conf ---- */

struct resolv {
	struct str servers[16], searches[POD_SEARCH_MAX], options[32];
	size_t server_count, search_count, option_count;
};

static void add_once(struct str *list, size_t *count, size_t max, struct str s)
{
	for (size_t i = 0; i < *count; i++)
		if (str_eq(list[i], s))
			return;
	if (s.len && *count < max)
		list[(*count)++] = s;
}

static void add_server(struct resolv *r, struct str s)
{
	add_once(r->servers, &r->server_count, ARRAY_LEN(r->servers), s);
}

static void add_search(struct resolv *r, struct str s)
{
	add_once(r->searches, &r->search_count, ARRAY_LEN(r->searches), s);
}

static void add_words(struct resolv *r, struct str key, struct str rest)
{
	struct str word;
	if (str_is(key, "search"))
		r->search_count = 0;
	while (rest.len) {
		str_cut(rest, ' ', &word, &rest);
		if (str_is(key, "nameserver"))
			add_server(r, word);
		else if (str_is(key, "search"))
			add_search(r, word);
		else if (str_is(key, "options"))
			add_once(r->options, &r->option_count, ARRAY_LEN(r->options), word);
	}
}

static void parse_machine(struct resolv *r, struct str text)
{
	struct str line, key, rest;
	while (text.len) {
		str_cut(text, '\n', &line, &text);
		if (str_cut(str_trim(line), ' ', &key, &rest))
			add_words(r, key, str_trim(rest));
	}
}

static void add_cluster(struct arena *a, struct resolv *r, const struct pod_worker *w)
{
	const struct node_agent_config *c = &w->agent->config;
	struct resolv machine = *r;
	struct str rest = c->cluster_dns, one;
	*r = (struct resolv){};
	while (rest.len) {
		str_cut(rest, ',', &one, &rest);
		add_server(r, one);
	}
	add_search(r, arena_printf(a, "%.*s.svc.%.*s", STR_FMT(w->namespace),
				   STR_FMT(c->cluster_domain)));
	add_search(r, arena_printf(a, "svc.%.*s", STR_FMT(c->cluster_domain)));
	add_search(r, c->cluster_domain);
	for (size_t i = 0; i < machine.search_count; i++)
		add_search(r, machine.searches[i]);
	r->options[r->option_count++] = STR("ndots:5");
}

static void set_option(struct arena *a, struct resolv *r, const struct pod_dns_config_option *o)
{
	struct str text =
		o->value.at ? arena_printf(a, "%.*s:%.*s", STR_FMT(o->name), STR_FMT(o->value))
			    : o->name;
	for (size_t i = 0; i < r->option_count; i++) {
		struct str name, value;
		str_cut(r->options[i], ':', &name, &value);
		if (str_eq(name, o->name)) {
			r->options[i] = text;
			return;
		}
	}
	add_once(r->options, &r->option_count, ARRAY_LEN(r->options), text);
}

static void add_own_config(struct arena *a, struct resolv *r, const struct pod_dns_config *c)
{
	for (uint32_t i = 0; i < c->nameservers.count; i++)
		add_server(r, c->nameservers.at[i]);
	for (uint32_t i = 0; i < c->searches.count; i++)
		add_search(r, c->searches.at[i]);
	for (uint32_t i = 0; i < c->options.count; i++)
		set_option(a, r, &c->options.at[i]);
}

static void add_line(struct buf *out, const char *key, const struct str *words, size_t count)
{
	if (count == 0)
		return;
	buf_add_cstr(out, key);
	for (size_t i = 0; i < count; i++)
		buf_printf(out, " %.*s", STR_FMT(words[i]));
	buf_add_char(out, '\n');
}

void pod_resolv_text(struct buf *out, const struct pod_worker *w, struct str machine_resolv)
{
	CLEANUP_ARENA a = {};
	const struct pod_spec *spec = &w->pod->spec;
	struct resolv r = {};
	bool is_cluster = str_is(spec->dns_policy, "ClusterFirstWithHostNet") ||
			  ((str_is(spec->dns_policy, "ClusterFirst") || !spec->dns_policy.len) &&
			   !spec->host_network);
	if (!str_is(spec->dns_policy, "None"))
		parse_machine(&r, machine_resolv);
	if (is_cluster && w->agent->config.cluster_dns.len)
		add_cluster(&a, &r, w);
	if (spec->dns_config)
		add_own_config(&a, &r, spec->dns_config);
	add_line(out, "search", r.searches, r.search_count);
	for (size_t i = 0; i < r.server_count; i++)
		add_line(out, "nameserver", &r.servers[i], 1);
	add_line(out, "options", r.options, r.option_count);
}

/* ---- writing ---- */

static enum rc write_one(const char *path, const char *machine_path, const struct pod_worker *w,
			 void (*text)(struct buf *out, const struct pod_worker *w, struct str),
			 struct err *err)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(POD_FILE_MAX);
	struct str machine = {};
	if (file_exists(path))
		return RC_OK;
	(void)file_read(machine_path, POD_FILE_MAX, &a, &machine, NULL);
	text(&out, w, machine);
	TRY(buf_check(&out, path, err));
	return file_write_volatile(path, buf_str(&out), 0644, err);
}

enum rc pod_files_write(struct pod_worker *w, struct err *err)
{
	CLEANUP_ARENA a = {};
	TRY(dir_make(pod_path(&a, w), 0750, err));
	TRY(write_one(pod_path_below(&a, w, "etc-hosts"), "/etc/hosts", w, pod_hosts_text, err));
	return write_one(pod_path_below(&a, w, "resolv.conf"), "/etc/resolv.conf", w,
			 pod_resolv_text, err);
}
