/* What the programs that test the kubelet's server share: the server over a fake runtime and two
 * pods, a container, who asks. */
#ifndef SKEG_TESTS_KUBELET_BENCH_H
#define SKEG_TESTS_KUBELET_BENCH_H

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "http_harness.h"
#include "io/file.h"
#include "literal.h"
#include "node/kubelet_server-int.h"
#include "node/runtime_fake.h"

static struct kubelet_server *server;
static struct runtime *fake;
static struct cache *pods;
static char folder[64];
static bool has_pods;
static int exits_heard;

static void exited_on(struct runtime_listener *l, const struct runtime_container_status *status)
{
	exits_heard++;
}
static struct runtime_listener own_listener = {exited_on};

static const struct cache *pods_get(void *ctx)
{
	return has_pods ? pods : NULL;
}

static int kubelet_setup(void **state)
{
	struct err err = {};
	signal(SIGPIPE, SIG_IGN);
	harness_setup(state);
	snprintf(folder, sizeof(folder), "/tmp/skeg-kubelet-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	fake = runtime_fake_new(loop, 0, &own_listener);
	pods = literal_cache("apiVersion: v1\n"
			     "kind: Pod\n"
			     "metadata: {name: web, uid: u1}\n"
			     "spec: {containers: [{name: app, image: i}, {name: new, image: i}]}\n"
			     "status:\n"
			     "  containerStatuses:\n"
			     "  - {name: new, state: {waiting: {reason: ImagePullBackOff}}}\n"
			     "---\n"
			     "apiVersion: v1\n"
			     "kind: Pod\n"
			     "metadata: {name: host}\n"
			     "spec: {hostNetwork: true, containers: [{name: app, image: i}]}\n");
	struct kubelet_server_config config = {
		.runtime = fake,
		.address = "127.0.0.1",
		.tls = harness_tls(),
		.sandbox_folder = folder,
		.pods = pods_get,
	};
	enum rc rc = kubelet_server_new(loop, &config, &server, &err);
	tls_unref(config.tls);
	return rc == RC_OK ? 0 : -1;
}

static bool is_stopped;

static void stopped_on(void *ctx)
{
	is_stopped = true;
}

static int kubelet_teardown(void **state)
{
	struct err err;
	if (!is_stopped)
		kubelet_server_stop(server, stopped_on, NULL);
	WAIT_FOR(is_stopped);
	kubelet_server_free(server);
	for (int i = 0; i < 5; i++) /* handles are closed */
		loop_run_once(loop, 5);
	assert_ptr_equal(fake->listener, &own_listener);
	fake->ops->free(fake);
	cache_free(pods);
	if (dir_remove(folder, &err) != RC_OK)
		return -1;
	return harness_teardown(state);
}

/* ---- containers ---- */

static bool is_call_done;

static void call_on(struct runtime_call *call)
{
	is_call_done = true;
}
static struct runtime_call bench_call = {.done = call_on};

static const char *log_path(int attempt)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%d.log", folder, attempt);
	return path;
}

static void call_wait(void)
{
	WAIT_FOR(is_call_done);
	is_call_done = false;
	assert_int_equal(bench_call.rc, RC_OK);
}

static void container_run(int attempt, char id[RUNTIME_ID_MAX])
{
	int64_t started_us;
	struct runtime_container_config config = {
		.pod_uid = STR("u1"),
		.pod_namespace = STR("default"),
		.pod_name = STR("web"),
		.name = STR("app"),
		.attempt = attempt,
		.log_path = str_of(log_path(attempt)),
	};
	fake->ops->create(fake, &config, id, &bench_call);
	call_wait();
	fake->ops->start(fake, str_of(id), &started_us, &bench_call);
	call_wait();
}

/* ---- requests ---- */

enum who { WHO_MASTER, WHO_NOBODY, WHO_STRANGER, WHO_OTHER };

static struct http_client *client_of(enum who who)
{
	struct http_client *client;
	struct err err = {};
	struct http_client_opts opts = {.ca_pem = authority.cert_pem};
	struct pki_pair pair = client_pair, strange;
	struct pki_subject subject = {
		.common_name = STR("someone"), .for_client = true, .validity_s = 3600};
	if (who == WHO_STRANGER) {
		assert_int_equal(pki_ca_new(&pki_arena, "other", 3600, &strange, &err), RC_OK);
		assert_int_equal(pki_issue(&pki_arena, &strange, &subject, &pair, &err), RC_OK);
	}
	if (who == WHO_OTHER)
		assert_int_equal(pki_issue(&pki_arena, &authority, &subject, &pair, &err), RC_OK);
	if (who != WHO_NOBODY) {
		opts.cert_pem = pair.cert_pem;
		opts.key_pem = pair.key_pem;
	}
	assert_int_equal(http_client_new(loop, &opts, &client, &err), RC_OK);
	return client;
}

static void url_of(char out[256], const char *path)
{
	snprintf(out, 256, "https://127.0.0.1:%u%s", kubelet_server_port(server), path);
}

static void expect_as(enum who who, const char *path, int status, const char *body)
{
	char url[256];
	struct http_client *client = client_of(who);
	url_of(url, path);
	struct http_request request = {.url = url, .timeout_ms = 10000};
	struct answer a = ask(client, &request);
	if (a.status != status || (body && !str_is(buf_str(&a.body), body)))
		fail_msg("%s: %d '%s'", path, a.status, a.body.data ? a.body.data : "");
	answer_done(&a);
	http_client_free(client);
}

static void expect(const char *path, int status, const char *body)
{
	expect_as(WHO_MASTER, path, status, body);
}

#endif
