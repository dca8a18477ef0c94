#include "node/simulated.h"

#include "base/log.h"
#include "node/agent.h"
#include "node/runtime_fake.h"

#define NAME_BYTES 16

static const struct node_capacity simulated_capacity = {
	.cpu_milli = 32000,
	.memory_bytes = INT64_C(256) << 30,
	.storage_bytes = INT64_C(512) << 30,
	.pods = 110,
};

struct simulated_node {
	char name[NAME_BYTES];
	struct runtime *runtime;
	struct node_agent *agent;
};

struct simulated_nodes {
	struct arena arena;
	struct simulated_node *nodes;
	size_t count;
};

/* Addresses as if each node had a machine of its own: 172.30.0.0/15, pods in 10.128.0.0/9. */
static void set_addresses(struct node_agent_config *config, size_t index)
{
	struct ipnet machines = {ipaddr_v4(172, 30, 0, 0), 15};
	struct ipnet pods = {ipaddr_v4(10, 128, 0, 0), 9};
	(void)ipnet_nth(machines, 2 + index, &config->address);
	(void)ipnet_nth_subnet(pods, 24, index, &config->pod_cidr);
}

static void node_start(struct simulated_node *node, struct client *client, size_t index,
		       const struct str *labels, size_t label_count)
{
	struct node_agent_config config = {
		.node_name = node->name,
		.labels = labels,
		.label_count = label_count,
		.client = client,
		.capacity = simulated_capacity,
		.is_simulated = true,
	};
	struct err err;
	snprintf(node->name, sizeof(node->name), "n%zu", index + 1);
	set_addresses(&config, index);
	node->runtime = runtime_fake_new(client->loop, 0, NULL);
	config.runtime = node->runtime;
	if (node_agent_new(&config, &node->agent, &err) != RC_OK)
		log_error("node", "node '%s' cannot be simulated: %s", node->name, err.text);
}

struct simulated_nodes *simulated_nodes_new(struct client *client, size_t count,
					    const char *const *labels, size_t label_count)
{
	struct simulated_nodes *s = NEW(struct simulated_nodes);
	struct str *copies = ARENA_ARRAY(&s->arena, struct str, label_count);
	for (size_t i = 0; i < label_count; i++)
		copies[i] = arena_str(&s->arena, str_of(labels[i]));
	s->nodes = mem_alloc(count * sizeof(*s->nodes));
	s->count = count;
	for (size_t i = 0; i < count; i++)
		node_start(&s->nodes[i], client, i, copies, label_count);
	return s;
}

void simulated_nodes_free(struct simulated_nodes *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		struct simulated_node *node = &s->nodes[i];
		if (node->runtime)
			node->runtime->ops->free(node->runtime);
		node_agent_free(node->agent);
	}
	free(s->nodes);
	arena_done(&s->arena);
	free(s);
}
