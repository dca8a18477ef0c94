/* prepare-int: the table of what strategies do with an object, shared by prepare*.c. */
#ifndef SKEG_API_PREPARE_INT_H
#define SKEG_API_PREPARE_INT_H

#include "api/defaults.h"

#define DAEMON_SET_GENERATION "deprecated.daemonset.template.generation"

enum prepare_flag {
	HAS_STATUS = 1 << 0,	     /* written apart from the rest */
	KEEPS_STATUS = 1 << 1,	     /* a create keeps the client's */
	COUNTS_ANNOTATIONS = 1 << 2, /* generation follows them too */
	RESETS_METADATA = 1 << 3,  /* writers of the status may not touch labels and annotations */
	COUNTS_FROM_ZERO = 1 << 4, /* a create gives no generation */
};

struct prepare_row {
	const char *group, *kind;
	const char *counted; /* the member that generation follows; "*" all but metadata and status;
				"-" none although it starts at 1; "" no generation */
	uint32_t flags;	     /* enum prepare_flag */
	void (*create)(struct arena *a, struct json *tree, int64_t now_us);
	void (*update)(struct arena *a, const struct json *old, struct json *tree);
	void (*update_status)(struct arena *a, const struct json *old, struct json *tree,
			      int64_t now_us);
};

extern const struct prepare_row prepare_rows[]; /* ends with a row without kind */
const struct prepare_row *prepare_find(const struct api_kind *kind);

/* Steps of an update that only one kind has. */
void update_daemon_set(struct arena *a, const struct json *old, struct json *tree);
void update_claim(struct arena *a, const struct json *old, struct json *tree);
void update_namespace(struct arena *a, const struct json *old, struct json *tree);
void update_account(struct arena *a, const struct json *old, struct json *tree);
void update_service(struct arena *a, const struct json *old, struct json *tree);
void update_signing_request(struct arena *a, const struct json *old, struct json *tree);
void update_slice(struct arena *a, const struct json *old, struct json *tree);
void update_deployment_status(struct arena *a, const struct json *old, struct json *tree,
			      int64_t now_us);
void update_pod(struct arena *a, const struct json *old, struct json *tree);
void update_pod_status(struct arena *a, const struct json *old, struct json *tree, int64_t now_us);
/* A condition that is new or changed gets the time of this write. */
void update_condition_times(struct arena *a, const struct json *old, struct json *tree,
			    int64_t now_us);
void update_volume_status(struct arena *a, const struct json *old, struct json *tree,
			  int64_t now_us);

void prepare_pod_create(struct arena *a, struct json *tree, int64_t now_us);
void prepare_pod_grace(struct arena *a, struct json *spec); /* a negative time to end is 1 s */
/* old is the spec that was, or NULL */
void claim_sources(struct arena *a, const struct json *old, struct json *spec);
void drop_internal_policy(struct json *spec);
void service_addresses(struct arena *a, struct json *spec);
/* Endpoints of discovery v1 have none: what older versions kept there. */
void drop_topology(struct json *tree);

/* Appends value to the list of strings `name` of parent unless it is there. */
void list_add_string(struct arena *a, struct json *parent, const char *name, struct str value);

#endif
