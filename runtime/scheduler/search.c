/* The search round, in the order of the plan's victim groups. Runs on the searching worker only. */
#include "scheduler/search.h"

#include "base/clock.h"
#include "base/rng.h"
#include "scheduler/join.h"

#define INBOX_EVERY 61u
#define INBOX_BATCH 16u
#define WORTH_NS 1000u /* a stolen task that took longer was worth it */
#define PATIENCE_LEAST_NS 2000u
#define PATIENCE_MOST_NS 64000u

void wf_count_steal(struct wf_worker *worker, unsigned victim) {
    unsigned class = worker->classes[victim];
    struct wf_counters *counters = &worker->counters;
    wf_count(class == 0 ? &counters->steals_cache : class == 1 ? &counters->steals_node : &counters->steals_remote[class - 2], 1);
}

static bool steal_from(struct wf_worker *worker, unsigned victim, struct wf_found *found) {
    struct wf_worker *other = worker->pool->workers[victim];
    uint64_t word = wf_deque_look(&other->deque);
    if (wf_deque_word_has_work(word)) {
        found->slot = wf_deque_steal(&other->deque, word);
        if (found->slot) {
            found->kind = WF_FOUND_SLOT;
            found->victim = worker->last_victim = victim;
            wf_count_steal(worker, victim);
            return true;
        }
    } else {
        wf_deque_ask(&other->deque, wf_now_ns());
    }
    if (wf_ready_queue_has_work(&other->ready) && (found->record = wf_ready_queue_take(&other->ready))) {
        found->kind = WF_FOUND_RECORD;
        worker->last_victim = victim;
        wf_count_steal(worker, victim);
        return true;
    }
    return false;
}

static bool steal_from_group(struct wf_worker *worker, const weft_victim_group *group, struct wf_found *found) {
    unsigned start = wf_rng_below(&worker->random, group->worker_count);
    for (unsigned i = 0; i < group->worker_count; i++) {
        unsigned at = start + i < group->worker_count ? start + i : start + i - group->worker_count;
        if (steal_from(worker, group->workers[at], found))
            return true;
    }
    return false;
}

/* Take a batch from a node's inbox: the first task in hand, the others into the own ready queue where all may take them. */
static bool take_inbox(struct wf_worker *worker, unsigned node, struct wf_found *found) {
    struct wf_task_record *batch[INBOX_BATCH];
    uint32_t room = wf_ready_queue_room(&worker->ready) + 1;
    unsigned count = wf_inbox_take(&worker->pool->nodes[node]->inbox, batch, room < INBOX_BATCH ? room : INBOX_BATCH);
    if (!count)
        return false;
    wf_count(&worker->counters.inbox_tasks, count);
    found->kind = WF_FOUND_RECORD;
    found->record = batch[0];
    for (unsigned i = 1; i < count; i++)
        wf_ready_queue_put(&worker->ready, batch[i]);
    if (count > 1)
        wf_pool_offer(worker->pool, worker->node);
    return true;
}

/* The nodes of a remote group, each once: its workers are sorted by id, and ids are sorted by node. */
static bool take_inboxes_of(struct wf_worker *worker, const weft_victim_group *group, struct wf_found *found) {
    unsigned previous = worker->node;
    for (unsigned i = 0; i < group->worker_count; i++) {
        unsigned node = worker->pool->workers[group->workers[i]]->node;
        if (node != previous && take_inbox(worker, node, found))
            return true;
        previous = node;
    }
    return false;
}

/* Own queue, then loops: those of which this worker has a part, or (steal) can take one. */
static bool search_queue(struct wf_worker *worker, bool steal, struct wf_found *found) {
    if (wf_ready_queue_has_work(&worker->ready) && (found->record = wf_ready_queue_take(&worker->ready))) {
        found->kind = WF_FOUND_RECORD;
        return true;
    }
    int slot = wf_broadcast_enter(worker, steal);
    if (slot < 0)
        return false;
    found->kind = WF_FOUND_BROADCAST;
    found->broadcast = (unsigned)slot;
    return true;
}

bool wf_search_own(struct wf_worker *worker, struct wf_found *found) {
    if (worker->dispatches++ % INBOX_EVERY == INBOX_EVERY - 1 && take_inbox(worker, worker->node, found))
        return true;
    return search_queue(worker, true, found);
}

bool wf_search_leftover(struct wf_worker *worker, struct wf_found *found) {
    return search_queue(worker, false, found);
}

bool wf_search(struct wf_worker *worker, struct wf_found *found) {
    const weft_plan_worker *planned = worker->planned;
    if (wf_search_own(worker, found))
        return true;
    unsigned g = 0;
    if (worker->last_victim != worker->id && worker->classes[worker->last_victim] < 2 &&
        steal_from(worker, worker->last_victim, found))
        return true;
    for (; g < planned->group_count && planned->groups[g].kind != WEFT_VICTIM_REMOTE; g++)
        if (steal_from_group(worker, &planned->groups[g], found))
            return true;
    if (take_inbox(worker, worker->node, found))
        return true;
    for (; g < planned->group_count; g++)
        if (steal_from_group(worker, &planned->groups[g], found) || take_inboxes_of(worker, &planned->groups[g], found))
            return true;
    wf_count(&worker->counters.failed_rounds, 1);
    return false;
}

bool wf_search_would_find(struct wf_worker *worker, bool ask) {
    weft_pool *pool = worker->pool;
    bool work = wf_broadcast_any(worker, true);
    for (unsigned i = 0; i < pool->worker_count; i++) {
        struct wf_worker *other = pool->workers[i];
        if (wf_deque_word_has_work(wf_deque_look(&other->deque)) || wf_ready_queue_has_work(&other->ready))
            work = true;
        else if (ask && other != worker)
            wf_deque_ask(&other->deque, WF_DEQUE_ANYWAY);
    }
    for (unsigned i = 0; ask && !work && i < pool->worker_count; i++)
        work = pool->workers[i] != worker && wf_deque_force(&pool->workers[i]->deque);
    for (unsigned i = 0; i < pool->node_count; i++)
        work = work || wf_inbox_has_work(&pool->nodes[i]->inbox);
    return work;
}

/* How long nobody asks the victim again: the longer, the smaller what it gave away was. */
static void learn_patience(struct wf_deque *deque, uint64_t task_ns) {
    uint64_t patience = wf_load(&deque->patience_ns, WF_RELAXED);
    if (task_ns >= WORTH_NS)
        patience = 0;
    else
        patience = patience < PATIENCE_LEAST_NS ? PATIENCE_LEAST_NS : patience < PATIENCE_MOST_NS ? 2 * patience : patience;
    wf_store(&deque->patience_ns, patience, WF_RELAXED);
}

void wf_run_stolen(struct wf_worker *worker, weft_slot *slot, unsigned victim) {
    weft_slot *outer_serving = worker->serving;
    unsigned outer_owner = worker->serving_owner;
    struct wf_worker *owner = worker->pool->workers[victim];
    uint64_t begin = wf_now_ns();
    worker->serving = slot;
    worker->serving_owner = victim;
    wf_deque_new_epoch(&worker->deque);
    /* release: an owner that knows the thief sees the new epoch */
    wf_fetch_or(wf_slot_state(slot), (worker->id + 1) << WF_SLOT_THIEF_SHIFT, WF_RELEASE);
    wf_run_slot(worker, slot, wf_load(wf_slot_parent(slot), WF_RELAXED));
    wf_deque_new_epoch(&worker->deque);
    worker->serving = outer_serving;
    worker->serving_owner = outer_owner;
    /* release: the owner that acquires DONE sees the task's writes. The slot may be reused from here on. */
    if (wf_fetch_or(wf_slot_state(slot), WF_SLOT_DONE, WF_ACQ_REL) & WF_SLOT_WAITING)
        wf_signal_set(&owner->signal, WF_SIGNAL_HINT);
    learn_patience(&owner->deque, wf_now_ns() - begin);
}

void wf_run_found(struct wf_worker *worker, const struct wf_found *found) {
    switch (found->kind) {
    case WF_FOUND_SLOT:
        wf_run_stolen(worker, found->slot, found->victim);
        break;
    case WF_FOUND_RECORD:
        wf_record_run_queued(worker, found->record);
        break;
    case WF_FOUND_BROADCAST: {
        struct wf_broadcasts *broadcasts = &worker->pool->broadcasts;
        struct wf_broadcast *broadcast = &broadcasts->slots[found->broadcast];
        broadcast->run(broadcast->job, found->broadcast, worker);
        wf_broadcast_leave(broadcasts, found->broadcast);
        break;
    }
    case WF_FOUND_NOTHING:
        break;
    }
}
