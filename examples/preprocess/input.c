/* The walk over files and directories, by fts(3). Symbolic links are followed only where the user named them. */
#include "input.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Room for one more item in an array that doubles; NULL: out of memory. */
static void *grow(void *items, size_t count, size_t item_bytes) {
    if ((count & (count - 1)) != 0)
        return items;
    return realloc(items, (count == 0 ? 1 : 2 * count) * item_bytes);
}

int collection_add_problem(struct collection *c, const char *path, enum problem kind, const char *detail) {
    struct input_problem *problems = grow(c->problems, c->problem_count, sizeof *problems);
    if (problems == NULL)
        return -1;
    c->problems = problems;
    problems[c->problem_count] = (struct input_problem){strdup(path), kind, strdup(detail)};
    return problems[c->problem_count++].path == NULL ? -1 : 0;
}

static bool ends_with(const char *path, const char *end) {
    size_t length = strlen(path), size = strlen(end);
    return length > size && strcmp(path + length - size, end) == 0;
}

static int add_file(struct collection *c, const FTSENT *entry) {
    const char *path = entry->fts_path;
    if (ends_with(path, ".jsonl.gz") || ends_with(path, ".ndjson.gz"))
        return collection_add_problem(c, path, PROBLEM_UNSUPPORTED, "compressed JSON lines; decompress the file first");
    struct source *sources = grow(c->sources, c->source_count, sizeof *sources);
    if (sources == NULL)
        return -1;
    c->sources = sources;
    sources[c->source_count] = (struct source){.path = strdup(path),
                                               .bytes = (uint64_t)entry->fts_statp->st_size,
                                               .device = entry->fts_statp->st_dev,
                                               .inode = entry->fts_statp->st_ino,
                                               .lines = ends_with(path, ".jsonl") || ends_with(path, ".ndjson")};
    return sources[c->source_count++].path == NULL ? -1 : 0;
}

static bool same_file(const struct stat *left, const struct stat *right) {
    return left->st_dev == right->st_dev && left->st_ino == right->st_ino;
}

static int take_entry(struct collection *c, FTS *tree, FTSENT *entry, const struct stat *skip) {
    switch (entry->fts_info) {
    case FTS_D:
        if (skip != NULL && same_file(entry->fts_statp, skip))
            fts_set(tree, entry, FTS_SKIP);
        return 0;
    case FTS_F:
        return add_file(c, entry);
    case FTS_SL:
        c->links++;
        return 0;
    case FTS_DEFAULT:
        return collection_add_problem(c, entry->fts_path, PROBLEM_SPECIAL, "not a regular file");
    case FTS_SLNONE:
        return collection_add_problem(c, entry->fts_path, PROBLEM_UNREADABLE, strerror(ENOENT));
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return collection_add_problem(c, entry->fts_path, PROBLEM_UNREADABLE, strerror(entry->fts_errno));
    default: /* the way out of a directory */
        return 0;
    }
}

static int by_file(const void *left, const void *right) {
    const struct source *a = left, *b = right;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    if (a->inode != b->inode)
        return a->inode < b->inode ? -1 : 1;
    return strcmp(a->path, b->path);
}

static int by_path(const void *left, const void *right) {
    return strcmp(((const struct source *)left)->path, ((const struct source *)right)->path);
}

/* Keep the first name of each file, then order by name. */
static void order_sources(struct collection *c) {
    size_t kept = 0;
    if (c->source_count == 0)
        return;
    qsort(c->sources, c->source_count, sizeof *c->sources, by_file);
    for (size_t i = 0; i < c->source_count; i++) {
        struct source *s = &c->sources[i];
        if (kept > 0 && s->device == c->sources[kept - 1].device && s->inode == c->sources[kept - 1].inode) {
            c->repeated++;
            free(s->path);
        } else {
            c->sources[kept++] = *s;
        }
    }
    c->source_count = kept;
    qsort(c->sources, kept, sizeof *c->sources, by_path);
}

/* fts wants an array of changeable strings that ends with NULL. */
static char **fts_arguments(const char *const *paths, size_t count) {
    char **arguments = calloc(count + 1, sizeof *arguments);
    for (size_t i = 0; arguments != NULL && i < count; i++)
        arguments[i] = (char *)(uintptr_t)paths[i];
    return arguments;
}

int collection_walk(struct collection *c, const char *const *paths, size_t path_count, const char *skip) {
    struct stat skip_stat;
    bool skips = skip != NULL && stat(skip, &skip_stat) == 0;
    int result = -1;
    *c = (struct collection){0};
    char **arguments = fts_arguments(paths, path_count);
    if (arguments == NULL)
        return -1;
    FTS *tree = fts_open(arguments, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (tree == NULL)
        goto out;
    FTSENT *entry;
    while (errno = 0, (entry = fts_read(tree)) != NULL)
        if (take_entry(c, tree, entry, skips ? &skip_stat : NULL) != 0)
            goto out;
    if (errno != 0)
        goto out;
    order_sources(c);
    result = 0;
out:
    if (tree != NULL)
        fts_close(tree);
    free(arguments);
    return result;
}

void collection_release(struct collection *c) {
    for (size_t i = 0; i < c->source_count; i++)
        free(c->sources[i].path);
    for (size_t i = 0; i < c->problem_count; i++) {
        free(c->problems[i].path);
        free(c->problems[i].detail);
    }
    free(c->sources);
    free(c->documents);
    free(c->problems);
    *c = (struct collection){0};
}
