/* In place of liburcu's queue: the same steps at the same places, and no order beyond them; see shadow/urcu.c. */
#ifndef WEFT_TESTS_MODEL_SHADOW_WFCQUEUE_H
#define WEFT_TESTS_MODEL_SHADOW_WFCQUEUE_H

struct cds_wfcq_node {
    struct cds_wfcq_node *next;
};
struct __cds_wfcq_head {
    struct cds_wfcq_node node;
    char dequeuing; /* one at a time, by liburcu's contract */
};
struct cds_wfcq_tail {
    struct cds_wfcq_node *p;
};

#define CDS_WFCQ_WOULDBLOCK ((struct cds_wfcq_node *)-1)

void __cds_wfcq_init(struct __cds_wfcq_head *head, struct cds_wfcq_tail *tail);
void cds_wfcq_node_init(struct cds_wfcq_node *node);
void cds_wfcq_enqueue(struct __cds_wfcq_head *head, struct cds_wfcq_tail *tail, struct cds_wfcq_node *node);
struct cds_wfcq_node *__cds_wfcq_dequeue_nonblocking(struct __cds_wfcq_head *head, struct cds_wfcq_tail *tail);

#endif
