/*
 * Moving resident pages to a node (move_pages(2)): asked where they are, moved where that is elsewhere, and asked again where the
 * kernel's answer leaves it open. Absent pages stay absent, and policies stay what they are.
 * Threading: any; orders of different threads may not share a huge page (it is moved as a whole, and busy for the other).
 */
#ifndef WF_MEMORY_MIGRATION_H
#define WF_MEMORY_MIGRATION_H

#include <stdbool.h>

#include "weft/memory.h"

/* Which pages of [start, start + bytes) go where: every unit (a stretch of `unit` bytes) first, first + step, ... of it. */
struct wf_migration_order {
    const void *start; /* the pages that hold it and the last byte count as a whole */
    size_t bytes, unit, first, step;
    int target;                             /* OS node; where there is no such (-1), pages that are elsewhere are refused */
    int home;                               /* pages on this one stay there as well */
    size_t lead;                            /* so many bytes at the begin, whole pages, are left out */
    bool (*tried)(void *arg, size_t pages); /* told after each batch; false: stop. NULL: nobody */
    void *arg;
};

/*
 * Move and count; adds to *report, which begins as WF_MIGRATION_INIT. What cannot move is refused, with the report's reason.
 * WEFT_EPERM, WEFT_ENOTSUP: the kernel refuses move_pages altogether; WEFT_ENOMEM: no memory for the lists; WEFT_ECANCELED: it was
 * told to stop.
 */
weft_status wf_migrate(const struct wf_migration_order *order, weft_migration *report);

#define WF_MIGRATION_INIT                                                                                                        \
    { .reason = "" }

/* Add up two reports; the graver reason stays. */
void wf_migration_add(weft_migration *sum, const weft_migration *part);

#endif
