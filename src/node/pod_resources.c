#include "node/pod_resources.h"

#include "api/object.h"
#include "api/quantity.h"
#include "node/pod_worker.h"

/* ---- allotments ---- */

void allotment_set(struct allotment *a, struct object *owner,
		   const struct resource_requirements *amounts)
{
	object_ref(owner);
	object_unref(a->owner);
	*a = (struct allotment){owner, amounts};
}

void allotment_renew(struct allotment *a, struct object *owner,
		     const struct resource_requirements *amounts)
{
	if (a->amounts && requirements_equal(a->amounts, amounts))
		allotment_set(a, owner, amounts);
}

void allotment_done(struct allotment *a)
{
	object_unref(a->owner);
	*a = (struct allotment){};
}

const struct resource_requirements *container_requirements(const struct pod_container *c,
							   enum pod_amounts which)
{
	if (which == POD_ACTUAL && c->actual.amounts)
		return c->actual.amounts;
	return which == POD_WANTED || !c->allocated.amounts ? &c->spec->resources
							    : c->allocated.amounts;
}

/* ---- amounts ---- */

struct runtime_resources runtime_resources_of(const struct resource_requirements *r)
{
	return (struct runtime_resources){
		.cpu_request_milli = quantity_text_milli(str_map_cget(&r->requests, "cpu")),
		.cpu_limit_milli = quantity_text_milli(str_map_cget(&r->limits, "cpu")),
		.memory_request_bytes = quantity_text_value(str_map_cget(&r->requests, "memory")),
		.memory_limit_bytes = quantity_text_value(str_map_cget(&r->limits, "memory")),
	};
}

bool requirements_equal(const struct resource_requirements *a,
			const struct resource_requirements *b)
{
	if (a == b)
		return true;
	struct runtime_resources x = runtime_resources_of(a), y = runtime_resources_of(b);
	return runtime_resources_equal(&x, &y);
}

struct runtime_resources pod_group_resources(const struct pod_worker *w, enum pod_amounts which)
{
	struct runtime_resources sum = {}, init = {};
	bool is_cpu_limited = true, is_memory_limited = true;
	for (size_t i = 0; i < w->count; i++) {
		const struct pod_container *c = w->containers[i];
		struct runtime_resources r = runtime_resources_of(container_requirements(c, which));
		if (c->role == CONTAINER_EPHEMERAL)
			continue;
		is_cpu_limited &= r.cpu_limit_milli > 0;
		is_memory_limited &= r.memory_limit_bytes > 0;
		if (!container_is_lasting(c)) {
			init.cpu_limit_milli = MAX(init.cpu_limit_milli, r.cpu_limit_milli);
			init.memory_limit_bytes =
				MAX(init.memory_limit_bytes, r.memory_limit_bytes);
			continue;
		}
		sum.cpu_request_milli += r.cpu_request_milli;
		sum.memory_request_bytes += r.memory_request_bytes;
		sum.cpu_limit_milli += r.cpu_limit_milli;
		sum.memory_limit_bytes += r.memory_limit_bytes;
	}
	sum.cpu_limit_milli = is_cpu_limited ? MAX(sum.cpu_limit_milli, init.cpu_limit_milli) : 0;
	sum.memory_limit_bytes =
		is_memory_limited ? MAX(sum.memory_limit_bytes, init.memory_limit_bytes) : 0;
	return sum;
}

void pod_requests(const struct pod_worker *w, enum pod_amounts which, int64_t *ret_cpu_milli,
		  int64_t *ret_memory_bytes)
{
	int64_t cpu = 0, memory = 0, init_cpu = 0, init_memory = 0;
	for (size_t i = 0; i < w->count; i++) {
		const struct pod_container *c = w->containers[i];
		struct runtime_resources r = runtime_resources_of(container_requirements(c, which));
		if (container_is_lasting(c)) {
			cpu += r.cpu_request_milli;
			memory += r.memory_request_bytes;
		} else if (c->role == CONTAINER_INIT) {
			init_cpu = MAX(init_cpu, r.cpu_request_milli);
			init_memory = MAX(init_memory, r.memory_request_bytes);
		}
	}
	*ret_cpu_milli = MAX(cpu, init_cpu);
	*ret_memory_bytes = MAX(memory, init_memory);
	if (w->pod) {
		const struct str_map *overhead = &w->pod->spec.overhead;
		*ret_cpu_milli += quantity_text_milli(str_map_cget(overhead, "cpu"));
		*ret_memory_bytes += quantity_text_value(str_map_cget(overhead, "memory"));
	}
}
