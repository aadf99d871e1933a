/*
 * Measuring: buffers on each memory in turn, touched and looked at before anything is timed; for each node a pool of its own
 * workers. Only what ended with the right result is reported.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"
#include "cli/membench_kernels.h"

#define CHASE_PARTS 8 /* of the cycle, each timed */
#define CHASE_MOST ((size_t)256 << 20)
#define DEFAULT_MOST ((size_t)1 << 30)
#define LEAST_BYTES ((size_t)64 << 10)

struct buffers {
    weft_array *array[3];
};

struct rig {
    struct wf_membench *bench;
    const struct wf_membench_options *options;
    weft_pool *all;    /* workers on every node */
    weft_pool **pools; /* per node: its own workers */
    double *sums;
    unsigned worker_count;
};

/* One task on a worker of a pool, timed there. */
struct timed {
    struct wf_stream *stream;
    struct wf_link *link;
    size_t steps;
    double seconds;
};

static int ascending(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static weft_status run_on_worker(weft_pool *pool, weft_task_fn fn, void *arg) {
    weft_group *group;
    weft_status status = weft_group_create(&group, pool);
    if (status != WEFT_OK)
        return status;
    status = weft_group_spawn(group, fn, arg);
    if (status == WEFT_OK)
        status = weft_group_wait(group);
    weft_group_destroy(group);
    return status;
}

static void chase_task(void *arg) {
    struct timed *timed = arg;
    uint64_t begin = wf_now_ns();
    timed->link = wf_chase(timed->link, timed->steps);
    timed->seconds = (double)(wf_now_ns() - begin) * 1e-9;
}

static void stream_task(void *arg) {
    struct timed *timed = arg;
    uint64_t begin = wf_now_ns();
    wf_stream_pass(timed->stream, (weft_range){0, timed->stream->count});
    timed->seconds = (double)(wf_now_ns() - begin) * 1e-9;
}

static weft_status measure_latency(weft_pool *pool, struct wf_link *links, size_t count, struct wf_cell *cell) {
    double parts[CHASE_PARTS];
    struct timed timed = {.link = links};
    for (unsigned i = 0; i < CHASE_PARTS; i++) {
        timed.steps = i + 1 < CHASE_PARTS ? count / CHASE_PARTS : count - count / CHASE_PARTS * (CHASE_PARTS - 1);
        weft_status status = run_on_worker(pool, chase_task, &timed);
        if (status != WEFT_OK)
            return status;
        parts[i] = timed.seconds * 1e9 / (double)timed.steps;
    }
    if (timed.link != links)
        return wf_fail(WEFT_EIO, "a chase over %zu lines did not come back to where it began", count);
    qsort(parts, CHASE_PARTS, sizeof *parts, ascending);
    cell->latency = parts[0];
    cell->latency_median = (parts[CHASE_PARTS / 2 - 1] + parts[CHASE_PARTS / 2]) / 2;
    return WEFT_OK;
}

/* Loops of bound threads only, each its own part. */
static weft_status loop(weft_pool *pool, struct wf_stream *stream, weft_loop_fn body) {
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = sizeof(wf_vector)};
    return weft_for(pool, stream->count, body, stream, &options);
}

/* The vectors that are looked at after a pass that writes. */
static size_t check_step(const struct wf_stream *stream) {
    return 1 + stream->count / 4096;
}

/* What no pass leaves, so that one that did nothing is found. */
static void spoil(const struct wf_stream *stream) {
    for (size_t i = 0; stream->pattern != WF_READ && i < stream->count; i += check_step(stream))
        for (unsigned k = 0; k < WF_VECTOR_DOUBLES; k++)
            stream->a[i][k] = -1;
}

/* Reads: their sums; writes: what is in memory now, a vector of every stretch. */
static weft_status check(const struct rig *rig, const struct wf_stream *stream) {
    double expected = wf_stream_result(stream->pattern), sum = 0;
    if (stream->pattern == WF_READ) {
        for (unsigned worker = 0; worker < rig->worker_count; worker++)
            sum += rig->sums[(size_t)worker * 8];
        if (sum != (double)(stream->count * WF_VECTOR_DOUBLES))
            return wf_fail(WEFT_EIO, "a read of %zu ones summed up to %.0f", stream->count * WF_VECTOR_DOUBLES, sum);
        return WEFT_OK;
    }
    for (size_t i = 0; i < stream->count; i += check_step(stream))
        for (unsigned k = 0; k < WF_VECTOR_DOUBLES; k++)
            if (stream->a[i][k] != expected)
                return wf_fail(WEFT_EIO, "%s left %g instead of %g", wf_pattern_names[stream->pattern], stream->a[i][k],
                               expected);
    return WEFT_OK;
}

/* GB/s of one pass by all workers of a pool, or (one) by one of them. */
static weft_status pass(const struct rig *rig, weft_pool *pool, bool one, struct wf_stream *stream, double *rate) {
    struct timed timed = {.stream = stream};
    memset(rig->sums, 0, (size_t)rig->worker_count * 8 * sizeof *rig->sums);
    spoil(stream);
    uint64_t begin = wf_now_ns();
    weft_status status = one ? run_on_worker(pool, stream_task, &timed) : loop(pool, stream, wf_stream_pass);
    if (!one)
        timed.seconds = (double)(wf_now_ns() - begin) * 1e-9;
    if (status == WEFT_OK)
        status = check(rig, stream);
    *rate = timed.seconds > 0 ? wf_stream_bytes(stream) / timed.seconds * 1e-9 : 0;
    return status;
}

static weft_status measure_pattern(const struct rig *rig, weft_pool *pool, bool one, struct wf_stream *stream, double *median,
                                   double *spread) {
    unsigned repeats = rig->options->repeats;
    double *rates = malloc((repeats + 1) * sizeof *rates);
    if (!rates)
        return wf_fail(WEFT_ENOMEM, "no memory for %u figures", repeats);
    weft_status status = loop(pool, stream, wf_stream_fill);
    for (unsigned i = 0; i <= repeats && status == WEFT_OK; i++) /* the first warms up */
        status = pass(rig, pool, one, stream, &rates[i ? i - 1 : repeats]);
    if (status == WEFT_OK) {
        qsort(rates, repeats, sizeof *rates, ascending);
        *median = repeats % 2 ? rates[repeats / 2] : (rates[repeats / 2 - 1] + rates[repeats / 2]) / 2;
        if (spread)
            *spread = *median > 0 ? (rates[repeats - 1] - rates[0]) / *median : 0;
    }
    free(rates);
    return status;
}

static struct wf_stream stream_over(const struct rig *rig, const struct buffers *buffers) {
    return (struct wf_stream){.a = weft_array_data(buffers->array[0]),
                              .b = weft_array_data(buffers->array[1]),
                              .c = weft_array_data(buffers->array[2]),
                              .count = rig->bench->bytes / sizeof(wf_vector),
                              .sums = rig->sums};
}

static void release_buffers(struct buffers *buffers) {
    for (unsigned i = 0; i < 3; i++)
        weft_array_destroy(buffers->array[i]);
    *buffers = (struct buffers){{NULL, NULL, NULL}};
}

static weft_status make_buffers(const struct rig *rig, weft_array_options options, struct buffers *buffers) {
    *buffers = (struct buffers){{NULL, NULL, NULL}};
    options.size = sizeof options;
    options.pages = rig->options->pages;
    for (unsigned i = 0; i < 3; i++) {
        weft_status status =
            weft_array_create(&buffers->array[i], rig->all, rig->bench->bytes / sizeof(wf_vector), sizeof(wf_vector), &options);
        if (status != WEFT_OK) {
            release_buffers(buffers);
            return status;
        }
    }
    return WEFT_OK;
}

/* Everything from one node to the memory that holds the buffers. The chase runs over the first, before it is filled. */
static weft_status measure_cell(const struct rig *rig, unsigned node, const struct buffers *buffers, struct wf_cell *cell) {
    size_t lines = (rig->bench->bytes < CHASE_MOST ? rig->bench->bytes : CHASE_MOST) / sizeof(struct wf_link);
    struct wf_link *links = weft_array_data(buffers->array[0]);
    if (!wf_chase_make(links, lines))
        return wf_fail(WEFT_ENOMEM, "no memory to put %zu lines in order", lines);
    weft_status status = measure_latency(rig->pools[node], links, lines, cell);
    struct wf_stream stream = stream_over(rig, buffers);
    for (unsigned p = 0; p < WF_PATTERNS && status == WEFT_OK; p++) {
        stream.pattern = (enum wf_pattern)p;
        status = measure_pattern(rig, rig->pools[node], false, &stream, &cell->all[p], p == WF_READ ? &cell->spread : NULL);
        if (status == WEFT_OK)
            status = measure_pattern(rig, rig->pools[node], true, &stream, &cell->one[p], NULL);
    }
    return status;
}

static weft_status measure_memory(const struct rig *rig, unsigned memory) {
    struct wf_membench *bench = rig->bench;
    bool only = bench->memory[memory].only;
    weft_array_options options = {.place = only ? WEFT_ON_MEMORY_NODE : WEFT_ON_NODE,
                                  .node = only ? memory - bench->node_count : memory};
    struct buffers buffers;
    weft_status status = make_buffers(rig, options, &buffers);
    if (status != WEFT_OK)
        return status;
    weft_range items = {0, weft_array_count(buffers.array[0])};
    status = weft_array_query(buffers.array[0], items, WEFT_QUERY_EXACT, &bench->memory[memory].placement, NULL, 0);
    if (status == WEFT_EPERM || status == WEFT_ENOTSUP) {
        bench->memory[memory].placement = (weft_placement){.reason = "the kernel does not say where pages are"};
        status = WEFT_OK;
    }
    for (unsigned node = 0; node < bench->node_count && status == WEFT_OK; node++)
        status = measure_cell(rig, node, &buffers, &bench->cells[node * bench->memory_count + memory]);
    release_buffers(&buffers);
    return status;
}

/* On the next node lies what is one node's part further on, where parts are equal. */
static bool is_measurable(const struct wf_membench *bench, enum wf_mode mode) {
    for (unsigned k = 1; mode == WF_REMOTE && k < bench->node_count; k++)
        if (bench->workers[k] != bench->workers[0])
            return false;
    return mode == WF_LOCAL || bench->node_count > 1;
}

/* All workers at once: on their own parts, on those of the next node, on pages in turn. */
static weft_status measure_mode(const struct rig *rig, enum wf_mode mode) {
    struct wf_membench *bench = rig->bench;
    struct buffers buffers;
    weft_array_options options = {.place = mode == WF_INTERLEAVED ? WEFT_INTERLEAVED : WEFT_PARTITIONED};
    weft_status status = make_buffers(rig, options, &buffers);
    if (status != WEFT_OK)
        return status;
    struct wf_stream stream = stream_over(rig, &buffers);
    stream.shift = mode == WF_REMOTE ? stream.count / bench->node_count : 0;
    for (unsigned p = 0; p < WF_PATTERNS && status == WEFT_OK; p++) {
        stream.pattern = (enum wf_pattern)p;
        status = measure_pattern(rig, rig->all, false, &stream, &bench->modes[mode][p], NULL);
    }
    release_buffers(&buffers);
    return status;
}

static size_t cache_bytes(void) {
    long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (bytes <= 0)
        bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? (size_t)bytes : 0;
}

static weft_status choose_size(struct wf_membench *bench, const struct wf_membench_options *options) {
    struct sysinfo info;
    size_t free_bytes = sysinfo(&info) ? SIZE_MAX : (size_t)info.freeram * info.mem_unit;
    size_t each = free_bytes / bench->memory_count, most = (each < bench->least_memory ? each : bench->least_memory) / 8;
    bench->cache_bytes = cache_bytes();
    if (options->bytes && (options->bytes < LEAST_BYTES || options->bytes > most))
        return wf_fail(
            WEFT_EINVAL,
            "buffers of %zu bytes: from %zu bytes to %zu, an eighth of the free memory per node and of the smallest node",
            options->bytes, LEAST_BYTES, most);
    most = options->bytes || most < DEFAULT_MOST ? most : DEFAULT_MOST;
    bench->bytes = options->bytes ? options->bytes : bench->cache_bytes ? 4 * bench->cache_bytes : (size_t)256 << 20;
    bench->bytes = bench->bytes < most ? bench->bytes : most;
    bench->bytes -= bench->bytes % sizeof(wf_vector);
    return bench->bytes >= LEAST_BYTES ? WEFT_OK : wf_fail(WEFT_ENOMEM, "only %zu bytes of memory are free", free_bytes);
}

/* 0: unknown, or a node that borrows from another. */
static void count_memory(struct wf_membench *bench, uint64_t bytes) {
    if (bytes && bytes < bench->least_memory)
        bench->least_memory = (size_t)bytes;
}

static weft_status list_nodes(struct wf_membench *bench, const weft_plan *plan) {
    unsigned only;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &bench->node_count);
    const weft_plan_memory_node *memory = weft_plan_memory_nodes(plan, &only);
    bench->memory_count = bench->node_count + only;
    bench->nodes = calloc(bench->node_count, sizeof *bench->nodes);
    bench->workers = calloc(bench->node_count, sizeof *bench->workers);
    bench->memory = calloc(bench->memory_count, sizeof *bench->memory);
    bench->cells = calloc((size_t)bench->node_count * bench->memory_count, sizeof *bench->cells);
    if (!bench->nodes || !bench->workers || !bench->memory || !bench->cells)
        return wf_fail(WEFT_ENOMEM, "no memory for a matrix of %u by %u nodes", bench->node_count, bench->memory_count);
    bench->least_memory = SIZE_MAX;
    for (unsigned k = 0; k < bench->node_count; k++)
        count_memory(bench, nodes[k].local_memory);
    for (unsigned k = 0; k < only; k++)
        count_memory(bench, memory[k].local_memory);
    for (unsigned k = 0; k < bench->node_count; k++) {
        bench->nodes[k] = nodes[k].os_index;
        bench->workers[k] = nodes[k].worker_count;
        bench->memory[k] = (struct wf_memory){.os_index = nodes[k].memory_node, .placement.reason = ""};
    }
    for (unsigned k = 0; k < only; k++)
        bench->memory[bench->node_count + k] =
            (struct wf_memory){.os_index = memory[k].os_index, .only = true, .placement.reason = ""};
    return WEFT_OK;
}

static weft_status start_pools(struct rig *rig, const weft_plan *plan) {
    const struct wf_membench *bench = rig->bench;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .plan = plan, .fixed = true};
    weft_status status = weft_pool_create(&rig->all, &options);
    rig->pools = calloc(bench->node_count, sizeof *rig->pools);
    rig->worker_count = weft_pool_workers(rig->all);
    rig->sums = calloc((size_t)rig->worker_count * 8, sizeof *rig->sums);
    if (status == WEFT_OK && (!rig->pools || !rig->sums))
        status = wf_fail(WEFT_ENOMEM, "no memory for the pools of %u nodes", bench->node_count);
    for (unsigned k = 0; k < bench->node_count && status == WEFT_OK; k++) {
        char node[16];
        snprintf(node, sizeof node, "%d", bench->nodes[k]);
        weft_pool_options own = {WEFT_POOL_OPTIONS_INIT, .fixed = true, .nodes = node, .pin = WEFT_PIN_CORE};
        if (bench->node_count == 1)
            rig->pools[k] = rig->all;
        else
            status = weft_pool_create(&rig->pools[k], &own);
    }
    return status;
}

static void stop_pools(struct rig *rig) {
    for (unsigned k = 0; rig->pools && k < rig->bench->node_count; k++)
        if (rig->pools[k] != rig->all)
            weft_pool_destroy(rig->pools[k]);
    weft_pool_destroy(rig->all);
    free(rig->pools);
    free(rig->sums);
}

weft_status wf_membench_run(struct wf_membench *bench, const weft_plan *plan, const struct wf_membench_options *options) {
    *bench = (struct wf_membench){.repeats = options->repeats, .this_system = weft_plan_get_limits(plan)->this_system};
    struct rig rig = {.bench = bench, .options = options};
    weft_status status = list_nodes(bench, plan);
    if (status == WEFT_OK)
        status = choose_size(bench, options);
    if (status == WEFT_OK)
        status = start_pools(&rig, plan);
    for (unsigned memory = 0; memory < bench->memory_count && status == WEFT_OK; memory++)
        status = measure_memory(&rig, memory);
    for (unsigned mode = 0; mode < WF_MODES && status == WEFT_OK; mode++)
        if (is_measurable(bench, (enum wf_mode)mode))
            status = measure_mode(&rig, (enum wf_mode)mode);
    stop_pools(&rig);
    return status;
}

void wf_membench_release(struct wf_membench *bench) {
    free(bench->nodes);
    free(bench->workers);
    free(bench->memory);
    free(bench->cells);
}

const char *wf_membench_note(const struct wf_membench *bench, unsigned index, char *text, size_t room) {
    if (bench->node_count == 1 && bench->memory_count == 1 && index-- == 0)
        return "one node: there is nothing remote to measure";
    if (bench->node_count > 1 && !is_measurable(bench, WF_REMOTE) && index-- == 0)
        return "nodes have different numbers of workers: all at once on remote memory is not measured";
    if (bench->bytes < 4 * bench->cache_bytes && index-- == 0) {
        snprintf(text, room,
                 "buffers are less than four times the last-level cache (%zu MiB): part of what is read may come from it",
                 bench->cache_bytes >> 20);
        return text;
    }
    if (bench->bytes > CHASE_MOST && index-- == 0) {
        snprintf(text, room, "the chase for latencies goes over the first %zu MiB only", CHASE_MOST >> 20);
        return text;
    }
    for (unsigned k = 0; k < bench->memory_count; k++) {
        const weft_placement *placement = &bench->memory[k].placement;
        if (*placement->reason && index-- == 0) {
            snprintf(text, room, "memory of node %d: %s", bench->memory[k].os_index, placement->reason);
            return text;
        }
    }
    return NULL;
}
