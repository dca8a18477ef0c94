#include "server/memory_return.h"

#include "base/arena.h"
#include "base/mem.h"

static void look_on(struct loop_timer *timer)
{
	struct memory_return *m = CONTAINER_OF(timer, struct memory_return, timer);
	uint64_t now = arena_freed_bytes(), since = now - m->seen;
	m->seen = now;
	if (since >= MEMORY_QUIET_BYTES) {
		loop_timer_start(m->loop, &m->timer, MEMORY_QUIET_MS, look_on);
		return;
	}
	mem_trim();
	m->settled = now;
	m->is_waiting = false;
}

static void begin_on(struct loop_msg *msg)
{
	struct memory_return *m = CONTAINER_OF(msg, struct memory_return, begin);
	m->seen = arena_freed_bytes();
	loop_timer_start(m->loop, &m->timer, MEMORY_QUIET_MS, look_on);
}

void memory_return_start(struct memory_return *m, struct loop *loop)
{
	m->loop = loop;
	m->begin.fn = begin_on;
	m->settled = arena_freed_bytes();
}

void memory_return_stop(struct memory_return *m)
{
	if (!m->loop)
		return;
	loop_post_cancel(m->loop, &m->begin);
	loop_timer_stop(&m->timer);
}

void memory_return_note(struct memory_return *m)
{
	if (m->loop && arena_freed_bytes() - m->settled >= MEMORY_BURST_BYTES &&
	    !atomic_exchange(&m->is_waiting, true))
		loop_post(m->loop, &m->begin);
}
