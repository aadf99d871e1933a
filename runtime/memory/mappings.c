/*
 * The kernel's list of mappings, read line by line, and populating through calls that answer EFAULT where an access would be a
 * signal: madvise(2), and where the kernel has no such advice, futex(2) on the first word of each page. FUTEX_WAKE_OP adds nothing
 * to the word atomically, so it writes without changing content; FUTEX_WAIT for a value that is not there reads.
 */
#include "memory/mappings.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"
#include "memory/pages.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

#define LINE_BYTES 512 /* the rest of a longer path makes lines of its own, which no address begins */

/* A line of the list. */
struct line {
    unsigned long first, last;
    char rights[5];
    unsigned long long offset, inode;
    unsigned major, minor;
    const char *path;
};

static bool parse(char *text, struct line *line) {
    int at = 0;
    if (sscanf(text, "%lx-%lx %4s %llx %x:%x %llu %n", &line->first, &line->last, line->rights, &line->offset, &line->major,
               &line->minor, &line->inode, &at) != 7)
        return false;
    line->path = text + at;
    text[at + (int)strcspn(line->path, "\n")] = 0;
    return true;
}

/* The file of a mapping: by the link that the kernel has for privileged processes, else by its path, if that is still the same. */
static bool find_file(const struct line *line, struct stat *file) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/map_files/%lx-%lx", line->first, line->last);
    if (!stat(link, file))
        return true;
    return !stat(line->path, file) && file->st_ino == line->inode &&
           (S_ISCHR(file->st_mode) || file->st_dev == makedev(line->major, line->minor));
}

static void describe(const struct line *line, struct wf_mapping *mapping) {
    struct stat file;
    *mapping = (struct wf_mapping){
        .first = line->first, .last = line->last, .ends = line->last, .writable = strchr(line->rights, 'w') != NULL};
    if (line->path[0] == '[') {
        mapping->device = strstr("[vvar][vdso][vsyscall][vvar_vclock]", line->path) != NULL;
        return;
    }
    if (!line->inode || !strncmp(line->path, "/dev/zero", 9))
        return;
    mapping->file = line->path[0] == '/';
    mapping->device = !mapping->file; /* a driver's own */
    if (!mapping->file || !find_file(line, &file))
        return;
    mapping->device = S_ISCHR(file.st_mode);
    mapping->file = S_ISREG(file.st_mode);
    unsigned long long size = file.st_size > 0 ? (unsigned long long)file.st_size : 0, page = wf_page_bytes();
    unsigned long long behind = size > line->offset ? (size - line->offset - 1) / page * page + page : 0;
    if (mapping->file && behind < line->last - line->first)
        mapping->ends = line->first + (uintptr_t)behind;
}

bool wf_mappings_visit(uintptr_t start, size_t bytes, wf_mapping_fn visit, void *arg) {
    char text[LINE_BYTES];
    struct line line;
    bool more = true;
    FILE *file = fopen("/proc/self/maps", "re");
    if (!file)
        return false;
    while (more && fgets(text, sizeof text, file)) {
        if (!parse(text, &line) || line.last <= start)
            continue;
        if (line.first > start + (bytes - 1))
            break;
        struct wf_mapping mapping;
        describe(&line, &mapping);
        more = visit(arg, &mapping);
    }
    fclose(file);
    return true;
}

static bool take_first(void *arg, const struct wf_mapping *mapping) {
    *(struct wf_mapping *)arg = *mapping;
    return false;
}

bool wf_mapping_find(uintptr_t address, struct wf_mapping *mapping) {
    *mapping = (struct wf_mapping){0};
    return wf_mappings_visit(address, 1, take_first, mapping) && mapping->first <= address && address < mapping->last;
}

/* What is mapped of [at, end), without gaps and from the begin on. */
struct check {
    uintptr_t at, end;
    bool past_file;
};

static bool extend(void *arg, const struct wf_mapping *mapping) {
    struct check *check = arg;
    if (mapping->first > check->at)
        return false;
    check->past_file = mapping->ends < mapping->last && mapping->ends < check->end;
    check->at = check->past_file ? (mapping->ends > check->at ? mapping->ends : check->at) : mapping->last;
    return !check->past_file;
}

weft_status wf_mappings_check(const void *start, size_t bytes) {
    struct check check = {.at = (uintptr_t)start, .end = (uintptr_t)start + bytes};
    if (!wf_mappings_visit((uintptr_t)start, bytes, extend, &check) || check.at >= check.end)
        return WEFT_OK;
    size_t good = check.at - (uintptr_t)start;
    return check.past_file
               ? wf_fail(
                     WEFT_ENOMEM,
                     "the file that is mapped at %p ends before the memory does: %zu of %zu bytes are there, an access behind "
                     "them is a SIGBUS: make the file longer, or take fewer items",
                     start, good, bytes)
               : wf_fail(WEFT_ENOMEM, "%zu bytes at %p: %p is not mapped, after %zu bytes", bytes, start, (void *)check.at, good);
}

/* What a failed access would have been. */
static weft_status failed(int error, const void *start, size_t bytes) {
    weft_status status = wf_mappings_check(start, bytes);
    if (status != WEFT_OK)
        return status;
    const char *why = error == EFAULT || error == EINVAL || error == EACCES
                          ? "not writable, past the end of a file, no ordinary memory, or no reserved huge page on the node"
                          : strerror(error);
    return wf_fail(WEFT_ENOMEM, "%zu bytes at %p cannot be made present: %s", bytes, start, why);
}

/* The first word of a page, read or written by the kernel: 0, or the error that is no word about the futex. */
static int access_page(char *page, bool write) {
    static unsigned nobody;                                            /* waits here */
    const int nothing = (FUTEX_OP_OR << 28) | (FUTEX_OP_CMP_EQ << 24); /* *page |= 0 */
    for (;;) {
        long result = write ? syscall(SYS_futex, &nobody, FUTEX_WAKE_OP_PRIVATE, 1, 0, page, nothing)
                            : syscall(SYS_futex, page, FUTEX_WAIT_PRIVATE, 0x77656674, &(struct timespec){0, 1}, NULL, 0);
        if (result >= 0 || errno == EAGAIN || errno == ETIMEDOUT)
            return 0;
        if (errno != EINTR)
            return errno;
    }
}

static weft_status access_pages(char *first, size_t bytes, bool write) {
    for (size_t at = 0; at < bytes; at += wf_page_bytes()) {
        int error = access_page(first + at, write);
        if (error)
            return failed(error, first + at, bytes - at);
    }
    return WEFT_OK;
}

/* Memory of a device is not to be read or written for nothing. */
static bool may_access(const char *first, bool write) {
    struct wf_mapping mapping;
    return !wf_mapping_find((uintptr_t)first, &mapping) || (!mapping.device && (mapping.writable || !write));
}

/* Whole pages. EINVAL may mean that the kernel knows no such advice, EPERM and ENOSYS that a filter keeps it from us. */
static weft_status populate(char *first, size_t bytes, bool write) {
    while (madvise(first, bytes, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ)) {
        int error = errno;
        if ((error == EINVAL || error == EPERM || error == ENOSYS) && may_access(first, write))
            return access_pages(first, bytes, write);
        if (error != EAGAIN && error != EINTR)
            return failed(error, first, bytes);
    }
    return WEFT_OK;
}

weft_status wf_foreign_populate(void *start, size_t bytes, enum wf_populate how) {
    size_t page = wf_page_bytes(), head = (uintptr_t)start & (page - 1);
    if (!bytes)
        return WEFT_OK;
    if (bytes > SIZE_MAX - head - page || (uintptr_t)start > UINTPTR_MAX - bytes - page)
        return wf_fail(WEFT_EINVAL, "%zu bytes at %p exceed the address space", bytes, start);
    char *at = (char *)start - head, *end = at + (bytes + head + page - 1) / page * page;
    weft_status status = WEFT_OK;
    while (status == WEFT_OK && at < end) {
        struct wf_mapping mapping;
        char *next = end;
        bool write = true;
        if (how == WF_AS_MAPPED && wf_mapping_find((uintptr_t)at, &mapping)) {
            write = mapping.writable && !mapping.file;
            next = mapping.last < (uintptr_t)end ? at + (mapping.last - (uintptr_t)at) : end;
        }
        status = populate(at, (size_t)(next - at), write);
        at = next;
    }
    return status;
}
