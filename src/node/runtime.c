#include "node/runtime.h"

const char *runtime_state_name(enum runtime_state state)
{
	static const char *const names[] = {
		[RUNTIME_CREATED] = "created",
		[RUNTIME_RUNNING] = "running",
		[RUNTIME_EXITED] = "exited",
	};
	return names[state];
}

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
