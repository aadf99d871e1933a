/*
 * Copying and filling memory by many workers, each where the pages are.
 */
#ifndef WEFT_COPY_H
#define WEFT_COPY_H

#include "weft/array.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Options of weft_memcpy() and weft_memset(). Start from WEFT_COPY_OPTIONS_INIT. */
typedef struct weft_copy_options {
    size_t size;
    weft_schedule
        schedule; /**< STEAL: idle workers take parts of others; STATIC: every part on its node, which may take longer */
    weft_loop_report
        *report; /**< [out] NULL: none. Iterations are bytes: iterations_local were written on the node that their page lies
                                   on; iterations_unknown lay on pages that were not present before (and came to their writer's node, unless
                                   a memory policy says otherwise), or that the kernel does not tell of */
} weft_copy_options;

#define WEFT_COPY_OPTIONS_INIT .size = sizeof(weft_copy_options)

/**
 * memcpy() by many workers. Each part runs on a worker of the node on which the pages of `to` lie; pages that are not present are dealt out
 * evenly, and come to where their part runs. Up to 256 KiB are copied by the caller.
 *
 * @param to     [out] bytes bytes.
 * @param from   bytes bytes; must not overlap `to`.
 * @return WEFT_OK; WEFT_EINVAL: NULL, overlapping or overflowing memory, an unusable option; WEFT_ENOMEM: no memory for the tables (32 bytes for each
 *         stretch of pages on one node), or part of `to` is not mapped; WEFT_ECLOSED; WEFT_EFORK; WEFT_EAGAIN as weft_for(). In an error
 *         nothing is copied.
 *
 * Threads, order: as weft_for(). Blocks: yes. Where the pool has several nodes one system call per 4096 pages asks where they are.
 */
WEFT_API weft_status weft_memcpy(weft_pool *pool, void *to, const void *from, size_t bytes, const weft_copy_options *options);

/** memset() by many workers: `value` is taken as an unsigned char. Else as weft_memcpy(). */
WEFT_API weft_status weft_memset(weft_pool *pool, void *to, int value, size_t bytes, const weft_copy_options *options);

#ifdef __cplusplus
}
#endif
#endif
