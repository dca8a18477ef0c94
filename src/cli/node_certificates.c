#include "cli/node_certificates.h"

#include "base/log.h"

#define LEAST_MS 1000
#define LOOK_MS	 (12 * 3600 * 1000)

struct node_certificates {
	struct loop *loop;
	const struct join_options *options;
	void (*on_renewed)(void *ctx, const struct node_identity *id);
	void *ctx;
	struct loop_timer timer;
	struct loop_work work;
	bool is_busy;
	int64_t retry_ms;
	struct arena arena, next_arena; /* of present; of next, while the pool works at it */
	struct node_identity present, next;
	enum rc rc;
	struct err err;
};

static void look(struct loop_timer *timer);

/* Not asleep for long, for clocks are set and machines suspended. */
static void wait_until_due(struct node_certificates *c)
{
	int64_t wait_ms = (node_renewal_us(&c->present) - world_wall_us()) / 1000;
	wait_ms = MAX((int64_t)LEAST_MS, MIN(wait_ms, (int64_t)LOOK_MS));
	loop_timer_start(c->loop, &c->timer, wait_ms, look);
}

static void work(struct loop_work *w)
{
	struct node_certificates *c = CONTAINER_OF(w, struct node_certificates, work);
	c->rc = node_renew(&c->next_arena, c->options, &c->next, &c->err);
}

static bool is_new(const struct node_certificates *c)
{
	return !str_eq(c->next.client.cert_pem, c->present.client.cert_pem) ||
	       !str_eq(c->next.serving.cert_pem, c->present.serving.cert_pem);
}

static void take_next(struct node_certificates *c)
{
	bool is_changed = is_new(c);
	c->retry_ms = RENEWAL_FIRST_MS;
	arena_done(&c->arena);
	c->arena = c->next_arena;
	c->present = c->next;
	c->next_arena = (struct arena){};
	if (!is_changed)
		return;
	log_info("agent", "certificates are renewed");
	c->on_renewed(c->ctx, &c->present);
}

static void done(struct loop_work *w)
{
	struct node_certificates *c = CONTAINER_OF(w, struct node_certificates, work);
	c->is_busy = false;
	if (c->rc == RC_OK) {
		take_next(c);
		wait_until_due(c);
		return;
	}
	log_warn("agent", "certificates cannot be renewed: %s; trying again in %lld ms",
		 c->err.text, (long long)c->retry_ms);
	arena_done(&c->next_arena);
	c->next_arena = (struct arena){};
	loop_timer_start(c->loop, &c->timer, c->retry_ms, look);
	c->retry_ms = MIN(c->retry_ms * 2, (int64_t)RENEWAL_LAST_MS);
}

static void look(struct loop_timer *timer)
{
	node_certificates_look(CONTAINER_OF(timer, struct node_certificates, timer));
}

void node_certificates_look(struct node_certificates *c)
{
	if (c->is_busy)
		return;
	c->is_busy = true;
	loop_timer_stop(&c->timer);
	c->work = (struct loop_work){.work = work, .done = done};
	loop_work_start(c->loop, &c->work);
}

struct node_certificates *node_certificates_new(
	struct loop *loop, const struct join_options *options, const struct node_identity *identity,
	void (*on_renewed)(void *ctx, const struct node_identity *id), void *ctx)
{
	struct node_certificates *c = NEW(struct node_certificates);
	c->loop = loop;
	c->options = options;
	c->on_renewed = on_renewed;
	c->ctx = ctx;
	c->retry_ms = RENEWAL_FIRST_MS;
	c->present = *identity;
	c->present.client.cert_pem = arena_str(&c->arena, identity->client.cert_pem);
	c->present.serving.cert_pem = arena_str(&c->arena, identity->serving.cert_pem);
	wait_until_due(c);
	return c;
}
