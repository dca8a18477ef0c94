/* What a client is warned of: a document, and the lines. */
#include "rules.h"

#include "api/defaults.h"
#include "api/warnings.h"

struct row {
	const char *kind, *given, *expected; /* ' for "; one warning a line */
};

static void add_line(void *ctx, struct str text)
{
	struct buf *lines = ctx;
	buf_printf(lines, "%s%.*s", lines->len ? "\n" : "", STR_FMT(text));
}

static struct json *row_tree(struct arena *a, const struct api_kind *kind, const char *given)
{
	char *quoted = arena_cstr(a, str_of(given));
	for (char *c = quoted; *c; c++)
		if (*c == '\'')
			*c = '"';
	struct json *tree = normal(a, kind, parsed(a, quoted));
	api_default(a, kind, tree);
	return tree;
}

static void check_row(const struct row *row)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF lines = BUF_INIT(1u << 16);
	const struct api_kind *kind = kind_named("v1", row->kind);
	struct json *tree = row_tree(&a, kind, row->given);
	struct warnings w = {&a, add_line, &lines};
	api_warnings_early(kind, tree, &w);
	api_warnings(kind, NULL, tree, &w);
	if (!str_is(buf_str(&lines), row->expected))
		fail_msg("%s\n  gives   %.*s\n  but not %s", row->given, STR_FMT(buf_str(&lines)),
			 row->expected);
}

#define POD(text) "{'metadata':{'name':'a'},'spec':{" text "}}"
#define C(text)	  "'containers':[{'name':'c','image':'i'" text "}]"

static void pods_are_warned_of(void **state)
{
	static const struct row rows[] = {
		{"Pod", POD(C("")), ""},
		{"Pod", POD(C(",'ports':[{'containerPort':1},{'containerPort':1}]")),
		 "spec.containers[0].ports[1]: duplicate port definition with "
		 "spec.containers[0].ports[0]"},
		{"Pod",
		 POD(C(",'ports':[{'containerPort':1,'hostPort':1},{'containerPort':1,"
		       "'hostPort':1,'hostIP':'192.0.2.1'}]")),
		 "spec.containers[0].ports[1]: dangerously ambiguous port definition with "
		 "spec.containers[0].ports[0]"},
		{"Pod", POD(C(",'ports':[{'containerPort':1,'hostIP':'192.0.2.1'}]")),
		 "spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 "
		 "ContainerPort:1 Protocol:TCP HostIP:192.0.2.1}"},
		{"Pod",
		 POD(C(",'env':[{'name':'A','value':'1'},{'name':'A','value':'$(A)2'},"
		       "{'name':'A','value':'3'}]")),
		 "spec.containers[0].env[2]: hides previous definition of \"A\", which may be "
		 "dropped when using apply"},
		{"Pod",
		 POD("'imagePullSecrets':[{'name':'a'},{'name':'a'},{}],'hostAliases':[{'ip':"
		     "'010.0.0.1'},{'ip':'010.0.0.1'}]," C("")),
		 "spec.hostAliases[1].ip: duplicate ip \"010.0.0.1\"\n"
		 "spec.imagePullSecrets[1].name: duplicate name \"a\"\n"
		 "spec.imagePullSecrets[2].name: invalid empty name \"\"\n"
		 "spec.hostAliases[0].ip: non-standard IP address \"010.0.0.1\" will be considered "
		 "invalid in a future Kubernetes release: use \"10.0.0.1\"\n"
		 "spec.hostAliases[1].ip: non-standard IP address \"010.0.0.1\" will be considered "
		 "invalid in a future Kubernetes release: use \"10.0.0.1\""},
		{"Pod",
		 POD("'volumes':[{'name':'v','projected':{'sources':[{'secret':{'name':'s','items':"
		     "[{'key':'a','path':'t'}]}},{'serviceAccountToken':{'path':'t/x'}}]}},{'name':"
		     "'m','configMap':{'name':'n','items':[{'key':'a','path':'p'},{'key':'b',"
		     "'path':'p/'}]}}]," C("")),
		 "volume \"v\" (Projected): overlapping paths: \"t/x\" (ServiceAccountToken) with "
		 "\"t\" (Secret \"s\")\n"
		 "volume \"m\" (ConfigMap \"n\"): overlapping paths: \"p\" with \"p\""},
		{"Pod",
		 POD("'affinity':{'podAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':["
		     "{'topologyKey':'a'}]},'nodeAffinity':{"
		     "'preferredDuringSchedulingIgnoredDuringExecution':[{'weight':1,'preference':{"
		     "'matchExpressions':[{'key':'beta.kubernetes.io/os','operator':'Exists'}]}}]}}"
		     "," C("")),
		 "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]."
		 "preference.matchExpressions[0].key: beta.kubernetes.io/os is deprecated since "
		 "v1.14; use \"kubernetes.io/os\" instead\n"
		 "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]."
		 "labelSelector: a null labelSelector results in matching no pod"},
		{"Pod",
		 "{'metadata':{'name':'a','annotations':{"
		 "'container.apparmor.security.beta.kubernetes.io/c':'bad'}},'spec':{" C("") "}}",
		 "metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: "
		 "deprecated since v1.30; use the \"appArmorProfile\" field instead"},
		{"PodTemplate",
		 "{'template':{'metadata':{'annotations':{"
		 "'seccomp.security.alpha.kubernetes.io/pod':'unconfined'}},'spec':{"
		 "'terminationGracePeriodSeconds':-1," C("") "}}}",
		 "template.metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: "
		 "non-functional in v1.27+; use the \"seccompProfile\" field instead\n"
		 "template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are "
		 "invalid and will be treated as 1"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_are_warned_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
