/*
 * Three steps: count how many entries each chunk of documents has for each partition; turn the counts into places and scatter
 * the entries; build each partition's table. Chunks are scattered to places in document order, so a partition meets its
 * entries in document order whoever wrote them, and the first and the last document of a bucket are known as it grows.
 */
#include "buckets.h"

#include <stdlib.h>

/* Partitions per worker of a node: enough that uneven ones do not leave workers idle. */
enum { PARTITIONS_PER_WORKER = 4, CHUNKS_PER_WORKER = 4 };

struct entry {
    uint64_t key;
    uint32_t document;
};

/* A bucket: the documents with one key. Empty: end is 0. */
struct bucket {
    uint64_t key;
    uint32_t first, end; /* its first document, and its last one so far + 1 */
};

/* One partition: entries [begin, begin + count) and buckets [bucket_begin, bucket_begin + bucket_count) of its node's arrays. */
struct partition {
    struct table *table;
    unsigned node;
    size_t begin, count;
    size_t bucket_begin, bucket_count; /* a power of two */
};

struct node_part {
    weft_array *entry_array, *bucket_array; /* on this node */
    struct entry *entries;
    struct bucket *buckets;
};

struct table {
    struct run *run;
    const struct bucket_use *use;
    size_t chunks, partition_count;
    size_t *places; /* chunk by partition: how many entries, then where the next one goes in its node's array */
    struct partition *partitions;
    unsigned nodes;
    struct node_part *parts;
};

static size_t partition_of(const struct table *table, uint64_t key) {
    return (size_t)((key >> 32) * table->partition_count >> 32);
}

/* Call visit for every entry of a chunk of documents. */
static void visit_chunk(struct table *table, size_t chunk, void (*visit)(struct table *, size_t *, struct entry)) {
    const struct run *run = table->run;
    size_t n = run->collection->document_count;
    size_t *places = table->places + chunk * table->partition_count;
    size_t last = weft_partition(n, (unsigned)table->chunks, 1, (unsigned)chunk + 1);
    for (size_t id = weft_partition(n, (unsigned)table->chunks, 1, (unsigned)chunk); id < last; id++)
        for (unsigned k = 0; table->use->takes(run, id) && k < table->use->keys; k++) {
            struct entry entry = {table->use->key(run, id, k), (uint32_t)id};
            visit(table, &places[partition_of(table, entry.key)], entry);
        }
}

static void count_entry(struct table *table, size_t *place, struct entry entry) {
    (void)table, (void)entry;
    ++*place;
}

static void put_entry(struct table *table, size_t *place, struct entry entry) {
    unsigned node = table->partitions[partition_of(table, entry.key)].node;
    table->parts[node].entries[(*place)++] = entry;
}

static void count_chunks(void *arg, weft_range range) {
    for (size_t chunk = range.first; chunk < range.last; chunk++)
        visit_chunk(arg, chunk, count_entry);
}

static void scatter_chunks(void *arg, weft_range range) {
    for (size_t chunk = range.first; chunk < range.last; chunk++)
        visit_chunk(arg, chunk, put_entry);
}

static void add_to_bucket(struct table *table, struct bucket *buckets, size_t mask, struct entry entry) {
    size_t at = (size_t)entry.key & mask;
    while (buckets[at].end != 0 && buckets[at].key != entry.key)
        at = (at + 1) & mask;
    struct bucket *bucket = &buckets[at];
    if (bucket->end == 0) {
        *bucket = (struct bucket){entry.key, entry.document, entry.document + 1};
        return;
    }
    uint32_t last = bucket->end - 1;
    bucket->end = entry.document + 1;
    if (last == entry.document) /* two keys of one document are equal */
        return;
    table->use->pair(table->run, bucket->first, entry.document);
    if (last != bucket->first)
        table->use->pair(table->run, last, entry.document);
}

static void build_partition(void *arg) {
    const struct partition *partition = arg;
    struct table *table = partition->table;
    struct node_part *part = &table->parts[partition->node];
    for (size_t i = 0; i < partition->count; i++)
        add_to_bucket(table, part->buckets + partition->bucket_begin, partition->bucket_count - 1,
                      part->entries[partition->begin + i]);
    atomic_fetch_add_explicit(&table->run->partitions, 1, memory_order_relaxed);
    if (weft_current_node() == (int)partition->node)
        atomic_fetch_add_explicit(&table->run->partitions_home, 1, memory_order_relaxed);
    progress_advance(table->run->progress, 0, partition->count);
}

/* Share the partitions out to the nodes by their workers. */
static void place_partitions(struct table *table) {
    const weft_plan_node *nodes = weft_plan_nodes(weft_pool_plan(table->run->pool), NULL);
    size_t next = 0;
    for (unsigned node = 0; node < table->nodes; node++)
        for (unsigned i = 0; i < nodes[node].worker_count * PARTITIONS_PER_WORKER; i++)
            table->partitions[next++] = (struct partition){.table = table, .node = node};
}

/* Turn the counts of one partition into places that begin at `begin`. */
static void place_entries(struct table *table, size_t index, size_t begin) {
    struct partition *p = &table->partitions[index];
    size_t next = p->begin = begin;
    for (size_t chunk = 0; chunk < table->chunks; chunk++) {
        size_t *place = &table->places[chunk * table->partition_count + index];
        size_t count = *place;
        *place = next;
        next += count;
    }
    p->count = next - begin;
    for (p->bucket_count = 2; p->bucket_count < 2 * p->count; p->bucket_count *= 2)
        ;
}

static weft_status make_node_part(struct table *table, unsigned node, size_t entries, size_t buckets) {
    struct node_part *part = &table->parts[node];
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .node = node};
    weft_status status = weft_array_create(&part->entry_array, table->run->pool, entries + 1, sizeof(struct entry), &options);
    if (status == WEFT_OK)
        status = weft_array_create(&part->bucket_array, table->run->pool, buckets, sizeof(struct bucket), &options);
    part->entries = weft_array_data(part->entry_array);
    part->buckets = weft_array_data(part->bucket_array);
    return status;
}

/* Give every partition its place and every node its arrays. */
static weft_status place_all(struct table *table) {
    size_t index = 0;
    weft_status status = WEFT_OK;
    for (unsigned node = 0; status == WEFT_OK && node < table->nodes; node++) {
        size_t entries = 0, buckets = 0;
        for (; index < table->partition_count && table->partitions[index].node == node; index++) {
            struct partition *p = &table->partitions[index];
            place_entries(table, index, entries);
            p->bucket_begin = buckets;
            entries += p->count;
            buckets += p->bucket_count;
        }
        status = make_node_part(table, node, entries, buckets);
    }
    return status;
}

static weft_status build_all(struct table *table) {
    weft_group *group;
    weft_status status = weft_group_create(&group, table->run->pool);
    if (status != WEFT_OK)
        return status;
    for (size_t i = 0; status == WEFT_OK && i < table->partition_count; i++) {
        struct partition *p = &table->partitions[i];
        weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = p->node, .group = group};
        status = weft_submit(table->run->pool, build_partition, p, &options);
    }
    weft_status waited = weft_group_wait(group);
    weft_group_destroy(group);
    return status != WEFT_OK ? status : waited;
}

static void release(struct table *table) {
    for (unsigned node = 0; table->parts != NULL && node < table->nodes; node++) {
        weft_array_destroy(table->parts[node].entry_array);
        weft_array_destroy(table->parts[node].bucket_array);
    }
    free(table->parts);
    free(table->partitions);
    free(table->places);
}

weft_status buckets_pairs(struct run *run, const struct bucket_use *use) {
    unsigned workers = weft_pool_workers(run->pool);
    struct table table = {.run = run,
                          .use = use,
                          .chunks = (size_t)workers * CHUNKS_PER_WORKER,
                          .partition_count = (size_t)workers * PARTITIONS_PER_WORKER,
                          .nodes = weft_pool_nodes(run->pool)};
    weft_for_options each = {WEFT_FOR_OPTIONS_INIT, .grain = 1};
    weft_status status = WEFT_ENOMEM;
    table.places = calloc(table.chunks * table.partition_count, sizeof *table.places);
    table.partitions = calloc(table.partition_count, sizeof *table.partitions);
    table.parts = calloc(table.nodes, sizeof *table.parts);
    if (table.places != NULL && table.partitions != NULL && table.parts != NULL) {
        place_partitions(&table);
        status = weft_for(run->pool, table.chunks, count_chunks, &table, &each);
    }
    if (status == WEFT_OK)
        status = place_all(&table);
    if (status == WEFT_OK)
        status = weft_for(run->pool, table.chunks, scatter_chunks, &table, &each);
    if (status == WEFT_OK)
        status = build_all(&table);
    release(&table);
    return status;
}
