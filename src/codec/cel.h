/* cel: the Common Expression Language, as the Kubernetes API uses it: text to a checked tree.
 *
 * cel_compile() reads one expression, expands its macros and checks its types against an
 * environment (variables, structures and functions that the caller declares).  cel_cost() then
 * estimates what an evaluation may cost at most.  Nothing here evaluates.
 *
 * Owns: nothing; all of it lives in the arena of the caller.  Threads: pure.  Limits:
 * CEL_TEXT_MAX, CEL_DEPTH_MAX, CEL_LEVELS_MAX, CEL_TYPE_MAX, CEL_NAME_MAX, CEL_ERRORS_MAX,
 * CEL_SNIPPET_MAX.  Errors: collected, in the wording and order of cel-go.  Source:
 * https://github.com/google/cel-spec/blob/master/doc/langdef.md */
#ifndef SKEG_CODEC_CEL_H
#define SKEG_CODEC_CEL_H

#include "base/arena.h"
#include "base/buf.h"

#define CEL_TEXT_MAX	100000 /* code points of an expression */
#define CEL_DEPTH_MAX	250    /* nested rules of one sort */
#define CEL_ERRORS_MAX	100    /* printed */
#define CEL_LEVELS_MAX	1000   /* height of the tree */
#define CEL_TYPE_MAX	1000   /* parts of a type */
#define CEL_NAME_MAX	256    /* bytes of a name with dots */
#define CEL_RECOVER_MAX 30     /* attempts to go on after a syntax error */
#define CEL_SNIPPET_MAX 16384  /* code points of a line that are shown */

/* ---- types ---- */

enum cel_kind {
	CEL_DYN,
	CEL_ERROR, /* of an expression that has been complained of */
	CEL_NULL,
	CEL_BOOL,
	CEL_INT,
	CEL_UINT,
	CEL_DOUBLE,
	CEL_STRING,
	CEL_BYTES,
	CEL_TIMESTAMP,
	CEL_DURATION,
	CEL_LIST,   /* of[0] */
	CEL_MAP,    /* of[0] to of[1] */
	CEL_TYPE,   /* the type of[0] as a value */
	CEL_OPAQUE, /* name, and of[0] where there is one */
	CEL_STRUCT, /* name, fields */
	CEL_PARAM,  /* a variable of an overload; name */
};

struct cel_field {
	struct str name;
	const struct cel_type *type;
};

struct cel_type {
	enum cel_kind kind;
	struct str name; /* of opaque types, structures and parameters */
	const struct cel_type *of[2];
	const struct cel_field *fields; /* of a structure */
	size_t field_count;
	/* For estimates of declared types: how many code points, items or pairs a request can
	 * hold, and how many bytes such a value takes at least. */
	uint64_t max_elements, min_bytes;
	bool has_max;
};

extern const struct cel_type cel_dyn, cel_error, cel_null, cel_bool, cel_int, cel_uint, cel_double,
	cel_string, cel_bytes, cel_timestamp, cel_duration;

[[nodiscard]] const struct cel_type *cel_list_of(struct arena *a, const struct cel_type *item);
[[nodiscard]] const struct cel_type *cel_map_of(struct arena *a, const struct cel_type *key,
						const struct cel_type *value);
const struct cel_type *cel_field_type(const struct cel_type *type, struct str name);
/* As upstream names a type outside of error texts: "list(int)", "null_type". */
[[nodiscard]] struct str cel_type_text(struct arena *a, const struct cel_type *type);
bool cel_type_equal(const struct cel_type *a, const struct cel_type *b);

/* ---- the tree ---- */

enum cel_node {
	CEL_NODE_LITERAL,
	CEL_NODE_IDENT,
	CEL_NODE_SELECT,
	CEL_NODE_CALL,
	CEL_NODE_LIST,
	CEL_NODE_MAP,
	CEL_NODE_STRUCT,
	CEL_NODE_FOLD, /* what a macro over a list or map becomes */
};

struct cel_overload;
struct cel_size {
	uint64_t min, max;
};

struct cel_expr {
	enum cel_node node;
	uint32_t at; /* byte in the text */
	const struct cel_type *type;
	struct str name; /* identifier, field, function, structure; text of a literal */
	enum cel_kind literal;
	union {
		bool boolean;
		int64_t integer;
		uint64_t natural;
		double real;
	} value;
	bool is_test;			       /* a select of has() */
	struct cel_expr *target;	       /* of a select or of a member call */
	struct cel_expr **args;		       /* of a call; items of a list; keys of a map */
	struct cel_expr **values;	       /* of a map or structure */
	struct str *fields;		       /* of a structure */
	bool *is_optional;		       /* entries with '?' */
	size_t count;			       /* of args, values, fields */
	const struct cel_overload **overloads; /* that the call may mean */
	size_t overload_count;
	/* of a fold */
	struct cel_expr *range, *init, *condition, *step, *result;
	struct str item, item2, accumulator; /* item2 absent: one variable */
	/* of an estimate */
	const struct cel_type *bound; /* the declaration that it is reached through; NULL: none */
	struct cel_size size, key_size, value_size;
	bool has_size, has_entries, entries_are_list;
};

/* A word of the language, which can name no variable. */
bool cel_is_reserved(struct str name);

/* ---- environment ---- */

struct cel_variable {
	struct str name; /* may have dots: at most CEL_NAME_MAX bytes */
	const struct cel_type *type;
};

struct cel_env {
	const struct cel_variable *variables;
	size_t variable_count;
	bool has_bind; /* the macro cel.bind() */
};

struct cel_fault {
	int64_t at; /* byte; -1: nowhere in the text */
	struct str text;
};

struct cel {
	struct arena *arena;
	struct str text;
	const struct cel_env *env;
	struct cel_expr *root;
	struct cel_fault *faults;
	size_t fault_count, fault_cap; /* of those kept, the first CEL_ERRORS_MAX */
	size_t fault_total;
	bool uses_old; /* names oldSelf */
};

/* false: there are faults, see cel_faults_text(). */
[[nodiscard]] bool cel_compile(struct cel *c, struct arena *a, const struct cel_env *env,
			       struct str text);
/* Only the syntax and the macros; c->root is not typed. */
[[nodiscard]] bool cel_parse(struct cel *c, struct arena *a, const struct cel_env *env,
			     struct str text);
/* "ERROR: <input>:1:5: undefined field 'foo'\n | self.foo\n | ....^" */
[[nodiscard]] struct str cel_faults_text(struct cel *c);

/* The dearest evaluation of a compiled expression, in cel-go's units; sizes come from the bounds of
 * the declared types. */
uint64_t cel_cost_max(struct cel *c);

#endif
