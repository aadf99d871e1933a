/* Plans in one line, so that a test's expectation can be read. Each text lives until the next call of its function. */
#ifndef WF_TESTS_DESCRIBE_H
#define WF_TESTS_DESCRIBE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft/plan.h"

/* The environment of whoever runs the tests does not take part in them. */
static inline void forget_environment(void) {
    unsetenv("WEFT_WORKERS");
    unsetenv("WEFT_SMT");
    unsetenv("WEFT_TOPOLOGY");
    unsetenv("WEFT_PIN");
    unsetenv("WEFT_DISTANCES");
}

static inline weft_plan *plan_from(weft_plan_options options) {
    weft_plan *plan = NULL;
    cr_assert_eq(weft_plan_create(&plan, &options), WEFT_OK, "%s", weft_error_detail());
    return plan;
}

#define PLAN(...) plan_from((weft_plan_options){WEFT_PLAN_OPTIONS_INIT, __VA_ARGS__})

/* "0: 1 2 | 1: 4 6": nodes and the PUs of their workers. */
static inline const char *nodes_of(const weft_plan *plan) {
    static char text[4096];
    unsigned count;
    int at = 0;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &count);
    for (unsigned i = 0; i < count; i++) {
        at += sprintf(text + at, "%s%d:", i ? " | " : "", nodes[i].os_index);
        for (unsigned j = 0; j < nodes[i].worker_count; j++)
            at += sprintf(text + at, " %u", weft_plan_workers(plan, NULL)[nodes[i].first_worker + j].pu);
    }
    return text;
}

/* "cache 1, node 2 3, remote 4 5": the victims of one worker, nearest first. */
static inline const char *victims_of(const weft_plan *plan, unsigned worker) {
    static const char *const kinds[] = {"cache", "node", "remote"};
    static char text[4096];
    int at = 0;
    const weft_plan_worker *thief = &weft_plan_workers(plan, NULL)[worker];
    text[0] = 0;
    for (unsigned i = 0; i < thief->group_count; i++) {
        at += sprintf(text + at, "%s%s", i ? ", " : "", kinds[thief->groups[i].kind]);
        for (unsigned j = 0; j < thief->groups[i].worker_count; j++)
            at += sprintf(text + at, " %u", thief->groups[i].workers[j]);
    }
    return text;
}

/* "0>0 1>3": where the workers of each node allocate. */
static inline const char *memory_of(const weft_plan *plan) {
    static char text[1024];
    unsigned count;
    int at = 0;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &count);
    for (unsigned i = 0; i < count; i++)
        at += sprintf(text + at, "%s%d>%d", i ? " " : "", nodes[i].os_index, nodes[i].memory_node);
    return text;
}

/* "2 HBM: 0 | 3 : 1": memory-only nodes, their kind, the nodes nearest to them. */
static inline const char *memory_only_of(const weft_plan *plan) {
    static char text[1024];
    unsigned count;
    int at = 0;
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(plan, &count);
    text[0] = 0;
    for (unsigned i = 0; i < count; i++) {
        at += sprintf(text + at, "%s%d %s:", i ? " | " : "", nodes[i].os_index, nodes[i].subtype);
        for (unsigned j = 0; j < nodes[i].nearest_count; j++)
            at += sprintf(text + at, " %d", nodes[i].nearest[j]);
    }
    return text;
}

#endif
