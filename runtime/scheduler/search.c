/* The search round, in the order of the plan's victim groups. Runs on the searching worker only. */
#include "scheduler/search.h"

#include "base/clock.h"
#include "base/rng.h"
#include "scheduler/join.h"
#include "scheduler/submit.h"

#define INBOX_EVERY 61u
#define BATCH 32u         /* tasks that are taken at once */
#define PAUSE_MOST 31u    /* of a worker that is quicker than who submits */
#define WORTH_NS 2000u    /* a stolen task that took longer was worth it */
#define ANSWER_LOOKS 100u /* for what a victim publishes that was asked */
#define PATIENCE_LEAST_NS 2000u
#define PATIENCE_MOST_NS 16000u
#define VAIN_TO_CLEAR 4u    /* rounds in vain before a bit of the summary is cleared: tasks that come one by one keep theirs */
#define LOCAL_MOST 8u       /* workers of the own group that a round looks at although they show nothing */
#define SCOUT_FIRST_NS 1000 /* after the first round to other nodes that found nothing */
#define SCOUT_MOST_NS 1000000
#ifndef WF_LINGER_POLLS       /* a test may want few */
#define WF_LINGER_POLLS 1024u /* one to two microseconds: loops in a row come closer than that */
#endif
#define LINGER_LOOK 128u

void wf_count_steal(struct wf_worker *worker, unsigned victim) {
    unsigned class = worker->classes[victim];
    struct wf_counters *counters = &worker->counters;
    wf_count(class == 0 ? &counters->steals_cache : class == 1 ? &counters->steals_node : &counters->steals_remote[class - 2], 1);
}

void wf_offer_own(struct wf_worker *worker) {
    struct wf_node *node = worker->pool->nodes[worker->node];
    wf_summary_show(&node->summary, worker->id - node->parking.first);
    wf_pool_offer(worker->pool, worker->node);
}

/* Tasks that may be moved into the own ready queue at once. */
static uint32_t batch_room(const struct wf_worker *worker) {
    uint32_t room = wf_ready_queue_room(&worker->ready);
    return room < BATCH - 1 ? room : BATCH - 1;
}

/* The own queue's oldest task that is not void. */
static bool take_own(struct wf_worker *worker, struct wf_found *found) {
    while (wf_ready_queue_has_work(&worker->ready) && wf_ready_queue_take(&worker->ready, &found->task))
        if (wf_task_claim(worker, &found->task)) {
            found->kind = WF_FOUND_TASK;
            return true;
        }
    return false;
}

/* The first of `count` tasks that were moved here is in hand, the others lie in the own queue unseen. It is claimed while this worker
 * still counts as one that searches, see wf_park_idle(). */
static bool begin_batch(struct wf_worker *worker, unsigned count, struct wf_found *found) {
    bool mine = wf_task_claim(worker, &found->task);
    wf_tasks_share(worker, count - 1);
    if (!mine)
        return take_own(worker, found);
    found->kind = WF_FOUND_TASK;
    return true;
}

/* Up to half of a victim's ready queue: the oldest task in hand, the others into the own queue. */
static bool steal_ready(struct wf_worker *worker, unsigned victim, struct wf_found *found) {
    struct wf_ready_queue *queue = &worker->pool->workers[victim]->ready;
    if (!wf_ready_queue_has_work(queue))
        return false;
    uint32_t count = wf_ready_queue_steal(queue, &worker->ready, batch_room(worker), &found->task);
    if (!count)
        return false;
    worker->last_victim = victim;
    for (uint32_t i = 0; i < count; i++)
        wf_count_steal(worker, victim);
    return begin_batch(worker, count, found);
}

/* The word of a victim's deque; one that had nothing public is asked, and an owner that spawns answers at once. */
static uint64_t look_and_ask(struct wf_deque *deque) {
    uint64_t word = wf_deque_look(deque);
    if (wf_deque_word_has_work(word) || !wf_deque_ask(deque, wf_now_ns()))
        return word;
    for (unsigned i = 0; i < ANSWER_LOOKS && !wf_deque_word_has_work(word); i++)
        word = wf_deque_look(deque);
    return word;
}

static bool steal_from(struct wf_worker *worker, unsigned victim, struct wf_found *found) {
    struct wf_worker *other = worker->pool->workers[victim];
    uint64_t word = look_and_ask(&other->deque);
    if (wf_deque_word_has_work(word)) {
        found->slot = wf_deque_steal(&other->deque, word);
        if (found->slot) {
            found->kind = WF_FOUND_SLOT;
            found->victim = worker->last_victim = victim;
            wf_count_steal(worker, victim);
            return true;
        }
    }
    return steal_ready(worker, victim, found);
}

static bool has_work(const struct wf_worker *other) {
    return wf_deque_word_has_work(wf_deque_look(&other->deque)) || wf_ready_queue_has_work(&other->ready);
}

/* Look at one victim. Keeps the summary true: what is left is shown, what is not there is not. */
static bool visit(struct wf_worker *worker, unsigned victim, struct wf_found *found) {
    struct wf_worker *other = worker->pool->workers[victim];
    struct wf_node *node = worker->pool->nodes[other->node];
    unsigned i = victim - node->parking.first;
    wf_count(node->index == worker->node ? &worker->counters.attempts_local : &worker->counters.attempts_remote, 1);
    if (steal_from(worker, victim, found)) {
        if (found->kind == WF_FOUND_SLOT && wf_deque_word_has_work(wf_deque_look(&other->deque)))
            wf_summary_show(&node->summary, i);
        return true;
    }
    if (worker->vain >= VAIN_TO_CLEAR && wf_summary_shows(&node->summary, i)) {
        wf_summary_clear(&node->summary, i);
        if (has_work(other))
            wf_summary_show(&node->summary, i);
    }
    return false;
}

/* Take a batch from a node's inbox: the first task in hand, the others into the own ready queue where all may take them. */
static unsigned take_inbox(struct wf_worker *worker, unsigned node, struct wf_found *found) {
    struct wf_inbox *inbox = &worker->pool->nodes[node]->inbox;
    if (!wf_inbox_has_work(inbox))
        return 0;
    wf_tasks_tell(worker);
    unsigned lane = (unsigned)(worker->dispatches / INBOX_EVERY) + worker->id;
    unsigned count = wf_inbox_take(inbox, lane, &worker->ready, batch_room(worker), &found->task);
    if (!count)
        return 0;
    wf_count(&worker->counters.inbox_tasks, count);
    return begin_batch(worker, count, found) ? count : 0;
}

/*
 * Who runs submitted tasks goes on with the next, without a searcher's role. If it is quicker than the submitter, each task costs both
 * the way of several lines to the other core and back; so while tasks of the same group keep coming, it pauses before it looks, longer
 * and longer until a look pays. Somebody who submits a task and waits for it never meets this: there is no other task then, the
 * worker is a searcher before it tells of its end, and the next task wakes nobody.
 */
static bool go_on(struct wf_worker *worker, struct wf_found *found) {
    if (!worker->inbox_pause && !wf_inbox_has_work(&worker->pool->nodes[worker->node]->inbox))
        return false;
    bool more = wf_tasks_tell_now(worker);
    for (unsigned i = 0; more && i < worker->inbox_pause; i++)
        wf_cpu_relax();
    unsigned count = take_inbox(worker, worker->node, found);
    if (!more || !count)
        worker->inbox_pause = 0;
    else if (count < BATCH / 2)
        worker->inbox_pause = worker->inbox_pause < PAUSE_MOST ? 2 * worker->inbox_pause + 1 : PAUSE_MOST;
    return count;
}

/* Own queue, then loops: those of which this worker has a part, or (steal) can take one. */
static bool search_queue(struct wf_worker *worker, bool steal, struct wf_found *found) {
    if (take_own(worker, found))
        return true;
    if (!(steal && wf_broadcast_claim_here(worker, &found->claim)) && !wf_broadcast_claim(worker, steal, &found->claim))
        return false;
    found->kind = WF_FOUND_BROADCAST;
    return true;
}

bool wf_search_own(struct wf_worker *worker, struct wf_found *found) {
    if (worker->dispatches++ % INBOX_EVERY == INBOX_EVERY - 1 && take_inbox(worker, worker->node, found))
        return true;
    return search_queue(worker, true, found) || (worker->ended_count && go_on(worker, found));
}

bool wf_search_waits(struct wf_worker *worker) {
    return wf_ready_queue_has_work(&worker->ready) || wf_inbox_has_work(&worker->pool->nodes[worker->node]->inbox) ||
           wf_broadcast_any(worker, true);
}

bool wf_search_lingering(struct wf_worker *worker, struct wf_found *found) {
    unsigned polls = worker->lingers && wf_load(&worker->pool->spin_ns, WF_RELAXED) ? WF_LINGER_POLLS : 0;
    worker->lingers = false;
    for (unsigned i = 1; i <= polls; i++) {
        if (wf_broadcast_is_here(worker) && wf_broadcast_claim_here(worker, &found->claim)) {
            found->kind = WF_FOUND_BROADCAST;
            return true;
        }
        if (i % LINGER_LOOK == 0 && wf_search_own(worker, found))
            return true;
    }
    return false;
}

bool wf_search_leftover(struct wf_worker *worker, struct wf_found *found) {
    return search_queue(worker, false, found);
}

/*
 * Victims of a group of the own node, from a random start: those that show work, and a few of the others, which may have tasks of
 * their own to be asked for.
 */
static bool search_group(struct wf_worker *worker, const weft_victim_group *group, struct wf_found *found) {
    const struct wf_node *node = worker->pool->nodes[worker->node];
    unsigned start = wf_rng_below(&worker->random, group->worker_count), asked = 0;
    for (unsigned i = 0; i < group->worker_count; i++) {
        unsigned at = start + i < group->worker_count ? start + i : start + i - group->worker_count;
        unsigned victim = group->workers[at];
        if (!wf_summary_shows(&node->summary, victim - node->parking.first) && !worker->thorough && asked++ >= LOCAL_MOST)
            continue;
        if (visit(worker, victim, found))
            return true;
    }
    return false;
}

/* The own node: last victim, own cache, the other caches, inbox. */
static bool search_node(struct wf_worker *worker, struct wf_found *found) {
    const weft_plan_worker *planned = worker->planned;
    if (worker->last_victim != worker->id && worker->classes[worker->last_victim] < 2 &&
        visit(worker, worker->last_victim, found))
        return true;
    for (unsigned g = 0; g < planned->group_count && planned->groups[g].kind != WEFT_VICTIM_REMOTE; g++)
        if (search_group(worker, &planned->groups[g], found))
            return true;
    return take_inbox(worker, worker->node, found);
}

/* Victims of another node: from a random start those that show work, unless it is left to others; if none does, one is asked. */
static bool search_workers_of(struct wf_worker *worker, const struct wf_node *node, bool leave, struct wf_found *found) {
    unsigned count = node->parking.count, start = wf_rng_below(&worker->random, count), shown = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = start + i < count ? start + i : start + i - count;
        if (!worker->thorough && !wf_summary_shows(&node->summary, at))
            continue;
        shown++;
        if (!leave && visit(worker, node->parking.first + at, found))
            return true;
    }
    return !shown && visit(worker, node->parking.first + start, found);
}

/* Another node. What shows there is left to those who are idle there: they search, or an offer wakes them. */
static bool search_other(struct wf_worker *worker, unsigned index, struct wf_found *found) {
    struct wf_node *node = worker->pool->nodes[index];
    bool leave = !worker->thorough && wf_park_idle(&node->parking);
    return search_workers_of(worker, node, leave, found) || (!leave && take_inbox(worker, index, found));
}

/* All other nodes by their distance, from a random start within each. */
static bool search_others(struct wf_worker *worker, struct wf_found *found) {
    weft_pool *pool = worker->pool;
    const struct wf_other_node *others = pool->nodes[worker->node]->others;
    wf_count(&worker->counters.remote_rounds, 1);
    for (unsigned first = 0, last; first + 1 < pool->node_count; first = last) {
        for (last = first; last + 1 < pool->node_count && others[last].rank == others[first].rank;)
            last++;
        unsigned start = wf_rng_below(&worker->random, last - first);
        for (unsigned i = 0; i < last - first; i++)
            if (search_other(worker, others[first + (start + i) % (last - first)].node, found))
                return true;
    }
    return false;
}

/*
 * One worker of a node at a time looks at other nodes, and the longer it finds nothing the less often, until something turns up. A
 * thorough round waits for nobody: without it the worker would go on to try to sleep.
 */
static bool scout(struct wf_worker *worker, struct wf_found *found) {
    struct wf_scout *scout = &worker->pool->nodes[worker->node]->scout;
    if (worker->thorough)
        return search_others(worker, found);
    if (wf_load(&scout->out, WF_RELAXED) || wf_now_ns() < wf_load(&scout->next_ns, WF_RELAXED) ||
        wf_exchange(&scout->out, 1, WF_RELAXED))
        return false;
    bool success = search_others(worker, found);
    uint64_t pause = wf_load(&scout->pause_ns, WF_RELAXED);
    pause = success ? 0 : !pause ? SCOUT_FIRST_NS : pause < SCOUT_MOST_NS ? 2 * pause : SCOUT_MOST_NS;
    wf_store(&scout->pause_ns, pause, WF_RELAXED);
    wf_store(&scout->next_ns, pause ? wf_now_ns() + pause : 0, WF_RELAXED);
    wf_store(&scout->out, 0, WF_RELAXED); /* it guards how many there are, and no data */
    return success;
}

bool wf_search_hint(const struct wf_worker *worker) {
    const weft_pool *pool = worker->pool;
    const struct wf_node *node = pool->nodes[worker->node];
    return wf_summary_peek(&node->summary, 0) || wf_inbox_has_work(&node->inbox) || wf_load(&pool->broadcasts.live, WF_RELAXED);
}

void wf_search_encourage(struct wf_worker *worker) {
    struct wf_scout *scout = &worker->pool->nodes[worker->node]->scout;
    if (!wf_load(&scout->pause_ns, WF_RELAXED))
        return;
    wf_store(&scout->pause_ns, 0, WF_RELAXED); /* beside a scout that is out: it goes too early or too late once */
    wf_store(&scout->next_ns, 0, WF_RELAXED);
}

/* Any worker of the pool, all alike, if it shows work. */
static bool search_random(struct wf_worker *worker, struct wf_found *found) {
    weft_pool *pool = worker->pool;
    unsigned victim = wf_rng_below(&worker->random, pool->worker_count);
    const struct wf_node *node = pool->nodes[pool->workers[victim]->node];
    return victim != worker->id && wf_summary_shows(&node->summary, victim - node->parking.first) && visit(worker, victim, found);
}

bool wf_search(struct wf_worker *worker, struct wf_found *found) {
    if (wf_search_own(worker, found))
        return true;
    if (search_node(worker, found)) {
        wf_search_encourage(worker);
        return true;
    }
    if (worker->pool->node_count > 1) {
        if (wf_rng_below(&worker->random, 4) == 0 && search_random(worker, found))
            return true;
        if (scout(worker, found))
            return true;
    }
    wf_count(&worker->counters.failed_rounds, 1);
    return false;
}

/* Whether a node has something now. Sequentially consistent. */
static bool node_shows(const weft_pool *pool, unsigned index) {
    const struct wf_node *node = pool->nodes[index];
    if (wf_inbox_has_work(&node->inbox))
        return true;
    for (unsigned word = 0; word * 64 < node->parking.count; word++)
        for (uint64_t bits = wf_load(&node->summary.bits[word], WF_SEQ_CST); bits; bits &= bits - 1)
            if (has_work(pool->workers[node->parking.first + word * 64 + (unsigned)__builtin_ctzll(bits)]))
                return true;
    return false;
}

void wf_search_pass_on(struct wf_worker *worker) {
    weft_pool *pool = worker->pool;
    const struct wf_node *home = pool->nodes[worker->node];
    if (node_shows(pool, worker->node) || wf_broadcast_any(worker, true)) {
        wf_pool_offer(pool, worker->node);
        return;
    }
    for (unsigned i = 0; i + 1 < pool->node_count; i++)
        if (node_shows(pool, home->others[i].node)) {
            wf_pool_offer(pool, home->others[i].node);
            return;
        }
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
        wf_tasks_tell(worker);
        wf_run_stolen(worker, found->slot, found->victim);
        break;
    case WF_FOUND_TASK:
        wf_task_run(worker, &found->task);
        break;
    case WF_FOUND_BROADCAST:
        wf_tasks_tell(worker);
        wf_broadcast_run(worker, &found->claim);
        worker->lingers = true;
        break;
    case WF_FOUND_NOTHING:
        break;
    }
}
