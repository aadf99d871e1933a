/*
 * What membench's workers do, each over a range of vectors, and the check of what it came to. Patterns and how their bytes are counted:
 * STREAM (McCalpin, 1995), with a pure read and a pure write beside.
 * Threading: ranges of different workers do not overlap.
 */
#ifndef WF_CLI_MEMBENCH_KERNELS_H
#define WF_CLI_MEMBENCH_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/membench.h"

#define WF_VECTOR_DOUBLES 8
typedef double wf_vector __attribute__((vector_size(WF_VECTOR_DOUBLES * sizeof(double))));

/* A link of the chase: one line of memory. */
struct wf_link {
    struct wf_link *next;
    char rest[56];
};

struct wf_stream {
    wf_vector *a, *b, *c;
    size_t count; /* vectors of each */
    size_t shift; /* index i means vector (i + shift) mod count */
    double *sums; /* read: one line of 8 per worker */
    enum wf_pattern pattern;
};

/* Make one cycle over all links, in random order. False: no memory for the order. */
bool wf_chase_make(struct wf_link *links, size_t count);
struct wf_link *wf_chase(struct wf_link *from, size_t steps);

/* Begin: a is 1, b is 2, c is 0.5 everywhere. A body for static loops. */
void wf_stream_fill(void *stream, weft_range range);
/* One pass of the pattern. */
void wf_stream_pass(void *stream, weft_range range);

/* Bytes that one pass moves, as STREAM counts. */
double wf_stream_bytes(const struct wf_stream *stream);

/* What a should hold in every double after the pattern. */
double wf_stream_result(enum wf_pattern pattern);

#endif
