/* io_thread: a thread that owns connections: it takes requests in, serves reads and watches from
 * snapshots, and sends replies.
 * Threads: start and stop from core; everything else on its own loop. */
#ifndef SKEG_SERVER_IO_THREAD_H
#define SKEG_SERVER_IO_THREAD_H

#include "http/client.h"
#include "server/deadline.h"
#include "server/server.h"
#include "server/watch.h"

struct io_thread {
	struct server *server;
	struct loop *loop;
	struct http_server *http;
	struct watch_set watches;
	struct deadlines deadlines;
	struct http_client *kubelets; /* for logs */
	pthread_t thread;
	struct loop_msg stop_msg;
	uint32_t grace_ms;
	bool is_running;
	bool is_through; /* core: it has ended its last exchange */
};

/* first NULL: listens on the port, which must be free; else accepts from the socket of that one. */
[[nodiscard]] enum rc io_thread_start(struct io_thread *t, struct server *server,
				      const struct io_thread *first, struct tls_context *tls,
				      struct err *err);
/* Core thread: begins to end its exchanges. */
void io_thread_stop(struct io_thread *t, uint32_t grace_ms);
/* Core thread, outside of callbacks: runs the core loop until the requests that wait there have
 * been answered and the thread is through. */
void io_thread_join(struct io_thread *t);
/* The thread that runs on this loop. */
struct io_thread *io_thread_of(struct server *server, const struct loop *loop);

#endif
