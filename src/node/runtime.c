#include "node/runtime.h"

static void call_done(struct loop_msg *msg)
{
	struct runtime_call *call = CONTAINER_OF(msg, struct runtime_call, msg);
	call->done(call);
}

void runtime_call_finish(struct loop *loop, struct runtime_call *call, enum rc rc)
{
	ASSERT(call->done);
	call->rc = rc;
	call->msg = (struct loop_msg){.fn = call_done};
	loop_defer(loop, &call->msg);
}

bool runtime_resources_equal(const struct runtime_resources *a, const struct runtime_resources *b)
{
	return a->cpu_request_milli == b->cpu_request_milli &&
	       a->cpu_limit_milli == b->cpu_limit_milli &&
	       a->memory_request_bytes == b->memory_request_bytes &&
	       a->memory_limit_bytes == b->memory_limit_bytes;
}

static int64_t wider(int64_t a, int64_t b)
{
	return a > 0 && b > 0 ? MAX(a, b) : 0; /* 0: no limit */
}

struct runtime_resources runtime_resources_widest(const struct runtime_resources *a,
						  const struct runtime_resources *b)
{
	return (struct runtime_resources){
		.cpu_request_milli = b->cpu_request_milli,
		.memory_request_bytes = b->memory_request_bytes,
		.cpu_limit_milli = wider(a->cpu_limit_milli, b->cpu_limit_milli),
		.memory_limit_bytes = wider(a->memory_limit_bytes, b->memory_limit_bytes),
	};
}
