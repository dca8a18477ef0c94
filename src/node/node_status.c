#include "node/node_status.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/api_ids.h"
#include "api/quantity.h"
#include "io/file.h"
#include "node/agent-int.h"

#if defined(__aarch64__)
#define NODE_ARCH "arm64"
#else
#define NODE_ARCH "amd64"
#endif

#define FACT_MAX_BYTES (64u << 10)

/* ---- facts ---- */

static struct str fact(struct arena *a, const char *path)
{
	struct str text;
	if (file_read(path, FACT_MAX_BYTES, a, &text, NULL) != RC_OK)
		return (struct str){};
	return str_trim(text);
}

/* The value of `key=value` or `key: value kB` in a file of lines. */
static struct str line_value(struct str text, struct str key)
{
	struct str line;
	while (text.len) {
		str_cut(text, '\n', &line, &text);
		if (!str_has_prefix(line, key))
			continue;
		struct str value = str_trim(str_skip(line, key.len));
		if (value.len >= 2 && value.at[0] == '"')
			value = str_n(value.at + 1, value.len - 2);
		return value;
	}
	return (struct str){};
}

static int64_t memory_bytes(struct arena *a)
{
	struct str value, unit;
	int64_t kib = 0;
	str_cut(line_value(fact(a, "/proc/meminfo"), STR("MemTotal:")), ' ', &value, &unit);
	return str_to_i64(value, &kib) ? kib * 1024 : 0;
}

static int64_t storage_bytes(const char *folder)
{
	struct statvfs fs;
	if (!folder || statvfs(folder, &fs) != 0)
		return 0;
	return (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
}

void node_facts_read(struct arena *a, const char *folder, struct node_facts *ret_facts)
{
	struct utsname name = {};
	uname(&name);
	*ret_facts = (struct node_facts){
		.machine_id = fact(a, "/etc/machine-id"),
		.system_uuid = fact(a, "/sys/class/dmi/id/product_uuid"),
		.boot_id = fact(a, "/proc/sys/kernel/random/boot_id"),
		.kernel_version = arena_str(a, str_of(name.release)),
		.os_image = line_value(fact(a, "/etc/os-release"), STR("PRETTY_NAME=")),
		.capacity =
			{
				.cpu_milli = sysconf(_SC_NPROCESSORS_ONLN) * 1000,
				.memory_bytes = memory_bytes(a),
				.storage_bytes = storage_bytes(folder),
				.pods = 110,
			},
	};
}

/* ---- labels ---- */

struct str_map node_labels_make(struct arena *a, const struct node_agent_config *config)
{
	const struct str_pair own[] = {
		{STR("beta.kubernetes.io/arch"), STR(NODE_ARCH)},
		{STR("beta.kubernetes.io/os"), STR("linux")},
		{STR("kubernetes.io/arch"), STR(NODE_ARCH)},
		{STR("kubernetes.io/hostname"), str_of(config->node_name)},
		{STR("kubernetes.io/os"), STR("linux")},
	};
	struct str_pair *pairs =
		ARENA_ARRAY(a, struct str_pair, ARRAY_LEN(own) + config->label_count);
	uint32_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		pairs[count++] = own[i];
	for (size_t i = 0; i < config->label_count; i++) {
		struct str_pair *p = &pairs[count++];
		if (!str_cut(config->labels[i], '=', &p->key, &p->value))
			p->value = STR("");
	}
	return (struct str_map){pairs, count};
}

/* ---- status ---- */

static struct str quantity_str(struct arena *a, struct quantity q)
{
	char text[QUANTITY_TEXT_MAX];
	return arena_str(a, str_n(text, quantity_format(q, text)));
}

static struct str_map capacity_map(struct arena *a, const struct node_capacity *c, bool is_usable)
{
	struct str_pair *pairs = ARENA_ARRAY(a, struct str_pair, 4);
	uint32_t count = 0;
	pairs[count++] = (struct str_pair){
		STR("cpu"), quantity_str(a, quantity_of_milli(c->cpu_milli, QUANTITY_DECIMAL))};
	if (c->storage_bytes) {
		/* A tenth stays free, as kubelet's eviction threshold nodefs.available has it. */
		int64_t bytes = is_usable ? c->storage_bytes / 10 * 9 : c->storage_bytes;
		pairs[count++] = (struct str_pair){
			STR("ephemeral-storage"),
			quantity_str(a, quantity_of(bytes / 1024 * 1024, QUANTITY_BINARY))};
	}
	pairs[count++] = (struct str_pair){
		STR("memory"), quantity_str(a, quantity_of(c->memory_bytes, QUANTITY_BINARY))};
	pairs[count++] = (struct str_pair){STR("pods"),
					   quantity_str(a, quantity_of(c->pods, QUANTITY_DECIMAL))};
	return (struct str_map){pairs, count};
}

static const struct node_condition *condition_find(const struct node *node, struct str type)
{
	for (uint32_t i = 0; node && i < node->status.conditions.count; i++)
		if (str_eq(node->status.conditions.at[i].type, type))
			return &node->status.conditions.at[i];
	return NULL;
}

static struct node_condition ready_condition(struct arena *a, const char *network_problem)
{
	struct node_condition c = {
		.type = STR("Ready"),
		.status = STR("True"),
		.reason = STR("KubeletReady"),
		.message = STR("kubelet is posting ready status"),
	};
	if (network_problem) {
		c.status = STR("False");
		c.reason = STR("KubeletNotReady");
		c.message = arena_printf(
			a,
			"container runtime network not ready: NetworkReady=false "
			"reason:NetworkPluginNotReady message:Network plugin returns error: %s",
			network_problem);
	}
	return c;
}

static void set_conditions(struct arena *a, const struct node_status_input *in,
			   struct node_status *status)
{
	const struct node_condition own[] = {
		{.type = STR("MemoryPressure"),
		 .status = STR("False"),
		 .reason = STR("KubeletHasSufficientMemory"),
		 .message = STR("kubelet has sufficient memory available")},
		{.type = STR("DiskPressure"),
		 .status = STR("False"),
		 .reason = STR("KubeletHasNoDiskPressure"),
		 .message = STR("kubelet has no disk pressure")},
		{.type = STR("PIDPressure"),
		 .status = STR("False"),
		 .reason = STR("KubeletHasSufficientPID"),
		 .message = STR("kubelet has sufficient PID available")},
		ready_condition(a, in->network_problem),
	};
	uint32_t known = in->current ? in->current->status.conditions.count : 0;
	struct node_condition *list = ARENA_ARRAY(a, struct node_condition, ARRAY_LEN(own) + known);
	uint32_t count = 0;
	for (uint32_t i = 0; i < known; i++) { /* those of others stay */
		const struct node_condition *c = &in->current->status.conditions.at[i];
		bool is_own = false;
		for (size_t k = 0; k < ARRAY_LEN(own); k++)
			is_own |= str_eq(c->type, own[k].type);
		if (!is_own)
			list[count++] = *c;
	}
	for (size_t k = 0; k < ARRAY_LEN(own); k++) {
		const struct node_condition *old = condition_find(in->current, own[k].type);
		struct node_condition *c = &list[count++];
		*c = own[k];
		bool is_same = old && str_eq(old->status, c->status);
		c->last_transition_time = is_same ? old->last_transition_time : in->now_us;
		c->last_heartbeat_time = old ? old->last_heartbeat_time : in->now_us;
	}
	status->conditions = (struct node_condition_array){list, count};
}

static void beat(struct arena *a, struct node_status *status, int64_t now_us)
{
	struct node_condition *list =
		arena_copy(a, status->conditions.at, status->conditions.count * sizeof(*list));
	for (uint32_t i = 0; i < status->conditions.count; i++)
		list[i].last_heartbeat_time = now_us;
	status->conditions.at = list;
}

static bool is_beat_due(struct arena *a, const struct node_status_input *in,
			const struct node_status *status)
{
	const struct node_condition *ready = condition_find(in->current, STR("Ready"));
	if (!ready || in->now_us - ready->last_heartbeat_time >= NODE_HEARTBEAT_US)
		return true;
	const struct api_type *type = api_type(api_builtin(), TYPE_CORE_V1_NODE_STATUS);
	return !json_equal(view_to_tree(a, type, &in->current->status),
			   view_to_tree(a, type, status));
}

static void set_addresses(struct arena *a, const struct node_agent_config *config,
			  struct node_status *status)
{
	struct node_address *list = ARENA_ARRAY(a, struct node_address, 2);
	char text[IPADDR_TEXT_MAX];
	uint32_t count = 0;
	size_t len = ipaddr_format(config->address, text);
	if (len)
		list[count++] =
			(struct node_address){STR("InternalIP"), arena_str(a, str_n(text, len))};
	list[count++] = (struct node_address){STR("Hostname"), str_of(config->node_name)};
	status->addresses = (struct node_address_array){list, count};
}

struct node_status *node_status_make(struct arena *a, const struct node_status_input *in)
{
	static const bool is_true = true;
	struct node_status *status = ARENA_NEW(a, struct node_status);
	struct node_features *features = ARENA_NEW(a, struct node_features);
	features->supplemental_groups_policy = &is_true;
	if (in->current)
		*status = in->current->status;
	status->capacity = capacity_map(a, &in->facts->capacity, false);
	status->allocatable = capacity_map(a, &in->facts->capacity, true);
	status->daemon_endpoints.kubelet_endpoint.port = in->config->port;
	status->node_info = (struct node_system_info){
		.machine_id = in->facts->machine_id,
		.system_uuid = in->facts->system_uuid,
		.boot_id = in->facts->boot_id,
		.kernel_version = in->facts->kernel_version,
		.os_image = in->facts->os_image,
		.container_runtime_version = str_of(in->runtime_version),
		.kubelet_version = STR(KUBELET_VERSION),
		.operating_system = STR("linux"),
		.architecture = STR(NODE_ARCH),
	};
	status->features = features;
	status->images = in->images;
	set_addresses(a, in->config, status);
	set_conditions(a, in, status);
	if (is_beat_due(a, in, status))
		beat(a, status, in->now_us);
	return status;
}
