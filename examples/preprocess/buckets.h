/*
 * Documents that share a key, found in parallel in a hash table that is partitioned over the nodes: a key belongs to one
 * partition, a partition to one node, and its entries and table lie there and are built there, by one task, without locks.
 */
#ifndef PREPROCESS_BUCKETS_H
#define PREPROCESS_BUCKETS_H

#include "run.h"

/** What goes into the table and what is done with it. All functions are called by many workers at once. */
struct bucket_use {
    unsigned keys;                                                         /* per document */
    bool (*takes)(const struct run *run, size_t document);                 /* whether the document goes in; stable meanwhile */
    uint64_t (*key)(const struct run *run, size_t document, unsigned key); /* well-mixed; equal keys meet */
    void (*pair)(struct run *run, uint32_t first, uint32_t second);        /* first < second share a key */
};

/**
 * Put all documents into buckets by key and report pairs. Of a bucket's documents d0 < d1 < ... it reports (d0, di) and
 * (di-1, di) for every i, which is linear in the bucket's size. The set of pairs is a function of the keys alone; a pair may
 * come more than once, in any order.
 */
weft_status buckets_pairs(struct run *run, const struct bucket_use *use);

#endif
