/* The plain pool. Everything in it is under its mutex. */
#include "harness/thread_pool.h"

#include <pthread.h>
#include <stdlib.h>

struct task {
    struct task *next;
    void (*fn)(void *arg);
    void *arg;
};

struct thread_pool {
    pthread_mutex_t lock;
    pthread_cond_t work, rest;
    struct task *first, **last;
    unsigned pending; /* queued or running */
    bool closed;
    unsigned threads;
    pthread_t ids[];
};

static struct task *take(struct thread_pool *pool) {
    while (!pool->first && !pool->closed)
        pthread_cond_wait(&pool->work, &pool->lock);
    struct task *task = pool->first;
    if (task && !(pool->first = task->next))
        pool->last = &pool->first;
    return task;
}

static void *work(void *arg) {
    struct thread_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (struct task *task; (task = take(pool));) {
        pthread_mutex_unlock(&pool->lock);
        task->fn(task->arg);
        free(task);
        pthread_mutex_lock(&pool->lock);
        if (!--pool->pending)
            pthread_cond_broadcast(&pool->rest);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct thread_pool *thread_pool_create(unsigned threads) {
    struct thread_pool *pool = calloc(1, sizeof *pool + threads * sizeof *pool->ids);
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->rest, NULL);
    pool->last = &pool->first;
    for (; pool->threads < threads; pool->threads++)
        if (pthread_create(&pool->ids[pool->threads], NULL, work, pool)) {
            thread_pool_destroy(pool);
            return NULL;
        }
    return pool;
}

bool thread_pool_submit(struct thread_pool *pool, void (*fn)(void *arg), void *arg) {
    struct task *task = malloc(sizeof *task);
    if (!task)
        return false;
    *task = (struct task){NULL, fn, arg};
    pthread_mutex_lock(&pool->lock);
    *pool->last = task;
    pool->last = &task->next;
    pool->pending++;
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_signal(&pool->work);
    return true;
}

void thread_pool_wait(struct thread_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    while (pool->pending)
        pthread_cond_wait(&pool->rest, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void thread_pool_destroy(struct thread_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_broadcast(&pool->work);
    while (pool->threads)
        pthread_join(pool->ids[--pool->threads], NULL);
    pthread_cond_destroy(&pool->rest);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
