/* Reads what Linux writes into /proc/PID. A number that does not fit is as wrong as a letter. */
#include "cli/proc_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_THREAD 0x00200000 /* PF_KTHREAD, of the flags in stat */

/* A number that begins with a digit; *end is behind it. */
static bool read_number(const char *text, int base, uint64_t *number, const char **end) {
    bool digit = (*text >= '0' && *text <= '9') || (base == 16 && *text >= 'a' && *text <= 'f');
    char *stop;
    if (!digit)
        return false;
    errno = 0;
    *number = strtoull(text, &stop, base);
    *end = stop;
    return !errno;
}

/* A number and nothing behind it. */
static bool is_number(const char *text, uint64_t *number) {
    const char *end;
    return read_number(text, 10, number, &end) && !*end;
}

/* The kernel writes blanks in paths as three octal digits. */
static void unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from; to++) {
        bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
                     from[3] <= '7';
        int code = octal ? (from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0') : 0;
        *to = code ? (char)code : *from;
        from += code ? 4 : 1;
    }
    *to = 0;
}

static bool begins(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

static enum wf_mapping_kind kind_of_file(const char *path) {
    static const char *const shared[] = {"/dev/shm/", "/memfd:", "/SYSV", "/dev/zero"};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        if (begins(path, shared[i]))
            return WF_MAPPING_SHARED;
    return WF_MAPPING_FILE;
}

/* "N1=17": pages of node 1. A node that is named twice is wrong. */
static bool read_node(const char *word, struct wf_numa_line *into) {
    uint64_t node, pages;
    const char *end;
    if (!read_number(word + 1, 10, &node, &end) || *end != '=' || node >= WF_PROC_NODES || !is_number(end + 1, &pages))
        return false;
    while (into->nodes <= node)
        into->on[into->nodes++] = 0;
    bool first = !into->on[node];
    into->on[node] = pages;
    return first;
}

/* One word behind the policy. What is not known is passed over: later kernels may say more. */
static bool read_word(char *word, struct wf_numa_line *into) {
    uint64_t number;
    if (begins(word, "file=")) {
        unescape(word + 5);
        into->name = word + 5;
        into->kind = kind_of_file(into->name);
    } else if (!strcmp(word, "heap")) {
        into->kind = WF_MAPPING_HEAP;
    } else if (!strcmp(word, "stack")) {
        into->kind = WF_MAPPING_STACK;
    } else if (!strcmp(word, "huge")) {
        into->reserved_huge = true;
    } else if (begins(word, "anon=")) {
        return is_number(word + 5, &into->anonymous);
    } else if (begins(word, "mapmax=")) {
        return is_number(word + 7, &into->sharers);
    } else if (begins(word, "kernelpagesize_kB=")) {
        if (!is_number(word + 18, &number) || !number || number > (UINT64_C(1) << 40))
            return false;
        into->page_bytes = number * 1024;
    } else if (word[0] == 'N' && word[1] >= '0' && word[1] <= '9') {
        return read_node(word, into);
    }
    return true;
}

/* The policy may hold a blank: "prefer (many):0-1", "weighted interleave:0-1". *rest is behind it. */
static const char *read_policy(char **rest) {
    char *policy = *rest, *end = policy + strcspn(policy, " ");
    bool first_word_only = end[0] && end[1] != '(' && !begins(policy, "weighted ");
    if (end[0] && !first_word_only)
        end += 1 + strcspn(end + 1, " ");
    *rest = *end ? end + 1 : end;
    *end = 0;
    return policy;
}

/* Counts that no memory can hold would overflow when they become bytes. */
static bool is_plausible(const struct wf_numa_line *line) {
    uint64_t pages = line->anonymous;
    for (unsigned node = 0; node < line->nodes; node++) {
        if (line->on[node] > UINT64_MAX / 2 - pages)
            return false;
        pages += line->on[node];
    }
    return !pages || (line->page_bytes && pages <= (uint64_t)INT64_MAX / line->page_bytes);
}

bool wf_proc_numa_line(char *line, struct wf_numa_line *into) {
    const char *end;
    line[strcspn(line, "\n")] = 0;
    into->name = "";
    into->kind = WF_MAPPING_ANONYMOUS;
    into->reserved_huge = false;
    into->page_bytes = into->anonymous = 0;
    into->sharers = 1;
    into->nodes = 0;
    if (!read_number(line, 16, &into->start, &end) || *end != ' ' || !end[1] || end[1] == ' ')
        return false;
    char *rest = line + (end + 1 - line);
    into->policy = read_policy(&rest);
    while (*rest) {
        char *word = rest;
        rest += strcspn(rest, " ");
        if (*rest)
            *rest++ = 0;
        if (!read_word(word, into))
            return false;
    }
    return is_plausible(into);
}

bool wf_proc_maps_line(char *line, struct wf_maps_line *into) {
    const char *at;
    line[strcspn(line, "\n")] = 0;
    if (!read_number(line, 16, &into->start, &at) || *at != '-' || !read_number(at + 1, 16, &into->end, &at) || *at != ' ' ||
        into->end <= into->start)
        return false;
    for (unsigned field = 0; field < 4; field++) { /* permissions, offset, device, inode */
        at += strspn(at, " ");
        if (!*at)
            return false;
        at += strcspn(at, " ");
    }
    into->name = at + strspn(at, " ");
    return true;
}

bool wf_proc_smaps_field(char *line, struct wf_smaps_field *into) {
    char *colon = strchr(line, ':');
    const char *end;
    uint64_t number;
    if (!colon || strchr(line, '-') || !read_number(colon + 1 + strspn(colon + 1, " \t"), 10, &number, &end) ||
        strncmp(end, " kB", 3) || number > UINT64_MAX / 1024)
        return false;
    *colon = 0;
    into->name = line;
    into->bytes = number * 1024;
    return true;
}

/* The field at that place of stat, counted as in proc(5), where `text` begins with the third. */
static bool stat_field(const char *text, unsigned place, uint64_t *number) {
    for (unsigned at = 3; at < place; at++) {
        text += strcspn(text, " ");
        text += *text == ' ';
    }
    const char *end;
    return read_number(text, 10, number, &end);
}

bool wf_proc_stat(const char *text, struct wf_proc_stat *into) {
    const char *open = strchr(text, '('), *close = strrchr(text, ')'); /* the name may hold both */
    uint64_t flags, user, system, cpu;
    if (!open || !close || close < open || close[1] != ' ' || !close[2])
        return false;
    const char *rest = close + 2;
    if (!stat_field(rest, 9, &flags) || !stat_field(rest, 14, &user) || !stat_field(rest, 15, &system) ||
        !stat_field(rest, 39, &cpu) || cpu >= WF_PROC_CPUS || user > INT64_MAX || system > INT64_MAX)
        return false;
    size_t length = (size_t)(close - open - 1), room = sizeof into->name - 1;
    memcpy(into->name, open + 1, length < room ? length : room);
    into->name[length < room ? length : room] = 0;
    into->state = *rest;
    into->kernel_thread = flags & KERNEL_THREAD;
    into->ticks = user + system;
    into->cpu = (unsigned)cpu;
    return true;
}

bool wf_proc_status(const char *text, const char *name, char *value, size_t room) {
    size_t length = strlen(name);
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, name, length) || line[length] != ':')
            continue;
        const char *from = line + length + 1;
        from += strspn(from, " \t");
        size_t bytes = strcspn(from, "\n");
        if (bytes >= room)
            return false;
        memcpy(value, from, bytes);
        value[bytes] = 0;
        return true;
    }
    return false;
}

bool wf_proc_range(const char **at, unsigned limit, unsigned *first, unsigned *last) {
    const char *text = *at;
    uint64_t from, to;
    if (!read_number(text, 10, &from, &text))
        return false;
    to = from;
    if (*text == '-' && !read_number(text + 1, 10, &to, &text))
        return false;
    if (to < from || to >= limit || (*text && *text != ',' && *text != '\n'))
        return false;
    *first = (unsigned)from;
    *last = (unsigned)to;
    bool more = *text == ',' && text[1] >= '0' && text[1] <= '9';
    *at = more || *text == '\n' ? text + 1 : text;
    return true;
}

enum wf_policy_mode wf_proc_policy(const char *policy, bool *named) {
    const char *colon = strrchr(policy, ':');
    memset(named, 0, WF_PROC_NODES * sizeof *named);
    unsigned first, last;
    for (const char *at = colon ? colon + 1 : ""; wf_proc_range(&at, WF_PROC_NODES, &first, &last);)
        for (unsigned node = first; node <= last; node++)
            named[node] = true;
    if (begins(policy, "interleave") || begins(policy, "weighted interleave"))
        return WF_POLICY_INTERLEAVED;
    if (begins(policy, "bind"))
        return WF_POLICY_BIND;
    return begins(policy, "prefer") ? WF_POLICY_PREFERRED : WF_POLICY_DEFAULT;
}
