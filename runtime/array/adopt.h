/*
 * What an array over memory of somebody else has besides: where its items lie, as of the last look.
 * Threading: a residence is fixed once published, and stays while a loop has taken it; a later look publishes another.
 */
#ifndef WF_ARRAY_ADOPT_H
#define WF_ARRAY_ADOPT_H

#include <pthread.h>

#include "array/shares.h"

struct wf_residence {
    unsigned users;            /* L: who has taken it, and the array while it is the last */
    struct wf_extents extents; /* I */
    struct wf_shares *shares;  /* I: NULL: nothing is known, or all nodes are one: parts are the array's bounds */
};

struct wf_adoption {
    pthread_mutex_t lock;
    struct wf_residence *last; /* L */
};

/* The last residence of an adopted array, until it is given back. */
struct wf_residence *wf_residence_take(const weft_array *array);
void wf_residence_give(const weft_array *array, struct wf_residence *residence);

void wf_adoption_release(struct wf_adoption *adoption);

#endif
