#include "server/server.h"

#include <unistd.h>

#include "base/log.h"
#include "io/host.h"
#include "server/account_secrets.h"
#include "server/allocator.h"
#include "server/bootstrap.h"
#include "server/fairness.h"
#include "server/io_thread.h"
#include "server/local_client.h"
#include "server/oidc.h"
#include "server/request_metrics.h"
#include "server/signer.h"

#define IO_THREADS_MAX	  2
#define NAMES_MAX	  64
#define RENEWAL_LEAST_MS  1000
#define RENEWAL_RETRY_MS  (60 * 1000)
#define RENEWAL_LOOK_MS	  (12 * 3600 * 1000)
#define SIGNING_LIFE_S	  (365LL * 86400)
#define TOKEN_ISSUERS_MAX 16

/* Every name and address under which the server is reached. */
static size_t serving_names(struct server *s, struct arena *a, struct str names[NAMES_MAX])
{
	const struct server_config *c = &s->config;
	struct str domain = str_of(c->cluster_domain);
	size_t n = 0;
	names[n++] = STR("localhost");
	names[n++] = STR("127.0.0.1");
	names[n++] = STR("::1");
	names[n++] = STR("kubernetes");
	names[n++] = STR("kubernetes.default");
	names[n++] = STR("kubernetes.default.svc");
	names[n++] = arena_printf(a, "kubernetes.default.svc.%.*s", STR_FMT(domain));
	names[n++] = allocator_first(a, s->allocator);
	names[n++] = str_of(c->advertise);
	for (size_t i = 0; i < c->san_count && n < NAMES_MAX; i++)
		names[n++] = str_of(c->sans[i]);
	return n;
}

static enum rc open_authentication(struct server *s, struct err *err)
{
	const struct token_options *tokens = &s->config.tokens;
	struct str issuers[TOKEN_ISSUERS_MAX];
	if (tokens->issuer_count > TOKEN_ISSUERS_MAX)
		return err_set(err, RC_INVALID,
			       "--service-account-issuer: more than %d; leave some out",
			       TOKEN_ISSUERS_MAX);
	for (size_t i = 0; i < tokens->issuer_count; i++)
		issuers[i] = str_of(tokens->issuers[i]);
	TRY(request_headers_new(&s->config.request_headers, &s->request_headers, err));
	TRY(authentication_config_load(&s->config.authentication, issuers, tokens->issuer_count,
				       &s->authentication, err));
	s->tokens = token_cache_new(s->keys, tokens);
	return oidc_new(s->loop, s->authentication, &s->oidc, err);
}

/* Others find the keys there, unless an issuer was chosen. */
static enum rc open_tokens(struct server *s, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct token_options *tokens = &s->config.tokens;
	const char *issuer =
		arena_printf(&a, "https://kubernetes.default.svc.%s", s->config.cluster_domain).at;
	if (!tokens->issuer_count) {
		tokens->issuers = &issuer;
		tokens->issuer_count = 1;
	}
	enum rc rc = open_authentication(s, err);
	s->config.tokens = (struct token_options){};
	return rc;
}

static enum rc open_keys(struct server *s, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct str names[NAMES_MAX];
	size_t count = serving_names(s, &a, names);
	/* Pods and services have certificates of their own making, as a rule. */
	const struct tls_client_opts proxy = {.skip_verify = true};
	TRY(keys_open(s->config.data_folder, names, count, s->config.signing_life_s, &s->keys,
		      err));
	TRY(tls_client_new(&proxy, &s->proxy_tls, err));
	return open_tokens(s, err);
}

static enum rc open_store(struct server *s, struct err *err)
{
	struct store_config config = {
		.api = api_builtin(),
		.loop = s->loop,
		.folder = s->config.is_memory ? NULL : s->config.data_folder,
		.on_fatal = s->config.on_fatal,
		.ctx = s->config.ctx,
	};
	TRY(store_open(&config, &s->store, err));
	CLEANUP(snapshot_unref_p) struct snapshot *snapshot = store_snapshot(s->store);
	allocator_load(s->allocator, snapshot);
	return RC_OK;
}

/* Endpoints must not be loopback addresses, so a machine without any other has none of the
 * kubernetes Service. */
static const char *own_address(struct server *s)
{
	struct ipaddr addr;
	if (!host_address(&addr))
		return "127.0.0.1";
	ipaddr_format(addr, s->own_address);
	return s->own_address;
}

static enum rc open_audit(struct server *s, struct err *err)
{
	const struct audit_options *o = &s->config.audit;
	if (!o->log_path && !o->webhook_url.len)
		return RC_OK;
	return audit_new(o, &s->audit, err);
}

enum rc server_new(struct loop *loop, const struct server_config *config,
		   struct server **ret_server, struct err *err)
{
	struct server *s = NEW(struct server);
	s->loop = loop;
	s->config = *config;
	if (!config->advertise)
		s->config.advertise = own_address(s);
	if (!config->request_timeout_ms)
		s->config.request_timeout_ms = REQUEST_TIMEOUT_MS;
	if (!config->min_request_timeout_s)
		s->config.min_request_timeout_s = WATCH_MIN_S;
	if (!config->signing_life_s)
		s->config.signing_life_s = SIGNING_LIFE_S;
	s->started_ms = world_mono_ms();
	history_init(&s->history);
	enum rc rc = allocator_new(config->service_cidr, &s->allocator, err);
	if (rc == RC_OK)
		rc = open_store(s, err); /* first: it sees to it that the folder is ours alone */
	if (rc == RC_OK)
		rc = open_keys(s, err);
	if (rc == RC_OK)
		rc = open_audit(s, err);
	if (rc != RC_OK) {
		server_free(s);
		return rc;
	}
	s->authorizer = authorizer_new(s->store);
	s->fairness = fairness_new(s->store, FAIRNESS_SEATS);
	s->metrics = request_metrics_new();
	memory_return_start(&s->memory, loop);
	s->local = local_client_new(s, loop, NULL);
	*ret_server = s;
	return RC_OK;
}

static int thread_count(const struct server_config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int wanted = c->io_threads ? c->io_threads : (int)MIN(cores, (long)IO_THREADS_MAX);
	return MAX(1, wanted);
}

static void bootstrapped(struct server *s, const struct err *err)
{
	if (err) {
		s->config.on_fatal(s->config.ctx, err);
		return;
	}
	s->is_ready = true;
	if (s->config.on_ready)
		s->config.on_ready(s->config.ctx);
}

/* ---- certificates near their end ---- */

static void renewal_due(struct loop_timer *timer)
{
	server_renew(CONTAINER_OF(timer, struct server, renewal));
}

/* Not asleep for longer than RENEWAL_LOOK_MS, for clocks are set and machines suspended. */
static void wait_for_renewal(struct server *s, int64_t least_ms)
{
	int64_t wait_ms = (keys_renewal_us(s->keys) - world_wall_us()) / 1000;
	wait_ms = MAX(least_ms, MIN(wait_ms, (int64_t)RENEWAL_LOOK_MS));
	loop_timer_start(s->loop, &s->renewal, wait_ms, renewal_due);
}

static enum rc renew(struct server *s, struct err *err)
{
	struct io_identity *identity;
	TRY(keys_renew(s->keys, err));
	for (int i = 0; i < s->io_count; i++) {
		TRY(io_identity_new(s, &identity, err));
		io_thread_set_identity(&s->io[i], identity);
	}
	if (s->config.on_renewed)
		s->config.on_renewed(s->config.ctx);
	return RC_OK;
}

void server_renew(struct server *s)
{
	struct err err;
	if (renew(s, &err) == RC_OK) {
		log_info("server", "certificates are read; those that were due are new");
		wait_for_renewal(s, RENEWAL_LEAST_MS);
		return;
	}
	log_error("server", "certificates cannot be renewed: %s", err.text);
	wait_for_renewal(s, RENEWAL_RETRY_MS);
}

enum rc server_start(struct server *s, struct err *err)
{
	s->io_count = thread_count(&s->config);
	s->io = mem_alloc((size_t)s->io_count * sizeof(*s->io));
	s->signer = signer_new(s);
	s->account_secrets = account_secrets_new(s); /* requests tell it of tokens */
	for (int i = 0; i < s->io_count; i++)
		TRY(io_thread_start(&s->io[i], s, i ? &s->io[0] : NULL, err));
	oidc_start(s->oidc);
	wait_for_renewal(s, RENEWAL_LEAST_MS);
	bootstrap_start(s, bootstrapped);
	return RC_OK;
}

uint16_t server_port(const struct server *s)
{
	return s->io_count && s->io[0].http ? http_server_port(s->io[0].http) : s->config.port;
}

void server_stop(struct server *s, uint32_t grace_ms)
{
	loop_timer_stop(&s->renewal);
	oidc_stop(s->oidc);
	for (int i = 0; i < s->io_count; i++)
		io_thread_stop(&s->io[i], grace_ms);
	for (int i = 0; i < s->io_count; i++)
		io_thread_join(&s->io[i]);
}

void server_free(struct server *s)
{
	if (!s)
		return;
	account_secrets_free(s->account_secrets);
	signer_free(s->signer);
	if (s->local)
		local_client_drain_here(s->local);
	bootstrap_free(s->bootstrap);
	local_client_free(s->local);
	authorizer_free(s->authorizer);
	fairness_free(s->fairness);
	audit_free(s->audit);
	request_metrics_free(s->metrics);
	oidc_free(s->oidc);
	authentication_config_free(s->authentication);
	token_cache_free(s->tokens);
	request_headers_free(s->request_headers);
	history_done(&s->history);
	if (s->store)
		store_close(s->store);
	allocator_free(s->allocator);
	tls_unref(s->proxy_tls);
	memory_return_stop(&s->memory);
	keys_free(s->keys);
	free(s->io);
	free(s);
}
