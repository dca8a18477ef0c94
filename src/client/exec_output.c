#include "client/exec_output.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/list.h"

struct piece {
	struct list link;
	int fd;
	size_t len;
	char bytes[];
};

struct exec_output {
	struct loop *loop;
	void (*drained)(void *ctx);
	void *ctx;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct list pieces;
	size_t waiting; /* bytes */
	bool is_ending, is_high, is_full;
	bool is_told; /* the message is under way */
	int sys;      /* of the write that failed */
	struct loop_msg msg;
};

/* ---- the writing thread ---- */

static int write_piece(const struct piece *p)
{
	struct str rest = str_n(p->bytes, p->len);
	while (rest.len) {
		ssize_t len = write(p->fd, rest.at, rest.len);
		if (len < 0 && errno != EINTR)
			return errno;
		rest = str_skip(rest, (size_t)MAX(len, (ssize_t)0));
	}
	return 0;
}

/* With the lock held. */
static void tell(struct exec_output *o)
{
	bool is_low = o->is_high && o->waiting <= EXEC_OUTPUT_LOW;
	if (o->is_told || (!is_low && !o->sys))
		return;
	o->is_told = true;
	o->is_high = false;
	loop_post(o->loop, &o->msg);
}

static struct piece *take_piece(struct exec_output *o)
{
	pthread_mutex_lock(&o->lock);
	while (list_is_empty(&o->pieces) && !o->is_ending)
		pthread_cond_wait(&o->changed, &o->lock);
	struct piece *p = LIST_FIRST(&o->pieces, struct piece, link);
	if (p)
		list_remove(&p->link);
	pthread_mutex_unlock(&o->lock);
	return p;
}

static void *write_pieces(void *arg)
{
	struct exec_output *o = arg;
	for (struct piece *p = take_piece(o); p; p = take_piece(o)) {
		int sys = o->sys ? 0 : write_piece(p);
		pthread_mutex_lock(&o->lock);
		o->waiting -= p->len;
		if (sys)
			o->sys = sys;
		tell(o);
		pthread_mutex_unlock(&o->lock);
		free(p);
	}
	return NULL;
}

/* ---- the loop's thread ---- */

static void on_told(struct loop_msg *msg)
{
	struct exec_output *o = CONTAINER_OF(msg, struct exec_output, msg);
	pthread_mutex_lock(&o->lock);
	o->is_told = o->sys != 0; /* a failure is told once */
	pthread_mutex_unlock(&o->lock);
	o->drained(o->ctx);
}

struct exec_output *exec_output_new(struct loop *loop, void (*drained)(void *ctx), void *ctx)
{
	struct exec_output *o = NEW(struct exec_output);
	o->loop = loop;
	o->drained = drained;
	o->ctx = ctx;
	o->msg.fn = on_told;
	list_init(&o->pieces);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->changed, NULL);
	int sys = pthread_create(&o->thread, NULL, write_pieces, o);
	ASSERT(sys == 0);
	return o;
}

size_t exec_output_add(struct exec_output *o, int fd, struct str bytes)
{
	if (fd < 0 || bytes.len == 0)
		return 0;
	struct piece *p = mem_alloc(sizeof(*p) + bytes.len);
	p->fd = fd;
	p->len = bytes.len;
	memcpy(p->bytes, bytes.at, bytes.len);
	pthread_mutex_lock(&o->lock);
	o->is_full |= o->waiting + bytes.len > EXEC_OUTPUT_MAX;
	bool takes = !o->sys && !o->is_full;
	if (takes) {
		list_append(&o->pieces, &p->link);
		o->waiting += bytes.len;
		o->is_high |= o->waiting > EXEC_OUTPUT_HIGH;
		pthread_cond_signal(&o->changed);
	}
	size_t waiting = o->waiting;
	pthread_mutex_unlock(&o->lock);
	if (!takes)
		free(p);
	return waiting;
}

bool exec_output_ok(struct exec_output *o)
{
	pthread_mutex_lock(&o->lock);
	bool is_ok = !o->sys && !o->is_full;
	pthread_mutex_unlock(&o->lock);
	return is_ok;
}

enum rc exec_output_end(struct exec_output *o, struct err *err)
{
	pthread_mutex_lock(&o->lock);
	o->is_ending = true;
	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->thread, NULL);
	loop_post_cancel(o->loop, &o->msg);
	enum rc rc = RC_OK;
	if (o->sys)
		rc = err_sys(err, RC_IO, o->sys, "write what the command wrote");
	else if (o->is_full)
		rc = err_set(err, RC_TOO_LARGE, "more than %u bytes of output wait to be written",
			     EXEC_OUTPUT_MAX);
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->changed);
	free(o);
	return rc;
}
