/* print-int: writing of cells, shared by print_*.c. */
#ifndef SKEG_API_PRINT_INT_H
#define SKEG_API_PRINT_INT_H

#include "api/api_ids.h"
#include "api/print.h"
#include "api/views.h"
#include "base/arena.h"

#define ROW_AGES_MAX 4

struct row_age {
	size_t at, len; /* its place in out */
	int64_t time_us;
};

struct cells {
	struct buf *out;
	struct arena *arena;
	int64_t now_us;
	bool has_any;
	bool is_timed; /* now_us has gone into the text, but for the ages noted here */
	uint32_t age_count;
	struct row_age ages[ROW_AGES_MAX];
};

typedef void print_cells(struct cells *c, const void *view);

void cell(struct cells *c, struct str text);
void cell_cstr(struct cells *c, const char *text);
[[gnu::format(printf, 2, 3)]] void cell_printf(struct cells *c, const char *fmt, ...);
void cell_int(struct cells *c, int64_t value);
void cell_bool(struct cells *c, bool value);
/* "<unknown>" for no time */
void cell_age(struct cells *c, int64_t time_us);
void cell_or(struct cells *c, struct str text, const char *if_empty);
void cell_time(struct cells *c, int64_t time_us); /* RFC 3339 */
void cell_quantity(struct cells *c, struct str text, const char *if_absent);

struct str age_text(struct cells *c, int64_t time_us);
struct str duration_text(struct cells *c, int64_t duration_us);
int64_t cells_now(struct cells *c);
/* "a=b,c=d" by key, "<none>" for an empty one */
struct str labels_text(struct cells *c, const struct str_map *labels);
struct str selector_text(struct cells *c, const struct label_selector *selector);
struct str list_text(struct cells *c, const struct str_array *list, const char *separator);
struct str lower_text(struct cells *c, struct str text);
void cell_containers(struct cells *c, const struct pod_spec *spec); /* names, images */

static inline struct str or_text(struct str text, const char *if_empty)
{
	return text.len > 0 ? text : str_of(if_empty);
}

/* Sorted texts joined, of a list that grows. */
struct texts {
	struct str *at;
	size_t count, cap;
};
void texts_add(struct cells *c, struct texts *t, struct str text);
struct str texts_sorted(struct cells *c, struct texts *t, const char *separator);
struct str texts_joined(struct cells *c, const struct texts *t, const char *separator);
/* the first three, then " + 2 more..." */
struct str texts_first(struct cells *c, const struct texts *t, size_t max);

print_cells print_pod, print_node, print_service, print_namespace, print_config_map, print_secret,
	print_service_account, print_endpoints, print_event, print_claim, print_volume,
	print_pod_template, print_controller, print_quota;
print_cells print_deployment, print_replica_set, print_stateful_set, print_daemon_set, print_job,
	print_cron_job, print_revision, print_autoscaler, print_budget;
print_cells print_endpoint_slice, print_ingress, print_ingress_class, print_network_policy,
	print_ip_address, print_service_cidr, print_flow_schema, print_priority_level, print_lease;
print_cells print_mutating, print_validating, print_policy, print_policy_binding, print_api_service,
	print_csr, print_runtime_class, print_role_binding, print_cluster_role_binding,
	print_device_class, print_resource_claim, print_claim_template, print_resource_slice,
	print_priority_class, print_csi_driver, print_csi_node, print_storage_class,
	print_attachment, print_attributes_class;

#endif
