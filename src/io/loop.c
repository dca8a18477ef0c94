/* One libuv loop a thread.  Three queues feed it: messages of other threads (a locked list and one
 * uv_async), deferred calls (run before the loop sleeps and after it polled), and a heap of timers
 * with one uv_timer for the earliest, so that a struct loop_timer is plain memory of its owner. */
#include "io/loop.h"

#include <pthread.h>
#include <signal.h>
#include <uv.h>

#include "base/mem.h"

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t clock; /* fires for timers[0] */
	uv_timer_t limit; /* of loop_run_once() */
	uv_prepare_t before_poll;
	uv_check_t after_poll;
	uv_idle_t busy; /* keeps the poll from sleeping while deferred is filled */
	struct list deferred;
	struct list at_end;
	struct loop_timer **timers; /* binary heap by due_ms */
	uint32_t timer_count, timer_cap;
	pthread_t thread;
	bool is_running;
	bool is_stopping;
	pthread_mutex_t lock; /* guards posted */
	struct list posted;
};

/* --- messages --- */

static void list_move(struct list *to, struct list *from)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	*to = *from;
	to->next->prev = to->prev->next = to;
	list_init(from);
}

static void messages_run(struct list *queue)
{
	while (!list_is_empty(queue)) {
		struct loop_msg *msg = LIST_FIRST(queue, struct loop_msg, link);
		list_remove(&msg->link);
		msg->fn(msg);
	}
}

static void wake_on(uv_async_t *wake)
{
	struct loop *loop = wake->data;
	struct list batch;
	pthread_mutex_lock(&loop->lock);
	list_move(&batch, &loop->posted);
	pthread_mutex_unlock(&loop->lock);
	messages_run(&batch);
	if (__atomic_load_n(&loop->is_stopping, __ATOMIC_ACQUIRE))
		uv_stop(&loop->uv);
}

void loop_post(struct loop *loop, struct loop_msg *msg)
{
	pthread_mutex_lock(&loop->lock);
	bool was_empty = list_is_empty(&loop->posted);
	list_append(&loop->posted, &msg->link);
	pthread_mutex_unlock(&loop->lock);
	if (was_empty)
		uv_async_send(&loop->wake);
}

void loop_post_cancel(struct loop *loop, struct loop_msg *msg)
{
	/* It may be in the batch that wake_on() is running, which is this thread's, or in posted.
	 */
	pthread_mutex_lock(&loop->lock);
	list_remove(&msg->link);
	pthread_mutex_unlock(&loop->lock);
}

static void deferred_run(struct loop *loop)
{
	struct list batch;
	list_move(&batch, &loop->deferred);
	messages_run(&batch);
	if (list_is_empty(&loop->deferred))
		uv_idle_stop(&loop->busy);
}

static void before_poll_on(uv_prepare_t *handle)
{
	deferred_run(handle->data);
}

static void after_poll_on(uv_check_t *handle)
{
	deferred_run(handle->data);
}

static void busy_on(uv_idle_t *handle)
{
}

void loop_defer(struct loop *loop, struct loop_msg *msg)
{
	if (list_is_linked(&msg->link))
		return;
	list_append(&loop->deferred, &msg->link);
	uv_idle_start(&loop->busy, busy_on);
}

void loop_defer_cancel(struct loop_msg *msg)
{
	list_remove(&msg->link);
}

void loop_at_end(struct loop *loop, struct loop_msg *msg)
{
	if (!list_is_linked(&msg->link))
		list_append(&loop->at_end, &msg->link);
}

/* --- timers --- */

static void heap_put(struct loop *loop, uint32_t at, struct loop_timer *timer)
{
	loop->timers[at] = timer;
	timer->heap_index = at;
}

static void heap_rise(struct loop *loop, struct loop_timer *timer, uint32_t at)
{
	while (at > 0) {
		uint32_t above = (at - 1) / 2;
		if (loop->timers[above]->due_ms <= timer->due_ms)
			break;
		heap_put(loop, at, loop->timers[above]);
		at = above;
	}
	heap_put(loop, at, timer);
}

static void heap_sink(struct loop *loop, struct loop_timer *timer, uint32_t at)
{
	for (;;) {
		uint32_t below = 2 * at + 1;
		if (below >= loop->timer_count)
			break;
		if (below + 1 < loop->timer_count &&
		    loop->timers[below + 1]->due_ms < loop->timers[below]->due_ms)
			below++;
		if (timer->due_ms <= loop->timers[below]->due_ms)
			break;
		heap_put(loop, at, loop->timers[below]);
		at = below;
	}
	heap_put(loop, at, timer);
}

static void heap_remove(struct loop *loop, struct loop_timer *timer)
{
	uint32_t at = timer->heap_index;
	ASSERT(at < loop->timer_count && loop->timers[at] == timer);
	struct loop_timer *last = loop->timers[--loop->timer_count];
	timer->loop = NULL;
	if (last == timer)
		return;
	if (at > 0 && last->due_ms < loop->timers[(at - 1) / 2]->due_ms)
		heap_rise(loop, last, at);
	else
		heap_sink(loop, last, at);
}

static void clock_on(uv_timer_t *clock);

static void clock_arm(struct loop *loop)
{
	if (loop->timer_count == 0) {
		uv_timer_stop(&loop->clock);
		return;
	}
	int64_t left = loop->timers[0]->due_ms - world_mono_ms();
	uv_update_time(&loop->uv);
	uv_timer_start(&loop->clock, clock_on, (uint64_t)MAX(left, 0), 0);
}

static void clock_on(uv_timer_t *clock)
{
	struct loop *loop = clock->data;
	int64_t now = world_mono_ms();
	/* Timers that callbacks add now wait for the next round, so that I/O gets its turn. */
	for (uint32_t budget = loop->timer_count; budget > 0 && loop->timer_count > 0; budget--) {
		struct loop_timer *timer = loop->timers[0];
		if (timer->due_ms > now)
			break;
		heap_remove(loop, timer);
		timer->fn(timer);
	}
	clock_arm(loop);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t delay_ms,
		      void (*fn)(struct loop_timer *timer))
{
	loop_timer_stop(timer);
	if (loop->timer_count == loop->timer_cap) {
		loop->timer_cap = MAX(16u, loop->timer_cap * 2);
		loop->timers =
			mem_resize(loop->timers, loop->timer_cap * sizeof(struct loop_timer *));
	}
	timer->loop = loop;
	timer->fn = fn;
	timer->due_ms = world_mono_ms() + MAX(delay_ms, 0);
	heap_rise(loop, timer, loop->timer_count++);
	if (timer->heap_index == 0)
		clock_arm(loop);
}

void loop_timer_stop(struct loop_timer *timer)
{
	/* A clock that fires too early for what is left only arms itself again. */
	if (timer->loop)
		heap_remove(timer->loop, timer);
}

/* --- work on the pool --- */

struct work_request {
	uv_work_t uv;
	struct loop_work *work;
};

static void work_on_pool(uv_work_t *uv)
{
	struct work_request *request = CONTAINER_OF(uv, struct work_request, uv);
	request->work->work(request->work);
}

static void work_on_loop(uv_work_t *uv, int status)
{
	struct work_request *request = CONTAINER_OF(uv, struct work_request, uv);
	struct loop_work *work = request->work;
	free(request);
	work->private = NULL;
	work->done(work);
}

void loop_work_start(struct loop *loop, struct loop_work *work)
{
	struct work_request *request = NEW(struct work_request);
	request->work = work;
	work->private = request;
	int failed = uv_queue_work(&loop->uv, &request->uv, work_on_pool, work_on_loop);
	ASSERT(failed == 0);
}

/* --- the loop itself --- */

struct loop *loop_new(void)
{
	signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error of write() */
	struct loop *loop = NEW(struct loop);
	int failed = uv_loop_init(&loop->uv);
	ASSERT(failed == 0);
	loop->uv.data = loop;
	list_init(&loop->posted);
	list_init(&loop->deferred);
	list_init(&loop->at_end);
	pthread_mutex_init(&loop->lock, NULL);
	failed = uv_async_init(&loop->uv, &loop->wake, wake_on);
	ASSERT(failed == 0);
	uv_timer_init(&loop->uv, &loop->clock);
	uv_timer_init(&loop->uv, &loop->limit);
	uv_prepare_init(&loop->uv, &loop->before_poll);
	uv_check_init(&loop->uv, &loop->after_poll);
	uv_idle_init(&loop->uv, &loop->busy);
	loop->wake.data = loop->clock.data = loop->before_poll.data = loop->after_poll.data = loop;
	uv_prepare_start(&loop->before_poll, before_poll_on);
	uv_check_start(&loop->after_poll, after_poll_on);
	return loop;
}

static void handle_close(uv_handle_t *handle, void *unused)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	ASSERT(!loop->is_running);
	messages_run(&loop->at_end);
	uv_walk(&loop->uv, handle_close, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	int failed = uv_loop_close(&loop->uv);
	ASSERT(failed == 0);
	pthread_mutex_destroy(&loop->lock);
	free(loop->timers);
	free(loop);
}

static void run(struct loop *loop, uv_run_mode mode)
{
	ASSERT(!loop->is_running);
	loop->thread = pthread_self();
	loop->is_running = true;
	uv_run(&loop->uv, mode);
	loop->is_running = false;
}

void loop_run(struct loop *loop)
{
	while (!__atomic_load_n(&loop->is_stopping, __ATOMIC_ACQUIRE))
		run(loop, UV_RUN_DEFAULT);
	__atomic_store_n(&loop->is_stopping, false, __ATOMIC_RELEASE);
}

static void limit_on(uv_timer_t *handle)
{
}

void loop_run_once(struct loop *loop, int64_t wait_ms_max)
{
	if (wait_ms_max <= 0) {
		run(loop, UV_RUN_NOWAIT);
		return;
	}
	/* Repeating: one that is due before the poll begins must still end the poll. */
	uv_update_time(&loop->uv);
	uv_timer_start(&loop->limit, limit_on, (uint64_t)wait_ms_max, (uint64_t)wait_ms_max);
	run(loop, UV_RUN_ONCE);
	uv_timer_stop(&loop->limit);
}

void loop_stop(struct loop *loop)
{
	__atomic_store_n(&loop->is_stopping, true, __ATOMIC_RELEASE);
	uv_async_send(&loop->wake);
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
	return &loop->uv;
}

bool loop_is_current(const struct loop *loop)
{
	return loop->is_running && pthread_equal(loop->thread, pthread_self());
}
