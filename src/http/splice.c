/* Two streams joined.  Each direction stops reading while the other side has too much to write. */
#include "base/mem.h"
#include "http/stream.h"

#define SPLICE_QUEUE_HIGH (256u << 10)

struct splice {
	struct stream *ends[2];
	bool has_ended[2];
	struct loop_msg over;
	void (*done)(void *ctx);
	void *ctx;
};

static int side_of(const struct splice *sp, const struct stream *s)
{
	return sp->ends[1] == s;
}

static void over_on(struct loop_msg *msg)
{
	struct splice *sp = CONTAINER_OF(msg, struct splice, over);
	if (sp->done)
		sp->done(sp->ctx);
	free(sp);
}

static void splice_over(struct splice *sp)
{
	struct loop *loop = stream_loop(sp->ends[0]);
	stream_finish(sp->ends[0]);
	stream_finish(sp->ends[1]);
	sp->over.fn = over_on;
	loop_defer(loop, &sp->over);
}

static void data_on(struct stream *s, struct str bytes, void *user)
{
	struct splice *sp = user;
	if (stream_write(sp->ends[!side_of(sp, s)], bytes) > SPLICE_QUEUE_HIGH)
		stream_pause(s);
}

static void drain_on(struct stream *s, void *user)
{
	struct splice *sp = user;
	stream_resume(sp->ends[!side_of(sp, s)]);
}

static void end_on(struct stream *s, void *user)
{
	struct splice *sp = user;
	int side = side_of(sp, s);
	sp->has_ended[side] = true;
	if (sp->has_ended[!side])
		splice_over(sp);
	else
		stream_end(sp->ends[!side]);
}

static void failed_on(struct stream *s, const struct err *why, void *user)
{
	splice_over(user);
}

static const struct stream_ops splice_ops = {
	.on_data = data_on,
	.on_end = end_on,
	.on_drain = drain_on,
	.on_failed = failed_on,
};

void stream_splice(struct stream *own_a, struct stream *own_b, void (*done)(void *ctx), void *ctx)
{
	struct splice *sp = NEW(struct splice);
	sp->ends[0] = own_a;
	sp->ends[1] = own_b;
	sp->done = done;
	sp->ctx = ctx;
	for (int i = 0; i < 2; i++) {
		stream_set(sp->ends[i], &splice_ops, sp);
		stream_resume(sp->ends[i]);
	}
}
