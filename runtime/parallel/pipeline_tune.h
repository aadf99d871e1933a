/*
 * How many of its tokens a pipeline uses, found by trying: over windows of time the rate at which tokens start is compared. As long as
 * the source waits for tokens, more are tried, and kept if that pays; else fewer, and kept if it costs nothing. After a try in vain it
 * waits, each time longer.
 *
 * Knows no clock and no tokens. Threading: the owner's lock.
 */
#ifndef WF_PARALLEL_PIPELINE_TUNE_H
#define WF_PARALLEL_PIPELINE_TUNE_H

#include <stdbool.h>
#include <stdint.h>

#define WF_TUNE_WINDOW_NS 20000000u

struct wf_tune {
    unsigned least, most; /* fixed; most 0: does not tune */
    unsigned now;         /* tokens in use, as wanted */
    unsigned before;      /* what a try began from; 0: none runs */
    double rate;          /* in the window before it */
    bool fewer;           /* the direction to try next, while the source waits */
    unsigned hold;        /* windows until the next try */
    unsigned patience;    /* how many after the next one in vain */
    uint64_t window_ns;   /* fixed; the owner's, as all below */
    uint64_t begin_ns, begin_index, begin_waits_ns;
};

static inline void wf_tune_init(struct wf_tune *tune, unsigned least, unsigned first, unsigned most) {
    *tune = (struct wf_tune){.least = least, .most = most, .patience = 1, .window_ns = WF_TUNE_WINDOW_NS};
    tune->now = first < least ? least : first > most ? most : first;
}

/* At the end of a window: its rate, and the share of it in which the source waited for a token. Changes `now`. */
void wf_tune_step(struct wf_tune *tune, double rate, double waits);

#endif
