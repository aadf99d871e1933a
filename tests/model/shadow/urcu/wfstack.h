/* In place of liburcu's stack: the same steps at the same places, and no order beyond them; see shadow/urcu.c. */
#ifndef WEFT_TESTS_MODEL_SHADOW_WFSTACK_H
#define WEFT_TESTS_MODEL_SHADOW_WFSTACK_H

#include <stdbool.h>

struct cds_wfs_node {
    struct cds_wfs_node *next;
};
struct cds_wfs_head {
    struct cds_wfs_node node;
};
struct __cds_wfs_stack {
    struct cds_wfs_head *head;
};

#define CDS_WFS_WOULDBLOCK ((struct cds_wfs_node *)-1)

void __cds_wfs_init(struct __cds_wfs_stack *stack);
void cds_wfs_node_init(struct cds_wfs_node *node);
int cds_wfs_push(struct __cds_wfs_stack *stack, struct cds_wfs_node *node);
bool cds_wfs_empty(struct __cds_wfs_stack *stack);
struct cds_wfs_head *__cds_wfs_pop_all(struct __cds_wfs_stack *stack);
struct cds_wfs_node *cds_wfs_first(struct cds_wfs_head *head);
struct cds_wfs_node *cds_wfs_next_nonblocking(struct cds_wfs_node *node);

#endif
