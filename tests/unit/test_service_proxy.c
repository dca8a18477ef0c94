#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/service_proxy.h"

#define TURN_MS	  20
#define MAX_TURNS 200

/* An nft that remembers its last batch and fails on demand. */
struct fake_nft {
	struct nft nft;
	int applied, failures_left;
	struct buf last;
	bool *is_gone;
};

static enum rc fake_apply(struct nft *nft, struct str batch, struct err *err)
{
	struct fake_nft *f = CONTAINER_OF(nft, struct fake_nft, nft);
	buf_reset(&f->last);
	buf_add_str(&f->last, batch);
	__atomic_fetch_add(&f->applied, 1, __ATOMIC_SEQ_CST);
	if (f->failures_left-- > 0)
		return err_set(err, RC_INTERNAL, "told to fail");
	return RC_OK;
}

static void fake_free(struct nft *nft)
{
	struct fake_nft *f = CONTAINER_OF(nft, struct fake_nft, nft);
	*f->is_gone = true;
	buf_done(&f->last);
	free(f);
}

static const struct nft_ops fake_ops = {.apply = fake_apply, .free = fake_free};

struct fixture {
	struct loop *loop;
	struct fake_nft *nft;
	struct service_proxy *proxy;
	bool is_nft_gone;
	int collected, waiters_run;
	size_t endpoint_count;
};

static void collect(void *ctx, struct arena *a, struct proxy_snapshot *ret_snapshot)
{
	struct fixture *f = ctx;
	struct proxy_service *s = ARENA_NEW(a, struct proxy_service);
	f->collected++;
	s->namespace = STR("shop");
	s->name = STR("web");
	s->cluster_ips = ARENA_NEW(a, struct ipaddr);
	s->cluster_ips[0] = ipaddr_v4(10, 43, 0, 7);
	s->cluster_ip_count = 1;
	s->ports = ARENA_NEW(a, struct proxy_port);
	s->port_count = 1;
	s->ports[0].port = 80;
	s->ports[0].endpoints = ARENA_ARRAY(a, struct proxy_endpoint, f->endpoint_count + 1);
	s->ports[0].endpoint_count = f->endpoint_count;
	for (size_t i = 0; i < f->endpoint_count; i++)
		s->ports[0].endpoints[i] =
			(struct proxy_endpoint){.addr = ipaddr_v4(10, 42, 1, (uint8_t)(i + 2)),
						.port = 8080,
						.is_ready = true};
	*ret_snapshot = (struct proxy_snapshot){.services = s, .service_count = 1};
}

static int set_up(void **state)
{
	static const struct service_rules_config config;
	struct fixture *f = NEW(struct fixture);
	f->loop = loop_new();
	f->nft = NEW(struct fake_nft);
	f->nft->nft.ops = &fake_ops;
	f->nft->last = (struct buf)BUF_INIT(NFT_BATCH_MAX);
	f->nft->is_gone = &f->is_nft_gone;
	f->endpoint_count = 1;
	f->proxy = service_proxy_new(f->loop, &config, &f->nft->nft, -1, collect, f);
	*state = f;
	return 0;
}

static void turn_until_gone(struct fixture *f)
{
	for (int i = 0; i < MAX_TURNS && !f->is_nft_gone; i++)
		loop_run_once(f->loop, TURN_MS);
	assert_true(f->is_nft_gone);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	if (!f->is_nft_gone) {
		service_proxy_free(f->proxy);
		turn_until_gone(f);
	}
	loop_free(f->loop);
	free(f);
	return 0;
}

static void count_waiter(void *ctx)
{
	struct fixture *f = ctx;
	f->waiters_run++;
}

static void change_and_wait(struct fixture *f)
{
	int want = f->waiters_run + 1;
	service_proxy_changed(f->proxy);
	service_proxy_when_applied(f->proxy, count_waiter, f);
	assert_int_equal(f->waiters_run, want - 1);
	for (int i = 0; i < MAX_TURNS && f->waiters_run < want; i++)
		loop_run_once(f->loop, TURN_MS);
	assert_int_equal(f->waiters_run, want);
}

static void the_first_batch_replaces_the_table(void **state)
{
	struct fixture *f = *state;
	change_and_wait(f);
	assert_int_equal(f->nft->applied, 1);
	assert_true(str_has_prefix(buf_str(&f->nft->last),
				   STR("add table inet skeg\ndelete table inet skeg\n")));
	service_proxy_when_applied(f->proxy, count_waiter, f);
	assert_int_equal(f->waiters_run, 2); /* at once */
}

static void many_changes_are_one_batch(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 100; i++)
		service_proxy_changed(f->proxy);
	change_and_wait(f);
	assert_int_equal(f->collected, 1);
	assert_int_equal(f->nft->applied, 1);
}

static void later_batches_are_differences(void **state)
{
	struct fixture *f = *state;
	change_and_wait(f);
	f->endpoint_count = 2;
	change_and_wait(f);
	assert_int_equal(f->nft->applied, 2);
	assert_true(str_has_prefix(buf_str(&f->nft->last), STR("flush chain inet skeg svc-")));
	change_and_wait(f); /* nothing differs: nothing is applied */
	assert_int_equal(f->nft->applied, 2);
	assert_int_equal(f->collected, 3);
}

static void a_failure_is_followed_by_a_replacement(void **state)
{
	struct fixture *f = *state;
	change_and_wait(f);
	f->endpoint_count = 2;
	f->nft->failures_left = 1;
	change_and_wait(f);
	assert_int_equal(f->nft->applied, 3);
	assert_true(str_has_prefix(buf_str(&f->nft->last), STR("add table inet skeg\n")));
}

static void freed_during_a_batch(void **state)
{
	struct fixture *f = *state;
	service_proxy_changed(f->proxy);
	service_proxy_when_applied(f->proxy, count_waiter, f);
	for (int i = 0; i < MAX_TURNS && !f->collected; i++)
		loop_run_once(f->loop, TURN_MS);
	service_proxy_free(f->proxy);
	turn_until_gone(f);
	assert_int_equal(f->waiters_run, 0);
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(the_first_batch_replaces_the_table),
		ROW(many_changes_are_one_batch),
		ROW(later_batches_are_differences),
		ROW(a_failure_is_followed_by_a_replacement),
		ROW(freed_during_a_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
