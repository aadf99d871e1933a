#include "parallel/file_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tell(struct wf_file_walk *walk, weft_file_problem problem, int error) {
    walk->report->problems[problem]++;
    if (walk->options->problem)
        walk->options->problem(walk->arg, walk->path, problem, error);
}

/* Make the path `name`, below its first `bytes` bytes. */
static bool set_path(struct wf_file_walk *walk, size_t bytes, const char *name) {
    bool slash = bytes && walk->path[bytes - 1] != '/';
    size_t length = strlen(name), needed = bytes + slash + length + 1;
    if (needed > walk->path_room) {
        char *path = realloc(walk->path, 2 * needed);
        if (!path) {
            walk->exhausted = true;
            return false;
        }
        walk->path = path;
        walk->path_room = 2 * needed;
    }
    if (slash)
        walk->path[bytes] = '/';
    memcpy(walk->path + bytes + slash, name, length + 1);
    return true;
}

static weft_file describe(const struct wf_file_walk *walk, const struct stat *stat) {
    return (weft_file){.path = walk->path,
                       .bytes = (uint64_t)stat->st_size,
                       .device = stat->st_dev,
                       .inode = stat->st_ino,
                       .modified_ns = (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec,
                       .depth = (unsigned)walk->depth};
}

static bool is_inside(const struct wf_file_walk *walk, const struct stat *stat) {
    for (size_t i = 0; i < walk->depth; i++)
        if (walk->levels[i].device == stat->st_dev && walk->levels[i].inode == stat->st_ino)
            return true;
    return false;
}

static bool grow_levels(struct wf_file_walk *walk) {
    if (walk->depth < walk->level_room)
        return true;
    size_t room = walk->level_room ? 2 * walk->level_room : 16;
    struct wf_file_level *levels = realloc(walk->levels, room * sizeof *levels);
    walk->exhausted = !levels;
    if (levels) {
        walk->levels = levels;
        walk->level_room = room;
    }
    return levels;
}

static void enter(struct wf_file_walk *walk, int parent, const char *name, bool follow, const struct stat *stat) {
    const weft_files_options *options = walk->options;
    weft_file directory = describe(walk, stat);
    if (is_inside(walk, stat)) {
        tell(walk, WEFT_FILE_LOOP, 0);
        return;
    }
    if (options->depth && walk->depth > options->depth) {
        tell(walk, WEFT_FILE_DEEP, 0);
        return;
    }
    if (options->enter && !options->enter(walk->arg, &directory)) {
        walk->report->skipped++;
        return;
    }
    if (!grow_levels(walk))
        return;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
    DIR *opened = fd < 0 ? NULL : fdopendir(fd);
    if (!opened) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        tell(walk, WEFT_FILE_UNREADABLE, error);
        return;
    }
    walk->report->directories++;
    walk->levels[walk->depth++] = (struct wf_file_level){opened, strlen(walk->path), stat->st_dev, stat->st_ino};
}

/* Look at what the path names. True: it is a file. */
static bool visit(struct wf_file_walk *walk, int parent, const char *name, bool follow, weft_file *file) {
    struct stat stat;
    if (fstatat(parent, name, &stat, follow ? 0 : AT_SYMLINK_NOFOLLOW)) {
        tell(walk, WEFT_FILE_UNREADABLE, errno);
        return false;
    }
    *file = describe(walk, &stat);
    if (S_ISDIR(stat.st_mode))
        enter(walk, parent, name, follow, &stat);
    else if (S_ISLNK(stat.st_mode))
        tell(walk, WEFT_FILE_LINK, 0);
    else if (!S_ISREG(stat.st_mode))
        tell(walk, WEFT_FILE_SPECIAL, 0);
    return S_ISREG(stat.st_mode);
}

/* The next entry of the innermost directory; NULL: there is none, and the walk has left it. */
static const char *next_name(struct wf_file_walk *walk) {
    struct wf_file_level *level = &walk->levels[walk->depth - 1];
    struct dirent *entry;
    do
        errno = 0;
    while ((entry = readdir(level->directory)) && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
    if (entry)
        return entry->d_name;
    int error = errno;
    walk->path[level->path_bytes] = 0;
    if (error)
        tell(walk, WEFT_FILE_UNREADABLE, error);
    closedir(level->directory);
    walk->depth--;
    return NULL;
}

bool wf_file_walk_next(struct wf_file_walk *walk, weft_file *file) {
    while (!walk->exhausted) {
        if (walk->depth) {
            const char *name = next_name(walk);
            if (!name)
                continue;
            const struct wf_file_level *level = &walk->levels[walk->depth - 1];
            if (set_path(walk, level->path_bytes, name) &&
                visit(walk, dirfd(level->directory), name, walk->options->follow_links, file))
                return true;
        } else if (walk->next == walk->path_count) {
            return false;
        } else if (set_path(walk, 0, walk->paths[walk->next++]) && visit(walk, AT_FDCWD, walk->path, true, file)) {
            return true;
        }
    }
    return false;
}

void wf_file_walk_end(struct wf_file_walk *walk) {
    while (walk->depth)
        closedir(walk->levels[--walk->depth].directory);
    free(walk->levels);
    free(walk->path);
}
