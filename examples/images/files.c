/* The walk. Serial: it reads directories only, and takes milliseconds for what takes minutes to decode. */
#include "files.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_named_jpeg(const char *name) {
    static const char *const ends[] = {".jpg", ".jpeg", ".jpe", ".jfif"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot, ends[i]) == 0)
            return true;
    return false;
}

static int add(struct files *files, const char *path, uint64_t bytes) {
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? 2 * files->capacity : 1024;
        char **paths = realloc(files->paths, capacity * sizeof *paths);
        if (!paths)
            return ENOMEM;
        files->paths = paths;
        files->capacity = capacity;
    }
    char *copy = strdup(path);
    if (!copy)
        return ENOMEM;
    files->paths[files->count++] = copy;
    files->bytes += bytes;
    return 0;
}

static int visit(struct files *files, const FTSENT *entry) {
    switch (entry->fts_info) {
    case FTS_F:
        return entry->fts_level == 0 || is_named_jpeg(entry->fts_name)
                   ? add(files, entry->fts_path, (uint64_t)entry->fts_statp->st_size)
                   : 0;
    case FTS_NS: /* named by the caller: reading it will say what is wrong */
        return entry->fts_level == 0 ? add(files, entry->fts_path, 0) : 0;
    case FTS_DNR:
        files->unreadable_directories++;
        return 0;
    default:
        return 0;
    }
}

static int by_bytes(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

int files_find(struct files *files, const char *const *paths, size_t path_count) {
    *files = (struct files){0};
    char **roots = calloc(path_count + 1, sizeof *roots);
    int error = roots ? 0 : ENOMEM;
    for (size_t i = 0; roots && i < path_count; i++)
        roots[i] = (char *)(uintptr_t)paths[i]; /* fts_open() writes to none of them */
    FTS *walk = roots ? fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL) : NULL;
    if (roots && !walk)
        error = errno;
    for (FTSENT *entry; walk && !error && (errno = 0, entry = fts_read(walk));)
        error = visit(files, entry);
    if (walk && !error)
        error = errno;
    if (walk)
        fts_close(walk);
    free(roots);
    if (files->count)
        qsort(files->paths, files->count, sizeof *files->paths, by_bytes);
    files->outcomes = error ? NULL : calloc(files->count + 1, sizeof *files->outcomes);
    if (!error && !files->outcomes)
        error = ENOMEM;
    if (error)
        files_release(files);
    return error;
}

/* Fisher and Yates; numbers by splitmix64, whose bias for so few files nobody sees. */
void files_shuffle(struct files *files, uint64_t seed) {
    for (size_t left = files->count; left > 1; left--) {
        uint64_t z = seed += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        size_t at = (size_t)((z ^ (z >> 31)) % left);
        char *path = files->paths[at];
        files->paths[at] = files->paths[left - 1];
        files->paths[left - 1] = path;
    }
}

void files_release(struct files *files) {
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
    free(files->paths);
    free(files->outcomes);
    *files = (struct files){0};
}
