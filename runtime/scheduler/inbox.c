/* The inbox over liburcu's wfcqueue, by calls only (see README: licences). */
#include "scheduler/inbox.h"

void wf_inbox_init(struct wf_inbox *inbox) {
    __cds_wfcq_init(&inbox->head, &inbox->tail);
    wf_store(&inbox->count, 0, WF_RELAXED);
    wf_store(&inbox->taking, 0, WF_RELAXED);
}

void wf_inbox_put(struct wf_inbox *inbox, struct wf_task_record *record, uint32_t holders) {
    cds_wfcq_node_init(&record->link);
    wf_store(&record->state, holders * WF_RECORD_HOLDER, WF_RELEASE); /* pairs with the load in wf_inbox_take() */
    cds_wfcq_enqueue(&inbox->head, &inbox->tail, &record->link);
    wf_fetch_add(&inbox->count, 1, WF_SEQ_CST);
}

unsigned wf_inbox_take(struct wf_inbox *inbox, struct wf_task_record **records, unsigned max) {
    if (!wf_inbox_has_work(inbox) || wf_load(&inbox->taking, WF_RELAXED) || wf_exchange(&inbox->taking, 1, WF_ACQUIRE))
        return 0;
    unsigned taken = 0;
    while (taken < max) {
        struct cds_wfcq_node *node = __cds_wfcq_dequeue_nonblocking(&inbox->head, &inbox->tail);
        if (!node || node == CDS_WFCQ_WOULDBLOCK)
            break;
        struct wf_task_record *record = WF_CONTAINER_OF(node, struct wf_task_record, link);
        (void)wf_load(&record->state, WF_ACQUIRE); /* pairs with the store in wf_inbox_put() */
        records[taken++] = record;
    }
    wf_store(&inbox->taking, 0, WF_RELEASE); /* pairs with the exchange above */
    if (taken)
        wf_fetch_sub(&inbox->count, taken, WF_RELAXED); /* late is harmless: a searcher looks once more */
    return taken;
}
