/*
 * Running a graph.
 *
 * A runner is a piece of code on a worker that runs nodes one after the other: it keeps the first successor that becomes ready for
 * itself, adds the others to its worker's ring (graph_ring.h), and takes the newest from there when it has none. It leaves only when
 * its ring and the spill are empty: so every node that is ready is run by somebody, whatever else happens. What is below is about others
 * taking part.
 *
 * Nothing that is ready hides behind a long node: while a ring holds nodes, somebody looks for them, or is invited to. An invitation is a
 * task of the run's group; whoever begins it becomes a runner that searches. At most one is on its way.
 *
 *   add      1 cas(ring)           2 searching and invited are 0: set invited, submit an invitation
 *   invited  1 searching += 1      2 invited = 0      3 look at all rings, for a while
 *   leave    1 searching -= 1      2 look at all rings once more: what is there was added by somebody who relied on this one.
 *                                    The last who leaves with nodes in hand invites another if there are more
 *
 * All sequentially consistent: whoever adds sees the searcher, or the searcher's last look sees what was added.
 *
 * The run has ended when its group has: runners, invitations and placed nodes on their way all count in it. `busy` says the same
 * earlier to those who search, so that they leave at once. It counts those that may hold nodes; a thief counts itself before it steals, and
 * the victim leaves after it has seen what the thief did to its ring. Then the last one takes an invitation back that nobody has begun, by
 * running it: it finds nobody busy.
 *
 * waits: who ends a predecessor counts it down (acq_rel: its writes for the node, all others' by the release sequence). Who reads 1
 * (acquire) is the last without changing it. The last one sets it for the next run, which
 * reads it after this one has ended. In a graph with choices, and after a run that was stopped, it may be anything: the next begins by setting all.
 *
 * Errors: the first status is put into `stop` by compare-exchange, and its winner notes node and text, which are read after the run.
 * Runners see `stop` before each node, and leave. What they leave in rings and spill is cleared before the next run.
 *
 * Rejected: a task for each node that is ready (100 ns each); nodes as slots of the worker's deque (a slot waits for its thief, so
 * a graph that is deep and narrow would nest waits without end); searching without a pause (each look at a ring costs its owner
 * a cache miss).
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/rng.h"
#include "parallel/graph.h"
#include "parallel/graph_compile.h"
#include "scheduler/group.h"
#include "scheduler/join.h"
#include "scheduler/placed.h"
#include "scheduler/submit.h"

#define BATCH 32u      /* ready nodes that are added at once */
#define PAUSE_LEAST 8u /* rounds of wf_cpu_relax() between two looks at the rings, doubled while they find nothing */
#define PAUSE_MOST 64u
#define WORTH_NS 4000u          /* stolen nodes that last longer were worth it */
#define PATIENCE_LEAST_NS 1000u /* between two steals that were not, doubled while they are not */
#define PATIENCE_MOST_NS 16000u
#define BRIEF_NS 8000u /* less than it takes to wake a worker */

struct runner {
    weft_graph *graph;
    struct wf_worker *worker;
    struct wf_frame *frame; /* of the task that the runner is in; all its nodes run in it */
    struct wf_graph_lane *lane;
};

static struct runner runner_of(weft_graph *graph) {
    struct wf_worker *worker = wf_self;
    return (struct runner){graph, worker, worker->frame, &graph->lanes[worker->id]};
}

static bool stopped(const weft_graph *graph) {
    return WF_UNLIKELY(wf_load(&graph->stop, WF_RELAXED)); /* late costs a node more */
}

/* The first one counts. What it is for is read after the run. */
static bool stop(weft_graph *graph, weft_status status) {
    uint32_t none = WEFT_OK;
    return wf_cas(&graph->stop, &none, (uint32_t)status, WF_RELAXED, WF_RELAXED);
}

static void join_run(void *graph);

static void invite(const struct runner *runner) {
    weft_graph *graph = runner->graph;
    if (wf_load(&graph->searching, WF_SEQ_CST) || wf_load(&graph->invited, WF_SEQ_CST) || wf_load(&graph->brief, WF_RELAXED) ||
        graph->pool->worker_count == 1 || wf_exchange(&graph->invited, 1, WF_SEQ_CST))
        return;
    if (wf_submit_inside(runner->worker, &(struct wf_task){.fn = join_run, .arg = graph, .group = graph->group}))
        wf_store(&graph->invited, 0, WF_SEQ_CST); /* no memory: this worker runs them */
}

/* What did not fit into a ring. */
static void spill(weft_graph *graph, unsigned level, const uint32_t *nodes, uint32_t count) {
    pthread_mutex_lock(&graph->spill_lock);
    for (uint32_t i = 0; i < count; i++) {
        graph->nodes[nodes[i]].next = graph->spill[level];
        graph->spill[level] = nodes[i];
    }
    wf_store(&graph->spilled, wf_load(&graph->spilled, WF_RELAXED) + count, WF_SEQ_CST);
    pthread_mutex_unlock(&graph->spill_lock);
}

/* Nodes of one level are ready. */
static void add_nodes(const struct runner *runner, unsigned level, const uint32_t *nodes, uint32_t count) {
    uint32_t added = wf_graph_ring_add(&runner->lane->rings[level], nodes, count);
    if (WF_UNLIKELY(added < count))
        spill(runner->graph, level, nodes + added, count - added);
    invite(runner);
}

/* Half a ring of the first level that has spilled. False: nothing. */
static bool unspill(const struct runner *runner) {
    weft_graph *graph = runner->graph;
    uint32_t nodes[WF_GRAPH_RING / 2], count = 0, level = 0;
    if (WF_LIKELY(!wf_load(&graph->spilled, WF_SEQ_CST)))
        return false;
    pthread_mutex_lock(&graph->spill_lock);
    while (level + 1 < WF_GRAPH_LEVELS && graph->spill[level] == WF_GRAPH_NONE)
        level++;
    for (uint32_t node = graph->spill[level]; node != WF_GRAPH_NONE && count < WF_ARRAY_LENGTH(nodes);
         node = graph->nodes[node].next)
        nodes[count++] = node;
    if (count)
        graph->spill[level] = graph->nodes[nodes[count - 1]].next;
    wf_store(&graph->spilled, wf_load(&graph->spilled, WF_RELAXED) - count, WF_SEQ_CST);
    pthread_mutex_unlock(&graph->spill_lock);
    if (count)
        add_nodes(runner, level, nodes, count); /* the ring is empty, unless a thief's runner shares it: then it spills again */
    return count;
}

/* The newest of the first level. WF_GRAPH_NONE: neither ring nor spill holds anything. */
static uint32_t take(const struct runner *runner) {
    const weft_graph *graph = runner->graph;
    do {
        for (unsigned level = graph->first_level; level <= graph->last_level && !stopped(graph); level++) {
            uint32_t node = wf_graph_ring_newest(&runner->lane->rings[level]);
            if (node != WF_GRAPH_NONE)
                return node;
        }
    } while (!stopped(graph) && unspill(runner));
    return WF_GRAPH_NONE;
}

static void run_placed(void *node);

/* Send a node to where it is at home. It counts as busy on its way. False: no memory. */
static WF_COLD bool send_home(const struct runner *runner, uint32_t index) {
    weft_graph *graph = runner->graph;
    struct wf_graph_node *node = &graph->nodes[index];
    wf_fetch_add(&graph->busy, 1, WF_RELAXED);
    if (!wf_submit_inside(runner->worker,
                          &(struct wf_task){.fn = run_placed, .arg = node, .group = graph->group, .home = node->home}))
        return true;
    wf_fetch_sub(&graph->busy, 1, WF_RELAXED); /* the caller is busy, so this is not the last */
    return false;
}

/* A predecessor of a node has ended: whether it was the last. */
static inline bool arrive(weft_graph *graph, uint32_t index) {
    wf_atomic_u32 *waits = &graph->waits[index];
    if (wf_load(waits, WF_ACQUIRE) != 1 && wf_fetch_sub(waits, 1, WF_ACQ_REL) != 1)
        return false;
    if (graph->nodes[index].preceded != 1)
        wf_store(waits, graph->nodes[index].preceded, WF_RELAXED);
    return true;
}

/* Those of `nodes` that are ready now (all, or those whose last predecessor has ended): one to run next, WF_GRAPH_NONE: none; the others are
 * offered to all. */
static inline uint32_t begin_nodes(const struct runner *runner, const uint32_t *nodes, uint32_t count, bool all) {
    weft_graph *graph = runner->graph;
    uint32_t kept = WF_GRAPH_NONE, ready[BATCH], held = 0;
    bool ranked = graph->first_level != graph->last_level;
    for (uint32_t i = 0; i < count; i++) {
        if (!all && !arrive(graph, nodes[i]))
            continue;
        const struct wf_graph_node *node = &graph->nodes[nodes[i]];
        if (WF_UNLIKELY(node->home) && node->home != runner->worker->node + 1 && send_home(runner, nodes[i]))
            continue;
        if (WF_UNLIKELY(ranked)) {
            add_nodes(runner, node->level, &nodes[i], 1);
        } else if (kept == WF_GRAPH_NONE) {
            kept = nodes[i];
        } else {
            ready[held++] = nodes[i];
            if (held == BATCH) {
                add_nodes(runner, node->level, ready, held);
                held = 0;
            }
        }
    }
    if (held)
        add_nodes(runner, graph->nodes[ready[0]].level, ready, held);
    return kept;
}

/* What a function spawned has ended before its node has. */
static inline void settle(const struct runner *runner) {
    struct wf_frame *frame = runner->frame;
    if (WF_UNLIKELY(wf_deque_head(&runner->worker->deque) != frame->base))
        wf_sync_to(runner->worker, frame->base);
    if (WF_UNLIKELY(frame->placed))
        wf_placed_end(runner->worker, frame);
}

/* With the text of a call that failed inside the node, if one did. */
static WF_COLD uint32_t fail_node(const struct runner *runner, uint32_t index, weft_status status, uint32_t failures) {
    weft_graph *graph = runner->graph;
    if (!stop(graph, status))
        return WF_GRAPH_NONE;
    graph->failed = index;
    if (failures != wf_failures)
        wf_detail_keep(&graph->detail);
    return WF_GRAPH_NONE;
}

static uint32_t run_choice(const struct runner *runner, uint32_t index) {
    weft_graph *graph = runner->graph;
    struct wf_graph_node *node = &graph->nodes[index];
    uint32_t choice = WEFT_GRAPH_NO_SUCCESSOR, failures = wf_failures;
    weft_status status = node->fn.choose(node->arg, &choice);
    settle(runner);
    if (status)
        return fail_node(runner, index, status, failures);
    if (choice == WEFT_GRAPH_NO_SUCCESSOR)
        return WF_GRAPH_NONE;
    if (choice >= node->end - node->begin) {
        wf_fail(WEFT_EINVAL, "it chose successor %u of %u: use 0 to %u, or WEFT_GRAPH_NO_SUCCESSOR", choice,
                node->end - node->begin, node->end - node->begin - 1);
        return fail_node(runner, index, WEFT_EINVAL, failures);
    }
    return begin_nodes(runner, &graph->successors[node->begin + choice], 1, true);
}

/* Run a node. Returns which one is next, WF_GRAPH_NONE: none of its successors. */
static uint32_t run_node(const struct runner *runner, uint32_t index) {
    weft_graph *graph = runner->graph;
    const struct wf_graph_node *node = &graph->nodes[index];
    if (stopped(graph))
        return WF_GRAPH_NONE;
    runner->frame->home = node->home;
    if (WF_UNLIKELY(node->chooses))
        return run_choice(runner, index);
    uint32_t failures = wf_failures;
    weft_status status = node->fn.run(node->arg);
    settle(runner);
    if (WF_UNLIKELY(status))
        return fail_node(runner, index, status, failures);
    return begin_nodes(runner, &graph->successors[node->begin], node->end - node->begin, false);
}

/* The oldest nodes of somebody's ring: one in hand, the others in the own ring. */
static uint32_t steal_from(const struct runner *runner, unsigned victim) {
    weft_graph *graph = runner->graph;
    struct wf_graph_lane *lane = &graph->lanes[victim];
    for (unsigned level = graph->first_level; level <= graph->last_level; level++) {
        uint32_t nodes[WF_GRAPH_STEAL], count;
        if (!wf_graph_ring_has_any(&lane->rings[level]))
            continue;
        wf_fetch_add(&graph->busy, 1, WF_RELAXED); /* ordered by the steal, see above */
        if ((count = wf_graph_ring_steal(&lane->rings[level], nodes))) {
            if (count > 1)
                add_nodes(runner, level, nodes + 1, count - 1);
            return nodes[0];
        }
        wf_fetch_sub(&graph->busy, 1, WF_RELAXED);
    }
    return WF_GRAPH_NONE;
}

/* One look at everybody, the nearest first, and the spill. */
static uint32_t steal(const struct runner *runner) {
    struct wf_worker *worker = runner->worker;
    for (unsigned i = 0; i < worker->planned->group_count; i++) {
        const weft_victim_group *group = &worker->planned->groups[i];
        unsigned start = wf_rng_below(&worker->random, group->worker_count);
        for (unsigned k = 0; k < group->worker_count; k++) {
            uint32_t node = steal_from(runner, group->workers[(start + k) % group->worker_count]);
            if (node != WF_GRAPH_NONE)
                return node;
        }
    }
    if (!wf_load(&runner->graph->spilled, WF_SEQ_CST))
        return WF_GRAPH_NONE;
    wf_fetch_add(&runner->graph->busy, 1, WF_RELAXED);
    uint32_t node = take(runner);
    if (node == WF_GRAPH_NONE)
        wf_fetch_sub(&runner->graph->busy, 1, WF_RELAXED);
    return node;
}

static bool any_ready(const weft_graph *graph) {
    if (wf_load(&graph->spilled, WF_SEQ_CST))
        return true;
    for (unsigned i = 0; i < weft_pool_workers(graph->pool); i++)
        for (unsigned level = graph->first_level; level <= graph->last_level; level++)
            if (wf_graph_ring_has_any(&graph->lanes[i].rings[level]))
                return true;
    return false;
}

static bool search_is_over(const weft_graph *graph) {
    return !wf_load(&graph->busy, WF_RELAXED) || stopped(graph); /* a hint, see leave in the table */
}

/* How long the worker lets others alone: the longer, the less what it stole last was worth. */
static uint64_t learn_patience(struct wf_graph_lane *lane, uint64_t now) {
    if (lane->stolen_ns) {
        uint64_t patience = lane->patience_ns ? 2 * lane->patience_ns : PATIENCE_LEAST_NS;
        lane->patience_ns = now - lane->stolen_ns >= WORTH_NS ? 0 : patience < PATIENCE_MOST_NS ? patience : PATIENCE_MOST_NS;
        lane->stolen_ns = 0;
    }
    return lane->patience_ns;
}

/* Look again and again, for as long as the pool lets its workers spin. */
static uint32_t search_on(const struct runner *runner) {
    const weft_graph *graph = runner->graph;
    uint64_t budget = wf_load(&graph->pool->spin_ns, WF_RELAXED), now = wf_now_ns(), end = now + budget;
    uint64_t next = now + (budget ? learn_patience(runner->lane, now) : 0);
    for (unsigned pause = PAUSE_LEAST; !search_is_over(graph); pause = pause < PAUSE_MOST ? 2 * pause : pause) {
        uint32_t node = now >= next ? steal(runner) : WF_GRAPH_NONE;
        if (node != WF_GRAPH_NONE || now >= end)
            return node;
        for (unsigned i = 0; i < pause && !search_is_over(graph); i++)
            wf_cpu_relax();
        now = wf_now_ns();
    }
    return WF_GRAPH_NONE;
}

/* Look for nodes as one that counts in `searching`, and leave. Who finds one counts in `busy`. */
static uint32_t search(const struct runner *runner) {
    weft_graph *graph = runner->graph;
    uint32_t node = search_on(runner);
    bool last = wf_fetch_sub(&graph->searching, 1, WF_SEQ_CST) == 1;
    if (node == WF_GRAPH_NONE && !stopped(graph))
        node = steal(runner);
    if (node == WF_GRAPH_NONE)
        return node;
    runner->lane->stolen_ns = wf_now_ns();
    if (last && any_ready(graph))
        invite(runner);
    return node;
}

/* Run nodes until there are no more; the runner counts in `busy`. `node` WF_GRAPH_NONE: what its ring holds. */
static void run_nodes(const struct runner *runner, uint32_t node) {
    weft_graph *graph = runner->graph;
    do {
        do {
            while (node != WF_GRAPH_NONE)
                node = run_node(runner, node);
            node = take(runner);
        } while (node != WF_GRAPH_NONE);
        if (wf_fetch_sub(&graph->busy, 1, WF_ACQ_REL) == 1) /* of all */
            return;
        wf_fetch_add(&graph->searching, 1, WF_SEQ_CST);
        node = search(runner);
    } while (node != WF_GRAPH_NONE);
}

/* Leave a run. An invitation that nobody has begun would keep it from ending. */
static void leave(const struct runner *runner) {
    weft_graph *graph = runner->graph;
    if (!wf_load(&graph->busy, WF_ACQUIRE) && wf_load(&graph->invited, WF_SEQ_CST))
        wf_group_help(runner->worker, graph->group);
}

static void join_run(void *argument) {
    weft_graph *graph = argument;
    const struct runner runner = runner_of(graph);
    wf_fetch_add(&graph->searching, 1, WF_SEQ_CST);
    wf_store(&graph->invited, 0, WF_SEQ_CST);
    uint32_t node = search(&runner);
    if (node == WF_GRAPH_NONE)
        return;
    run_nodes(&runner, node);
    leave(&runner);
}

static void run_placed(void *argument) {
    const struct wf_graph_node *node = argument;
    const struct runner runner = runner_of(node->graph);
    run_nodes(&runner, (uint32_t)(node - node->graph->nodes));
    leave(&runner);
}

/* The first runner of a run. */
static void run_roots(void *argument) {
    weft_graph *graph = argument;
    const struct runner runner = runner_of(graph);
    uint64_t begin = wf_now_ns();
    run_nodes(&runner, begin_nodes(&runner, graph->roots, graph->root_count, true));
    leave(&runner);
    wf_store(&graph->brief, wf_now_ns() - begin < BRIEF_NS, WF_RELAXED);
}

static void run_here(void *argument) {
    weft_graph *graph = argument;
    struct wf_worker *worker = wf_self;
    wf_run_call(worker, run_roots, graph, worker->frame, graph->group);
    wf_group_end(graph->group, 1);
    weft_group_wait(graph->group);
}

/* All counters and rings as they are before a run. */
static void clean(weft_graph *graph) {
    for (size_t i = 0; i < graph->node_count; i++)
        wf_store(&graph->waits[i], graph->nodes[i].preceded, WF_RELAXED); /* relaxed, here and below: nobody runs */
    for (unsigned i = 0; i < weft_pool_workers(graph->pool); i++)
        for (unsigned level = 0; level < WF_GRAPH_LEVELS; level++)
            wf_store(&graph->lanes[i].rings[level].word, 0, WF_RELAXED);
    for (unsigned level = 0; level < WF_GRAPH_LEVELS; level++)
        graph->spill[level] = WF_GRAPH_NONE;
    wf_store(&graph->spilled, 0, WF_RELAXED);
    graph->dirty = false;
}

static weft_status prepare(weft_graph *graph) {
    if (wf_graph_runs(graph))
        return wf_fail(WEFT_EAGAIN, "the graph runs already: wait for it first");
    weft_status status = wf_graph_compile(graph);
    if (status || !graph->node_count)
        return status;
    if (graph->dirty || graph->chooses || stopped(graph))
        clean(graph);
    graph->failed = WF_GRAPH_NONE;
    graph->detail.text[0] = '\0';
    wf_store(&graph->stop, WEFT_OK, WF_RELAXED);
    wf_store(&graph->busy, 1, WF_RELAXED);
    return WEFT_OK;
}

/* Get ready to run, and count the run in its group, alone. */
static weft_status begin(weft_graph *graph) {
    weft_status status = wf_pool_check(graph->pool);
    if (status)
        return status;
    struct wf_worker *worker = wf_self_in(graph->pool);
    if (worker && wf_group_inside(worker, graph->group))
        return wf_fail(WEFT_EDEADLK, "the graph was run inside one of its own nodes: it would wait for itself");
    if (wf_exchange(&graph->taken, 1, WF_ACQUIRE)) /* pairs with the store below */
        return wf_fail(WEFT_EAGAIN, "the graph is begun by another thread: wait for it first");
    status = prepare(graph);
    if (!status)
        wf_group_add(graph->group, 1);
    wf_store(&graph->taken, 0, WF_RELEASE);
    return status;
}

static weft_status result_of(weft_graph *graph) {
    weft_status status = (weft_status)wf_load(&graph->stop, WF_RELAXED); /* the run has ended */
    if (!status)
        return WEFT_OK;
    if (graph->failed == WF_GRAPH_NONE)
        return wf_fail(status, "the run was stopped by weft_graph_cancel()");
    char name[WF_GRAPH_NAME_BYTES];
    return wf_fail(status, "%s returned %s%s%s", wf_graph_name(graph, graph->failed, name, sizeof name), weft_status_name(status),
                   graph->detail.text[0] ? ": " : "", graph->detail.text);
}

weft_status weft_graph_run(weft_graph *graph) {
    if (!graph)
        return wf_fail(WEFT_EINVAL, "weft_graph_run() needs a graph, got NULL");
    weft_status status = begin(graph);
    if (status)
        return status;
    status = graph->node_count ? weft_run(graph->pool, run_here, graph) : WEFT_OK;
    if (status || !graph->node_count)
        wf_group_end(graph->group, 1);
    return status ? status : result_of(graph);
}

weft_status weft_graph_start(weft_graph *graph) {
    if (!graph)
        return wf_fail(WEFT_EINVAL, "weft_graph_start() needs a graph, got NULL");
    weft_status status = begin(graph);
    if (status)
        return status;
    if (graph->node_count)
        status = wf_submit(graph->pool, wf_pool_near(graph->pool),
                           &(struct wf_task){.fn = run_roots, .arg = graph, .group = graph->group}, WEFT_FULL_BLOCK);
    wf_group_end(graph->group, 1);
    return status;
}

weft_status weft_graph_wait(weft_graph *graph) {
    if (!graph)
        return wf_fail(WEFT_EINVAL, "weft_graph_wait() needs a graph, got NULL");
    weft_status status = weft_group_wait(graph->group);
    return status ? status : result_of(graph);
}

weft_status weft_graph_cancel(weft_graph *graph) {
    if (!graph)
        return wf_fail(WEFT_EINVAL, "weft_graph_cancel() needs a graph, got NULL");
    if (wf_graph_runs(graph))
        stop(graph, WEFT_ECANCELED);
    return WEFT_OK;
}
