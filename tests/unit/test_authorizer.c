/* Who may do what: RBAC, nodes by what their pods refer to, and what nodes may write. */
#include "store_fixture.h"

#include "literal.h"
#include "server/admission_node.h"
#include "server/node_authorizer.h"
#include "server/server.h"

/* ---- a store with objects, and users ---- */

static void put_tree(struct fixture *f, struct arena *a, struct json *tree, bool is_delete)
{
	struct object *o = literal_object(a, tree, 0);
	struct waiter w = waiter_make();
	struct store_write write = {.stored_id = o->stored_id,
				    .is_delete = is_delete,
				    .namespace = o->namespace,
				    .name = o->name,
				    .expect = EXPECT_ANY,
				    .object = o};
	if (store_commit(f->store, &write, 1, &w.ticket, &f->err) != RC_OK)
		fail_msg("%s", f->err.text);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
}

static void put_all(struct fixture *f, const char *text, bool is_delete)
{
	CLEANUP_ARENA a = {};
	struct yaml_document *documents;
	size_t count;
	if (yaml_parse(&a, str_of(text), &documents, &count, NULL, &f->err) != RC_OK)
		fail_msg("%s", f->err.text);
	for (size_t i = 0; i < count; i++)
		put_tree(f, &a, documents[i].tree, is_delete);
}

static int set_up(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->is_inline = true;
	fixture_open(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	free(f);
	return 0;
}

/* Comma-separated groups. */
static struct user user_make(const char *name, const char *groups)
{
	struct user u = {.name = str_of(name)};
	struct str rest = str_of(groups), one;
	while (rest.len) {
		str_cut(rest, ',', &one, &rest);
		u.groups[u.group_count++] = one;
	}
	return u;
}

/* "verb group/resource/subresource namespace name", "-" for what is empty. */
static struct attributes question(const char *text)
{
	struct str rest = str_of(text), parts[4], where;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		str_cut(rest, ' ', &parts[i], &rest);
		if (str_is(parts[i], "-"))
			parts[i] = STR("");
	}
	struct attributes what = {
		.verb = parts[0], .is_resource = true, .namespace = parts[2], .name = parts[3]};
	str_cut(parts[1], '/', &what.group, &where);
	str_cut(where, '/', &what.resource, &what.subresource);
	if (!what.subresource.at)
		what.subresource = STR("");
	return what;
}

/* ---- nodes ---- */

static const char node_objects[] =
	"apiVersion: v1\n"
	"kind: Pod\n"
	"metadata: {name: web, namespace: a}\n"
	"spec:\n"
	"  nodeName: n1\n"
	"  serviceAccountName: robot\n"
	"  imagePullSecrets: [{name: pull}]\n"
	"  initContainers:\n"
	"  - {name: i, image: x, env: [{name: K, valueFrom: {secretKeyRef: {name: init, key: k}}}]}\n"
	"  containers:\n"
	"  - name: c\n"
	"    image: x\n"
	"    envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: env}}]\n"
	"  ephemeralContainers:\n"
	"  - {name: e, image: x, envFrom: [{secretRef: {name: debug}}]}\n"
	"  volumes:\n"
	"  - {name: s, secret: {secretName: files}}\n"
	"  - {name: p, projected: {sources: [{secret: {name: joined}}, {configMap: {name: "
	"joinedmap}}]}}\n"
	"  - {name: d, persistentVolumeClaim: {claimName: data}}\n"
	"  - name: scratch\n"
	"    ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: "
	"{requests: {storage: 1Gi}}}}}\n"
	"---\n"
	"apiVersion: v1\n"
	"kind: Pod\n"
	"metadata: {name: mirror, namespace: a, annotations: {kubernetes.io/config.mirror: x}}\n"
	"spec:\n"
	"  nodeName: n1\n"
	"  containers: [{name: c, image: x, envFrom: [{secretRef: {name: stolen}}]}]\n"
	"---\n"
	"apiVersion: v1\n"
	"kind: Pod\n"
	"metadata: {name: waiting, namespace: a}\n"
	"spec:\n"
	"  containers: [{name: c, image: x, envFrom: [{secretRef: {name: later}}]}]\n"
	"---\n"
	"apiVersion: v1\n"
	"kind: PersistentVolumeClaim\n"
	"metadata: {name: data, namespace: a}\n"
	"spec: {volumeName: disk, accessModes: [ReadWriteOnce], resources: {requests: {storage: "
	"1Gi}}}\n"
	"---\n"
	"apiVersion: v1\n"
	"kind: PersistentVolume\n"
	"metadata: {name: disk}\n"
	"spec:\n"
	"  capacity: {storage: 1Gi}\n"
	"  accessModes: [ReadWriteOnce]\n"
	"  claimRef: {namespace: a, name: data}\n"
	"  csi: {driver: d.example, volumeHandle: h, nodeStageSecretRef: {namespace: csi, name: "
	"stage}}\n"
	"---\n"
	"apiVersion: v1\n"
	"kind: PersistentVolume\n"
	"metadata: {name: other}\n"
	"spec:\n"
	"  capacity: {storage: 1Gi}\n"
	"  accessModes: [ReadWriteOnce]\n"
	"  claimRef: {namespace: a, name: elsewhere}\n"
	"  hostPath: {path: /x}\n"
	"---\n"
	"apiVersion: storage.k8s.io/v1\n"
	"kind: VolumeAttachment\n"
	"metadata: {name: held}\n"
	"spec: {attacher: d.example, nodeName: n1, source: {persistentVolumeName: disk}}\n";

#define UNRELATED "no relationship found between node 'n1' and this object"

static const struct {
	const char *question, *fields;
	const char *refusal; /* NULL: allowed */
} node_questions[] = {
	{"get /secrets a pull", NULL, NULL},
	{"get /secrets a init", NULL, NULL},
	{"get /secrets a env", NULL, NULL},
	{"watch /secrets a debug", NULL, NULL},
	{"list /secrets a files", NULL, NULL},
	{"get /secrets a joined", NULL, NULL},
	{"get /secrets csi stage", NULL, NULL},
	{"get /secrets b pull", NULL, UNRELATED},
	{"get /secrets a stolen", NULL, UNRELATED},
	{"get /secrets a later", NULL, UNRELATED},
	{"list /secrets a -", NULL, "No Object name found"},
	{"list /secrets - -", NULL, "can only read namespaced object of this type"},
	{"update /secrets a pull", NULL, "can only read resources of this type"},
	{"get /secrets/x a pull", NULL, "cannot read subresource"},
	{"get /configmaps a settings", NULL, NULL},
	{"get /configmaps a joinedmap", NULL, NULL},
	{"get /configmaps a pull", NULL, UNRELATED},
	{"get /persistentvolumeclaims a data", NULL, NULL},
	{"get /persistentvolumeclaims a web-scratch", NULL, NULL},
	{"list /persistentvolumeclaims a data", NULL,
	 "can only get individual resources of this type"},
	{"patch /persistentvolumeclaims/status a data", NULL, NULL},
	{"get /persistentvolumeclaims/status a data", NULL, "can only get/update/patch this type"},
	{"get /persistentvolumes - disk", NULL, NULL},
	{"get /persistentvolumes - other", NULL, UNRELATED},
	{"get storage.k8s.io/volumeattachments - held", NULL, NULL},
	{"get storage.k8s.io/volumeattachments - none", NULL, UNRELATED},
	{"create /serviceaccounts/token a robot", NULL, NULL},
	{"create /serviceaccounts/token a default", NULL, UNRELATED},
	{"get /serviceaccounts a robot", NULL, NULL},
	{"create /serviceaccounts a -", NULL,
	 "can only create tokens for individual service accounts"},
	{"get /pods a web", NULL, NULL},
	{"get /pods a waiting", NULL, UNRELATED},
	{"list /pods - -", "spec.nodeName=n1", NULL},
	{"watch /pods a -", "spec.nodeName=n1,status.phase!=Failed", NULL},
	{"list /pods - -", "spec.nodeName=n2",
	 "can only list/watch pods with spec.nodeName field selector"},
	{"list /pods - -", "spec.nodeName!=n1",
	 "can only list/watch pods with spec.nodeName field selector"},
	{"list /pods - -", NULL, "can only list/watch pods with spec.nodeName field selector"},
	{"delete /pods a web", NULL, NULL},
	{"patch /pods/status a web", NULL, NULL},
	{"create /pods/eviction a web", NULL, NULL},
	{"create /pods/exec a web", NULL, ""},
	{"update /pods a web", NULL, ""},
	{"get /nodes - n1", NULL, NULL},
	{"create /nodes - -", NULL, NULL},
	{"patch /nodes/status - n2", NULL, NULL}, /* admission's business */
	{"delete /nodes - n1", NULL, ""},
	{"get /nodes - n2", NULL, "node 'n1' cannot read 'n2', only its own Node object"},
	{"list /nodes - -", NULL, "node 'n1' cannot read all nodes, only its own Node object"},
	{"update coordination.k8s.io/leases kube-node-lease n1", NULL, NULL},
	{"create coordination.k8s.io/leases kube-node-lease -", NULL, NULL},
	{"update coordination.k8s.io/leases kube-node-lease n2", NULL,
	 "can only access node lease with the same name as the requesting node"},
	{"update coordination.k8s.io/leases kube-system n1", NULL,
	 "can only access leases in the \"kube-node-lease\" system namespace"},
	{"list coordination.k8s.io/leases kube-node-lease -", NULL,
	 "can only get, create, update, patch, or delete a node lease"},
	{"get storage.k8s.io/csinodes - n1", NULL, NULL},
	{"get storage.k8s.io/csinodes - n2", NULL,
	 "can only access CSINode with the same name as the requesting node"},
	{"list resource.k8s.io/resourceslices - -", "spec.nodeName=n1", NULL},
	{"list resource.k8s.io/resourceslices - -", NULL,
	 "can only list/watch/deletecollection resourceslices with nodeName field selector"},
	{"get resource.k8s.io/resourceslices - s", NULL, UNRELATED},
	{"create /events a -", NULL, NULL},
	{"list /services - -", NULL, NULL},
	{"list discovery.k8s.io/endpointslices - -", NULL, ""},
	{"create certificates.k8s.io/certificatesigningrequests - -", NULL, NULL},
	{"create apps/deployments a -", NULL, ""},
};

static void check_refusal(struct authorizer *z, const struct user *user, const char *text,
			  const struct attributes *what, const char *refusal)
{
	CLEANUP_ARENA a = {};
	struct str reason;
	bool is_allowed = authorizer_allows_because(z, user, what, &a, &reason);
	if (is_allowed != !refusal)
		fail_msg("%s: %s", text, is_allowed ? "allowed" : "refused");
	if (refusal && !str_is(reason, refusal))
		fail_msg("%s: '%.*s', not '%s'", text, STR_FMT(reason), refusal);
	assert_int_equal(authorizer_allows(z, user, what), is_allowed);
}

static void test_a_node_reads_what_its_pods_refer_to(void **state)
{
	struct fixture *f = *state;
	struct user node = user_make("system:node:n1", "system:nodes,system:authenticated");
	put_all(f, node_objects, false);
	struct authorizer *z = authorizer_new(f->store);
	for (size_t i = 0; i < ARRAY_LEN(node_questions); i++) {
		CLEANUP_ARENA a = {};
		struct field_selector fields;
		struct attributes what = question(node_questions[i].question);
		if (node_questions[i].fields) {
			assert_int_equal(field_selector_parse(&a, str_of(node_questions[i].fields),
							      &fields, NULL),
					 RC_OK);
			what.fields = &fields;
		}
		check_refusal(z, &node, node_questions[i].question, &what,
			      node_questions[i].refusal);
	}
	authorizer_free(z);
}

static void test_the_graph_follows_pods(void **state)
{
	static const char pod[] = "apiVersion: v1\n"
				  "kind: Pod\n"
				  "metadata: {name: waiting, namespace: a}\n"
				  "spec:\n"
				  "  nodeName: n1\n"
				  "  containers: [{name: c, image: x, envFrom: [{secretRef: {name: "
				  "later}}]}]\n";
	struct fixture *f = *state;
	struct user node = user_make("system:node:n1", "system:nodes"),
		    other = user_make("system:node:n2", "system:nodes");
	struct attributes what = question("get /secrets a later");
	put_all(f, node_objects, false);
	struct authorizer *z = authorizer_new(f->store);
	assert_false(authorizer_allows(z, &node, &what));
	put_all(f, pod, false);
	assert_true(authorizer_allows(z, &node, &what));
	assert_false(authorizer_allows(z, &other, &what));
	put_all(f, pod, true);
	assert_false(authorizer_allows(z, &node, &what));
	for (int i = 0; i < STORE_RING_EVENTS + 10; i++) /* until the ring overtakes the graph */
		put_wait(f, KIND_POD, "a", "busy", i, EXPECT_ANY);
	put_all(f, pod, false);
	assert_true(authorizer_allows(z, &node, &what));
	authorizer_free(z);
}

static void test_only_members_of_the_group_are_nodes(void **state)
{
	struct fixture *f = *state;
	struct user outsider = user_make("system:node:n1", "system:authenticated"),
		    nameless = user_make("worker", "system:nodes");
	struct attributes what = question("get /nodes - n1");
	struct authorizer *z = authorizer_new(f->store);
	check_refusal(z, &outsider, "outsider", &what, "");
	check_refusal(z, &nameless, "nameless", &what, "");
	authorizer_free(z);
}

/* ---- RBAC ---- */

static const char rbac_objects[] =
	"apiVersion: rbac.authorization.k8s.io/v1\n"
	"kind: Role\n"
	"metadata: {name: reader, namespace: a}\n"
	"rules:\n"
	"- {apiGroups: [''], resources: [pods, pods/log], verbs: [get]}\n"
	"- {apiGroups: [apps], resources: [deployments], verbs: [update], resourceNames: [one]}\n"
	"- {apiGroups: ['*'], resources: ['*/scale'], verbs: ['*']}\n"
	"---\n"
	"apiVersion: rbac.authorization.k8s.io/v1\n"
	"kind: RoleBinding\n"
	"metadata: {name: bind, namespace: a}\n"
	"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}\n"
	"subjects:\n"
	"- {kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}\n"
	"- {kind: ServiceAccount, name: robot}\n"
	"---\n"
	"apiVersion: rbac.authorization.k8s.io/v1\n"
	"kind: RoleBinding\n"
	"metadata: {name: dangling, namespace: a}\n"
	"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: gone}\n"
	"subjects: [{kind: User, name: joe, apiGroup: rbac.authorization.k8s.io}]\n"
	"---\n"
	"apiVersion: rbac.authorization.k8s.io/v1\n"
	"kind: ClusterRoleBinding\n"
	"metadata: {name: dangling}\n"
	"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: lost}\n"
	"subjects: [{kind: Group, name: lost, apiGroup: rbac.authorization.k8s.io}]\n";

#define NO_ROLE	   "role.rbac.authorization.k8s.io \"gone\" not found"
#define NO_CLUSTER "clusterrole.rbac.authorization.k8s.io \"lost\" not found"

static const struct {
	const char *user, *groups, *question, *refusal;
} rbac_questions[] = {
	{"jane", "", "get /pods a x", NULL},
	{"jane", "", "get /pods/log a x", NULL},
	{"jane", "", "get /pods/exec a x", ""},
	{"jane", "", "list /pods a -", ""},
	{"jane", "", "get /pods b x", ""},
	{"jane", "", "update apps/deployments a one", NULL},
	{"jane", "", "update apps/deployments a two", ""},
	{"jane", "", "update apps/deployments/scale a two", NULL},
	{"system:serviceaccount:a:robot", "", "get /pods a x", NULL},
	{"system:serviceaccount:b:robot", "", "get /pods a x", ""},
	{"joe", "", "get /pods a x", "RBAC: " NO_ROLE},
	{"joe", "", "get /pods b x", ""},
	{"joe", "lost", "get /pods a x", "RBAC: [" NO_ROLE ", " NO_CLUSTER "]"},
	{"root", "system:masters", "delete /nodes - x", NULL},
};

static void test_roles_grant(void **state)
{
	struct fixture *f = *state;
	put_all(f, rbac_objects, false);
	struct authorizer *z = authorizer_new(f->store);
	for (size_t i = 0; i < ARRAY_LEN(rbac_questions); i++) {
		struct user user = user_make(rbac_questions[i].user, rbac_questions[i].groups);
		struct attributes what = question(rbac_questions[i].question);
		check_refusal(z, &user, rbac_questions[i].question, &what,
			      rbac_questions[i].refusal);
	}
	authorizer_free(z);
}

/* ---- what nodes write ---- */

#define MIRROR                                                                                     \
	"metadata: {name: m, namespace: a, annotations: {kubernetes.io/config.mirror: x}, "        \
	"ownerReferences: [{apiVersion: v1, kind: Node, name: n1, uid: uid-n1, controller: "       \
	"true}]}\n"

static const struct {
	const char *kind, *subresource;
	const char *old, *now; /* YAML; NULL: created, deleted */
	const char *refusal;   /* NULL: fine */
} node_writes[] = {
	{"Pod", "", NULL, "metadata: {name: m}\nspec: {nodeName: n1}\n",
	 "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"n1\" can only create "
	 "mirror pods"},
	{"Pod", "", NULL, MIRROR "spec: {nodeName: n1}\n", NULL},
	{"Pod", "", NULL, MIRROR "spec: {nodeName: n2}\n",
	 "node \"n1\" can only create pods with spec.nodeName set to itself"},
	{"Pod", "", NULL, MIRROR "spec: {nodeName: n1, serviceAccountName: x}\n",
	 "node \"n1\" can not create pods that reference a service account"},
	{"Pod", "", NULL,
	 MIRROR
	 "spec: {nodeName: n1, ephemeralContainers: [{envFrom: [{secretRef: {name: s}}]}]}\n",
	 "node \"n1\" can not create pods that reference secrets"},
	{"Pod", "", NULL,
	 MIRROR "spec: {nodeName: n1, volumes: [{persistentVolumeClaim: {claimName: c}}]}\n",
	 "node \"n1\" can not create pods that reference persistentvolumeclaims"},
	{"Pod", "", NULL,
	 MIRROR "spec: {nodeName: n1, resourceClaims: [{name: c, resourceClaimTemplateName: t}]}\n",
	 "node \"n1\" can not create pods that reference resourceclaims"},
	{"Pod", "", NULL,
	 "metadata: {name: m, annotations: {kubernetes.io/config.mirror: x}}\nspec: {nodeName: n1}\n",
	 "node \"n1\" can only create pods with an owner reference set to itself"},
	{"Pod", "", "spec: {nodeName: n1}\n", NULL, NULL},
	{"Pod", "", "spec: {nodeName: n2}\n", NULL,
	 "node \"n1\" can only delete pods with spec.nodeName set to itself"},
	{"Pod", "", "spec: {nodeName: n1}\n", "spec: {nodeName: n1}\n",
	 "unexpected operation \"UPDATE\", node \"n1\" can only create and delete mirror pods"},
	{"Pod", "status", "spec: {nodeName: n1}\n", "spec: {nodeName: n1}\n", NULL},
	{"Pod", "status", "spec: {nodeName: n2}\n", "spec: {nodeName: n2}\n",
	 "node \"n1\" can only update pod status for pods with spec.nodeName set to itself"},
	{"Pod", "status", "spec: {nodeName: n1}\n",
	 "metadata: {labels: {a: b}}\nspec: {nodeName: n1}\n",
	 "node \"n1\" cannot update labels through pod status"},
	{"Pod", "eviction", "spec: {nodeName: n2}\n", NULL,
	 "node n1 can only evict pods with spec.nodeName set to itself"},
	{"Pod", "binding", NULL, "metadata: {name: m}\n",
	 "unexpected pod subresource \"binding\", only 'status' and 'eviction' are allowed"},
	{"Node", "", NULL,
	 "metadata: {name: n1, labels: {kubernetes.io/hostname: x, tier: web, "
	 "node.kubernetes.io/y: z}}\n",
	 NULL},
	{"Node", "", NULL, "metadata: {name: n2}\n",
	 "node \"n1\" is not allowed to modify node \"n2\""},
	{"Node", "", NULL,
	 "metadata: {name: n1, labels: {z.kubernetes.io/role: x, "
	 "node-restriction.kubernetes.io/a: b}}\n",
	 "node \"n1\" is not allowed to set the following labels: node-restriction.kubernetes.io/a, "
	 "z.kubernetes.io/role"},
	{"Node", "", "metadata: {name: n1, labels: {x.k8s.io/a: b}}\n", "metadata: {name: n1}\n",
	 "is not allowed to modify labels: x.k8s.io/a"},
	{"Node", "", "metadata: {name: n1}\nspec: {taints: [{key: a, effect: NoSchedule}]}\n",
	 "metadata: {name: n1}\n", "node \"n1\" is not allowed to modify taints"},
	{"Node", "status", "metadata: {name: n1}\n",
	 "metadata: {name: n1, ownerReferences: [{apiVersion: v1, kind: Pod, name: p, uid: u}]}\n",
	 "node \"n1\" is not allowed to modify ownerReferences"},
	{"PersistentVolumeClaim", "", "metadata: {name: c}\n", "metadata: {name: c}\n",
	 "may only update PVC status"},
	{"PersistentVolumeClaim", "status", "metadata: {name: c}\n",
	 "metadata: {name: c}\nstatus: {capacity: {storage: 2Gi}}\n", NULL},
	{"PersistentVolumeClaim", "status", "metadata: {name: c}\n",
	 "metadata: {name: c, labels: {a: b}}\n",
	 "node \"n1\" is not allowed to update fields other than status.capacity and "
	 "status.conditions"},
	{"Lease", "", NULL, "metadata: {name: n1}\n",
	 "can only access leases in the \"kube-node-lease\" system namespace"},
	{"CSINode", "", NULL, "metadata: {name: n1}\n", NULL},
	{"CSINode", "", NULL, "metadata: {name: n2}\n",
	 "can only access CSINode with the same name as the requesting node"},
	{"ResourceSlice", "", NULL, "metadata: {name: s}\nspec: {nodeName: n2}\n",
	 "can only create ResourceSlice with the same NodeName as the requesting node"},
	{"ConfigMap", "", NULL, "metadata: {name: c}\n", NULL}, /* the authorizer's business */
};

static const struct api_kind *kind_named(const char *name)
{
	for (uint16_t id = 0; id < api_builtin()->stored_count; id++) {
		const struct api_kind *kind = api_by_stored(api_builtin(), id);
		if (kind && str_is(kind->kind, name))
			return kind;
	}
	fail_msg("no kind '%s'", name);
	return NULL;
}

static struct json *yaml_tree(struct arena *a, const char *text)
{
	struct yaml_document *documents;
	size_t count;
	struct err err;
	if (text && yaml_parse(a, str_of(text), &documents, &count, NULL, &err) != RC_OK)
		fail_msg("%s", err.text);
	return text ? documents[0].tree : NULL;
}

static void check_write(struct server *server, size_t i, const struct user *user,
			const char *refusal)
{
	struct request r = {.server = server,
			    .user = *user,
			    .route = {.kind = kind_named(node_writes[i].kind),
				      .namespace = STR("a"),
				      .subresource = str_of(node_writes[i].subresource)}};
	struct json *old = yaml_tree(&r.arena, node_writes[i].old),
		    *now = yaml_tree(&r.arena, node_writes[i].now);
	r.route.name = json_path_str(old, "metadata.name");
	enum step step = node_restriction(&r, old, now);
	struct str message = step == STEP_DONE ? json_path_str(r.reply.tree, "message")
					       : (struct str){};
	CLEANUP_ARENA a = {};
	struct str wanted = arena_printf(&a, "is forbidden: %s", refusal ? refusal : "");
	if ((step == STEP_DONE) != (refusal != NULL) ||
	    (refusal && !str_has_suffix(message, wanted)))
		fail_msg("write %zu: '%.*s', not '%s'", i, STR_FMT(message),
			 refusal ? refusal : "(fine)");
	arena_done(&r.arena);
}

static void test_nodes_write_of_themselves_only(void **state)
{
	struct fixture *f = *state;
	struct server server = {.store = f->store};
	struct user node = user_make("system:node:n1", "system:nodes"),
		    jane = user_make("jane", "system:authenticated");
	put_all(f, "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n", false);
	for (size_t i = 0; i < ARRAY_LEN(node_writes); i++) {
		check_write(&server, i, &node, node_writes[i].refusal);
		check_write(&server, i, &jane, NULL);
	}
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STORE(test_a_node_reads_what_its_pods_refer_to),
		ON_STORE(test_the_graph_follows_pods),
		ON_STORE(test_only_members_of_the_group_are_nodes),
		ON_STORE(test_roles_grant),
		ON_STORE(test_nodes_write_of_themselves_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
