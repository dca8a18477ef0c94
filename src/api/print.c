#include "api/print-int.h"

#include <stdlib.h>

#include "api/object.h"
#include "api/quantity.h"
#include "base/timefmt.h"
#include "codec/json.h"

static print_cells *const printers[KIND_COUNT] = {
	[KIND_POD] = print_pod,
	[KIND_NODE] = print_node,
	[KIND_SERVICE] = print_service,
	[KIND_NAMESPACE] = print_namespace,
	[KIND_CONFIG_MAP] = print_config_map,
	[KIND_SECRET] = print_secret,
	[KIND_SERVICE_ACCOUNT] = print_service_account,
	[KIND_ENDPOINTS] = print_endpoints,
	[KIND_EVENT] = print_event,
	[KIND_PERSISTENT_VOLUME_CLAIM] = print_claim,
	[KIND_PERSISTENT_VOLUME] = print_volume,
	[KIND_POD_TEMPLATE] = print_pod_template,
	[KIND_REPLICATION_CONTROLLER] = print_controller,
	[KIND_RESOURCE_QUOTA] = print_quota,
	[KIND_DEPLOYMENT] = print_deployment,
	[KIND_REPLICA_SET] = print_replica_set,
	[KIND_STATEFUL_SET] = print_stateful_set,
	[KIND_DAEMON_SET] = print_daemon_set,
	[KIND_JOB] = print_job,
	[KIND_CRON_JOB] = print_cron_job,
	[KIND_CONTROLLER_REVISION] = print_revision,
	[KIND_HORIZONTAL_POD_AUTOSCALER] = print_autoscaler,
	[KIND_POD_DISRUPTION_BUDGET] = print_budget,
	[KIND_ENDPOINT_SLICE] = print_endpoint_slice,
	[KIND_INGRESS] = print_ingress,
	[KIND_INGRESS_CLASS] = print_ingress_class,
	[KIND_NETWORK_POLICY] = print_network_policy,
	[KIND_IP_ADDRESS] = print_ip_address,
	[KIND_SERVICE_CIDR] = print_service_cidr,
	[KIND_FLOW_SCHEMA] = print_flow_schema,
	[KIND_PRIORITY_LEVEL_CONFIGURATION] = print_priority_level,
	[KIND_LEASE] = print_lease,
	[KIND_MUTATING_WEBHOOK_CONFIGURATION] = print_mutating,
	[KIND_VALIDATING_WEBHOOK_CONFIGURATION] = print_validating,
	[KIND_VALIDATING_ADMISSION_POLICY] = print_policy,
	[KIND_VALIDATING_ADMISSION_POLICY_BINDING] = print_policy_binding,
	[KIND_API_SERVICE] = print_api_service,
	[KIND_CERTIFICATE_SIGNING_REQUEST] = print_csr,
	[KIND_RUNTIME_CLASS] = print_runtime_class,
	[KIND_ROLE_BINDING] = print_role_binding,
	[KIND_CLUSTER_ROLE_BINDING] = print_cluster_role_binding,
	[KIND_DEVICE_CLASS] = print_device_class,
	[KIND_RESOURCE_CLAIM] = print_resource_claim,
	[KIND_RESOURCE_CLAIM_TEMPLATE] = print_claim_template,
	[KIND_RESOURCE_SLICE] = print_resource_slice,
	[KIND_PRIORITY_CLASS] = print_priority_class,
	[KIND_CSI_DRIVER] = print_csi_driver,
	[KIND_CSI_NODE] = print_csi_node,
	[KIND_STORAGE_CLASS] = print_storage_class,
	[KIND_VOLUME_ATTACHMENT] = print_attachment,
	[KIND_VOLUME_ATTRIBUTES_CLASS] = print_attributes_class,
};

/* ---- cells ---- */

static void next_cell(struct cells *c)
{
	if (c->has_any)
		buf_add_char(c->out, ',');
	c->has_any = true;
}

void cell(struct cells *c, struct str text)
{
	next_cell(c);
	json_write_string(c->out, text);
}

void cell_cstr(struct cells *c, const char *text)
{
	cell(c, str_of(text));
}

void cell_printf(struct cells *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	cell(c, arena_vprintf(c->arena, fmt, ap));
	va_end(ap);
}

void cell_int(struct cells *c, int64_t value)
{
	next_cell(c);
	buf_add_i64(c->out, value);
}

void cell_bool(struct cells *c, bool value)
{
	next_cell(c);
	buf_add_cstr(c->out, value ? "true" : "false");
}

int64_t cells_now(struct cells *c)
{
	c->is_timed = true;
	return c->now_us;
}

struct str age_text(struct cells *c, int64_t time_us)
{
	return time_us ? duration_text(c, cells_now(c) - time_us) : STR("<unknown>");
}

struct str duration_text(struct cells *c, int64_t duration_us)
{
	char text[TIME_TEXT_MAX];
	size_t len = time_format_age(duration_us, text);
	return arena_str(c->arena, str_n(text, len));
}

static void add_age(struct buf *out, int64_t age_us)
{
	char text[TIME_TEXT_MAX];
	size_t len = time_format_age(age_us, text);
	json_write_string(out, str_n(text, len));
}

void cell_age(struct cells *c, int64_t time_us)
{
	if (!time_us || c->age_count == ROW_AGES_MAX) {
		cell(c, age_text(c, time_us));
		return;
	}
	next_cell(c);
	size_t at = c->out->len;
	add_age(c->out, c->now_us - time_us);
	c->ages[c->age_count++] = (struct row_age){at, c->out->len - at, time_us};
}

void cell_or(struct cells *c, struct str text, const char *if_empty)
{
	cell(c, or_text(text, if_empty));
}

void cell_time(struct cells *c, int64_t time_us)
{
	char text[TIME_TEXT_MAX];
	size_t len = time_format(time_us, text);
	cell(c, str_n(text, len));
}

void cell_quantity(struct cells *c, struct str text, const char *if_absent)
{
	struct quantity q;
	char canonical[QUANTITY_TEXT_MAX];
	if (!text.at || quantity_parse(text, &q, NULL) != RC_OK) {
		cell_cstr(c, if_absent);
		return;
	}
	size_t len = quantity_format(q, canonical);
	cell(c, str_n(canonical, len));
}

/* ---- texts ---- */

void texts_add(struct cells *c, struct texts *t, struct str text)
{
	if (t->count == t->cap)
		t->at = arena_grow(c->arena, t->at, t->count, &t->cap, sizeof(*t->at));
	t->at[t->count++] = text;
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

struct str texts_joined(struct cells *c, const struct texts *t, const char *separator)
{
	CLEANUP_BUF text = BUF_INIT(OBJECT_MAX_BYTES);
	for (size_t i = 0; i < t->count; i++) {
		buf_add_cstr(&text, i ? separator : "");
		buf_add_str(&text, t->at[i]);
	}
	return arena_str(c->arena, buf_str(&text));
}

struct str texts_sorted(struct cells *c, struct texts *t, const char *separator)
{
	if (t->count > 1)
		qsort(t->at, t->count, sizeof(*t->at), by_text);
	return texts_joined(c, t, separator);
}

struct str texts_first(struct cells *c, const struct texts *t, size_t max)
{
	struct texts first = *t;
	first.count = MIN(t->count, max);
	struct str text = texts_joined(c, &first, ",");
	if (t->count <= max)
		return text;
	return arena_printf(c->arena, "%.*s + %zu more...", STR_FMT(text), t->count - max);
}

struct str labels_text(struct cells *c, const struct str_map *labels)
{
	struct texts t = {};
	for (uint32_t i = 0; i < labels->count; i++)
		texts_add(c, &t,
			  arena_printf(c->arena, "%.*s=%.*s", STR_FMT(labels->at[i].key),
				       STR_FMT(labels->at[i].value)));
	return or_text(texts_sorted(c, &t, ","), "<none>");
}

static struct str requirement_text(struct cells *c, const struct label_selector_requirement *r)
{
	struct texts values = {};
	for (uint32_t i = 0; i < r->values.count; i++)
		texts_add(c, &values, r->values.at[i]);
	if (str_is(r->operator, "Exists"))
		return r->key;
	if (str_is(r->operator, "DoesNotExist"))
		return arena_printf(c->arena, "!%.*s", STR_FMT(r->key));
	return arena_printf(c->arena, "%.*s %s (%.*s)", STR_FMT(r->key),
			    str_is(r->operator, "In") ? "in" : "notin",
			    STR_FMT(texts_sorted(c, &values, ",")));
}

struct keyed {
	struct str key, text;
};

static int by_key(const void *a, const void *b)
{
	return str_cmp(((const struct keyed *)a)->key, ((const struct keyed *)b)->key);
}

struct str selector_text(struct cells *c, const struct label_selector *selector)
{
	if (!selector)
		return STR("<none>");
	size_t count = selector->match_labels.count + selector->match_expressions.count, n = 0;
	struct keyed *parts = ARENA_ARRAY(c->arena, struct keyed, count + 1);
	struct texts t = {};
	for (uint32_t i = 0; i < selector->match_labels.count; i++) {
		struct str_pair pair = selector->match_labels.at[i];
		parts[n++] = (struct keyed){pair.key,
					    arena_printf(c->arena, "%.*s=%.*s", STR_FMT(pair.key),
							 STR_FMT(pair.value))};
	}
	for (uint32_t i = 0; i < selector->match_expressions.count; i++) {
		const struct label_selector_requirement *r = &selector->match_expressions.at[i];
		parts[n++] = (struct keyed){r->key, requirement_text(c, r)};
	}
	qsort(parts, count, sizeof(*parts), by_key);
	for (size_t i = 0; i < count; i++)
		texts_add(c, &t, parts[i].text);
	return or_text(texts_joined(c, &t, ","), "<none>");
}

struct str list_text(struct cells *c, const struct str_array *list, const char *separator)
{
	struct texts t = {};
	for (uint32_t i = 0; i < list->count; i++)
		texts_add(c, &t, list->at[i]);
	return texts_joined(c, &t, separator);
}

struct str lower_text(struct cells *c, struct str text)
{
	char *out = arena_cstr(c->arena, text);
	for (size_t i = 0; i < text.len; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] - 'A' + 'a');
	return str_n(out, text.len);
}

void cell_containers(struct cells *c, const struct pod_spec *spec)
{
	struct texts names = {}, images = {};
	for (uint32_t i = 0; i < spec->containers.count; i++) {
		texts_add(c, &names, spec->containers.at[i].name);
		texts_add(c, &images, spec->containers.at[i].image);
	}
	cell(c, texts_joined(c, &names, ","));
	cell(c, texts_joined(c, &images, ","));
}

/* Every view begins as Go's structs do: kind, apiVersion, metadata. */
struct any_object {
	struct str kind, api_version;
	struct object_meta metadata;
};

static void print_any(struct cells *c, const void *view)
{
	const struct any_object *o = view;
	cell(c, o->metadata.name);
	cell_time(c, o->metadata.creation_timestamp);
}

static void print_view(struct cells *c, const struct api_kind *kind, const void *view)
{
	print_cells *print = kind->stored_id < KIND_COUNT ? printers[kind->stored_id] : NULL;
	buf_add_char(c->out, '[');
	(print ? print : print_any)(c, view);
	buf_add_char(c->out, ']');
}

void api_print_cells(struct buf *out, const struct api_kind *kind, const void *view, int64_t now_us)
{
	CLEANUP_ARENA arena = {};
	struct cells c = {.out = out, .arena = &arena, .now_us = now_us};
	print_view(&c, kind, view);
}

bool api_print_conditions(struct buf *out, const struct api_kind *kind, const void *view)
{
	static const char form[] = "[{\"type\":\"Completed\",\"status\":\"True\",\"reason\":\"%s\","
				   "\"message\":\"%s\"}]";
	if (kind->stored_id != KIND_POD)
		return false;
	struct str phase = ((const struct pod *)view)->status.phase;
	if (str_is(phase, "Succeeded"))
		buf_printf(out, form, "Succeeded", "The pod has completed successfully.");
	else if (str_is(phase, "Failed"))
		buf_printf(out, form, "Failed", "The pod failed.");
	else
		return false;
	return true;
}

/* ---- rows that are kept ---- */

struct row {
	uint32_t len;
	uint32_t age_count;
	struct {
		uint32_t at; /* in text */
		int64_t time_us;
	} ages[ROW_AGES_MAX];
	char text[]; /* without the ages */
};

static void row_print(struct cells *c, const struct api_kind *kind, const void *view)
{
	buf_add_cstr(c->out, "\"cells\":");
	print_view(c, kind, view);
	size_t cells_end = c->out->len;
	buf_add_cstr(c->out, ",\"conditions\":");
	if (!api_print_conditions(c->out, kind, view))
		buf_cut(c->out, cells_end);
}

/* What was printed to the end of c's text, without its ages. */
static struct row *row_new(const struct cells *c, size_t from)
{
	const struct buf *out = c->out;
	struct row *row = mem_resize(NULL, sizeof(*row) + out->len - from);
	*row = (struct row){.age_count = c->age_count};
	for (uint32_t i = 0; i < c->age_count; i++) {
		const struct row_age *age = &c->ages[i];
		memcpy(row->text + row->len, out->data + from, age->at - from);
		row->len += (uint32_t)(age->at - from);
		row->ages[i].at = row->len;
		row->ages[i].time_us = age->time_us;
		from = age->at + age->len;
	}
	memcpy(row->text + row->len, out->data + from, out->len - from);
	row->len += (uint32_t)(out->len - from);
	return row;
}

static void row_add(struct buf *out, const struct row *row, int64_t now_us)
{
	uint32_t done = 0;
	for (uint32_t i = 0; i < row->age_count; i++) {
		buf_add(out, row->text + done, row->ages[i].at - done);
		done = row->ages[i].at;
		add_age(out, now_us - row->ages[i].time_us);
	}
	buf_add(out, row->text + done, row->len - done);
}

void api_print_row(struct buf *out, const struct api_kind *kind, const struct object *o,
		   int64_t now_us)
{
	_Atomic(void *) *slot = &((struct object *)o)->row; /* a cache, not state */
	void *row = atomic_load_explicit(slot, memory_order_acquire);
	if (row) {
		row_add(out, row, now_us);
		return;
	}
	CLEANUP_ARENA arena = {};
	struct cells c = {.out = out, .arena = &arena, .now_us = now_us};
	size_t from = out->len;
	row_print(&c, kind, object_view(o));
	if (c.is_timed || out->is_full)
		return;
	struct row *mine = row_new(&c, from);
	if (!atomic_compare_exchange_strong(slot, &row, mine))
		free(mine); /* another thread was faster */
}
