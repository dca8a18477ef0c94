#include "server/fair_queue.h"

#include <stdlib.h>
#include <string.h>

struct queue {
	struct list requests;
	uint32_t length;
	uint64_t served; /* virtual time: seats given to it, or to others while it was empty */
};

struct fair_level {
	struct list link;
	char *name;
	struct fair_limits limits;
	uint32_t seats, lendable, borrowable;
	uint32_t in_use, running, waiting;
	uint64_t now; /* virtual time: that of the queue served last */
	uint64_t dispatched, rejected, arrivals;
	struct queue *queues;
	bool is_set; /* since the last settling */
	bool is_gone;
};

void fair_levels_init(struct fair_levels *all, uint32_t seats)
{
	list_init(&all->levels);
	all->seats = seats;
}

static void level_free(struct fair_level *level)
{
	list_remove(&level->link);
	free(level->queues);
	free(level->name);
	free(level);
}

void fair_levels_done(struct fair_levels *all)
{
	struct fair_level *level;
	LIST_FOR_EACH (level, &all->levels, link)
		level_free(level);
}

static struct queue *queues_new(uint32_t count)
{
	struct queue *queues = mem_alloc(count * sizeof(*queues));
	for (uint32_t i = 0; i < count; i++)
		list_init(&queues[i].requests);
	return queues;
}

/* --- limits --- */

struct fair_level *fair_level_find(const struct fair_levels *all, struct str name)
{
	struct fair_level *level;
	LIST_FOR_EACH (level, &all->levels, link)
		if (str_is(name, level->name))
			return level;
	return NULL;
}

/* Who waits keeps its order, as far as fewer queues allow. */
static void queues_change(struct fair_level *level, uint32_t count)
{
	struct queue *queues = queues_new(MAX(count, 1u));
	for (uint32_t i = 0; i < level->limits.queues; i++) {
		struct queue *to = &queues[i % MAX(count, 1u)];
		struct fair_request *q;
		LIST_FOR_EACH (q, &level->queues[i].requests, link) {
			list_remove(&q->link);
			list_append(&to->requests, &q->link);
			to->length++;
		}
	}
	free(level->queues);
	level->queues = queues;
}

void fair_level_set(struct fair_levels *all, struct str name, const struct fair_limits *limits)
{
	struct fair_level *level = fair_level_find(all, name);
	if (!level) {
		level = NEW(struct fair_level);
		level->name = mem_strndup(name.at, name.len);
		list_append(&all->levels, &level->link);
	}
	if (!level->queues || level->limits.queues != limits->queues)
		queues_change(level, limits->queues);
	level->limits = *limits;
	level->limits.hand = MIN(level->limits.hand, (uint32_t)FAIR_HAND_MAX);
	level->is_set = true;
}

static uint32_t percent_of(uint32_t seats, uint32_t percent)
{
	return (uint32_t)(((uint64_t)seats * percent + 50) / 100);
}

static void seats_set(struct fair_level *level, uint32_t seats, uint64_t shares)
{
	uint64_t own = shares ? ((uint64_t)seats * level->limits.shares + shares - 1) / shares : 0;
	uint32_t borrowing = level->limits.borrowing_percent;
	level->seats = (uint32_t)own;
	level->lendable = percent_of(level->seats, level->limits.lendable_percent);
	level->borrowable = borrowing == UINT32_MAX ? UINT32_MAX
						    : percent_of(level->seats, borrowing);
}

static bool is_idle(const struct fair_level *level)
{
	return level->running == 0 && level->waiting == 0;
}

static void levels_serve(struct fair_levels *all);

void fair_levels_settle(struct fair_levels *all)
{
	uint64_t shares = 0;
	struct fair_level *level;
	LIST_FOR_EACH (level, &all->levels, link) {
		level->is_gone = !level->is_set;
		level->is_set = false;
		shares += level->is_gone ? 0 : level->limits.shares;
	}
	LIST_FOR_EACH (level, &all->levels, link) {
		if (!level->is_gone)
			seats_set(level, all->seats, shares);
		else if (is_idle(level))
			level_free(level);
	}
	levels_serve(all);
}

/* --- seats --- */

static uint32_t unused(const struct fair_level *level)
{
	return level->in_use < level->seats ? level->seats - level->in_use : 0;
}

/* Seats that others lend at this moment and that nobody has borrowed yet. */
static bool others_lend(const struct fair_levels *all, const struct fair_level *borrower,
			uint32_t wanted)
{
	int64_t left = 0;
	const struct fair_level *level;
	LIST_FOR_EACH (level, &all->levels, link) {
		if (level->limits.is_exempt)
			continue;
		if (level != borrower)
			left += MIN(level->lendable, unused(level));
		if (level->in_use > level->seats)
			left -= level->in_use - level->seats;
	}
	return left >= (int64_t)wanted;
}

static bool may_run(const struct fair_levels *all, const struct fair_level *level, uint32_t seats)
{
	if (level->limits.is_exempt || level->in_use == 0 || seats <= unused(level))
		return true;
	uint64_t most = (uint64_t)level->seats + level->borrowable;
	return level->in_use + seats <= most && others_lend(all, level, seats - unused(level));
}

static void run(struct fair_level *level, struct fair_request *q)
{
	q->place = FAIR_RUNS;
	level->in_use += q->seats;
	level->running++;
	level->dispatched++;
}

/* --- queues --- */

/* A hand of different queues, dealt by the flow's hash; the shortest of them. */
static struct queue *shortest_of_hand(struct fair_level *level, uint64_t flow)
{
	uint32_t dealt[FAIR_HAND_MAX];
	struct queue *best = NULL;
	uint32_t hand = MIN(level->limits.hand, level->limits.queues);
	for (uint32_t i = 0; i < hand; i++) {
		uint32_t card = (uint32_t)(flow % (level->limits.queues - i)), at = 0;
		flow /= level->limits.queues - i;
		for (; at < i && dealt[at] <= card; at++)
			card++;
		memmove(&dealt[at + 1], &dealt[at], (i - at) * sizeof(dealt[0]));
		dealt[at] = card;
		if (!best || level->queues[card].length < best->length)
			best = &level->queues[card];
	}
	return best;
}

static void queue_join(struct fair_level *level, struct queue *queue, struct fair_request *q)
{
	if (queue->length == 0)
		queue->served = MAX(queue->served, level->now);
	q->arrival = level->arrivals++;
	list_append(&queue->requests, &q->link);
	queue->length++;
	level->waiting++;
	q->place = FAIR_WAITS;
}

static struct fair_request *head_of(const struct queue *queue)
{
	return LIST_FIRST(&queue->requests, struct fair_request, link);
}

/* Of those served alike, the one whose head has waited longest. */
static bool goes_before(const struct queue *a, const struct queue *b)
{
	if (a->served != b->served)
		return a->served < b->served;
	return head_of(a)->arrival < head_of(b)->arrival;
}

static struct queue *least_served(struct fair_level *level)
{
	struct queue *best = NULL;
	for (uint32_t i = 0; i < MAX(level->limits.queues, 1u); i++) {
		struct queue *queue = &level->queues[i];
		if (queue->length && (!best || goes_before(queue, best)))
			best = queue;
	}
	return best;
}

static void level_serve(struct fair_levels *all, struct fair_level *level)
{
	while (level->waiting) {
		struct queue *queue = least_served(level);
		struct fair_request *q = head_of(queue);
		if (!may_run(all, level, q->seats))
			return;
		list_remove(&q->link);
		queue->length--;
		level->waiting--;
		level->now = queue->served;
		queue->served += q->seats;
		run(level, q);
		q->on_run(q);
	}
}

static void levels_serve(struct fair_levels *all)
{
	struct fair_level *level;
	LIST_FOR_EACH (level, &all->levels, link)
		level_serve(all, level);
}

enum fair_place fair_begin(struct fair_levels *all, struct fair_level *level,
			   struct fair_request *q, uint64_t flow, uint32_t seats)
{
	q->level = level;
	q->seats = level->limits.is_exempt ? seats : MIN(seats, MAX(level->seats, 1u));
	q->place = FAIR_NOWHERE;
	if (level->waiting == 0 && may_run(all, level, q->seats)) {
		run(level, q);
		return q->place;
	}
	struct queue *queue = shortest_of_hand(level, flow);
	if (!queue || queue->length >= level->limits.queue_length)
		level->rejected++;
	else
		queue_join(level, queue, q);
	return q->place;
}

/* Which queue it waits in only the list knows: the lists are short. */
static void queue_leave(struct fair_level *level, struct fair_request *q)
{
	for (uint32_t i = 0; i < MAX(level->limits.queues, 1u); i++) {
		struct fair_request *other;
		LIST_FOR_EACH (other, &level->queues[i].requests, link) {
			if (other != q)
				continue;
			list_remove(&q->link);
			level->queues[i].length--;
			level->waiting--;
			return;
		}
	}
}

void fair_end(struct fair_levels *all, struct fair_request *q)
{
	struct fair_level *level = q->level;
	if (q->place == FAIR_WAITS) {
		queue_leave(level, q);
	} else if (q->place == FAIR_RUNS) {
		level->in_use -= q->seats;
		level->running--;
	}
	q->place = FAIR_NOWHERE;
	levels_serve(all);
	if (level->is_gone && is_idle(level))
		level_free(level);
}

size_t fair_counts(const struct fair_levels *all, struct fair_counts *ret_counts, size_t max)
{
	size_t count = 0;
	const struct fair_level *level;
	LIST_FOR_EACH (level, &all->levels, link) {
		if (count == max)
			break;
		ret_counts[count++] = (struct fair_counts){
			.name = str_of(level->name),
			.seats = level->seats,
			.seats_in_use = level->in_use,
			.running = level->running,
			.waiting = level->waiting,
			.dispatched = level->dispatched,
			.rejected = level->rejected,
		};
	}
	return count;
}
