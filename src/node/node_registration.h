/* node_registration: keeps the Node object and its lease in the API: creates or adopts the Node,
 * posts its status when something changed and every five minutes, renews the lease every 10 s.
 * Owns: its timers.  Threads: the agent's loop.  Errors: logged, tried again after 1 … 7 s. */
#ifndef SKEG_NODE_NODE_REGISTRATION_H
#define SKEG_NODE_NODE_REGISTRATION_H

struct node_agent;
struct node_registration;
struct object;

[[nodiscard]] struct node_registration *node_registration_new(struct node_agent *agent);
void node_registration_free(struct node_registration *r);
/* The Node has changed in the API (NULL: it is gone), or what its status rests on has. */
void node_registration_wake(struct node_registration *r);
void node_registration_saw(struct node_registration *r, struct object *node);

#endif
