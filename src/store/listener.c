/* Those who are woken by a new snapshot, on their own loops; and numbers for who watches us. */
#include "store/store-int.h"

static void listener_on(struct loop_msg *msg)
{
	struct store_listener *l = CONTAINER_OF(msg, struct store_listener, msg);
	atomic_store(&l->is_posted, false);
	l->fn(l);
}

void store_listen(struct store *store, struct store_listener *l)
{
	l->msg.fn = listener_on;
	pthread_mutex_lock(&store->listen_lock);
	list_append(&store->listeners, &l->link);
	pthread_mutex_unlock(&store->listen_lock);
}

void store_unlisten(struct store *store, struct store_listener *l)
{
	pthread_mutex_lock(&store->listen_lock);
	list_remove(&l->link);
	pthread_mutex_unlock(&store->listen_lock);
	loop_post_cancel(l->loop, &l->msg); /* nobody can post it any more */
	atomic_store(&l->is_posted, false);
}

void store_wake_listeners(struct store *store)
{
	struct store_listener *l;
	pthread_mutex_lock(&store->listen_lock);
	LIST_FOR_EACH (l, &store->listeners, link)
		if (!atomic_exchange(&l->is_posted, true))
			loop_post(l->loop, &l->msg);
	pthread_mutex_unlock(&store->listen_lock);
}

void store_stats(struct store *store, struct store_stats *ret_stats)
{
	*ret_stats = (struct store_stats){
		.commits = atomic_load(&store->commit_count),
		.transactions = atomic_load(&store->writer.transactions),
		.written_bytes = atomic_load(&store->writer.written_bytes),
		.objects = atomic_load(&store->object_count),
		.object_bytes = atomic_load(&store->object_bytes),
		.revision = atomic_load(&store->published_revision),
	};
}
