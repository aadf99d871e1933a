/* Cutting JSON lines files into lines, files in parallel, and numbering all documents. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "input.h"

enum { READ_BYTES = 1 << 18 };

/* The lines of one source that hold more than white space. */
struct line_list {
    struct document *items;
    size_t count, capacity;
    int error; /* errno of reading, 0: fine */
};

struct line_search {
    struct collection *collection;
    struct line_list *lists; /* one per source */
};

/* The line that is being read. */
struct line_state {
    uint64_t first; /* offset of its begin */
    uint32_t number;
    bool blank;
};

static bool add_line(struct line_list *list, const struct source *source, const struct line_state *line, uint64_t end) {
    if (line->blank)
        return true;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        struct document *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] =
        (struct document){.source = source, .offset = line->first, .bytes = end - line->first, .line = line->number};
    return true;
}

static bool holds_text(const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r')
            return true;
    return false;
}

/* Advance the state over a piece of the file that begins at offset `at`. */
static bool take_piece(struct line_list *list, const struct source *source, struct line_state *line, const char *piece,
                       size_t size, uint64_t at) {
    for (size_t i = 0; i < size;) {
        const char *feed = memchr(piece + i, '\n', size - i);
        size_t end = feed == NULL ? size : (size_t)(feed - piece);
        line->blank = line->blank && !holds_text(piece + i, end - i);
        if (feed == NULL)
            return true;
        if (!add_line(list, source, line, at + end))
            return false;
        *line = (struct line_state){.first = at + end + 1, .number = line->number + 1, .blank = true};
        i = end + 1;
    }
    return true;
}

/* 0 or errno. */
static int find_lines(struct line_list *list, const struct source *source, int file, char *piece) {
    struct line_state line = {.number = 1, .blank = true};
    uint64_t at = 0;
    ssize_t got;
    while ((got = read(file, piece, READ_BYTES)) > 0) {
        if (!take_piece(list, source, &line, piece, (size_t)got, at))
            return ENOMEM;
        at += (uint64_t)got;
    }
    if (got < 0)
        return errno;
    return add_line(list, source, &line, at) ? 0 : ENOMEM;
}

static void search_source(struct line_list *list, const struct source *source) {
    char *piece = malloc(READ_BYTES);
    int file = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (piece == NULL || file < 0)
        list->error = piece == NULL ? ENOMEM : errno;
    else
        list->error = find_lines(list, source, file, piece);
    if (file >= 0)
        close(file);
    free(piece);
}

static void search_range(void *arg, weft_range range) {
    struct line_search *search = arg;
    for (size_t i = range.first; i < range.last; i++)
        if (search->collection->sources[i].lines)
            search_source(&search->lists[i], &search->collection->sources[i]);
}

/* How many documents there will be; files that could not be read become problems. -1: out of memory. */
static long long count_documents(struct collection *c, const struct line_list *lists) {
    long long count = 0;
    for (size_t i = 0; i < c->source_count; i++) {
        int error = lists[i].error;
        if (error != 0 && collection_add_problem(c, c->sources[i].path, PROBLEM_UNREADABLE, strerror(error)) != 0)
            return -1;
        if (error == 0)
            count += c->sources[i].lines ? (long long)lists[i].count : 1;
    }
    return count;
}

static void lay_out(struct collection *c, const struct line_list *lists) {
    for (size_t i = 0; i < c->source_count; i++) {
        struct document *next = &c->documents[c->document_count];
        if (lists[i].error != 0)
            continue;
        if (!c->sources[i].lines) {
            *next = (struct document){.source = &c->sources[i], .bytes = c->sources[i].bytes};
            c->document_count++;
        } else if (lists[i].count > 0) {
            memcpy(next, lists[i].items, lists[i].count * sizeof *next);
            c->document_count += lists[i].count;
        }
    }
    for (size_t i = 0; i < c->document_count; i++)
        c->bytes += c->documents[i].bytes;
}

int collection_number(struct collection *c, weft_pool *pool) {
    int result = -1;
    struct line_list *lists = calloc(c->source_count + 1, sizeof *lists);
    if (lists == NULL)
        return -1;
    struct line_search search = {c, lists};
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .grain = 1};
    if (weft_for(pool, c->source_count, search_range, &search, &options) != WEFT_OK)
        goto out;
    long long count = count_documents(c, lists);
    if (count < 0 || count >= UINT32_MAX)
        goto out;
    c->documents = calloc((size_t)count + 1, sizeof *c->documents);
    if (c->documents == NULL)
        goto out;
    lay_out(c, lists);
    result = 0;
out:
    for (size_t i = 0; i < c->source_count; i++)
        free(lists[i].items);
    free(lists);
    return result;
}
