/* jsonpath: the parsed form, for jsonpath_parse.c and jsonpath.c. */
#ifndef SKEG_CODEC_JSONPATH_INT_H
#define SKEG_CODEC_JSONPATH_INT_H

#include "codec/jsonpath.h"

enum jsonpath_form {
	PATH_TEXT,  /* outside of braces, or quoted */
	PATH_VALUE, /* a number or boolean: in comparisons */
	PATH_FIELD,
	PATH_ALL, /* of an object or a list */
	PATH_SLICE,
	PATH_FILTER,
	PATH_UNION,
	PATH_DEEP,   /* ".." */
	PATH_ACTION, /* steps after each other */
	PATH_RANGE,  /* an action, and what is put out for each of its results */
};

struct jsonpath_node {
	enum jsonpath_form form;
	struct str text;    /* TEXT, FIELD; operator of FILTER, absent: it is there */
	struct json *value; /* VALUE */
	struct {
		bool is_given;
		int64_t number;
	} slice[3];			/* from, to, step */
	bool is_single;			/* SLICE: one index */
	struct jsonpath *inner, *other; /* ACTION; FILTER: both sides; UNION; RANGE: action, body */
};

/* A sequence. */
struct jsonpath {
	struct jsonpath_node *nodes;
	size_t count, cap;
};

#endif
