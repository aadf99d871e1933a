/* The chase and the streams. Vectors are wider than some machines': the compiler splits them. */
#include "cli/membench_kernels.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/rng.h"

#define FACTOR 3.0
#define SUM_STRIDE 8

const char *const wf_pattern_names[WF_PATTERNS] = {"read", "write", "copy", "triad"};
const char *const wf_mode_names[WF_MODES] = {"local", "remote", "interleaved"};

bool wf_chase_make(struct wf_link *links, size_t count) {
    uint32_t *order = malloc(count * sizeof *order);
    uint64_t random = 1;
    if (!order)
        return false;
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count - 1; i > 0; i--) {
        uint32_t j = wf_rng_below(&random, (uint32_t)i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    for (size_t i = 0; i < count; i++)
        links[order[i]].next = &links[order[(i + 1) % count]];
    free(order);
    return true;
}

struct wf_link *wf_chase(struct wf_link *from, size_t steps) {
    for (size_t i = 0; i < steps; i++)
        from = from->next;
    return from;
}

/* No function: vectors that the machine does not have are passed in no agreed way. */
#define ALL_OF(value) ((wf_vector){value, value, value, value, value, value, value, value})

static void fill(const struct wf_stream *stream, size_t first, size_t last) {
    for (size_t i = first; i < last; i++) {
        stream->a[i] = ALL_OF(1);
        stream->b[i] = ALL_OF(2);
        stream->c[i] = ALL_OF(0.5);
    }
}

static void read_pass(const struct wf_stream *stream, size_t first, size_t last) {
    const wf_vector *a = stream->a;
    wf_vector sum[4] = {{0}, {0}, {0}, {0}};
    size_t i = first;
    for (; i + 4 <= last; i += 4) {
        sum[0] += a[i];
        sum[1] += a[i + 1];
        sum[2] += a[i + 2];
        sum[3] += a[i + 3];
    }
    for (; i < last; i++)
        sum[0] += a[i];
    sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    int worker = weft_current_worker();
    for (unsigned k = 0; k < WF_VECTOR_DOUBLES; k++)
        stream->sums[(size_t)(worker < 0 ? 0 : worker) * SUM_STRIDE] += sum[0][k];
}

static void pass(const struct wf_stream *stream, size_t first, size_t last) {
    wf_vector *a = stream->a;
    const wf_vector *b = stream->b, *c = stream->c;
    wf_vector factor = ALL_OF(FACTOR);
    switch (stream->pattern) {
    case WF_READ:
        read_pass(stream, first, last);
        return;
    case WF_WRITE:
        for (size_t i = first; i < last; i++)
            a[i] = factor;
        return;
    case WF_COPY:
        for (size_t i = first; i < last; i++)
            a[i] = b[i];
        return;
    case WF_TRIAD:
        for (size_t i = first; i < last; i++)
            a[i] = b[i] + factor * c[i];
        return;
    case WF_PATTERNS:
        return;
    }
}

/* The range, shifted: at most two stretches. */
static void over(const struct wf_stream *stream, weft_range range, void (*body)(const struct wf_stream *, size_t, size_t)) {
    size_t first = range.first + stream->shift, last = range.last + stream->shift, n = stream->count;
    if (first < n)
        body(stream, first, last < n ? last : n);
    if (last > n)
        body(stream, first > n ? first - n : 0, last - n);
}

void wf_stream_fill(void *stream, weft_range range) {
    over(stream, range, fill);
}

void wf_stream_pass(void *stream, weft_range range) {
    over(stream, range, pass);
}

double wf_stream_bytes(const struct wf_stream *stream) {
    static const unsigned touched[WF_PATTERNS] = {1, 1, 2, 3};
    return (double)(stream->count * sizeof(wf_vector) * touched[stream->pattern]);
}

double wf_stream_result(enum wf_pattern pattern) {
    static const double results[WF_PATTERNS] = {1, FACTOR, 2, 2 + FACTOR * 0.5};
    return results[pattern];
}
