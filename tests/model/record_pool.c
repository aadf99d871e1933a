/* The record pool: an owner that allocates, two threads that free what it made. Each record has one user at a time. */
#include "memory/record_pool.h"

#include <string.h>

#include "explorer.h"

#define RECORDS 3u

struct record {
    struct wf_free_record reserved; /* what the pool uses of a free record */
    unsigned user;
};

static struct wf_record_pool pool;
static _Alignas(WF_LINE) unsigned char bytes[RECORDS * WF_LINE];
static wf_atomic_ptr passed[2]; /* from the owner to each of the others */

static void set_up(void) {
    memset(bytes, 0, sizeof bytes);
    pool = (struct wf_record_pool){.record_bytes = WF_LINE,
                                   .fresh = (char *)bytes,
                                   .populated = (char *)bytes + sizeof bytes,
                                   .area = {.start = bytes, .bytes = sizeof bytes}};
    __cds_wfs_init(&pool.remote);
    passed[0] = passed[1] = NULL;
}

static struct record *make(void) {
    struct record *record;
    while (!(record = wf_record_alloc(&pool)))
        explore_yield();
    record->reserved.node.next = NULL; /* plain, wherever the free record keeps an atomic */
    record->reserved.handed_over = 0;
    record->user = 1;
    return record;
}

static void owner(void) {
    for (unsigned i = 0; i < 5; i++) {
        struct record *record = make();
        wf_atomic_ptr *to = &passed[i % 2];
        if (wf_load(to, WF_RELAXED)) /* not fetched yet */
            wf_record_free(&pool, record, true);
        else
            wf_store(to, record, WF_RELEASE);
    }
}

static void freer(void) {
    for (unsigned i = 0; i < 3; i++) {
        struct record *record = wf_exchange(&passed[explore_self() - 1], NULL, WF_ACQUIRE);
        if (!record)
            continue;
        EXPLORE_CHECK(record->user == 1);
        record->user = 2;
        wf_record_free(&pool, record, false);
    }
}

static void check(void) {
    size_t live = (passed[0] ? 1u : 0u) + (passed[1] ? 1u : 0u);
    EXPLORE_CHECK(wf_record_pool_free_count(&pool) + live == pool.carved);
}

static const struct explore_case cases[] = {
    {.name = "record_pool", .set_up = set_up, .threads = {owner, freer, freer}, .check = check},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
