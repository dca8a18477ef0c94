/* The status of a ResourceClaim: who uses it, what was allocated, what drivers say of it. */
#include "api/validate-int.h"
#include "base/ipaddr.h"

#define CONSUMERS_MAX	   256
#define RESULTS_MAX	   32
#define CONFIGS_MAX	   64 /* of the class and of the claim */
#define CONDITIONS_MAX	   8
#define ADDRESSES_MAX	   16
#define INTERFACE_NAME_MAX 256
#define HARDWARE_MAX	   128

/* ---- consumers ---- */

static bool has_consumer(const struct json *list, const struct json *consumer)
{
	FOR_ITEMS(i, item, list)
	{
		if (value_equal(item, consumer))
			return true;
	}
	return false;
}

static void check_consumers(struct check *v, const struct path *at, const struct json *list)
{
	static const char *const needed[] = {"resource", "name", "uid"};
	if (!check_count(v, at, list, CONSUMERS_MAX))
		return;
	FOR_ITEMS(i, consumer, list)
	{
		for (size_t k = 0; k < ARRAY_LEN(needed); k++)
			check_required(v, MEMBER(ITEM(at, i), needed[k]),
				       json_str(json_get(consumer, str_of(needed[k]))));
	}
	FOR_ITEMS(m, consumer, list)
	{
		if (is_text_repeated(v, list, m, "uid"))
			duplicate(v, ITEM(at, m), TEXT(consumer, "uid"));
	}
}

/* Only an allocated claim is used, and one that goes gets no new consumer. */
static void check_reservation(struct check *v, const struct json *old, const struct json *tree)
{
	const struct path *at = MEMBER(ROOT("status"), "reservedFor");
	const struct json *list = GET(GET(tree, "status"), "reservedFor");
	const struct json *had = GET(GET(old, "status"), "reservedFor");
	bool is_going = GET(GET(tree, "metadata"), "deletionTimestamp") != NULL;
	if (json_count(list) > 0 && !GET(GET(tree, "status"), "allocation")) {
		forbidden(v, at, "may not be specified when `allocated` is not set");
		return;
	}
	FOR_ITEMS(i, consumer, list)
	{
		if (!is_going || has_consumer(had, consumer))
			continue;
		forbidden(v, at,
			  "new entries may not be added while `deallocationRequested` or "
			  "`deletionTimestamp` are set");
		return;
	}
}

/* ---- devices ---- */

static bool is_same_device(const struct json *a, const struct json *b)
{
	return value_equal(GET(a, "driver"), GET(b, "driver")) &&
	       value_equal(GET(a, "pool"), GET(b, "pool")) &&
	       value_equal(GET(a, "device"), GET(b, "device"));
}

static size_t count_same(const struct json *list, size_t count, const struct json *device)
{
	size_t same = 0;
	for (size_t i = 0; i < count; i++)
		same += is_same_device(json_at(list, i), device);
	return same;
}

/* as upstream shows the key of one; shares of a device are not told apart yet */
static struct json *device_key(struct check *v, const struct json *device)
{
	struct json *key = json_object(v->arena);
	json_set_str(v->arena, key, STR("Driver"), TEXT(device, "driver"));
	json_set_str(v->arena, key, STR("Pool"), TEXT(device, "pool"));
	json_set_str(v->arena, key, STR("Device"), TEXT(device, "device"));
	json_set_str(v->arena, key, STR("ShareID"), STR(""));
	return key;
}

static void check_identity(struct check *v, const struct path *at, const struct json *device)
{
	check_driver_name(v, MEMBER(at, "driver"), TEXT(device, "driver"));
	check_pool_name(v, MEMBER(at, "pool"), TEXT(device, "pool"));
	check_name(v, MEMBER(at, "device"), NAME_DNS_LABEL, TEXT(device, "device"));
}

static void check_interface_address(struct check *v, const struct path *at, struct str text)
{
	struct ipnet net;
	char canonical[IPNET_TEXT_MAX];
	if (!ipnet_parse(text, &net)) {
		bad_text(v, at, text,
			 "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or "
			 "2001:db8::1/64)");
		return;
	}
	ipnet_format(net, canonical);
	if (!str_is(text, canonical))
		bad_text(v, at, text, "must be in canonical form (\"%s\")", canonical);
}

static void check_network_data(struct check *v, const struct path *at, const struct json *data)
{
	const struct json *ips = GET(data, "ips");
	const struct path *ips_at = MEMBER(at, "ips");
	if (TEXT(data, "interfaceName").len > INTERFACE_NAME_MAX)
		too_long(v, MEMBER(at, "interfaceName"), INTERFACE_NAME_MAX);
	if (TEXT(data, "hardwareAddress").len > HARDWARE_MAX)
		too_long(v, MEMBER(at, "hardwareAddress"), HARDWARE_MAX);
	if (!check_count(v, ips_at, ips, ADDRESSES_MAX))
		return;
	FOR_ITEMS(i, ip, ips)
	{
		check_interface_address(v, ITEM(ips_at, i), json_str(ip));
	}
	check_no_duplicates(v, ips_at, ips);
}

static void check_device_status(struct check *v, const struct path *at, const struct json *device,
				const struct json *results)
{
	const struct json *conditions = GET(device, "conditions");
	check_identity(v, at, device);
	if (count_same(results, json_count(results), device) == 0)
		bad(v, at, device_key(v, device), "must be an allocated device in the claim");
	if (json_count(conditions) > CONDITIONS_MAX)
		too_many(v, MEMBER(at, "conditions"), json_count(conditions), CONDITIONS_MAX);
	check_conditions(v, MEMBER(at, "conditions"), conditions);
	if (GET(device, "data"))
		check_raw_object(v, MEMBER(at, "data"), GET(device, "data"));
	check_network_data(v, MEMBER(at, "networkData"), GET(device, "networkData"));
}

/* ---- allocation ---- */

static void check_allocation(struct check *v, const struct path *at, const struct json *allocation,
			     const struct json *requests)
{
	const struct json *devices = GET(allocation, "devices");
	const struct json *results = GET(devices, "results"), *configs = GET(devices, "config");
	const struct path *results_at = MEMBER(MEMBER(at, "devices"), "results");
	const struct path *configs_at = MEMBER(MEMBER(at, "devices"), "config");
	if (!check_count(v, results_at, results, RESULTS_MAX))
		results = NULL;
	FOR_ITEMS(i, result, results)
	{
		check_request_name(v, MEMBER(ITEM(results_at, i), "request"),
				   TEXT(result, "request"), requests);
		check_identity(v, ITEM(results_at, i), result);
	}
	if (!check_count(v, configs_at, configs, CONFIGS_MAX))
		configs = NULL;
	FOR_ITEMS(k, config, configs)
	{
		check_allocated_config(v, ITEM(configs_at, k), config, requests);
	}
	if (GET(allocation, "nodeSelector"))
		check_node_selector(v, MEMBER(at, "nodeSelector"), GET(allocation, "nodeSelector"));
}

void device_claim_part_rules(struct check *v, const struct json *old, const struct json *tree,
			     const char *subresource)
{
	const struct json *status = GET(tree, "status"), *devices = GET(status, "devices");
	const struct json *allocation = GET(status, "allocation");
	const struct json *had = GET(GET(old, "status"), "allocation");
	const struct json *results = GET(GET(allocation, "devices"), "results");
	const struct path *at = ROOT("status"), *devices_at = MEMBER(at, "devices");
	check_consumers(v, MEMBER(at, "reservedFor"), GET(status, "reservedFor"));
	FOR_ITEMS(i, device, devices)
	{
		check_device_status(v, ITEM(devices_at, i), device, results);
	}
	FOR_ITEMS(k, device, devices)
	{
		if (count_same(devices, k, device) > 0)
			duplicate_value(v, ITEM(devices_at, k), device_key(v, device));
	}
	check_reservation(v, old, tree);
	if (allocation && had && !value_equal(allocation, had))
		bad(v, MEMBER(at, "allocation"), go_struct(v, "AllocationResult", allocation),
		    "field is immutable");
	else if (allocation && !had)
		check_allocation(v, MEMBER(at, "allocation"), allocation,
				 GET(GET(GET(tree, "spec"), "devices"), "requests"));
}
