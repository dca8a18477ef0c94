/* pipeline: the stages that a request passes, in order, each on the thread that it names.
 *
 *   route → authenticate → audit → impersonate → fairness → authorize → documents → negotiate
 *   → read | connect | decode → audit-body → write (core: current, patch, default, prepare, admit,
 * validate, commit) → encode
 *
 * This is the one place where each check is made. */
#ifndef SKEG_SERVER_PIPELINE_H
#define SKEG_SERVER_PIPELINE_H

#include "server/request.h"

struct stage {
	const char *name;
	bool is_on_core;
	enum step (*run)(struct request *r);
};

extern const struct stage stages[];
extern const size_t stage_count;
size_t stage_index(const char *name);

enum step stage_route(struct request *r);
enum step stage_authorize(struct request *r);
enum step stage_negotiate(struct request *r);
enum step stage_documents(
	struct request *r); /* everything that is no resource: discovery, health, version */
enum step stage_read(struct request *r);    /* get, list, watch */
enum step stage_connect(struct request *r); /* log, exec, attach, port-forward, proxy */
enum step stage_decode(struct request *r);
enum step stage_write(struct request *r);

enum step proxy_connect(struct request *r);
void proxy_gone(struct request *r); /* of a request that is proxied */
/* Of the agent on a node; both are not touched unless they are known. */
enum step connect_find_node(struct request *r, struct str node_name, struct str *ret_address,
			    uint16_t *ret_port);
/* An address of somebody else: neither this machine's own nor one that means many
 * (CVE-2020-8562). */
bool connect_is_fit(struct str address);
/* STEP_NEXT when the parameters of pods/log are fine. */
enum step log_options_check(struct request *r);

/* The client of a stream to a node went away. */
void connect_gone(struct request *r);

/* A reply has been made, or a stream or connection has begun: seats are given back, audit log and
 * metrics are told.  Once a request, before its exchange ends. */
void request_replied(struct request *r);
/* Sends the reply over the exchange. */
void reply_send(struct request *r);

#endif
