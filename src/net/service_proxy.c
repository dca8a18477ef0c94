#include "net/service_proxy.h"

#include "base/list.h"
#include "base/log.h"
#include "net/netns.h"
#include "net/service_flows.h"

#define FIRST_RETRY_MS 1000
#define LAST_RETRY_MS  60000

/* A desired state: in the kernel, or on its way there. */
struct state {
	struct arena arena;
	struct service_rules rules;
	struct service_flows flows;
};

struct waiter {
	struct list link;
	uint64_t change;
	void (*fn)(void *ctx);
	void *ctx;
};

struct service_proxy {
	struct loop *loop;
	struct arena arena; /* of config */
	struct service_rules_config config;
	struct nft *nft;
	int netns_fd;
	service_proxy_collect_fn *collect;
	void *ctx;

	uint64_t reported, applied; /* numbers of changes */
	struct list waiters;
	struct loop_timer timer;

	struct state states[2];
	int current;	  /* the one in the kernel */
	bool has_current; /* else the next batch replaces the table */
	int64_t retry_ms;

	/* the batch on its way; the pool's thread reads it meanwhile */
	struct loop_work work;
	bool is_working, is_freed;
	uint64_t working_on;
	bool has_new_flows;
	struct buf batch;
	enum rc rc;
	struct err err;
};

static void schedule(struct service_proxy *p, int64_t delay_ms);

static struct ipnet *copy_nets(struct arena *a, const struct ipnet *nets, size_t count)
{
	return count ? arena_copy(a, nets, sizeof(*nets) * count) : NULL;
}

struct service_proxy *service_proxy_new(struct loop *loop,
					const struct service_rules_config *config,
					struct nft *own_nft, int netns_fd,
					service_proxy_collect_fn *collect, void *ctx)
{
	struct service_proxy *p = NEW(struct service_proxy);
	p->loop = loop;
	p->config = *config;
	p->config.pod_cidrs = copy_nets(&p->arena, config->pod_cidrs, config->pod_cidr_count);
	p->config.service_cidrs =
		copy_nets(&p->arena, config->service_cidrs, config->service_cidr_count);
	if (config->own_addr_count)
		p->config.own_addrs = arena_copy(&p->arena, config->own_addrs,
						 config->own_addr_count * sizeof(struct ipaddr));
	p->nft = own_nft;
	p->netns_fd = netns_fd;
	p->collect = collect;
	p->ctx = ctx;
	p->batch = (struct buf)BUF_INIT(NFT_BATCH_MAX);
	list_init(&p->waiters);
	return p;
}

static void free_now(struct service_proxy *p)
{
	struct waiter *waiter;
	LIST_FOR_EACH (waiter, &p->waiters, link) {
		list_remove(&waiter->link);
		free(waiter);
	}
	arena_done(&p->states[0].arena);
	arena_done(&p->states[1].arena);
	arena_done(&p->arena);
	buf_done(&p->batch);
	nft_free(p->nft);
	free(p);
}

void service_proxy_free(struct service_proxy *p)
{
	if (!p)
		return;
	loop_timer_stop(&p->timer);
	p->is_freed = true;
	if (!p->is_working)
		free_now(p);
}

/* --- on the pool --- */

static enum rc forget_connections(void *arg, struct err *err)
{
	const struct service_flows *flows = arg;
	size_t deleted;
	TRY(conntrack_prune_udp(flows->items, flows->count, &deleted, err));
	if (deleted)
		log_debug("net", "forgot %zu UDP connections to endpoints that are gone", deleted);
	return RC_OK;
}

/* Old connections that can't be forgotten are a nuisance, not a reason to undo the rules. */
static void apply_work(struct loop_work *work)
{
	struct service_proxy *p = CONTAINER_OF(work, struct service_proxy, work);
	struct state *next = &p->states[!p->current];
	struct err err;
	p->rc = nft_apply(p->nft, buf_str(&p->batch), &p->err);
	if (p->rc != RC_OK || !p->has_new_flows || next->flows.count == 0)
		return;
	if (netns_call(p->netns_fd, forget_connections, &next->flows, &err) != RC_OK)
		log_warn("net", "%s", err.text);
}

/* --- on the loop --- */

static void run_waiters(struct service_proxy *p)
{
	struct list ready;
	struct waiter *waiter;
	list_init(&ready);
	LIST_FOR_EACH (waiter, &p->waiters, link) {
		if (waiter->change > p->applied)
			continue;
		list_remove(&waiter->link);
		list_append(&ready, &waiter->link);
	}
	LIST_FOR_EACH (waiter, &ready, link) {
		list_remove(&waiter->link);
		waiter->fn(waiter->ctx);
		free(waiter);
	}
}

static void succeeded(struct service_proxy *p)
{
	p->current = !p->current;
	p->has_current = true;
	p->retry_ms = 0;
	p->applied = p->working_on;
	if (p->reported > p->applied)
		schedule(p, SERVICE_PROXY_DELAY_MS);
	run_waiters(p);
}

static void failed(struct service_proxy *p)
{
	p->retry_ms = p->retry_ms ? MIN(p->retry_ms * 2, LAST_RETRY_MS) : FIRST_RETRY_MS;
	p->has_current = false;
	log_error("net", "service rules: %s; next try in %lld s", p->err.text,
		  (long long)p->retry_ms / 1000);
	schedule(p, p->retry_ms);
}

static void apply_done(struct loop_work *work)
{
	struct service_proxy *p = CONTAINER_OF(work, struct service_proxy, work);
	p->is_working = false;
	if (p->is_freed)
		free_now(p);
	else if (p->rc == RC_OK)
		succeeded(p);
	else
		failed(p);
}

static void make_next(struct service_proxy *p)
{
	CLEANUP_ARENA scratch = {};
	struct proxy_snapshot snapshot = {};
	struct state *next = &p->states[!p->current], *now = &p->states[p->current];
	p->collect(p->ctx, &scratch, &snapshot);
	arena_reset(&next->arena);
	service_rules_make(&next->arena, &p->config, &snapshot, &next->rules);
	service_flows_make(&next->arena, &snapshot, &next->flows);
	buf_reset(&p->batch);
	if (p->has_current)
		service_rules_diff(&p->batch, &now->rules, &next->rules);
	else
		service_rules_replace(&p->batch, &p->config, &next->rules);
	p->has_new_flows = !p->has_current || !service_flows_equal(&now->flows, &next->flows);
	p->working_on = p->reported;
}

static void timer_on(struct loop_timer *timer)
{
	struct service_proxy *p = CONTAINER_OF(timer, struct service_proxy, timer);
	make_next(p);
	p->rc = buf_check(&p->batch, "batch of service rules", &p->err);
	if (p->rc != RC_OK) {
		failed(p);
	} else if (p->batch.len == 0) {
		succeeded(p);
	} else {
		p->is_working = true;
		p->work.work = apply_work;
		p->work.done = apply_done;
		loop_work_start(p->loop, &p->work);
	}
}

static void schedule(struct service_proxy *p, int64_t delay_ms)
{
	if (!p->is_working && !p->timer.loop)
		loop_timer_start(p->loop, &p->timer, delay_ms, timer_on);
}

void service_proxy_changed(struct service_proxy *p)
{
	p->reported++;
	schedule(p, SERVICE_PROXY_DELAY_MS);
}

void service_proxy_when_applied(struct service_proxy *p, void (*fn)(void *ctx), void *ctx)
{
	if (p->reported == p->applied && p->has_current) {
		fn(ctx);
		return;
	}
	struct waiter *waiter = NEW(struct waiter);
	waiter->change = p->reported;
	waiter->fn = fn;
	waiter->ctx = ctx;
	list_append(&p->waiters, &waiter->link);
}

enum rc service_proxy_remove_table(struct nft *nft, struct err *err)
{
	CLEANUP_BUF batch = BUF_INIT(NFT_BATCH_MAX);
	service_rules_remove(&batch);
	return nft_apply(nft, buf_str(&batch), err);
}
