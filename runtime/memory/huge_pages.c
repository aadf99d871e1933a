/* Answers from /sys, /proc and the page tables. Keeps no state. */
#include "memory/huge_pages.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/compiler.h"

/* As the kernel's headers have it since Linux 6.7 (uapi/linux/fs.h). */
struct scan {
    uint64_t size, flags, start, end, walk_end, regions, region_count, max_pages;
    uint64_t inverted, all_of, any_of, wanted;
};
struct region {
    uint64_t start, end, categories;
};
#define PAGEMAP_SCAN _IOWR('f', 16, struct scan)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_ZEROS (UINT64_C(1) << 5) /* the shared page of zeros */
#define SCAN_HUGE (UINT64_C(1) << 6)

bool wf_pages_are_reserved(weft_pages pages) {
    return pages == WEFT_PAGES_HUGE || pages == WEFT_PAGES_2M || pages == WEFT_PAGES_1G;
}

weft_pages wf_pages_below(weft_pages pages) {
    if (pages == WEFT_PAGES_1G)
        return WEFT_PAGES_2M;
    return wf_pages_are_reserved(pages) ? WEFT_PAGES_THP : WEFT_PAGES_BASE;
}

/* The number behind `key` in the first line of a file that begins with it; key "": the first line. */
static bool read_number(const char *path, const char *key, size_t *number) {
    char line[256];
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = !strncmp(line, key, strlen(key)) && sscanf(line + strlen(key), "%zu", number) == 1;
    if (file)
        fclose(file);
    return found;
}

size_t wf_huge_page_bytes(weft_pages pages) {
    size_t kib;
    if (pages == WEFT_PAGES_2M)
        return (size_t)2 << 20;
    if (pages == WEFT_PAGES_1G)
        return (size_t)1 << 30;
    return read_number("/proc/meminfo", "Hugepagesize:", &kib) ? kib * 1024 : 0;
}

bool wf_huge_pages_free(int os_node, size_t page_bytes, size_t *count) {
    char path[128];
    size_t beyond;
    snprintf(path, sizeof path, "/sys/kernel/mm/hugepages/hugepages-%zukB/nr_overcommit_hugepages", page_bytes / 1024);
    if (!read_number(path, "", &beyond) || beyond)
        return false;
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/hugepages/hugepages-%zukB/free_hugepages", os_node,
             page_bytes / 1024);
    return read_number(path, "", count);
}

static bool scan(uint64_t start, uint64_t end, size_t *huge) {
    struct region regions[64];
    struct scan scan = {.size = sizeof scan,
                        .start = start,
                        .end = end,
                        .regions = (uintptr_t)regions,
                        .region_count = WF_ARRAY_LENGTH(regions),
                        .inverted = SCAN_ZEROS,
                        .all_of = SCAN_PRESENT | SCAN_HUGE | SCAN_ZEROS,
                        .wanted = SCAN_HUGE};
    int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), count = file < 0 ? -1 : 0;
    for (*huge = 0; count >= 0 && scan.start < end; scan.start = scan.walk_end) {
        count = ioctl(file, PAGEMAP_SCAN, &scan);
        for (int i = 0; i < count; i++)
            *huge += regions[i].end - regions[i].start;
        if (count >= 0 && scan.walk_end <= scan.start)
            break;
    }
    if (file >= 0)
        close(file);
    return count >= 0;
}

/* Whether the line is one of those of a mapping that count bytes in huge pages. */
static bool counts_huge(const char *line) {
    static const char *const keys[] = {
        "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:", "Shared_Hugetlb:", "Private_Hugetlb:"};
    for (size_t i = 0; i < WF_ARRAY_LENGTH(keys); i++)
        if (!strncmp(line, keys[i], strlen(keys[i])))
            return true;
    return false;
}

static bool read_smaps(uint64_t start, uint64_t end, size_t *huge) {
    char line[512];
    uint64_t first, last, kib, reached = 0, left = 0; /* the last two: where mappings have come to, bytes of this one to count */
    FILE *file = fopen("/proc/self/smaps", "re");
    *huge = 0;
    while (file && reached < end && fgets(line, sizeof line, file)) {
        const char *number = strchr(line, ':');
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &first, &last) == 2) {
            uint64_t from = first > start ? first : start, to = last < end ? last : end;
            left = from < to ? to - from : 0;
            reached = first;
        } else if (left && number && counts_huge(line) && sscanf(number + 1, "%" SCNu64, &kib) == 1) {
            uint64_t counted = kib * 1024 < left ? kib * 1024 : left;
            *huge += counted;
            left -= counted;
        }
    }
    if (file)
        fclose(file);
    return file;
}

bool wf_huge_bytes(const void *start, size_t bytes, size_t *huge) {
    uint64_t first = (uintptr_t)start;
    return scan(first, first + bytes, huge) || read_smaps(first, first + bytes, huge);
}
