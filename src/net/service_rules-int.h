/* What service_rules.c (desired state) and service_batch.c (batches) share. */
#ifndef SKEG_NET_SERVICE_RULES_INT_H
#define SKEG_NET_SERVICE_RULES_INT_H

#include "net/service_rules.h"

struct service_rules_work {
	struct arena *arena;
	const struct service_rules_config *config;
	struct packet_rule *items;
	size_t count, cap;
};

/* By kind, container, key. */
int service_rule_cmp(const struct packet_rule *a, const struct packet_rule *b);

#endif
