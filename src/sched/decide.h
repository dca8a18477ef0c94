/* decide: where a pod goes: filters, then scores, over a cluster that does not change meanwhile.
 *
 * Filters and scores are tables of functions named as upstream's plugins are, in upstream's order
 * and with its default weights.  The first filter that refuses a node gives the reason.  A decision
 * depends on the cluster, the pod and `turn` alone: equal scores are told apart by turn, which the
 * caller counts up, so that equal nodes take turns.
 *
 * Beyond 100 nodes only a part of those that fit is scored, as upstream does: 50 % less a 125th of
 * the nodes, at least 5 %, at least 100 nodes; where the search begins moves on with each decision.
 */
#ifndef SKEG_SCHED_DECIDE_H
#define SKEG_SCHED_DECIDE_H

#include "sched/cluster.h"

enum verdict { FITS, UNSCHEDULABLE, UNRESOLVABLE /* not even without other pods */ };

struct reason_count {
	struct str text;
	uint32_t nodes;
};

struct decision {
	uint32_t node;	     /* NODE_NONE: it fits nowhere */
	uint32_t nodes;	     /* how many there were */
	uint32_t next_start; /* give it back as start next time */
	/* When it fits nowhere: */
	struct str prefilter; /* no node was looked at because of this; absent: they were */
	const struct reason_count *reasons; /* sorted as upstream prints them */
	uint32_t reason_count;
	uint32_t unresolvable; /* nodes on which preemption would not help */
	/* For whoever asks why: the refusing filter of each node, by index; NULL when it fits. */
	const char *const *refused_by;
	const bool *is_hopeless; /* by index: not even without other pods */
	int64_t score;		 /* of the node */
};

/* Memory of the result is the arena's. */
struct decision decide(struct arena *a, struct cluster *c, const struct pod_info *pod,
		       uint32_t start, uint32_t turn);
/* "0/3 nodes are available: 1 Insufficient cpu, …. preemption: …"; not_eligible: why preemption was
 * not tried, or NULL; has_victims: it found some, so nothing is said about it. */
struct str decision_message(struct arena *a, const struct decision *d, const char *not_eligible,
			    bool has_victims);
/* Does the pod fit on this node as the cluster is now? */
bool decide_fits(struct arena *a, struct cluster *c, const struct pod_info *pod, uint32_t node);

/* --- for the plugins' files --- */

struct affinity_count { /* pods that match a required term, by the domain of its topology key */
	const struct pod_term *term;
	const uint32_t *domain; /* by node */
	uint32_t *pods;		/* by domain */
	uint32_t total;
};

struct spread_count {
	const struct topology_spread_constraint *constraint;
	struct selector selector;
	const uint32_t *domain;
	uint32_t domain_count;
	uint32_t *pods; /* by domain */
	bool *is_used;	/* by domain: it has a node that counts */
	int64_t least;
	bool matches_self;
	double weight; /* when scoring */
};

struct cycle {
	struct arena *a;
	struct cluster *c;
	const struct pod_info *pod;
	struct str namespace;
	struct str prefilter;
	/* pod affinity */
	struct affinity_count *affinity, *anti_affinity;
	bool *is_refused; /* by node: a pod that is there refuses this one; NULL: none does */
	bool is_first_of_its_kind; /* no pod matches its affinity, but it does itself */
	/* spreading */
	struct spread_count *spread;
	uint32_t spread_count;
	/* topologies asked for in this cycle */
	struct cycle_topology {
		struct str key;
		const uint32_t *domain;
		uint32_t count;
	} * topologies;
	size_t topology_count, topology_cap;
	/* reasons */
	struct reason_count *reasons;
	size_t reason_count, reason_cap;
	/* scoring */
	const uint32_t *fitting;
	uint32_t fitting_count;
};

void cycle_reason(struct cycle *y, struct str text);
/* By node: the domain of that label, a copy in the cycle's arena. */
const uint32_t *cycle_domains(struct cycle *y, struct str key, uint32_t *ret_count);
const struct object *cycle_namespace(const struct cycle *y, struct str name);

/* affinity.c */
void affinity_prepare(struct cycle *y);
enum verdict affinity_filter(struct cycle *y, uint32_t node);
bool affinity_score(struct cycle *y, int64_t *scores);
/* spread.c */
void spread_prepare(struct cycle *y);
enum verdict spread_filter(struct cycle *y, uint32_t node);
bool spread_score(struct cycle *y, int64_t *scores);
/* fit.c */
enum verdict fit_filter(struct cycle *y, uint32_t node);
bool fit_score(struct cycle *y, int64_t *scores);
bool balance_score(struct cycle *y, int64_t *scores);
/* volumes.c */
void volumes_prepare(struct cycle *y);
enum verdict volumes_filter(struct cycle *y, uint32_t node);
/* filters.c */
enum verdict unschedulable_filter(struct cycle *y, uint32_t node);
enum verdict name_filter(struct cycle *y, uint32_t node);
enum verdict taint_filter(struct cycle *y, uint32_t node);
enum verdict node_affinity_filter(struct cycle *y, uint32_t node);
enum verdict ports_filter(struct cycle *y, uint32_t node);
bool taint_score(struct cycle *y, int64_t *scores);
bool node_affinity_score(struct cycle *y, int64_t *scores);

#define SCORE_MOST 100
/* Scaled so that the highest becomes 100; reversed: 0 becomes 100. */
void scores_normalize(int64_t *scores, uint32_t count, bool is_reversed);

#endif
