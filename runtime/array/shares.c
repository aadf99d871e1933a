/*
 * Dealing out, in two passes over the extents: count each worker's pieces, then put them where its positions are. Items fall into
 * classes: those on one node belong to the workers that are local to it, and the class of nobody to all. A class is split like a
 * loop over as many workers, so shares differ by one aligned unit at most.
 */
#include "array/shares.h"

#include <assert.h>
#include <stdlib.h>

#include "base/status.h"
#include "memory/placement.h"

/* The items that lie on one OS node, or (nobody's) on none that has workers. */
struct class {
    size_t items;      /* of it */
    unsigned parts;    /* workers that share it */
    unsigned *workers; /* these */
    size_t at;         /* while dealing: how many of its items came before, */
    unsigned part;     /* and whose turn it is */
};

struct dealer {
    const weft_array *array;
    const struct wf_extents *extents;
    size_t align;
    unsigned class_count; /* OS nodes that are seen, and nobody's, which is the last */
    struct class *classes;
    unsigned *lists;          /* the workers of all classes */
    size_t *fill;             /* per worker: pieces so far, then the index of the next */
    struct wf_shares *shares; /* second pass: being filled */
};

/* Items of extent i: what begins at its aligned first item and ends at that of the next. */
static weft_range items_of(const struct dealer *dealer, size_t i) {
    const struct wf_extents *extents = dealer->extents;
    size_t n = dealer->array->n, align = dealer->align;
    size_t first = extents->count ? extents->list[i].first / align * align : 0;
    size_t last = i + 1 < extents->count ? extents->list[i + 1].first : n;
    return (weft_range){first, last >= n ? (n + align - 1) / align * align : last / align * align};
}

static size_t extent_count(const struct dealer *dealer) {
    return dealer->extents->count ? dealer->extents->count : 1;
}

static struct class *class_of(const struct dealer *dealer, size_t i) {
    int node = dealer->extents->count ? dealer->extents->list[i].node : WF_NODE_ABSENT;
    struct class *nobody = &dealer->classes[dealer->class_count - 1];
    return node == WF_NODE_ABSENT || !dealer->classes[node].parts ? nobody : &dealer->classes[node];
}

/* The workers that are local to OS node `os_node`; nobody's: all. */
static void list_workers(struct dealer *dealer, struct class *class, int os_node, unsigned *workers) {
    const weft_array *array = dealer->array;
    class->workers = workers;
    for (unsigned k = 0; k < array->node_count; k++)
        for (unsigned i = 0; i < array->nodes[k].worker_count; i++)
            if (os_node == WF_NODE_ABSENT || wf_array_is_local(array, k, os_node))
                class->workers[class->parts++] = array->nodes[k].first_worker + i;
}

static weft_status begin(struct dealer *dealer) {
    int highest = -1;
    unsigned workers = dealer->array->worker_count;
    for (size_t i = 0; i < dealer->extents->count; i++)
        highest = dealer->extents->list[i].node > highest ? dealer->extents->list[i].node : highest;
    dealer->class_count = (unsigned)(highest + 2);
    dealer->classes = calloc(dealer->class_count, sizeof *dealer->classes);
    dealer->lists = calloc((size_t)dealer->class_count * workers, sizeof *dealer->lists);
    dealer->fill = calloc(workers + 1, sizeof *dealer->fill);
    if (!dealer->classes || !dealer->lists || !dealer->fill)
        return wf_fail(WEFT_ENOMEM, "no memory to deal out items to %u workers", workers);
    for (unsigned i = 0; i < dealer->class_count; i++)
        list_workers(dealer, &dealer->classes[i], i + 1 < dealer->class_count ? (int)i : WF_NODE_ABSENT,
                     dealer->lists + (size_t)i * workers);
    for (size_t i = 0; i < extent_count(dealer); i++) {
        weft_range items = items_of(dealer, i);
        class_of(dealer, i)->items += items.last > items.first ? items.last - items.first : 0;
    }
    return WEFT_OK;
}

/* One piece for a worker: counted, or put where it belongs. */
static void give(struct dealer *dealer, unsigned worker, size_t first, size_t count) {
    struct wf_shares *shares = dealer->shares;
    size_t index = dealer->fill[worker]++;
    if (!shares)
        return;
    shares->pieces[index].first = first;
    shares->pieces[index].at = count; /* its length; positions follow when all are there */
}

/* Deal out one extent to the workers of its class, from where the extent before it left off. */
static void deal_extent(struct dealer *dealer, size_t i) {
    weft_range items = items_of(dealer, i);
    struct class *class = class_of(dealer, i);
    while (items.first < items.last) {
        size_t end = weft_partition(class->items, class->parts, dealer->align, class->part + 1);
        size_t left = end - class->at, have = items.last - items.first, count = have < left ? have : left;
        if (count)
            give(dealer, class->workers[class->part], items.first, count);
        items.first += count;
        class->at += count;
        class->part += class->at == end && class->part + 1 < class->parts;
    }
}

static void deal(struct dealer *dealer) {
    for (unsigned i = 0; i < dealer->class_count; i++)
        dealer->classes[i].at = dealer->classes[i].part = 0;
    for (size_t i = 0; i < extent_count(dealer); i++)
        deal_extent(dealer, i);
}

/* Room for the pieces that were counted; fill becomes where each worker's begin. */
static weft_status make_room(struct dealer *dealer, struct wf_shares *shares) {
    unsigned workers = dealer->array->worker_count;
    for (unsigned worker = 0; worker < workers; worker++) {
        size_t own = dealer->fill[worker];
        dealer->fill[worker] = shares->count;
        shares->count += own;
    }
    shares->pieces = malloc((shares->count + 1) * sizeof *shares->pieces);
    shares->bounds = calloc(workers + 1, sizeof *shares->bounds);
    if (!shares->pieces || !shares->bounds)
        return wf_fail(WEFT_ENOMEM, "no memory for an order of %zu pieces", shares->count);
    return WEFT_OK;
}

/* From lengths to positions. dealer->fill is where each worker's pieces end. */
static void set_positions(const struct dealer *dealer, struct wf_shares *shares) {
    size_t at = 0, index = 0;
    shares->in_order = true;
    for (unsigned worker = 0; worker < dealer->array->worker_count; worker++) {
        for (shares->bounds[worker] = at; index < dealer->fill[worker]; index++) {
            size_t length = shares->pieces[index].at;
            shares->in_order = shares->in_order && shares->pieces[index].first == at;
            shares->pieces[index].at = at;
            at += length;
        }
    }
    shares->bounds[dealer->array->worker_count] = at;
    shares->pieces[shares->count] = (struct wf_piece){at, at};
    shares->items = dealer->array->n;
    shares->positions = at;
}

struct wf_shares *wf_shares_make(const weft_array *array, const struct wf_extents *extents, size_t align) {
    size_t unit = align < 1 ? 1 : align > array->n ? array->n : align;
    struct dealer dealer = {.array = array, .extents = extents, .align = unit};
    struct wf_shares *shares = calloc(1, sizeof *shares);
    weft_status status = shares ? begin(&dealer) : wf_fail(WEFT_ENOMEM, "no memory for the order of the items");
    if (status == WEFT_OK) {
        deal(&dealer);
        status = make_room(&dealer, shares);
    }
    if (status == WEFT_OK) {
        dealer.shares = shares;
        deal(&dealer);
        set_positions(&dealer, shares);
        if (shares->in_order) /* the last may be cut: then a loop over the items themselves will do */
            for (unsigned worker = 0; worker <= array->worker_count; worker++)
                shares->bounds[worker] = shares->bounds[worker] < array->n ? shares->bounds[worker] : array->n;
    } else {
        wf_shares_free(shares);
        shares = NULL;
    }
    free(dealer.classes);
    free(dealer.lists);
    free(dealer.fill);
    return shares;
}

void wf_shares_free(struct wf_shares *shares) {
    if (!shares)
        return;
    free(shares->pieces);
    free(shares->bounds);
    free(shares);
}

/* The piece that holds a position: the last that does not begin after it. */
static const struct wf_piece *find(const struct wf_shares *shares, size_t position) {
    size_t low = 0, high = shares->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (shares->pieces[middle].at <= position)
            low = middle;
        else
            high = middle;
    }
    return &shares->pieces[low];
}

void wf_shares_run(void *shared_body, weft_range positions) {
    const struct wf_shared_body *shared = shared_body;
    const struct wf_shares *shares = shared->shares;
    assert(positions.last <= shares->positions);
    for (const struct wf_piece *piece = find(shares, positions.first); positions.first < positions.last; piece++) {
        size_t end = piece[1].at < positions.last ? piece[1].at : positions.last;
        size_t first = piece->first + (positions.first - piece->at), last = first + (end - positions.first);
        last = last < shares->items ? last : shares->items;
        if (first < last)
            shared->body(shared->arg, (weft_range){first, last});
        positions.first = end;
    }
}
