/*
 * The liburcu structure that weft uses, step by step as liburcu does it (wfstack.h of userspace-rcu), each step a scheduling point. The real ones are full barriers, so stores before a step are visible after a later one; but they
 * order no plain accesses here: the runtime states its own edges beside them, and those are what is tested. Compiled without
 * instrumentation.
 */
#include <stddef.h>

#include "internal.h"
#include "urcu/wfstack.h"

#define STACK_END ((struct cds_wfs_head *)1)

void __cds_wfs_init(struct __cds_wfs_stack *stack) {
    stack->head = STACK_END;
}

void cds_wfs_node_init(struct cds_wfs_node *node) {
    node->next = NULL;
}

int cds_wfs_push(struct __cds_wfs_stack *stack, struct cds_wfs_node *node) {
    explore_point("push", stack);
    struct cds_wfs_head *before = stack->head;
    stack->head = (struct cds_wfs_head *)(void *)node;
    explore_point("link", stack);
    node->next = &before->node;
    return before != STACK_END;
}

bool cds_wfs_empty(struct __cds_wfs_stack *stack) {
    explore_point("empty", stack);
    return stack->head == STACK_END;
}

struct cds_wfs_head *__cds_wfs_pop_all(struct __cds_wfs_stack *stack) {
    explore_point("pop_all", stack);
    struct cds_wfs_head *all = stack->head;
    stack->head = STACK_END;
    return all == STACK_END ? NULL : all;
}

struct cds_wfs_node *cds_wfs_first(struct cds_wfs_head *head) {
    return head ? &head->node : NULL;
}

struct cds_wfs_node *cds_wfs_next_nonblocking(struct cds_wfs_node *node) {
    explore_point("next", node);
    if (!node->next)
        return CDS_WFS_WOULDBLOCK;
    return node->next == &STACK_END->node ? NULL : node->next;
}
