/* describe: what the parts of `skeg describe` share: lines of "Label:<tab>value" that are aligned
 * at the end, and pieces that several kinds have (labels, controllers, pod templates, events).
 * Values are read from trees; what is absent is "", 0 or "<none>". */
#ifndef SKEG_CLIENT_DESCRIBE_H
#define SKEG_CLIENT_DESCRIBE_H

#include "base/buf.h"
#include "client/object_output.h"
#include "client/resources.h"

struct describe {
	struct verb *verb;
	struct arena *arena;
	struct buf text;
	const char *indent; /* before every line: "" or "  " */
	bool shows_events;
};

typedef enum rc describe_fn(struct describe *d, const struct resource *r, struct err *err);

/* One line, or a part of one; levels are two spaces each. */
[[gnu::format(printf, 3, 4)]] void describe_line(struct describe *d, int level, const char *fmt,
						 ...);

/* A row of "Label:\tvalue" for each path; rows without a value are left out when is_optional. */
struct describe_row {
	const char *label, *path;
	enum {
		ROW_TEXT,
		ROW_TIME,
		ROW_NUMBER,
		ROW_BOOL,
		ROW_FLAG,
		ROW_LABELS,
		ROW_ANNOTATIONS,
		ROW_SELECTOR
	} form;
	bool is_optional;
	const char *absent; /* NULL: "" */
};
/* Rows that most tables begin with. */
#define DESCRIBE_NAME                                                                              \
	{"Name", "metadata.name", ROW_TEXT, false, NULL},                                          \
	{                                                                                          \
		"Namespace", "metadata.namespace", ROW_TEXT, false, NULL                           \
	}
#define DESCRIBE_LABELS                                                                            \
	{"Labels", "metadata.labels", ROW_LABELS, false, NULL},                                    \
	{                                                                                          \
		"Annotations", "metadata.annotations", ROW_ANNOTATIONS, false, NULL                \
	}
void describe_rows(struct describe *d, const struct json *tree, const struct describe_row *rows,
		   size_t count);
void describe_metadata(struct describe *d, const struct json *tree); /* Name … Annotations */

struct str describe_time(struct arena *a,
			 struct str rfc3339); /* "Tue, 24 Nov 2026 15:00:00 +0000" */
struct str describe_value(struct arena *a, const struct json *value); /* text, number or JSON */
struct str describe_or(struct str text, const char *otherwise);
void describe_map(struct describe *d, int level, const char *label, const struct json *map,
		  const char *separator);
void describe_annotations(struct describe *d, int level, const struct json *map);
void describe_tolerations(struct describe *d, int level, const struct json *list);
struct str describe_selector(struct arena *a, const struct json *selector);
void describe_controller(struct describe *d, const struct json *tree);
void describe_quantities(struct describe *d, int level, const char *label, const struct json *map);

/* describe_pod.c */
void describe_containers(struct describe *d, int level, const char *label,
			 const struct json *containers, const struct json *statuses,
			 const struct json *pod);
void describe_volumes(struct describe *d, int level, const struct json *volumes);
void describe_template(struct describe *d, const struct json *pod_template);

/* describe_events.c */
[[nodiscard]] enum rc describe_events(struct describe *d, const struct resource *r,
				      struct err *err);
/* A list of what a namespace (absent: all) has with a selector. */
[[nodiscard]] enum rc describe_list(struct verb *v, const char *type, struct str namespace,
				    const char *selector_key, struct str selector,
				    struct json **ret_items, struct err *err);

describe_fn describe_pod, describe_node, describe_deployment, describe_replica_set,
	describe_stateful_set, describe_daemon_set, describe_job, describe_cron_job,
	describe_service, describe_ingress, describe_config_map, describe_secret, describe_claim,
	describe_namespace, describe_service_account, describe_role, describe_role_binding,
	describe_generic;

#endif
