/*
 * Huge pages as the system has them: their sizes, how many reserved ones are free on a node, and how much of some memory lies in
 * huge pages. Threading: any; the answers are those of the moment.
 */
#ifndef WF_MEMORY_HUGE_PAGES_H
#define WF_MEMORY_HUGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "weft/memory.h"

/* Whether pages of this kind have to be reserved (hugetlb): HUGE, 2M, 1G. */
bool wf_pages_are_reserved(weft_pages pages);

/* What to try where pages of this kind cannot be had: 1G, 2M or HUGE, THP, BASE. */
weft_pages wf_pages_below(weft_pages pages);

/* Bytes of a page of a kind that has to be reserved; HUGE: of the default size, 0 if there is none. */
size_t wf_huge_page_bytes(weft_pages pages);

/*
 * How many reserved pages of that size are free on an OS node. False: that is not known, or says nothing since the system may get more
 * of them (nr_overcommit_hugepages).
 */
bool wf_huge_pages_free(int os_node, size_t page_bytes, size_t *count);

/*
 * Bytes of [start, start + bytes), whole pages, that lie in huge pages, transparent or reserved. Asked with PAGEMAP_SCAN (Linux 6.7), else
 * read from /proc/self/smaps, where the neighbours in a mapping that reaches beyond count as well, up to the whole. False: unknown.
 */
bool wf_huge_bytes(const void *start, size_t bytes, size_t *huge);

#endif
