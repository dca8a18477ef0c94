#include "node/downward.h"

#include "api/gotext.h"
#include "api/quantity.h"
#include "node/agent-int.h"

/* ---- fields ---- */

static int pair_cmp(const void *a, const void *b)
{
	return str_cmp(((const struct str_pair *)a)->key, ((const struct str_pair *)b)->key);
}

static struct str map_lines(struct arena *a, const struct str_map *map)
{
	CLEANUP_BUF out = BUF_INIT(1u << 20);
	struct str_pair *sorted = arena_copy(a, map->at, map->count * sizeof(*sorted));
	qsort(sorted, map->count, sizeof(*sorted), pair_cmp);
	for (uint32_t i = 0; i < map->count; i++) {
		buf_printf(&out, "%s%.*s=", i ? "\n" : "", STR_FMT(sorted[i].key));
		gotext_quote(&out, sorted[i].value);
	}
	return arena_str(a, buf_str(&out));
}

static struct str addresses(struct arena *a, const struct pod_worker *w, bool is_all)
{
	CLEANUP_BUF out = BUF_INIT(4096);
	char text[IPADDR_TEXT_MAX];
	for (size_t i = 0; i < w->address_count && (is_all || i == 0); i++) {
		ipaddr_format(w->addresses[i], text);
		buf_printf(&out, "%s%s", i ? "," : "", text);
	}
	return arena_str(a, buf_str(&out));
}

static struct str host_address(struct arena *a, const struct pod_worker *w)
{
	char text[IPADDR_TEXT_MAX];
	return arena_str(a, str_n(text, ipaddr_format(w->agent->config.address, text)));
}

/* metadata.labels['key'] */
static bool subscript(struct str path, const char *field, struct str *ret_key)
{
	struct str rest = str_skip(path, strlen(field));
	if (!str_has_prefix(path, str_of(field)) || rest.len < 4 ||
	    !str_has_prefix(rest, STR("['")) || !str_has_suffix(rest, STR("']")))
		return false;
	*ret_key = str_n(rest.at + 2, rest.len - 4);
	return true;
}

static struct str present(struct str s)
{
	return s.at ? s : STR("");
}

enum rc downward_field(struct arena *a, const struct pod_worker *w, struct str path,
		       struct str *ret_value, struct err *err)
{
	const struct object_meta *meta = &w->pod->metadata;
	struct str key;
	if (subscript(path, "metadata.labels", &key))
		*ret_value = present(str_map_get(&meta->labels, key));
	else if (subscript(path, "metadata.annotations", &key))
		*ret_value = present(str_map_get(&meta->annotations, key));
	else if (str_is(path, "metadata.labels"))
		*ret_value = map_lines(a, &meta->labels);
	else if (str_is(path, "metadata.annotations"))
		*ret_value = map_lines(a, &meta->annotations);
	else if (str_is(path, "metadata.name"))
		*ret_value = w->name;
	else if (str_is(path, "metadata.namespace"))
		*ret_value = w->namespace;
	else if (str_is(path, "metadata.uid"))
		*ret_value = w->uid;
	else if (str_is(path, "spec.nodeName"))
		*ret_value = str_of(agent_node_name(w->agent));
	else if (str_is(path, "spec.serviceAccountName"))
		*ret_value = present(w->pod->spec.service_account_name);
	else if (str_is(path, "status.hostIP") || str_is(path, "status.hostIPs"))
		*ret_value = host_address(a, w);
	else if (str_is(path, "status.podIP") || str_is(path, "status.podIPs"))
		*ret_value = addresses(a, w, str_is(path, "status.podIPs"));
	else
		return err_set(err, RC_INVALID, "unsupported fieldPath: %.*s", STR_FMT(path));
	return RC_OK;
}

/* ---- resources ---- */

static struct quantity allocatable(const struct pod_worker *w, const char *resource)
{
	struct quantity q = {};
	struct object *o = agent_node_object(w->agent);
	const struct node *node = o ? object_view(o) : NULL;
	if (node)
		(void)quantity_parse(str_map_cget(&node->status.allocatable, resource), &q, NULL);
	return q;
}

static struct quantity amount(const struct pod_worker *w, const struct container *spec,
			      struct str resource)
{
	struct quantity q = {};
	struct str which, name;
	str_cut(resource, '.', &which, &name);
	bool is_limit = str_is(which, "limits");
	struct str text =
		str_map_get(is_limit ? &spec->resources.limits : &spec->resources.requests, name);
	if (text.len && quantity_parse(text, &q, NULL) == RC_OK && quantity_sign(q) != 0)
		return q;
	static const char *const known[] = {"cpu", "memory", "ephemeral-storage"};
	for (size_t i = 0; is_limit && i < ARRAY_LEN(known); i++)
		if (str_is(name, known[i]))
			return allocatable(w, known[i]);
	return q;
}

enum rc downward_resource(struct arena *a, const struct pod_worker *w, const struct container *spec,
			  const struct resource_field_selector *ref, struct str *ret_value,
			  struct err *err)
{
	struct quantity q = amount(w, spec, ref->resource);
	struct quantity divisor = quantity_of(1, QUANTITY_DECIMAL);
	if (ref->divisor.len && !str_is(ref->divisor, "0"))
		TRY(quantity_parse(ref->divisor, &divisor, err));
	if (quantity_sign(divisor) <= 0)
		return err_set(err, RC_INVALID, "divisor '%.*s' must be positive",
			       STR_FMT(ref->divisor));
	__int128 count = (q.nano + divisor.nano - 1) / divisor.nano;
	*ret_value = arena_printf(a, "%lld", (long long)count);
	return RC_OK;
}
