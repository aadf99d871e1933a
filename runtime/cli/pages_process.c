/* Reads a process from /proc. Every failure says what the kernel refused, and what it means. */
#include "cli/pages_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

static bool is_there(const struct wf_process *process, const char *file) {
    return !faccessat(process->directory, file, F_OK, 0);
}

/* Why a file of the process could not be read. */
static weft_status explain(const struct wf_process *process, const char *file, int error) {
    if (error == ENOMEM)
        return wf_fail(WEFT_ENOMEM, "no memory to read %s of process %d", file, process->pid);
    if (error == ENOENT && is_there(process, "stat"))
        return wf_fail(WEFT_ENOTSUP, "/proc/%d/%s does not exist: this kernel was built without NUMA (CONFIG_NUMA)", process->pid,
                       file);
    if (error == ENOENT || error == ESRCH)
        return wf_fail(WEFT_EINVAL, "process %d has ended", process->pid);
    if (error == EACCES || error == EPERM)
        return wf_fail(
            WEFT_EPERM,
            "/proc/%d/%s: permission refused. The process is another user's, has changed its user, or is in a container; "
            "root (CAP_SYS_PTRACE) may look",
            process->pid, file);
    return wf_fail(WEFT_ENOTSUP, "/proc/%d/%s: %s", process->pid, file, strerror(error));
}

/* All that a descriptor gives, as text of its own; NULL with errno. */
static char *read_all(int file) {
    size_t room = 1 << 14, length = 0;
    char *text = malloc(room);
    while (text) {
        ssize_t got = read(file, text + length, room - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            text[length] = 0;
            if (!got)
                return text;
            break;
        }
        length += (size_t)got;
        char *more = length + 1 == room ? realloc(text, room *= 2) : text;
        if (!more)
            break;
        text = more;
    }
    int error = text ? errno : ENOMEM;
    free(text);
    errno = error;
    return NULL;
}

static char *read_at(int directory, const char *path) {
    int file = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0)
        return NULL;
    char *text = read_all(file);
    int error = errno;
    close(file);
    errno = error;
    return text;
}

weft_status wf_process_read(const struct wf_process *process, const char *file, char **text) {
    char *read = read_at(process->directory, file);
    if (!read)
        return explain(process, file, errno);
    *text = read;
    return WEFT_OK;
}

/* A thread's number leads to its process's files too, but was hardly meant. */
static weft_status check_number(const struct wf_process *process) {
    char *text = NULL, number[32] = "";
    weft_status status = wf_process_read(process, "status", &text);
    if (status != WEFT_OK)
        return status;
    bool known = wf_proc_status(text, "Tgid", number, sizeof number);
    free(text);
    if (known && atoi(number) != process->pid)
        return wf_fail(WEFT_EINVAL, "%d is a thread of process %s: look at that", process->pid, number);
    return WEFT_OK;
}

static weft_status check_kind(struct wf_process *process) {
    char *text = NULL;
    struct wf_proc_stat stat;
    weft_status status = wf_process_read(process, "stat", &text);
    if (status != WEFT_OK)
        return status;
    bool known = wf_proc_stat(text, &stat);
    free(text);
    if (!known)
        return wf_fail(WEFT_ENOTSUP, "/proc/%d/stat is not what Linux writes there", process->pid);
    memcpy(process->name, stat.name, sizeof process->name);
    if (stat.kernel_thread)
        return wf_fail(WEFT_EINVAL, "%d (%s) is a thread of the kernel: it has no memory of its own", process->pid, stat.name);
    if (stat.state == 'Z' || stat.state == 'X')
        return wf_fail(WEFT_EINVAL, "process %d (%s) has ended: it waits for its parent to notice, and has no memory any more",
                       process->pid, stat.name);
    return check_number(process);
}

weft_status wf_process_open(struct wf_process *process, const char *root, pid_t pid) {
    char path[PATH_MAX];
    *process = (struct wf_process){.directory = -1, .pid = pid};
    if (snprintf(path, sizeof path, "%s/proc/%d", root, pid) >= (int)sizeof path)
        return wf_fail(WEFT_EINVAL, "the path before /proc is too long");
    process->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = errno;
    if (process->directory < 0) {
        *strrchr(path, '/') = 0;
        if (access(path, F_OK))
            return wf_fail(WEFT_ENOTSUP, "%s is not there: without it no process can be looked at", path);
        if (error == ENOENT)
            return wf_fail(
                WEFT_EINVAL,
                "there is no process %d. Numbers are those of this PID namespace, and /proc may hide other users' processes",
                pid);
        return explain(process, "", error);
    }
    weft_status status = check_kind(process);
    if (status != WEFT_OK)
        wf_process_close(process);
    return status;
}

void wf_process_rename(struct wf_process *process) {
    char *text = read_at(process->directory, "stat");
    struct wf_proc_stat stat;
    if (text && wf_proc_stat(text, &stat))
        memcpy(process->name, stat.name, sizeof process->name);
    free(text);
}

void wf_process_close(struct wf_process *process) {
    if (process->directory >= 0)
        close(process->directory);
    process->directory = -1;
}

static struct wf_process_mapping *add_mapping(struct wf_process_mappings *mappings, const struct wf_numa_line *line) {
    if (mappings->count == mappings->room) {
        size_t room = mappings->room ? 2 * mappings->room : 64;
        struct wf_process_mapping *list = realloc(mappings->list, room * sizeof *list);
        if (!list)
            return NULL;
        mappings->list = list;
        uint64_t *bytes = realloc(mappings->bytes, room * mappings->node_count * sizeof *bytes);
        if (!bytes)
            return NULL;
        mappings->bytes = bytes;
        mappings->room = room;
    }
    struct wf_process_mapping *mapping = &mappings->list[mappings->count];
    *mapping = (struct wf_process_mapping){.start = line->start,
                                           .name = strdup(line->name),
                                           .policy = strdup(line->policy),
                                           .kind = line->kind,
                                           .reserved_huge = line->reserved_huge,
                                           .sharers = line->sharers,
                                           .verdict = WF_VERDICT_FINE};
    mappings->count++;
    return mapping->name && mapping->policy ? mapping : NULL;
}

/* False: no memory. */
static bool add_line(struct wf_process_mappings *mappings, const struct wf_numa_line *line) {
    bool named[WF_PROC_NODES];
    struct wf_process_mapping *mapping = add_mapping(mappings, line);
    if (!mapping)
        return false;
    mapping->mode = wf_proc_policy(mapping->policy, named);
    uint64_t *on = mappings->bytes + (mappings->count - 1) * mappings->node_count;
    for (unsigned node = 0; node < mappings->node_count; node++) {
        on[node] = node < line->nodes ? line->on[node] * line->page_bytes : 0;
        mapping->bytes += on[node];
    }
    uint64_t anonymous = line->anonymous * line->page_bytes;
    mapping->anonymous_bytes = anonymous < mapping->bytes ? anonymous : mapping->bytes;
    mapping->huge_bytes = line->reserved_huge ? mapping->bytes : 0;
    return true;
}

/* The next line of a text, NUL in place of its newline; NULL: the end. */
static char *next_line(char **text) {
    char *line = *text;
    if (!*line)
        return NULL;
    *text += strcspn(line, "\n");
    if (**text)
        *(*text)++ = 0;
    return line;
}

static bool read_numa_maps(struct wf_process_mappings *mappings, char *text) {
    struct wf_numa_line line;
    for (char *at; (at = next_line(&text));) {
        bool known = wf_proc_numa_line(at, &line) && line.nodes <= mappings->node_count;
        if (known && mappings->count && line.start <= mappings->list[mappings->count - 1].start)
            known = false; /* the kernel lists them in order */
        mappings->strange += !known;
        if (known && !add_line(mappings, &line))
            return false;
    }
    for (size_t i = 0; i < mappings->count; i++) /* now that they do not move any more */
        mappings->list[i].on = mappings->bytes + i * mappings->node_count;
    return true;
}

static int by_start(const void *start, const void *mapping) {
    uint64_t a = *(const uint64_t *)start, b = ((const struct wf_process_mapping *)mapping)->start;
    return a < b ? -1 : a > b;
}

static void add_field(struct wf_process_mapping *mapping, const struct wf_smaps_field *field) {
    uint64_t bytes = field->bytes < mapping->bytes ? field->bytes : mapping->bytes;
    if (!strcmp(field->name, "Locked"))
        mapping->locked_bytes = bytes;
    else if (!mapping->reserved_huge && (!strcmp(field->name, "AnonHugePages") || !strcmp(field->name, "ShmemPmdMapped") ||
                                         !strcmp(field->name, "FilePmdMapped")))
        mapping->huge_bytes = bytes > mapping->bytes - mapping->huge_bytes ? mapping->bytes : mapping->huge_bytes + bytes;
}

/* smaps knows what numa_maps does not: ends, huge pages, names given by prctl. False: no memory. */
static bool read_smaps(struct wf_process_mappings *mappings, char *text) {
    struct wf_process_mapping *mapping = NULL;
    struct wf_maps_line head;
    struct wf_smaps_field field;
    for (char *at; (at = next_line(&text));) {
        if (wf_proc_maps_line(at, &head)) {
            mapping = mappings->count ? bsearch(&head.start, mappings->list, mappings->count, sizeof *mapping, by_start) : NULL;
            if (!mapping)
                continue;
            mapping->end = head.end;
            char *name = *mapping->name ? mapping->name : strdup(head.name);
            if (!name)
                return false;
            if (name != mapping->name)
                free(mapping->name);
            mapping->name = name;
        } else if (mapping && wf_proc_smaps_field(at, &field)) {
            add_field(mapping, &field);
        }
    }
    return true;
}

weft_status wf_mappings_parse(struct wf_process_mappings *mappings, char *numa_maps, char *smaps, unsigned node_count) {
    *mappings = (struct wf_process_mappings){.node_count = node_count, .sizes = smaps};
    if (read_numa_maps(mappings, numa_maps) && (!smaps || read_smaps(mappings, smaps)))
        return WEFT_OK;
    wf_process_mappings_release(mappings);
    return wf_fail(WEFT_ENOMEM, "no memory for the list of mappings");
}

weft_status wf_process_mappings_read(struct wf_process_mappings *mappings, const struct wf_process *process,
                                     unsigned node_count) {
    char *numa_maps = NULL, *smaps = NULL;
    weft_status status = wf_process_read(process, "numa_maps", &numa_maps);
    if (status != WEFT_OK)
        return status;
    if (wf_process_read(process, "smaps", &smaps) != WEFT_OK) /* a kernel without it: less is known, and said so */
        smaps = NULL;
    status = wf_mappings_parse(mappings, numa_maps, smaps, node_count);
    free(numa_maps);
    free(smaps);
    if (status == WEFT_OK && !mappings->count && !mappings->strange) {
        wf_process_mappings_release(mappings);
        return wf_fail(WEFT_EINVAL, "process %d has ended: it has no memory any more", process->pid);
    }
    return status;
}

void wf_process_mappings_release(struct wf_process_mappings *mappings) {
    for (size_t i = 0; i < mappings->count; i++) {
        free(mappings->list[i].name);
        free(mappings->list[i].policy);
    }
    free(mappings->list);
    free(mappings->bytes);
    *mappings = (struct wf_process_mappings){0};
}
