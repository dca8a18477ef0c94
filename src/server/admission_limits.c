#include "server/admission_limits.h"

#include "api/api_ids.h"
#include "api/quantity.h"
#include "server/server.h"

#define SAID_MAX_BYTES (64 << 10)
#define NAMES_MAX      64 /* resources of one container that are told of */

/* The LimitRanges of the namespace, in the order of their names. */
static struct json *limits_of(struct request *r)
{
	struct snapshot_iter it;
	struct json *all = json_array(&r->arena);
	snapshot_iter_init(&it, request_snapshot(r), KIND_LIMIT_RANGE, r->route.namespace,
			   (struct str){}, (struct str){});
	for (struct object *o; (o = snapshot_next(&it));)
		json_append(&r->arena, all, object_tree(&r->arena, o));
	return all;
}

static bool is_of(const struct json *limit, const char *type)
{
	return str_is(json_path_str(limit, "type"), type);
}

/* ---- defaults ---- */

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void say_set(struct buf *said, struct str *names, size_t count, const char *what,
		    const char *role, struct str container)
{
	if (count == 0)
		return;
	qsort(names, count, sizeof(*names), by_text);
	buf_add_cstr(said, said->len ? "; " : "LimitRanger plugin set: ");
	for (size_t i = 0; i < count; i++)
		buf_printf(said, "%s%.*s", i ? ", " : "", STR_FMT(names[i]));
	buf_printf(said, " %s for %s %.*s", what, role, STR_FMT(container));
}

/* The defaults of later ranges' entries overwrite those of earlier ones. */
static struct json *defaults_of(struct arena *a, const struct json *range, const char *member)
{
	struct json *set = json_object(a);
	const struct json *limits = json_path(range, "spec.limits");
	for (size_t i = 0; i < json_count(limits); i++) {
		const struct json *given = json_get(json_at(limits, i), str_of(member));
		for (size_t k = 0; is_of(json_at(limits, i), "Container") && k < json_count(given);
		     k++)
			json_set(a, set, given->object.members[k].key,
				 given->object.members[k].value);
	}
	return set;
}

static void fill(struct arena *a, struct json *container, const struct json *range,
		 const char *member, const char *list, const char *what, const char *role,
		 struct buf *said)
{
	struct json *set = defaults_of(a, range, member);
	struct str names[NAMES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < json_count(set); i++) {
		struct json_member m = set->object.members[i];
		struct json *own = json_need_object(
			a, json_need_object(a, container, STR("resources")), str_of(list));
		if (json_get(own, m.key))
			continue;
		json_set(a, own, m.key, json_copy(a, m.value));
		if (count < NAMES_MAX)
			names[count++] = m.key;
	}
	say_set(said, names, count, what, role, json_path_str(container, "name"));
}

static void default_range(struct request *r, const struct json *range, struct json *tree)
{
	static const struct {
		const char *list, *role;
	} lists[] = {{"containers", "container"}, {"initContainers", "init container"}};
	struct arena *a = &r->arena;
	CLEANUP_BUF said = BUF_INIT(SAID_MAX_BYTES);
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct json *list =
			json_get(json_get(tree, STR("spec")), str_of(lists[l].list));
		for (size_t i = 0; i < json_count(list); i++) {
			struct json *container = json_at(list, i);
			fill(a, container, range, "defaultRequest", "requests", "request",
			     lists[l].role, &said);
			fill(a, container, range, "default", "limits", "limit", lists[l].role,
			     &said);
		}
	}
	struct json *metadata = json_need_object(a, tree, STR("metadata"));
	if (said.len)
		json_set_str(a, json_need_object(a, metadata, STR("annotations")),
			     STR("kubernetes.io/limit-ranger"),
			     arena_str(a, str_n(said.data, said.len)));
}

enum step limits_default(struct request *r, const struct json *old, struct json *tree)
{
	const struct json *ranges = limits_of(r);
	for (size_t i = 0; i < json_count(ranges); i++)
		default_range(r, json_at(ranges, i), tree);
	return STEP_NEXT;
}

/* ---- judgement ---- */

/* What a container, a pod or a claim asks for and is held to. */
struct usage {
	const char *type;
	const struct json *requests, *limits;
};

struct judgement {
	struct request *r;
	struct json *said; /* sentences, each once, as an aggregate error has them */
};

[[gnu::format(printf, 2, 3)]] static void refuse(struct judgement *j, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct str text = arena_vprintf(&j->r->arena, fmt, ap);
	va_end(ap);
	struct json *sentence = json_string(&j->r->arena, text);
	if (json_find(j->said, sentence) == json_count(j->said))
		json_append(&j->r->arena, j->said, sentence);
}

static bool amount(const struct json *list, struct str name, struct quantity *ret_q)
{
	return quantity_parse(json_str(json_get(list, name)), ret_q, NULL) == RC_OK;
}

/* One side of what a resource may be: the first figure has to be there, all have to keep to it. */
struct bound {
	const char *what;
	int sign; /* of a figure beyond it */
	const char *figures[3];
};

static const struct bound minimum = {"minimum", -1, {"request", "limit"}};
static const struct bound maximum = {"maximum", 1, {"limit", "request"}};
static const struct bound largest_request = {"maximum", 1, {"request"}};

static void check_bound(struct judgement *j, const struct usage *u, const struct bound *b,
			struct json_member m)
{
	struct quantity allowed, is;
	struct str rule = arena_printf(&j->r->arena, "%s %.*s usage per %s is %.*s", b->what,
				       STR_FMT(m.key), u->type, STR_FMT(json_str(m.value)));
	if (quantity_parse(json_str(m.value), &allowed, NULL) != RC_OK)
		return;
	for (const char *const *figure = b->figures; *figure; figure++) {
		const struct json *list = strcmp(*figure, "limit") ? u->requests : u->limits;
		bool is_there = amount(list, m.key, &is);
		if (!is_there && figure == b->figures)
			refuse(j, "%.*s.  No %s is specified", STR_FMT(rule), *figure);
		else if (is_there && quantity_cmp(is, allowed) * b->sign > 0)
			refuse(j, "%.*s, but %s is %.*s", STR_FMT(rule), *figure,
			       STR_FMT(json_str(json_get(list, m.key))));
		else
			continue;
		return;
	}
}

static void check_bounds(struct judgement *j, const struct usage *u, const struct bound *b,
			 const struct json *amounts)
{
	for (size_t i = 0; i < json_count(amounts); i++)
		check_bound(j, u, b, amounts->object.members[i]);
}

static void check_ratio(struct judgement *j, const struct usage *u, struct json_member m)
{
	struct quantity most, request = {}, limit = {};
	struct str rule = arena_printf(&j->r->arena,
				       "%.*s max limit to request ratio per %s is %.*s",
				       STR_FMT(m.key), u->type, STR_FMT(json_str(m.value)));
	if (quantity_parse(json_str(m.value), &most, NULL) != RC_OK)
		return;
	if (!amount(u->requests, m.key, &request) || quantity_sign(request) == 0) {
		refuse(j, "%.*s, but no request is specified or request is 0", STR_FMT(rule));
		return;
	}
	if (!amount(u->limits, m.key, &limit) || quantity_sign(limit) == 0) {
		refuse(j, "%.*s, but no limit is specified or limit is 0", STR_FMT(rule));
		return;
	}
	double ratio = (double)limit.nano / (double)request.nano;
	if (ratio > (double)most.nano / 1e9)
		refuse(j, "%.*s, but provided ratio is %f", STR_FMT(rule), ratio);
}

static void check_usage(struct judgement *j, const struct json *limit, const struct usage *u)
{
	const struct json *ratios = json_get(limit, STR("maxLimitRequestRatio"));
	check_bounds(j, u, &minimum, json_get(limit, STR("min")));
	check_bounds(j, u, &maximum, json_get(limit, STR("max")));
	for (size_t i = 0; i < json_count(ratios); i++)
		check_ratio(j, u, ratios->object.members[i]);
}

static void put_amount(struct arena *a, struct json *sum, struct str name, struct quantity q)
{
	char text[QUANTITY_TEXT_MAX];
	json_set_str(a, sum, name, arena_str(a, str_n(text, quantity_format(q, text))));
}

static void add_all(struct arena *a, struct json *sum, const struct json *list, bool is_maximum)
{
	for (size_t i = 0; i < json_count(list); i++) {
		struct json_member m = list->object.members[i];
		struct quantity had = {}, q;
		if (quantity_parse(json_str(m.value), &q, NULL) != RC_OK)
			continue;
		bool is_there = amount(sum, m.key, &had);
		if (is_there && is_maximum && quantity_cmp(had, q) >= 0)
			continue;
		put_amount(a, sum, m.key, is_there && !is_maximum ? quantity_add(had, q) : q);
	}
}

/* All containers together; init containers run one after another, beside those that stay. */
static struct json *sum_of_pod(struct arena *a, const struct json *spec, const char *which)
{
	struct json *sum = json_object(a), *staying = json_object(a), *most = json_object(a);
	const struct json *list = json_get(spec, STR("containers"));
	for (size_t i = 0; i < json_count(list); i++)
		add_all(a, sum,
			json_get(json_get(json_at(list, i), STR("resources")), str_of(which)),
			false);
	list = json_get(spec, STR("initContainers"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *container = json_at(list, i);
		const struct json *own =
			json_get(json_get(container, STR("resources")), str_of(which));
		struct json *at_once = json_object(a);
		bool stays = str_is(json_path_str(container, "restartPolicy"), "Always");
		if (stays) {
			add_all(a, sum, own, false);
			add_all(a, staying, own, false);
		} else {
			add_all(a, at_once, own, false);
		}
		add_all(a, at_once, staying, false);
		add_all(a, most, at_once, true);
	}
	add_all(a, sum, most, true);
	return sum;
}

static void check_containers(struct judgement *j, const struct json *limit, const struct json *list)
{
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *resources = json_get(json_at(list, i), STR("resources"));
		struct usage u = {"Container", json_get(resources, STR("requests")),
				  json_get(resources, STR("limits"))};
		check_usage(j, limit, &u);
	}
}

static void check_pod(struct judgement *j, const struct json *limit, const struct json *tree)
{
	struct arena *a = &j->r->arena;
	const struct json *spec = json_get(tree, STR("spec"));
	if (is_of(limit, "Container")) {
		check_containers(j, limit, json_get(spec, STR("containers")));
		check_containers(j, limit, json_get(spec, STR("initContainers")));
	} else if (is_of(limit, "Pod")) {
		struct usage u = {"Pod", sum_of_pod(a, spec, "requests"),
				  sum_of_pod(a, spec, "limits")};
		check_usage(j, limit, &u);
	}
}

static void check_claim(struct judgement *j, const struct json *limit, const struct json *tree)
{
	struct usage u = {"PersistentVolumeClaim", json_path(tree, "spec.resources.requests"),
			  NULL};
	if (!is_of(limit, u.type))
		return;
	check_bounds(j, &u, &minimum, json_get(limit, STR("min")));
	check_bounds(j, &u, &largest_request, json_get(limit, STR("max")));
}

static enum step tell(struct request *r, struct str name, const struct json *said)
{
	CLEANUP_BUF text = BUF_INIT(SAID_MAX_BYTES);
	for (size_t i = 0; i < json_count(said); i++)
		buf_printf(&text, "%s%.*s", i ? ", " : "", STR_FMT(json_str(json_at(said, i))));
	return request_forbid(r, name, json_count(said) > 1 ? "[%.*s]" : "%.*s", (int)text.len,
			      text.data);
}

/* The first range that refuses is the one that is told of. */
static enum step judge(struct request *r, const struct json *tree,
		       void (*check)(struct judgement *j, const struct json *limit,
				     const struct json *tree))
{
	const struct json *ranges = limits_of(r);
	for (size_t i = 0; i < json_count(ranges); i++) {
		const struct json *limits = json_path(json_at(ranges, i), "spec.limits");
		struct judgement j = {.r = r, .said = json_array(&r->arena)};
		for (size_t k = 0; k < json_count(limits); k++)
			check(&j, json_at(limits, k), tree);
		if (json_count(j.said))
			return tell(r, json_path_str(tree, "metadata.name"), j.said);
	}
	return STEP_NEXT;
}

enum step limits_judge_pod(struct request *r, const struct json *old, struct json *tree)
{
	return judge(r, tree, check_pod);
}

enum step limits_judge_claim(struct request *r, const struct json *old, struct json *tree)
{
	return judge(r, tree, check_claim);
}
