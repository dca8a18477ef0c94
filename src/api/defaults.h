/* defaults: what upstream fills into an object before it is validated, and what its strategies do
 * when an object is created or updated.
 *
 * Works on trees that decode.h has normalised (Go's zero values absent where omitempty drops them).
 * Most of it is tables of "path, value when absent" (defaults_*.c); the rest is code beside them.
 * Strings added are constants or point into the tree.  Threads: pure functions on the caller's
 * tree. Source: k8s pkg/apis/<group>/<version>/defaults.go and
 * pkg/registry/<group>/<kind>/strategy.go, v1.35. */
#ifndef SKEG_API_DEFAULTS_H
#define SKEG_API_DEFAULTS_H

#include "api/quantity.h"
#include "api/schema.h"
#include "base/arena.h"
#include "codec/json.h"

/* kind is the served version the tree is written in.  Idempotent: applied again after admission. */
void api_default(struct arena *a, const struct api_kind *kind, struct json *tree);

/* A PodSpec by itself, as embedded in templates (the fields only a Pod gets are left alone). */
void api_default_pod_spec(struct arena *a, struct json *spec);

/* After defaulting and mutating admission, before validation; metadata.name and metadata.uid are
 * set. Drops status, starts generation, fills what strategies fill (phases, finalizers, Job's
 * selector). */
void api_prepare_create(struct arena *a, const struct api_kind *kind, struct json *tree,
			int64_t now_us);

/* The same for an update of old to tree.  subresource is "" for the object itself, else "status",
 * "scale", "finalize", "approval", "resize", "ephemeralcontainers": a write through one keeps all
 * that belongs to the others.  Counts generation up when the spec changed.  Parts of old are shared
 * with tree afterwards, so old's arena must live as long. */
void api_prepare_update(struct arena *a, const struct api_kind *kind, const struct json *old,
			struct json *tree, const char *subresource, int64_t now_us);

/* Does the kind count metadata.generation? */
bool api_has_generation(const struct api_kind *kind);

/* status.qosClass of a Pod's spec: "Guaranteed", "Burstable" or "BestEffort". */
const char *api_pod_qos(const struct json *spec);

/* What the containers of a pod's spec ask for: together, or the largest step of the init containers
 * with the sidecars that run already.  false: none names the resource. */
bool api_requests_total(const struct json *spec, struct str resource, struct quantity *ret_total);

/* Does a Service of this spec get node ports? */
bool api_service_has_node_ports(const struct json *spec);

#endif
