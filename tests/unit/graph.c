/* parallel/graph: order, choices, errors, placement; who may run what, and what is refused. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "on_pool.h"

/* What the library allocates: every call it makes comes by here (see CMakeLists.txt). */
static _Atomic(unsigned) allocations;
void *__real_malloc(size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes) {
    allocations++;
    return __real_malloc(bytes);
}
void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
    allocations++;
    return __real_aligned_alloc(alignment, bytes);
}

static weft_pool *pool;
static weft_graph *graph;

static void begin(const char *topology) {
    pool = pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology});
    cr_assert_eq(weft_graph_create(&graph, pool), WEFT_OK, "%s", weft_error_detail());
}

static void end(void) {
    cr_assert_eq(weft_graph_destroy(graph), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

static weft_graph_node add(const char *name, weft_graph_fn fn, void *arg) {
    weft_graph_node node;
    weft_graph_node_options options = {WEFT_GRAPH_NODE_OPTIONS_INIT, .name = name};
    cr_assert_eq(weft_graph_add(graph, &node, fn, arg, &options), WEFT_OK, "%s", weft_error_detail());
    return node;
}

static weft_graph_node add_choice(const char *name, weft_graph_choice_fn fn, void *arg) {
    weft_graph_node node;
    weft_graph_node_options options = {WEFT_GRAPH_NODE_OPTIONS_INIT, .name = name};
    cr_assert_eq(weft_graph_add_choice(graph, &node, fn, arg, &options), WEFT_OK, "%s", weft_error_detail());
    return node;
}

static void precede(weft_graph_node before, weft_graph_node after) {
    cr_assert_eq(weft_graph_precede(graph, before, after), WEFT_OK, "%s", weft_error_detail());
}

static weft_status count(void *arg) {
    ++*(_Atomic(unsigned) *)arg;
    return WEFT_OK;
}

/* A node that looks whether its predecessors have run. Plain fields: an edge is all that orders them. */
#define NODES 2000u
#define BEFORE 4u
struct cell {
    unsigned runs, wrong;
    const struct cell *before[BEFORE];
};
static struct cell cells[NODES];

static weft_status look_back(void *arg) {
    struct cell *cell = arg;
    cell->runs++;
    for (unsigned i = 0; i < BEFORE && cell->before[i]; i++)
        cell->wrong += cell->before[i]->runs != cell->runs;
    return WEFT_OK;
}

/* Of predecessors among the `window` nodes before; 0: none. */
static void add_random(uint64_t seed, unsigned window) {
    memset(cells, 0, sizeof cells);
    for (unsigned i = 0; i < NODES; i++) {
        cr_assert_eq(weft_graph_add(graph, NULL, look_back, &cells[i], NULL), WEFT_OK);
        unsigned reach = i < window ? i : window;
        for (unsigned k = reach ? wf_rng_below(&seed, BEFORE + 1) : 0; k-- > 0;) {
            unsigned before = i - 1 - wf_rng_below(&seed, reach);
            cells[i].before[k] = &cells[before];
            precede(before, i);
        }
    }
}

static void check_random(unsigned runs) {
    for (unsigned i = 0; i < NODES; i++)
        cr_assert(cells[i].runs == runs && !cells[i].wrong, "node %u ran %u times of %u, %u times too early", i, cells[i].runs,
                  runs, cells[i].wrong);
}

static void run_inside(void *unused) {
    (void)unused;
    cr_assert_eq(weft_graph_run(graph), WEFT_OK, "%s", weft_error_detail());
}

Test(graph, runs_every_node_once_after_its_predecessors, .timeout = 60) {
    const char *const topologies[] = {"core:1 pu:1", "core:4 pu:1", "node:2 core:2 pu:1"};
    const unsigned windows[] = {0, 1, 5, NODES};
    for (unsigned t = 0; t < 3; t++)
        for (unsigned w = 0; w < 4; w++) {
            begin(topologies[t]);
            add_random(t * 10 + w + 1, windows[w]);
            for (unsigned i = 0; i < 10; i++)
                cr_assert_eq(weft_graph_run(graph), WEFT_OK, "%s", weft_error_detail());
            for (unsigned i = 0; i < 10; i++)
                run(pool, run_inside, NULL);
            for (unsigned i = 0; i < 10; i++)
                cr_assert(weft_graph_start(graph) == WEFT_OK && weft_graph_wait(graph) == WEFT_OK, "%s", weft_error_detail());
            check_random(30);
            end();
        }
}

Test(graph, can_grow_between_runs) {
    _Atomic(unsigned) first = 0, second = 0;
    begin("core:2 pu:1");
    cr_assert_eq(weft_graph_run(graph), WEFT_OK);
    cr_assert_eq(weft_graph_wait(graph), WEFT_OK);
    weft_graph_node a = add("a", count, &first);
    cr_assert_eq(weft_graph_run(graph), WEFT_OK);
    precede(a, add("b", count, &second));
    cr_assert_eq(weft_graph_run(graph), WEFT_OK);
    cr_assert(first == 2 && second == 1);
    end();
}

Test(graph, allocates_nothing_in_a_run) {
    begin("core:1 pu:1");
    add_random(1, 50);
    cr_assert_eq(weft_graph_compile(graph), WEFT_OK);
    unsigned before = allocations;
    cr_assert(before > 0);
    for (unsigned i = 0; i < 10; i++)
        cr_assert_eq(weft_graph_run(graph), WEFT_OK);
    cr_assert_eq(allocations, before, "%u times", allocations - before);
    check_random(10);
    end();
}

Test(graph, names_the_nodes_of_a_cycle) {
    _Atomic(unsigned) ran = 0;
    begin("core:1 pu:1");
    weft_graph_node read = add("read", count, &ran), decode = add("decode", count, &ran), resize = add("resize", count, &ran);
    weft_graph_node unnamed = add(NULL, count, &ran);
    precede(read, decode);
    precede(decode, resize);
    cr_assert_eq(weft_graph_compile(graph), WEFT_OK);
    precede(resize, decode);
    precede(resize, unnamed); /* behind the cycle, not on it */
    cr_assert_eq(weft_graph_compile(graph), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), ": decode -> resize -> decode (2 nodes)"), "%s", weft_error_detail());
    cr_assert_eq(weft_graph_run(graph), WEFT_EINVAL);
    cr_assert_eq(weft_graph_start(graph), WEFT_EINVAL);
    cr_assert_eq(ran, 0);
    end();
}

Test(graph, names_a_node_that_waits_for_itself_and_the_ends_of_a_long_cycle) {
    begin("core:1 pu:1");
    weft_graph_node first = add(NULL, count, NULL);
    precede(first, first);
    cr_assert_eq(weft_graph_compile(graph), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), ": node 0 -> node 0 (1 nodes)"), "%s", weft_error_detail());
    cr_assert_eq(weft_graph_destroy(graph), WEFT_OK);
    cr_assert_eq(weft_graph_create(&graph, pool), WEFT_OK);
    for (unsigned i = 0; i < 1000; i++)
        add(NULL, count, NULL);
    for (unsigned i = 0; i < 1000; i++)
        precede(i, (i + 1) % 1000);
    cr_assert_eq(weft_graph_compile(graph), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), ": node 0 -> node 1 -> "), "%s", weft_error_detail());
    cr_assert(strstr(weft_error_detail(), " -> ... -> node 0 (1000 nodes). Take"), "%s", weft_error_detail());
    end();
}

struct loop {
    _Atomic(unsigned) body, after;
    uint32_t last;
    unsigned turns;
};

static weft_status count_body(void *arg) {
    ((struct loop *)arg)->body++;
    return WEFT_OK;
}

static weft_status count_after(void *arg) {
    ((struct loop *)arg)->after++;
    return WEFT_OK;
}

/* Back, `turns` times; then `last`. */
static weft_status choose(void *arg, uint32_t *successor) {
    struct loop *loop = arg;
    if (loop->body < loop->turns)
        *successor = 0;
    else if (loop->last)
        *successor = loop->last;
    return WEFT_OK;
}

static void make_loop(struct loop *loop) {
    weft_graph_node init = add("init", count_after, loop), body = add("body", count_body, loop);
    weft_graph_node again = add_choice("again", choose, loop), after = add("after", count_after, loop);
    precede(init, body);
    precede(body, again);
    precede(again, body);
    precede(again, after);
    precede(init, after); /* does not hold up what is chosen, and does not begin it */
}

Test(graph, a_choice_may_go_back_and_on) {
    struct loop loop = {.turns = 1000, .last = 1};
    begin("core:2 pu:1");
    make_loop(&loop);
    for (unsigned i = 1; i <= 3; i++) {
        loop.body = loop.after = 0;
        cr_assert_eq(weft_graph_run(graph), WEFT_OK, "%s", weft_error_detail());
        cr_assert(loop.body == 1000 && loop.after >= 2, "%u, %u", loop.body, loop.after);
    }
    end();
}

Test(graph, a_choice_may_choose_none_and_must_not_choose_what_is_not_there) {
    struct loop loop = {.turns = 1};
    begin("core:2 pu:1");
    make_loop(&loop);
    cr_assert_eq(weft_graph_run(graph), WEFT_OK);
    cr_assert_eq(loop.body, 1);
    loop.last = 2;
    cr_assert_eq(weft_graph_run(graph), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "again returned WEFT_EINVAL: it chose successor 2 of 2"), "%s", weft_error_detail());
    end();
}

Test(graph, needs_a_node_to_begin_with) {
    struct loop loop = {0};
    begin("core:1 pu:1");
    weft_graph_node self = add_choice("self", choose, &loop);
    precede(self, self);
    cr_assert_eq(weft_graph_run(graph), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "can begin"), "%s", weft_error_detail());
    end();
}

static weft_status fail_io(void *arg) {
    return *(_Atomic(unsigned) *)arg ? WEFT_EIO : WEFT_OK;
}

static weft_status fail_inside(void *arg) {
    (void)arg;
    return weft_group_wait(NULL);
}

Test(graph, a_node_that_fails_stops_the_run_and_is_named) {
    _Atomic(unsigned) broken = 1, before = 0, after = 0;
    begin("core:2 pu:1");
    weft_graph_node first = add("first", count, &before), fails = add("shard 7", fail_io, &broken);
    precede(first, fails);
    for (unsigned i = 0; i < 100; i++)
        precede(fails, add(NULL, count, &after));
    for (unsigned i = 0; i < 10; i++) {
        cr_assert_eq(weft_graph_run(graph), WEFT_EIO);
        cr_assert_str_eq(weft_error_detail(), "shard 7 returned WEFT_EIO");
        cr_assert_eq(weft_graph_wait(graph), WEFT_EIO);
        cr_assert(before == i + 1 && after == 0);
    }
    broken = 0;
    cr_assert_eq(weft_graph_run(graph), WEFT_OK, "%s", weft_error_detail());
    cr_assert(before == 11 && after == 100);
    end();
}

Test(graph, tells_the_text_of_a_call_that_failed_inside) {
    begin("core:2 pu:1");
    add("waits", fail_inside, NULL);
    cr_assert_eq(weft_graph_run(graph), WEFT_EINVAL);
    cr_assert_str_eq(weft_error_detail(), "waits returned WEFT_EINVAL: weft_group_wait() needs a group, got NULL");
    end();
}

static weft_status cancel(void *arg) {
    (void)arg;
    cr_assert_eq(weft_graph_cancel(graph), WEFT_OK);
    return WEFT_OK;
}

Test(graph, is_cancelled_from_inside_and_runs_again) {
    _Atomic(unsigned) after = 0;
    begin("core:2 pu:1");
    weft_graph_node first = add("first", cancel, NULL);
    precede(first, add("after", count, &after));
    cr_assert_eq(weft_graph_cancel(graph), WEFT_OK); /* it does not run: nothing happens */
    cr_assert_eq(weft_graph_run(graph), WEFT_ECANCELED);
    cr_assert(strstr(weft_error_detail(), "weft_graph_cancel()"), "%s", weft_error_detail());
    cr_assert_eq(weft_graph_run(graph), WEFT_ECANCELED);
    cr_assert_eq(after, 0);
    end();
}

static _Atomic(bool) holding, released;

static weft_status hold(void *arg) {
    (void)arg;
    holding = true;
    while (!released)
        usleep(100);
    return WEFT_OK;
}

static weft_status run_itself(void *arg) {
    weft_status *statuses = arg;
    statuses[0] = weft_graph_run(graph);
    statuses[1] = weft_graph_wait(graph);
    statuses[2] = weft_graph_start(graph);
    return WEFT_OK;
}

Test(graph, refuses_what_would_disturb_a_run) {
    weft_status inside[3] = {0};
    begin("core:2 pu:1");
    holding = released = false;
    add("hold", hold, NULL);
    cr_assert_eq(weft_graph_start(graph), WEFT_OK);
    while (!holding)
        usleep(100);
    cr_assert_eq(weft_graph_start(graph), WEFT_EAGAIN);
    cr_assert_eq(weft_graph_run(graph), WEFT_EAGAIN);
    cr_assert_eq(weft_graph_destroy(graph), WEFT_EINVAL);
    cr_assert_eq(weft_graph_add(graph, NULL, hold, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_precede(graph, 0, 0), WEFT_EINVAL);
    cr_assert_eq(weft_graph_compile(graph), WEFT_EINVAL);
    released = true;
    cr_assert_eq(weft_graph_wait(graph), WEFT_OK);
    add("itself", run_itself, inside);
    cr_assert_eq(weft_graph_run(graph), WEFT_OK);
    cr_assert(inside[0] == WEFT_EDEADLK && inside[1] == WEFT_EDEADLK && inside[2] == WEFT_EDEADLK);
    end();
}

Test(graph, refuses_what_makes_no_graph) {
    begin("node:2 core:1 pu:1");
    weft_graph_node_options options = {WEFT_GRAPH_NODE_OPTIONS_INIT, .placed = true, .node = 2};
    cr_assert_eq(weft_graph_create(NULL, pool), WEFT_EINVAL);
    cr_assert_eq(weft_graph_create(&graph, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_add(graph, NULL, NULL, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_add_choice(graph, NULL, NULL, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_add(NULL, NULL, count, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_add(graph, NULL, count, NULL, &options), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "node 2"), "%s", weft_error_detail());
    options = (weft_graph_node_options){WEFT_GRAPH_NODE_OPTIONS_INIT, .node = 1};
    cr_assert_eq(weft_graph_add(graph, NULL, count, NULL, &options), WEFT_EINVAL);
    options = (weft_graph_node_options){WEFT_GRAPH_NODE_OPTIONS_INIT, .priority = (weft_graph_priority)3};
    cr_assert_eq(weft_graph_add(graph, NULL, count, NULL, &options), WEFT_EINVAL);
    cr_assert_eq(weft_graph_add(graph, NULL, count, NULL, &(weft_graph_node_options){.size = 0}), WEFT_EINVAL);
    cr_assert_eq(weft_graph_precede(graph, 0, 0), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "it has 0 nodes"), "%s", weft_error_detail());
    cr_assert_eq(weft_graph_run(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_start(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_wait(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_cancel(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_compile(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_destroy(NULL), WEFT_OK);
    end();
}

/* A closed pool takes no runs, and an ended one was never waited for in vain. */
Test(graph, is_refused_by_a_closed_pool) {
    _Atomic(unsigned) ran = 0;
    begin("core:2 pu:1");
    add("a", count, &ran);
    cr_assert_eq(weft_graph_start(graph), WEFT_OK);
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    cr_assert_eq(ran, 1);
    cr_assert_eq(weft_graph_run(graph), WEFT_ECLOSED);
    cr_assert_eq(weft_graph_start(graph), WEFT_ECLOSED);
    cr_assert_eq(ran, 1);
    end();
}

static weft_status release(void *arg) {
    (void)arg;
    released = true;
    return WEFT_OK;
}

/* The first holds its worker until the second has run, whichever of them is begun first and wherever they are placed. */
static void check_beside(bool placed, unsigned node) {
    holding = released = false;
    weft_graph_node_options options = {WEFT_GRAPH_NODE_OPTIONS_INIT, .placed = placed, .node = node};
    weft_graph_node first = add("first", hold, NULL), second, last = add("last", hold, NULL);
    cr_assert_eq(weft_graph_add(graph, &second, release, NULL, &options), WEFT_OK);
    precede(first, last);
    precede(second, last);
    cr_assert_eq(weft_graph_run(graph), WEFT_OK);
}

Test(graph, no_node_hides_behind_a_long_one, .timeout = 60) {
    begin("node:2 core:1 pu:1");
    check_beside(false, 0);
    end();
    for (unsigned node = 0; node < 2; node++) {
        begin("node:2 core:1 pu:1");
        check_beside(true, node);
        end();
    }
}

static unsigned order[6], ordered;

static weft_status note(void *arg) {
    order[ordered++] = *(const unsigned *)arg;
    return WEFT_OK;
}

Test(graph, one_worker_begins_with_the_highest_priority) {
    static const unsigned priorities[] = {WEFT_GRAPH_LOW,    WEFT_GRAPH_NORMAL, WEFT_GRAPH_HIGH,
                                          WEFT_GRAPH_NORMAL, WEFT_GRAPH_LOW,    WEFT_GRAPH_HIGH};
    static const unsigned expected[] = {WEFT_GRAPH_HIGH,   WEFT_GRAPH_HIGH, WEFT_GRAPH_NORMAL,
                                        WEFT_GRAPH_NORMAL, WEFT_GRAPH_LOW,  WEFT_GRAPH_LOW};
    _Atomic(unsigned) ran = 0;
    begin("core:1 pu:1");
    weft_graph_node first = add("first", count, &ran);
    for (unsigned i = 0; i < 6; i++) {
        weft_graph_node node;
        weft_graph_node_options options = {WEFT_GRAPH_NODE_OPTIONS_INIT, .priority = (weft_graph_priority)priorities[i]};
        cr_assert_eq(weft_graph_add(graph, &node, note, (void *)(uintptr_t)&priorities[i], &options), WEFT_OK);
        precede(first, node);
    }
    cr_assert_eq(weft_graph_run(graph), WEFT_OK);
    cr_assert_arr_eq(order, expected, sizeof expected);
    end();
}

static void count_child(void *arg) {
    ++*(_Atomic(unsigned) *)arg;
}

static weft_status spawn_some(void *arg) {
    for (unsigned i = 0; i < 50; i++)
        cr_assert_eq(i % 2 ? weft_spawn(count_child, arg) : weft_spawn_at(i % 4 / 2, count_child, arg), WEFT_OK);
    return WEFT_OK;
}

static weft_status expect_children(void *arg) {
    return *(_Atomic(unsigned) *)arg == 100 ? WEFT_OK : WEFT_EIO;
}

Test(graph, what_a_node_spawned_has_ended_before_its_successors) {
    _Atomic(unsigned) children = 0;
    begin("node:2 core:2 pu:1");
    weft_graph_node a = add("a", spawn_some, &children), b = add("b", spawn_some, &children);
    weft_graph_node last = add("last", expect_children, &children);
    precede(a, b);
    precede(b, last);
    for (unsigned i = 0; i < 50; i++) {
        children = 0;
        cr_assert_eq(weft_graph_run(graph), WEFT_OK, "%s", weft_error_detail());
    }
    end();
}

/* What a writer writes. */
static char *written(weft_status (*write)(const weft_graph *, FILE *)) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    cr_assert(file);
    cr_assert_eq(write(graph, file), WEFT_OK, "%s", weft_error_detail());
    fclose(file);
    return text;
}

static void expect_text(const char *text, const char *part) {
    cr_assert(strstr(text, part), "%s is not in\n%s", part, text);
}

Test(graph, is_written_as_dot) {
    struct loop loop = {0};
    begin("node:2 core:1 pu:1");
    make_loop(&loop);
    weft_graph_node_options options = {WEFT_GRAPH_NODE_OPTIONS_INIT, .name = "a \"b\" \\", .placed = true, .node = 1,
                                       .priority = WEFT_GRAPH_HIGH};
    cr_assert_eq(weft_graph_add(graph, NULL, count, NULL, &options), WEFT_OK);
    char *text = written(weft_graph_write_dot);
    expect_text(text, "digraph graph_of_tasks {");
    expect_text(text, "    n0 [label=\"init\"];\n");
    expect_text(text, "    n2 [label=\"again\", shape=diamond];\n");
    expect_text(text, "    n4 [label=\"a \\\"b\\\" \\\\\\nnode 1\", style=bold];\n");
    expect_text(text, "    n0 -> n1;\n");
    expect_text(text, "    n2 -> n1 [style=dashed, label=\"0\"];\n    n2 -> n3 [style=dashed, label=\"1\"];\n");
    free(text);
    end();
}

/* Attribute `name` of the box of the node that is called `node`: boxes and names come in turn. */
static int box_of(const char *text, const char *node, const char *name) {
    char mark[100];
    snprintf(mark, sizeof mark, ">%s<", node);
    const char *box = strstr(text, mark);
    cr_assert(box, "%s", text);
    while (strncmp(box, "<rect", 5))
        box--;
    snprintf(mark, sizeof mark, " %s=\"", name);
    return atoi(strstr(box, mark) + strlen(mark));
}

Test(graph, is_drawn_in_layers) {
    begin("core:1 pu:1");
    weft_graph_node a = add("a", count, NULL), b = add("b", count, NULL), c = add("c", count, NULL);
    weft_graph_node d = add("d <&> long", count, NULL);
    precede(a, b);
    precede(a, c);
    precede(b, d);
    precede(c, d);
    precede(a, d);
    char *text = written(weft_graph_write_svg);
    cr_assert(box_of(text, "a", "y") < box_of(text, "b", "y"));
    cr_assert_eq(box_of(text, "b", "y"), box_of(text, "c", "y"));
    cr_assert(box_of(text, "b", "x") + box_of(text, "b", "width") <= box_of(text, "c", "x"));
    cr_assert(box_of(text, "d &#60;&#38;&#62; long", "y") > box_of(text, "c", "y"));
    free(text);
    precede(d, a); /* a cycle is drawn too */
    text = written(weft_graph_write_svg);
    cr_assert(box_of(text, "a", "y") < box_of(text, "b", "y"));
    free(text);
    end();
}

Test(graph, says_when_it_cannot_be_written) {
    begin("core:1 pu:1");
    add("a", count, NULL);
    FILE *full = fopen("/dev/full", "w");
    cr_assert(full);
    cr_assert_eq(weft_graph_write_dot(graph, full), WEFT_EIO);
    cr_assert_eq(weft_graph_write_svg(graph, full), WEFT_EIO);
    fclose(full);
    cr_assert_eq(weft_graph_write_dot(graph, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_graph_write_svg(NULL, stdout), WEFT_EINVAL);
    end();
}
