/* The table of sleepers by address. The mutex is held across the signal, so an entry cannot leave before it got its HINT. */
#include "scheduler/waiters.h"

#include <pthread.h>

#define SHARDS 32u /* all are held across a fork(), and ThreadSanitizer follows no more than 64 locks of one thread */

struct shard {
    WF_LINE_ALIGNED pthread_mutex_t lock;
    struct wf_waiter *first; /* L */
};

#define FOUR                                                                                                                     \
    {.lock = PTHREAD_MUTEX_INITIALIZER}, {.lock = PTHREAD_MUTEX_INITIALIZER}, {.lock = PTHREAD_MUTEX_INITIALIZER}, {             \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                                                        \
    }
#define SIXTEEN FOUR, FOUR, FOUR, FOUR
static struct shard shards[SHARDS] = {SIXTEEN, SIXTEEN};

static struct shard *shard_of(const void *key) {
    return &shards[((uintptr_t)key >> 6) * 0x9e3779b97f4a7c15u >> 59];
}

static void lock_all(void) {
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_lock(&shards[i].lock);
}

static void unlock_all(void) {
    for (unsigned i = SHARDS; i-- > 0;)
        pthread_mutex_unlock(&shards[i].lock);
}

/* The sleepers are threads that the child does not have, and their stacks may be used anew. */
static void forget_all(void) {
    for (unsigned i = 0; i < SHARDS; i++)
        shards[i].first = NULL;
    unlock_all();
}

__attribute__((constructor)) static void survive_fork(void) {
    pthread_atfork(lock_all, unlock_all, forget_all);
}

void wf_waiters_add(struct wf_waiter *waiter) {
    struct shard *shard = shard_of(waiter->key);
    pthread_mutex_lock(&shard->lock);
    waiter->next = shard->first;
    shard->first = waiter;
    pthread_mutex_unlock(&shard->lock);
}

void wf_waiters_remove(struct wf_waiter *waiter) {
    struct shard *shard = shard_of(waiter->key);
    pthread_mutex_lock(&shard->lock);
    struct wf_waiter **link = &shard->first;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    pthread_mutex_unlock(&shard->lock);
}

void wf_waiters_wake(const void *key) {
    struct shard *shard = shard_of(key);
    pthread_mutex_lock(&shard->lock);
    for (struct wf_waiter *waiter = shard->first; waiter; waiter = waiter->next)
        if (waiter->key == key)
            wf_signal_set(waiter->signal, WF_SIGNAL_HINT);
    pthread_mutex_unlock(&shard->lock);
}
