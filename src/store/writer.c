/* The writer: hands commits to the backend, one transaction for all that has arrived.
 *
 * Commits of one turn of the owner's loop are sent together.  While the backend syncs, more arrive,
 * and the next transaction takes them all: the slower the disk, the larger the groups.  Batches
 * come back in order.  After a failure nothing is written until the owner has dropped what was
 * built on it.
 *
 * In the simulator and for a backend that never blocks there is no thread: writer_flush() does the
 * work on the owner's loop, in the turn after the commit. */
#include <signal.h>

#include "base/mem.h"
#include "store/store-int.h"

static void batch_free(struct batch *b)
{
	ASSERT(list_is_empty(&b->commits));
	free(b);
}

static void list_move_all(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	struct list *first = from->next, *last = from->prev;
	first->prev = to->prev;
	to->prev->next = first;
	last->next = to;
	to->prev = last;
	list_init(from);
}

/* While the disk is full, deletes must not fail because of others in their transaction. */
static void move_one_class(struct list *to, struct list *from)
{
	bool is_freeing = commit_frees_space(LIST_FIRST(from, struct commit, queue_link));
	struct commit *c;
	LIST_FOR_EACH (c, from, queue_link) {
		if (commit_frees_space(c) != is_freeing)
			return;
		list_remove(&c->queue_link);
		list_append(to, &c->queue_link);
	}
}

/* A batch of what is in the queue, NULL when nothing may be written; the lock is held. */
static struct batch *batch_take(struct writer *w)
{
	if (list_is_empty(&w->queue) || w->is_failed)
		return NULL;
	struct batch *b = NEW(struct batch);
	list_init(&b->commits);
	if (w->is_careful)
		move_one_class(&b->commits, &w->queue);
	else
		list_move_all(&b->commits, &w->queue);
	return b;
}

static void batch_write(struct writer *w, struct batch *b)
{
	uint64_t bytes = 0;
	b->rc = w->ops->commit(w->backend, &b->commits, &b->reserved_until, &bytes, &b->err);
	if (b->rc != RC_OK)
		w->is_careful = true;
	else if (!commit_frees_space(LIST_FIRST(&b->commits, struct commit, queue_link)))
		w->is_careful = false;
	if (b->rc != RC_OK)
		return;
	atomic_fetch_add(&w->transactions, 1);
	atomic_fetch_add(&w->written_bytes, bytes);
}

static void batch_finish(struct writer *w, struct batch *b)
{
	pthread_mutex_lock(&w->lock);
	w->is_failed = w->is_failed || b->rc != RC_OK;
	list_append(&w->done, &b->link);
	if (w->has_thread && !w->is_posted && !w->is_stopping) {
		w->is_posted = true;
		loop_post(w->loop, &w->done_msg);
	}
	pthread_mutex_unlock(&w->lock);
}

static void tidy(struct writer *w)
{
	struct err err;
	if (w->ops->tidy(w->backend, &err) == RC_OK)
		return;
	struct batch *b = NEW(struct batch);
	list_init(&b->commits);
	b->rc = RC_IO;
	b->err = err;
	batch_finish(w, b);
}

static void *thread_run(void *arg)
{
	struct writer *w = arg;
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct batch *b = batch_take(w);
		if (b) {
			pthread_mutex_unlock(&w->lock);
			batch_write(w, b);
			bool is_written = b->rc == RC_OK;
			batch_finish(w, b); /* b is the owner's now */
			if (is_written)
				tidy(w);
			pthread_mutex_lock(&w->lock);
		} else if (w->is_stopping) {
			break;
		} else {
			pthread_cond_wait(&w->wake, &w->lock);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void thread_start(struct writer *w)
{
	sigset_t all, former;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former); /* signals are for the main thread */
	int failed = pthread_create(&w->thread, NULL, thread_run, w);
	ASSERT(failed == 0);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	pthread_setname_np(w->thread, "store");
}

static void done_on(struct loop_msg *msg)
{
	struct writer *w = CONTAINER_OF(msg, struct writer, done_msg);
	pthread_mutex_lock(&w->lock);
	w->is_posted = false;
	pthread_mutex_unlock(&w->lock);
	w->on_done(w->ctx);
}

void writer_start(struct writer *w, bool has_thread)
{
	list_init(&w->unsent);
	list_init(&w->queue);
	list_init(&w->done);
	w->done_msg.fn = done_on;
	w->has_thread = has_thread;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	if (has_thread)
		thread_start(w);
}

void writer_send(struct writer *w, struct commit *c)
{
	list_append(&w->unsent, &c->queue_link);
}

/* Without a thread, on the owner's loop. */
static void write_here(struct writer *w)
{
	for (struct batch *b; (b = batch_take(w));) {
		batch_write(w, b);
		bool is_written = b->rc == RC_OK;
		batch_finish(w, b);
		if (is_written)
			tidy(w);
		w->on_done(w->ctx);
	}
}

void writer_flush(struct writer *w)
{
	if (list_is_empty(&w->unsent))
		return;
	pthread_mutex_lock(&w->lock);
	list_move_all(&w->queue, &w->unsent);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (!w->has_thread)
		write_here(w);
}

struct batch *writer_take(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	struct batch *b = LIST_FIRST(&w->done, struct batch, link);
	if (b)
		list_remove(&b->link);
	pthread_mutex_unlock(&w->lock);
	return b;
}

static void unlink_all(struct list *commits)
{
	struct commit *c;
	LIST_FOR_EACH (c, commits, queue_link)
		list_remove(&c->queue_link);
}

void writer_clear(struct writer *w)
{
	unlink_all(&w->unsent);
	pthread_mutex_lock(&w->lock);
	unlink_all(&w->queue);
	w->is_failed = false;
	pthread_mutex_unlock(&w->lock);
}

void writer_stop(struct writer *w)
{
	writer_flush(w);
	pthread_mutex_lock(&w->lock);
	w->is_stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	loop_post_cancel(w->loop, &w->done_msg);
	w->on_done(w->ctx);
	for (struct batch *b; (b = writer_take(w));)
		batch_free(b);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
}
