/* kubelet_server: who may, logs, the end. */
#include <fcntl.h>

#include "kubelet_bench.h"

#define LOG_TEXT "2026-01-02T03:04:05Z stdout F "

static void log_append(int attempt, const char *text)
{
	int fd = open(log_path(attempt), O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void container_kill(const char *id)
{
	int heard = exits_heard;
	fake->ops->kill(fake, str_of(id), SIGKILL, &bench_call);
	call_wait();
	WAIT_FOR(exits_heard > heard);
}

static void container_remove(const char *id)
{
	fake->ops->remove(fake, str_of(id), &bench_call);
	call_wait();
}

static void test_who_may(void **state)
{
	static const struct {
		enum who who;
		const char *path;
		int status;
	} rows[] = {
		{WHO_MASTER, "/healthz", 200},	 {WHO_OTHER, "/healthz", 200},
		{WHO_NOBODY, "/healthz", 401},	 {WHO_STRANGER, "/healthz", 401},
		{WHO_MASTER, "/pods", 200},	 {WHO_OTHER, "/pods", 403},
		{WHO_NOBODY, "/pods", 401},	 {WHO_OTHER, "/containerLogs/a/b/c", 403},
		{WHO_OTHER, "/exec/a/b/c", 403}, {WHO_MASTER, "/nothing", 404},
		{WHO_OTHER, "/nothing", 403},	 {WHO_MASTER, "/exec/a/b", 404},
		{WHO_MASTER, "/", 404},		 {WHO_MASTER, "/exec//b/c", 404},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_as(rows[i].who, rows[i].path, rows[i].status, NULL);
	expect_as(WHO_OTHER, "/pods", 403,
		  "Forbidden (user=someone, verb=get, resource=nodes, subresource=proxy)");
}

static void test_logs(void **state)
{
	char id[RUNTIME_ID_MAX];
	expect("/containerLogs/default/web/app", 400,
	       "container \"app\" in pod \"web\" is waiting to start: ContainerCreating");
	container_run(0, id);
	log_append(0, LOG_TEXT "one\n" LOG_TEXT "two\n");
	expect("/containerLogs/default/web/app", 200, "one\ntwo\n");
	expect("/containerLogs/default/web/app?tailLines=1", 200, "two\n");
	expect("/containerLogs/default/web/app?timestamps=true&tailLines=1", 200,
	       "2026-01-02T03:04:05.000000000Z two\n");
	expect("/containerLogs/default/web/app?limitBytes=2", 200, "on");
	expect("/containerLogs/default/web/app?sinceSeconds=5", 200, "");
	expect("/containerLogs/default/web/app?sinceTime=2026-01-01T00:00:00Z", 200, "one\ntwo\n");
	expect("/containerLogs/default/web/app?tailLines=x", 400,
	       "tailLines: 'x' is not a whole number");
	expect("/containerLogs/default/web/app?tailLines=-1", 422, NULL);
	expect("/containerLogs/default/web/app?sinceTime=x", 400, NULL);
	expect("/containerLogs/default/web/app?previous=true", 400,
	       "previous terminated container \"app\" in pod \"web\" not found");
	has_pods = true;
	expect("/containerLogs/default/no/app", 404, "pod \"no\" does not exist");
	expect("/containerLogs/default/web/no", 404, "container \"no\" not found in pod \"web\"");
	expect("/containerLogs/default/web/new", 400,
	       "container \"new\" in pod \"web\" is waiting to start: trying and failing to pull "
	       "image");
	expect("/containerLogs/default/web/app", 200, "one\ntwo\n");
	has_pods = false;
	container_kill(id);
	expect("/containerLogs/default/web/app?follow=true", 200, "one\ntwo\n");
	container_remove(id);
	unlink(log_path(0));
}

static void test_previous_logs(void **state)
{
	char first[RUNTIME_ID_MAX], second[RUNTIME_ID_MAX];
	container_run(0, first);
	log_append(0, LOG_TEXT "first\n");
	container_kill(first);
	container_run(1, second);
	log_append(1, LOG_TEXT "second\n");
	expect("/containerLogs/default/web/app", 200, "second\n");
	expect("/containerLogs/default/web/app?previous=true", 200, "first\n");
	container_remove(first); /* its log is still there */
	expect("/containerLogs/default/web/app?previous=true", 200, "first\n");
	unlink(log_path(0));
	expect("/containerLogs/default/web/app?previous=true", 400, NULL);
	container_remove(second);
	unlink(log_path(1));
}

/* ---- a log that is followed ---- */

struct reading {
	struct http_call *call;
	struct buf in;
	bool is_done, is_broken;
};

static void reading_data(struct http_call *c, struct str bytes, void *ctx)
{
	buf_add_str(&((struct reading *)ctx)->in, bytes);
}

static void reading_done(struct http_call *c, const struct http_response *response,
			 const struct err *err, void *ctx)
{
	struct reading *r = ctx;
	r->is_done = true;
	r->is_broken = err;
}

static void follow(struct http_client *client, struct reading *r)
{
	static const struct http_call_ops ops = {NULL, reading_data, reading_done};
	char url[256];
	struct err err = {};
	url_of(url, "/containerLogs/default/web/app?follow=true");
	struct http_request request = {.url = url};
	*r = (struct reading){.in = BUF_INIT(16 << 20)};
	assert_int_equal(http_call_start(client, &request, &ops, r, &r->call, &err), RC_OK);
}

static bool has_read(const struct reading *r, const char *text)
{
	return str_is(buf_str(&r->in), text);
}

static void test_follow(void **state)
{
	char id[RUNTIME_ID_MAX], old[140];
	struct http_client *client = client_of(WHO_MASTER);
	struct reading r;
	container_run(0, id);
	log_append(0, LOG_TEXT "one\n");
	follow(client, &r);
	WAIT_FOR(has_read(&r, "one\n"));
	log_append(0, LOG_TEXT "two\n");
	WAIT_FOR(has_read(&r, "one\ntwo\n"));
	snprintf(old, sizeof(old), "%s.old", log_path(0));
	rename(log_path(0), old);
	log_append(0, LOG_TEXT "three\n");
	WAIT_FOR(has_read(&r, "one\ntwo\nthree\n"));
	log_append(0, LOG_TEXT "last");
	container_kill(id);
	WAIT_FOR(r.is_done);
	assert_false(r.is_broken);
	assert_true(has_read(&r, "one\ntwo\nthree\nlast"));
	container_remove(id);
	unlink(old);
	unlink(log_path(0));
	buf_done(&r.in);
	http_client_free(client);
}

static void test_follow_large_and_leave(void **state)
{
	char id[RUNTIME_ID_MAX];
	struct http_client *client = client_of(WHO_MASTER);
	CLEANUP_BUF text = BUF_INIT(16 << 20);
	struct reading r;
	container_run(0, id);
	while (text.len < (8 << 20))
		buf_add_cstr(&text, LOG_TEXT "0123456789 0123456789 0123456789\n");
	log_append(0, text.data);
	follow(client, &r);
	WAIT_FOR(r.in.len > 1000);
	http_call_pause(r.call); /* a slow reader costs the queue and no more */
	for (int i = 0; i < 30; i++)
		loop_run_once(loop, 5);
	http_call_resume(r.call);
	size_t lines = text.len / (sizeof(LOG_TEXT "0123456789 0123456789 0123456789\n") - 1);
	WAIT_FOR(r.in.len == lines * 33);
	http_call_cancel(r.call);
	WAIT_FOR(list_is_empty(&server->logs));
	container_kill(id);
	container_remove(id);
	unlink(log_path(0));
	buf_done(&r.in);
	http_client_free(client);
}

/* ---- the end ---- */

static void test_stop(void **state)
{
	struct http_client *client = client_of(WHO_MASTER);
	struct reading r;
	log_append(0, LOG_TEXT "one\n");
	follow(client, &r);
	WAIT_FOR(r.in.len > 0);
	kubelet_server_stop(server, stopped_on, NULL);
	WAIT_FOR(is_stopped);
	buf_done(&r.in);
	http_client_free(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_may),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_previous_logs),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_follow_large_and_leave),
		cmocka_unit_test(test_stop),
	};
	return cmocka_run_group_tests(tests, kubelet_setup, kubelet_teardown);
}
