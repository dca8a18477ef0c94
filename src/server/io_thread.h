/* io_thread: a thread that owns connections: it takes requests in, serves reads and watches from
 * snapshots, and sends replies.
 * Threads: start and stop from core; everything else on its own loop. */
#ifndef SKEG_SERVER_IO_THREAD_H
#define SKEG_SERVER_IO_THREAD_H

#include "http/client.h"
#include "server/deadline.h"
#include "server/server.h"
#include "server/watch.h"

/* Of replies that clients have not taken, a thread; then lists get 429. */
#define REPLIES_UNREAD_MAX (64u << 20)

struct io_thread {
	struct server *server;
	struct loop *loop;
	struct http_server *http;
	struct watch_set watches;
	struct deadlines deadlines;
	struct http_client *kubelets;	 /* for logs */
	struct tls_context *kubelet_tls; /* for dialling nodes */
	pthread_t thread;
	struct loop_msg stop_msg;
	uint32_t grace_ms;
	bool is_running;
	bool is_through; /* core: it has ended its last exchange */
};

/* first NULL: listens on the port, which must be free; else accepts from the socket of that one. */
[[nodiscard]] enum rc io_thread_start(struct io_thread *t, struct server *server,
				      const struct io_thread *first, struct err *err);

/* New certificates on their way to an io thread, which frees them. */
struct io_identity {
	struct loop_msg msg;
	struct io_thread *to;
	struct arena arena;
	struct tls_context *serving, *kubelet; /* referenced */
	struct pki_pair pair;		       /* as a client of nodes */
};
/* From serving and kubelet_tls of the server's keys.  Core. */
[[nodiscard]] enum rc io_identity_new(struct server *server, struct io_identity **ret_identity,
				      struct err *err);
void io_identity_free(struct io_identity *identity);
/* Core: from now on the thread uses them for new connections. */
void io_thread_set_identity(struct io_thread *t, struct io_identity *own_identity);
/* Core thread: begins to end its exchanges. */
void io_thread_stop(struct io_thread *t, uint32_t grace_ms);
/* Core thread, outside of callbacks: runs the core loop until the requests that wait there have
 * been answered and the thread is through. */
void io_thread_join(struct io_thread *t);
/* The thread that runs on this loop. */
struct io_thread *io_thread_of(struct server *server, const struct loop *loop);

#endif
