/*
 * Files of measured latencies. They are edited by hand, come from other machines and are cut off by full disks: a reader of lines
 * and words that says which line is wrong and what would be right.
 */
#include "machine/measured.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"

#define VERSION 1
#define FIRST_LINE "weft distances"
#define FILE_BYTES_MOST ((size_t)16 << 20) /* 1024 nodes take at most 11 MB */
#define TEMPORARIES 100

struct word {
    const char *bytes;
    size_t length;
};

struct reader {
    const char *at, *line_end, *end; /* next character of the line, its newline, end of the text */
    unsigned line;
    weft_status status; /* WEFT_OK: no fault so far */
    char fault[240];
};

static WF_PRINTF(2, 3) bool fail(struct reader *reader, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(reader->fault, sizeof reader->fault, format, args);
    va_end(args);
    reader->status = WEFT_EINVAL;
    return false;
}

/* A word of the file for a sentence: short, and without what no terminal should see. Valid until the next call. */
static const char *shown(struct word word) {
    static _Thread_local char text[28];
    size_t length = word.length < sizeof text - 4 ? word.length : sizeof text - 4;
    for (size_t i = 0; i < length; i++)
        text[i] = word.bytes[i] > ' ' && word.bytes[i] <= '~' ? word.bytes[i] : '?';
    memcpy(text + length, "...", 4);
    if (length == word.length)
        text[length] = 0;
    return text;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line; false: there is none. */
static bool next_word(struct reader *reader, struct word *word) {
    while (reader->at < reader->line_end && is_blank(*reader->at))
        reader->at++;
    word->bytes = reader->at;
    while (reader->at < reader->line_end && !is_blank(*reader->at))
        reader->at++;
    word->length = (size_t)(reader->at - word->bytes);
    return word->length > 0;
}

/* The next line, whatever is in it; false: there is none, or it has no end. */
static bool next_line(struct reader *reader) {
    const char *begin = reader->line ? reader->line_end + 1 : reader->at;
    if (begin >= reader->end)
        return false;
    const char *newline = memchr(begin, '\n', (size_t)(reader->end - begin));
    reader->line++;
    reader->at = begin;
    reader->line_end = newline;
    if (newline)
        return true;
    reader->line_end = reader->end - 1; /* so that there is no further line */
    return fail(reader, "it does not end with a newline: the file was cut off, measure again (weft membench --save)");
}

/* The next line with words that are no comment. */
static bool next_content(struct reader *reader) {
    while (next_line(reader)) {
        struct word word;
        const char *begin = reader->at;
        if (next_word(reader, &word) && *word.bytes != '#') {
            reader->at = begin;
            return true;
        }
    }
    return false;
}

static bool is(struct word word, const char *text) {
    return word.length == strlen(text) && !memcmp(word.bytes, text, word.length);
}

/* A whole number up to `most`, which is below 10^10. */
static bool to_number(struct word word, uint64_t most, uint64_t *number) {
    uint64_t value = 0;
    if (!word.length || word.length > 10)
        return false;
    for (size_t i = 0; i < word.length; i++) {
        if (word.bytes[i] < '0' || word.bytes[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(word.bytes[i] - '0');
    }
    *number = value;
    return value <= most;
}

/* "weft distances 1" */
static bool read_first_line(struct reader *reader) {
    struct word words[3] = {{"", 0}, {"", 0}, {"", 0}}, more;
    size_t length = (size_t)(reader->end - reader->at);
    bool begun = length >= strlen(FIRST_LINE) && !memcmp(reader->at, FIRST_LINE, strlen(FIRST_LINE));
    if (begun && !next_line(reader))
        return false;
    for (unsigned i = 0; begun && i < 3; i++)
        next_word(reader, &words[i]);
    if (!is(words[0], "weft") || !is(words[1], "distances")) {
        reader->line = 1;
        return fail(reader, "it is not \"" FIRST_LINE " %d\": no file of distances (weft membench --save writes one)", VERSION);
    }
    uint64_t version = 0;
    if (!to_number(words[2], UINT32_MAX, &version) || next_word(reader, &more))
        return fail(reader, "it has to be \"" FIRST_LINE " %d\"", VERSION);
    if (version != VERSION)
        return fail(reader, "the file is of version %" PRIu64 ", this weft reads %d: measure again (weft membench --save)",
                    version, VERSION);
    return true;
}

static bool is_listed(const unsigned *nodes, unsigned count, uint64_t node) {
    for (unsigned i = 0; i < count; i++)
        if (nodes[i] == node)
            return true;
    return false;
}

/* "nodes 0 1 2"; *count of them into `nodes`, which has room for the most there may be. */
static bool read_nodes(struct reader *reader, unsigned *nodes, unsigned *count) {
    struct word word;
    *count = 0;
    if (!next_content(reader))
        return reader->status ? false : fail(reader, "the file ends before its line \"nodes 0 1 ...\"");
    next_word(reader, &word);
    if (!is(word, "nodes"))
        return fail(reader, "\"%s\" stands where \"nodes 0 1 ...\" has to list the nodes", shown(word));
    while (next_word(reader, &word)) {
        uint64_t node;
        if (!to_number(word, WF_MEASURED_INDEX_MOST, &node))
            return fail(reader, "\"%s\" is no node: it is a whole number from 0 to %u", shown(word), WF_MEASURED_INDEX_MOST);
        if (is_listed(nodes, *count, node))
            return fail(reader, "node %" PRIu64 " is listed twice: each node once", node);
        if (*count == WF_MEASURED_NODES_MOST)
            return fail(reader, "it lists more than %u nodes", WF_MEASURED_NODES_MOST);
        nodes[(*count)++] = (unsigned)node;
    }
    return *count || fail(reader, "it lists no node: \"nodes 0 1\" would list two");
}

/* "1 143 82 240" */
static bool read_row(struct reader *reader, const struct wf_measured *measured, unsigned row) {
    struct word word;
    uint64_t node, *latencies = measured->latencies + (size_t)row * measured->count;
    if (!next_content(reader))
        return reader->status ? false
                              : fail(reader, "the file ends after %u of %u rows: that of node %u is missing", row,
                                     measured->count, measured->nodes[row]);
    next_word(reader, &word);
    if (!to_number(word, WF_MEASURED_INDEX_MOST, &node) || node != measured->nodes[row])
        return fail(reader, "the row begins with \"%s\": it has to be that of node %u, as listed in line %u", shown(word),
                    measured->nodes[row], measured->line);
    for (unsigned i = 0; i < measured->count; i++) {
        if (!next_word(reader, &word))
            return fail(reader, "the row has %u latencies: it needs %u, one for the memory of each node", i, measured->count);
        if (!to_number(word, WF_MEASURED_NS_MOST, &latencies[i]))
            return fail(reader, "\"%s\" is no latency: it is a whole number of ns from 1 to %u, or 0 for not measured",
                        shown(word), WF_MEASURED_NS_MOST);
    }
    if (next_word(reader, &word))
        return fail(reader, "the row goes on with \"%s\": it needs %u latencies, one for the memory of each node", shown(word),
                    measured->count);
    return true;
}

static bool read_end(struct reader *reader) {
    struct word word;
    if (!next_content(reader))
        return !reader->status;
    next_word(reader, &word);
    return fail(reader, "\"%s\" stands behind the last row", shown(word));
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Measured latencies between two nodes into `list`; their number. */
static size_t list_latencies(const struct wf_measured *measured, uint64_t *list) {
    size_t count = 0;
    for (unsigned from = 0; from < measured->count; from++)
        for (unsigned to = 0; to < measured->count; to++)
            if (from != to && measured->latencies[(size_t)from * measured->count + to])
                list[count++] = measured->latencies[(size_t)from * measured->count + to];
    return count;
}

/* Of the ascending latencies only those that begin a class stay; their number. */
static size_t keep_classes(uint64_t *list, size_t count) {
    size_t classes = 0;
    for (size_t i = 0; i < count; i++)
        if (!classes || list[i] * 10 > list[classes - 1] * 11)
            list[classes++] = list[i];
    return classes;
}

/* The class of a latency: the greatest beginning that does not exceed it. */
static uint64_t class_of(const uint64_t *classes, size_t count, uint64_t latency) {
    size_t low = 0, high = count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (classes[middle] <= latency)
            low = middle;
        else
            high = middle;
    }
    return classes[low];
}

/* `list` has room for all pairs. False: no pair was measured. */
static bool fill_distances(struct wf_measured *measured, uint64_t *list) {
    size_t count = list_latencies(measured, list);
    if (!count)
        return measured->count < 2;
    qsort(list, count, sizeof *list, ascending);
    uint64_t beyond = list[count - 1] + 1;
    count = keep_classes(list, count);
    for (unsigned from = 0; from < measured->count; from++)
        for (unsigned to = 0; to < measured->count; to++) {
            uint64_t there = measured->latencies[(size_t)from * measured->count + to],
                     back = measured->latencies[(size_t)to * measured->count + from], latency = there ? there : back;
            if (from != to)
                measured->distances[(size_t)from * measured->count + to] = latency ? class_of(list, count, latency) : beyond;
        }
    return true;
}

static bool no_memory(struct reader *reader) {
    reader->status = WEFT_ENOMEM;
    return false;
}

static bool make_distances(struct reader *reader, struct wf_measured *measured) {
    size_t pairs = (size_t)measured->count * measured->count;
    uint64_t *list = calloc(pairs, sizeof *list);
    measured->distances = calloc(pairs, sizeof *measured->distances);
    bool made = list && measured->distances
                    ? fill_distances(measured, list) || fail(reader, "no latency between two nodes was measured")
                    : no_memory(reader);
    free(list);
    return made;
}

/* NULL: the reader has the fault. */
static struct wf_measured *read_all(struct reader *reader) {
    unsigned nodes[WF_MEASURED_NODES_MOST], count;
    if (!read_first_line(reader) || !read_nodes(reader, nodes, &count))
        return NULL;
    struct wf_measured *measured = wf_measured_new(count);
    if (!measured) {
        no_memory(reader);
        return NULL;
    }
    memcpy(measured->nodes, nodes, count * sizeof *nodes);
    measured->line = reader->line;
    bool sound = true;
    for (unsigned row = 0; sound && row < count; row++)
        sound = read_row(reader, measured, row);
    if (sound && read_end(reader) && make_distances(reader, measured))
        return measured;
    wf_measured_release(measured);
    return NULL;
}

weft_status wf_measured_load(struct wf_measured **measured, const char *path) {
    static const struct wf_file_kind kind = {"file of distances", WEFT_EINVAL, FILE_BYTES_MOST};
    char *text;
    size_t bytes;
    weft_status status = wf_file_read(path, &kind, &text, &bytes);
    if (!status) {
        struct reader reader = {.at = text, .end = text + bytes};
        struct wf_measured *made = read_all(&reader);
        if (made)
            *measured = made;
        else if (reader.status == WEFT_ENOMEM)
            status = wf_fail(WEFT_ENOMEM, "no memory to read the distances in \"%s\"", path);
        else
            status = wf_fail(reader.status, "distances in \"%s\", line %u: %s", path, reader.line, reader.fault);
    }
    free(text);
    return status;
}

struct wf_measured *wf_measured_new(unsigned count) {
    struct wf_measured *made = calloc(1, sizeof *made);
    if (made) {
        wf_store(&made->references, 1, WF_RELAXED); /* nobody else knows it yet */
        made->count = count;
        made->nodes = calloc(count, sizeof *made->nodes);
        made->latencies = calloc((size_t)count * count, sizeof *made->latencies);
    }
    if (made && made->nodes && made->latencies)
        return made;
    wf_measured_release(made);
    wf_fail(WEFT_ENOMEM, "no memory for the latencies between %u nodes", count);
    return NULL;
}

struct wf_measured *wf_measured_retain(struct wf_measured *measured) {
    if (measured)
        wf_fetch_add(&measured->references, 1, WF_RELAXED); /* the caller has a reference: it cannot vanish */
    return measured;
}

void wf_measured_release(struct wf_measured *measured) {
    /* acq_rel: the last one sees everything the others read before it frees */
    if (!measured || wf_fetch_sub(&measured->references, 1, WF_ACQ_REL) != 1)
        return;
    free(measured->nodes);
    free(measured->latencies);
    free(measured->distances);
    free(measured);
}

int wf_measured_position(const struct wf_measured *measured, int os_index) {
    for (unsigned i = 0; i < measured->count; i++)
        if (os_index >= 0 && measured->nodes[i] == (unsigned)os_index)
            return (int)i;
    return -1;
}

static void print(FILE *to, const struct wf_measured *measured) {
    fprintf(to, FIRST_LINE " %d\n", VERSION);
    fputs("# Latency of a load in ns: a row for the CPUs of each node, a column for the memory of each. 0: not measured.\nnodes",
          to);
    for (unsigned i = 0; i < measured->count; i++)
        fprintf(to, " %u", measured->nodes[i]);
    fputc('\n', to);
    for (unsigned from = 0; from < measured->count; from++) {
        fprintf(to, "%u", measured->nodes[from]);
        for (unsigned i = 0; i < measured->count; i++)
            fprintf(to, " %" PRIu64, measured->latencies[(size_t)from * measured->count + i]);
        fputc('\n', to);
    }
}

/* All of it and on the disk, or an errno. The descriptor is closed. */
static int write_to(int descriptor, const struct wf_measured *measured) {
    FILE *file = fdopen(descriptor, "w");
    if (!file) {
        int error = errno;
        close(descriptor);
        return error;
    }
    errno = 0;
    print(file, measured);
    bool failed = fflush(file) || ferror(file) || fsync(descriptor);
    int error = failed ? (errno ? errno : EIO) : 0;
    if (fclose(file) && !error)
        error = errno;
    return error;
}

/* A new file beside the path, named after it; its descriptor, or -1 with errno. As the process's umask has it. */
static int open_beside(const char *path, char *name, size_t room) {
    int descriptor = -1;
    errno = EEXIST;
    for (unsigned i = 0; descriptor < 0 && errno == EEXIST && i < TEMPORARIES; i++) {
        snprintf(name, room, "%s.%ld.%u", path, (long)getpid(), i);
        descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    return descriptor;
}

static weft_status refuse(const char *path, int error) {
    return wf_fail(error == ENOMEM ? WEFT_ENOMEM : WEFT_EIO, "the distances cannot be written into \"%s\": %s", path,
                   strerror(error));
}

weft_status wf_measured_save(const struct wf_measured *measured, const char *path) {
    struct stat info;
    if (!stat(path, &info) && !S_ISREG(info.st_mode))
        return wf_fail(WEFT_EINVAL, "\"%s\" is there and is not a regular file: distances go into a file, which is replaced",
                       path);
    size_t room = strlen(path) + 48;
    char *name = malloc(room);
    if (!name)
        return refuse(path, ENOMEM);
    int error = 0, descriptor = open_beside(path, name, room);
    if (descriptor < 0) {
        error = errno;
    } else {
        error = write_to(descriptor, measured);
        if (!error && rename(name, path))
            error = errno;
        if (error)
            unlink(name);
    }
    free(name);
    return error ? refuse(path, error) : WEFT_OK;
}
