/* Parameters of operations. */
#include "server/openapi-int.h"

enum parameter_place { IN_QUERY, IN_PATH };

static const struct {
	const char *name;
	enum parameter_place place;
	const char *type, *text;
} parameters[] = {
	[PARAMETER_ALLOW_WATCH_BOOKMARKS] =
		{"allowWatchBookmarks", IN_QUERY, "boolean",
		 "A watch sends bookmarks, which carry nothing but a revision."},
	[PARAMETER_COMMAND] = {"command", IN_QUERY, "string",
			       "The program to run and its arguments."},
	[PARAMETER_CONTAINER] = {"container", IN_QUERY, "string",
				 "The container; may be left out when the pod has only one."},
	[PARAMETER_CONTINUE] =
		{"continue", IN_QUERY, "string",
		 "Goes on with a list in pieces: what metadata.continue of the last piece said."},
	[PARAMETER_DRY_RUN] = {"dryRun", IN_QUERY, "string",
			       "All: do everything but store the result."},
	[PARAMETER_FIELD_MANAGER] =
		{"fieldManager", IN_QUERY, "string",
		 "The name of who makes the change, for the ownership of fields."},
	[PARAMETER_FIELD_SELECTOR] = {"fieldSelector", IN_QUERY, "string",
				      "Only objects whose fields have these values."},
	[PARAMETER_FIELD_VALIDATION] =
		{"fieldValidation", IN_QUERY, "string",
		 "What happens to unknown and repeated fields: Ignore, Warn or Strict."},
	[PARAMETER_FOLLOW] = {"follow", IN_QUERY, "boolean",
			      "Go on with the log as it is written."},
	[PARAMETER_FORCE] = {"force", IN_QUERY, "boolean",
			     "Take over fields that others own; for server-side apply only."},
	[PARAMETER_GRACE_PERIOD_SECONDS] = {"gracePeriodSeconds", IN_QUERY, "integer",
					    "Seconds until the object is deleted; 0: at once."},
	[PARAMETER_IGNORE_STORE_READ_ERROR] =
		{"ignoreStoreReadErrorWithClusterBreakingPotential", IN_QUERY, "boolean",
		 "Delete an object even when what is stored of it cannot be read."},
	[PARAMETER_INSECURE_SKIP_TLS_VERIFY] = {"insecureSkipTLSVerifyBackend", IN_QUERY, "boolean",
						"Do not check the certificate of the node."},
	[PARAMETER_LABEL_SELECTOR] = {"labelSelector", IN_QUERY, "string",
				      "Only objects whose labels match."},
	[PARAMETER_LIMIT] = {"limit", IN_QUERY, "integer",
			     "The most objects that one reply holds."},
	[PARAMETER_LIMIT_BYTES] = {"limitBytes", IN_QUERY, "integer", "The most bytes of the log."},
	[PARAMETER_NAME] = {"name", IN_PATH, "string", "The name of the object."},
	[PARAMETER_NAMESPACE] = {"namespace", IN_PATH, "string", "The namespace of the object."},
	[PARAMETER_ORPHAN_DEPENDENTS] = {"orphanDependents", IN_QUERY, "boolean",
					 "Deprecated: see propagationPolicy."},
	[PARAMETER_REST] = {"path", IN_PATH, "string", "The path behind the proxy."},
	[PARAMETER_PATH] = {"path", IN_QUERY, "string", "The path behind the proxy."},
	[PARAMETER_PORTS] = {"ports", IN_QUERY, "integer", "Ports to forward."},
	[PARAMETER_PRETTY] = {"pretty", IN_QUERY, "string", "true: the reply is indented."},
	[PARAMETER_PREVIOUS] = {"previous", IN_QUERY, "boolean",
				"The log of the container that ran before."},
	[PARAMETER_PROPAGATION_POLICY] =
		{"propagationPolicy", IN_QUERY, "string",
		 "What becomes of the objects that this one owns: Orphan, Background or Foreground."},
	[PARAMETER_RESOURCE_VERSION] = {"resourceVersion", IN_QUERY, "string",
					"The revision that a list shows or a watch begins at."},
	[PARAMETER_RESOURCE_VERSION_MATCH] =
		{"resourceVersionMatch", IN_QUERY, "string",
		 "How resourceVersion is meant: NotOlderThan or Exact."},
	[PARAMETER_SEND_INITIAL_EVENTS] =
		{"sendInitialEvents", IN_QUERY, "boolean",
		 "A watch begins with all objects, as if they had just been added."},
	[PARAMETER_SINCE_SECONDS] = {"sinceSeconds", IN_QUERY, "integer",
				     "The log of this many seconds before now."},
	[PARAMETER_STDERR] = {"stderr", IN_QUERY, "boolean", "Pass on standard error."},
	[PARAMETER_STDIN] = {"stdin", IN_QUERY, "boolean", "Pass on standard input."},
	[PARAMETER_STDOUT] = {"stdout", IN_QUERY, "boolean", "Pass on standard output."},
	[PARAMETER_STREAM] = {"stream", IN_QUERY, "string", "All, Stdout or Stderr."},
	[PARAMETER_TAIL_LINES] = {"tailLines", IN_QUERY, "integer",
				  "This many lines from the end."},
	[PARAMETER_TIMEOUT_SECONDS] = {"timeoutSeconds", IN_QUERY, "integer",
				       "Seconds until the list or watch ends."},
	[PARAMETER_TIMESTAMPS] = {"timestamps", IN_QUERY, "boolean",
				  "Every line begins with its time."},
	[PARAMETER_TTY] = {"tty", IN_QUERY, "boolean", "The streams belong to a terminal."},
	[PARAMETER_WATCH] = {"watch", IN_QUERY, "boolean",
			     "Follow the changes instead of listing."},
};

_Static_assert(PARAMETER_COUNT <= 64, "a set of parameters is 64 bits");

/* In version 2 operations refer to one shared definition, but for those that old clients look for
 * in the operation itself. */
static bool is_shared(enum parameter p)
{
	return p != PARAMETER_DRY_RUN && p != PARAMETER_FIELD_VALIDATION && p != PARAMETER_NAME;
}

static struct str shared_name(enum parameter p)
{
	return p == PARAMETER_REST ? STR("path-in-path") : str_of(parameters[p].name);
}

static void write_parameter(struct openapi *o, enum parameter p)
{
	struct buf *out = o->out;
	bool is_path = parameters[p].place == IN_PATH;
	openapi_string(out, "name", str_of(parameters[p].name));
	openapi_string(out, "in", is_path ? STR("path") : STR("query"));
	openapi_string(out, "description", str_of(parameters[p].text));
	if (is_path)
		openapi_literal(out, "required", "true");
	if (!o->dialect->is_v2)
		openapi_open(out, "schema", '{');
	openapi_string(out, "type", str_of(parameters[p].type));
	openapi_literal(out, "uniqueItems", "true");
	if (!o->dialect->is_v2)
		openapi_close(out, '}');
}

void openapi_write_parameters(struct openapi *o, uint64_t set)
{
	for (enum parameter p = 0; p < PARAMETER_COUNT; p++) {
		if (!(set & (UINT64_C(1) << p)))
			continue;
		openapi_open(o->out, NULL, '{');
		if (o->dialect->is_v2 && is_shared(p))
			buf_printf(o->out, "\"$ref\":\"#/parameters/%.*s\"",
				   STR_FMT(shared_name(p)));
		else
			write_parameter(o, p);
		openapi_close(o->out, '}');
	}
}

void openapi_write_shared_parameters(struct openapi *o)
{
	for (enum parameter p = 0; p < PARAMETER_COUNT; p++) {
		if (!is_shared(p))
			continue;
		openapi_key(o->out, shared_name(p));
		buf_add_char(o->out, '{');
		write_parameter(o, p);
		openapi_close(o->out, '}');
	}
}
