/*
 * Memory that others mapped: what the kernel has at its addresses (/proc/self/maps), and making its pages present without being
 * killed where there is no memory behind an address.
 * Threading: any; the answer is that of the moment it was asked.
 */
#ifndef WF_MEMORY_MAPPINGS_H
#define WF_MEMORY_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/status.h"

struct wf_mapping {
    uintptr_t first, last; /* [first, last) */
    bool writable;
    bool file;      /* a file's pages: the page cache, and what a private mapping has written of it */
    bool device;    /* a device's, or the kernel's own: not memory as pages go */
    uintptr_t ends; /* first page past the end of the file; `last` where it does not end before, or that is unknown */
};

/* The mapping that holds an address. False: there is none, or /proc is not to be read. */
bool wf_mapping_find(uintptr_t address, struct wf_mapping *mapping);

/* All mappings that reach into [start, start + bytes), in order. False: /proc is not to be read. */
typedef bool (*wf_mapping_fn)(void *arg, const struct wf_mapping *mapping); /* false: no more */
bool wf_mappings_visit(uintptr_t start, size_t bytes, wf_mapping_fn visit, void *arg);

/*
 * Check that all of [start, start + bytes) is mapped, and not past the end of a file. WEFT_ENOMEM: not so, the text says where.
 * WEFT_OK also where /proc is not to be read.
 */
weft_status wf_mappings_check(const void *start, size_t bytes);

/*
 * Make the pages of memory that is not weft's present on the calling thread's node (or where a policy says), keeping content:
 * written to, or (WF_AS_MAPPED) only read where the mapping is a file's or not writable. Never a signal. WEFT_ENOMEM: there is
 * no memory, or it is past the end of a file, or it is to be written and not writable.
 */
enum wf_populate { WF_WRITE, WF_AS_MAPPED };
weft_status wf_foreign_populate(void *start, size_t bytes, enum wf_populate how);

#endif
