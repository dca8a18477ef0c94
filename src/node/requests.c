#include "node/requests.h"

#include "base/mem.h"

struct pending_request {
	struct list link; /* not linked: dropped */
	client_done_fn *done;
	void *ctx;
};

void requests_init(struct requests *r, struct client *client)
{
	r->client = client;
	list_init(&r->pending);
}

static void pending_drop(struct pending_request *p)
{
	p->done = NULL;
	list_remove(&p->link);
}

void requests_done(struct requests *r)
{
	while (!list_is_empty(&r->pending))
		pending_drop(LIST_FIRST(&r->pending, struct pending_request, link));
}

static void answered(void *ctx, const struct client_reply *reply)
{
	struct pending_request *p = ctx;
	list_remove(&p->link);
	if (p->done)
		p->done(p->ctx, reply);
	free(p);
}

void requests_submit(struct requests *r, const struct client_request *request, client_done_fn *done,
		     void *ctx)
{
	struct pending_request *p = NEW(struct pending_request);
	p->done = done;
	p->ctx = ctx;
	list_append(&r->pending, &p->link);
	r->client->ops->submit(r->client, request, answered, p);
}

void requests_drop(struct requests *r, const void *ctx)
{
	struct pending_request *p;
	LIST_FOR_EACH (p, &r->pending, link) {
		if (p->ctx == ctx)
			pending_drop(p);
	}
}
