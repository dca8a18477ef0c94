/* node_certificates: renews the certificates of a node while its agent runs.
 *
 * Looks when the first is due, and when asked to; the work is on the thread pool, so that nothing
 * waits for the control plane.  What cannot be renewed is tried again, from RENEWAL_FIRST_MS up to
 * RENEWAL_LAST_MS apart.  Owns: its timer and copies.  Threads: the loop's. */
#ifndef SKEG_CLI_NODE_CERTIFICATES_H
#define SKEG_CLI_NODE_CERTIFICATES_H

#include "cli/join.h"
#include "io/loop.h"

#define RENEWAL_FIRST_MS 1000
#define RENEWAL_LAST_MS	 (5 * 60 * 1000)

struct node_certificates;

/* options and what they point to stay; identity is the present one.  on_renewed gets certificates
 * that are new, good until it returns. */
struct node_certificates *node_certificates_new(
	struct loop *loop, const struct join_options *options, const struct node_identity *identity,
	void (*on_renewed)(void *ctx, const struct node_identity *id), void *ctx);
void node_certificates_look(struct node_certificates *c); /* now */

#endif
