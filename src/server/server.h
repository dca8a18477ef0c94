/* server: the control plane's API server.
 *
 * Owns: io threads, store, keys, the core loop's requests.  Threads: server_new() and all functions
 * here belong to the core thread unless they say otherwise. */
#ifndef SKEG_SERVER_SERVER_H
#define SKEG_SERVER_SERVER_H

#include "base/err.h"
#include "base/ipaddr.h"
#include "io/loop.h"
#include "server/audit.h"
#include "server/authentication_config.h"
#include "server/authz.h"
#include "server/history.h"
#include "server/memory_return.h"
#include "server/request_header.h"
#include "server/tokens.h"
#include "store/store.h"

struct server_config {
	const char *data_folder; /* keys and database live here; made when absent */
	bool is_memory;		 /* the store forgets */
	const char *address;	 /* to listen on; "" all */
	uint16_t port;
	int io_threads;	       /* 0: one a core, 2 at most */
	const char *advertise; /* address for the kubernetes Service and kubeconfig; NULL: the first
				  of the host */
	const char *service_cidr;   /* "10.43.0.0/16" */
	const char *cluster_domain; /* "cluster.local" */
	const char *const *sans;    /* more names of the serving certificate */
	size_t san_count;
	int64_t request_timeout_ms;    /* 0: REQUEST_TIMEOUT_MS */
	int64_t min_request_timeout_s; /* 0: 1800; watches end after once to twice this */
	struct audit_options audit;
	struct request_header_options request_headers;
	struct authentication_options authentication;
	struct token_options tokens;   /* no issuers: the usual one */
	int64_t signing_life_s;	       /* of certificates, the server's own too; 0: a year */
	void (*on_ready)(void *ctx);   /* core thread: requests are served from now on */
	void (*on_renewed)(void *ctx); /* core thread: keys have new certificates; may be NULL */
	void (*on_fatal)(void *ctx, const struct err *err);
	void *ctx;
};

struct server {
	struct loop *loop; /* of the core thread */
	struct server_config config;
	struct store *store;
	struct authorizer *authorizer;
	struct fairness *fairness;
	struct audit *audit; /* NULL: nothing is recorded */
	struct request_metrics *metrics;
	struct cluster_keys *keys;
	struct token_cache *tokens;
	struct history history;
	struct service_allocator *allocator;
	struct io_thread *io;
	int io_count;
	char own_address[IPADDR_TEXT_MAX];
	int64_t started_ms;
	struct client *local;	       /* in process, on the core loop */
	struct loop_timer renewal;     /* of certificates */
	struct tls_context *proxy_tls; /* for pods and services: whoever answers */
	struct bootstrap *bootstrap;
	struct request_headers *request_headers; /* NULL: no proxy is trusted */
	struct authentication_config *authentication;
	struct oidc *oidc;
	struct signer *signer;
	struct account_secrets *account_secrets;
	struct memory_return memory;
	_Atomic bool is_ready;
};

[[nodiscard]] enum rc server_new(struct loop *loop, const struct server_config *config,
				 struct server **ret_server, struct err *err);
/* Opens the store, makes or reads keys, writes bootstrap objects, starts to listen. */
[[nodiscard]] enum rc server_start(struct server *server, struct err *err);
/* Reads the certificates again, issues those that are due and serves with them: connections keep
 * theirs.  It does so by itself when they are due.  Errors are logged. */
void server_renew(struct server *server);
/* Stops accepting, ends requests within grace_ms.  Outside of callbacks: the core loop runs
 * meanwhile, so that writes in flight are answered. */
void server_stop(struct server *server, uint32_t grace_ms);
void server_free(struct server *server);
uint16_t server_port(const struct server *server);

#endif
