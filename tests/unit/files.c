/* parallel/files: each file once, whatever the batches; links, loops, depths and what cannot be read; stopping. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft.h"

static weft_pool *make(const char *topology) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology}), WEFT_OK, "%s",
                 weft_error_detail());
    return pool;
}

static char root[] = "/tmp/weft-files-XXXXXX";

static const char *in_root(const char *name) {
    static _Thread_local char path[300];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void make_file(const char *name, size_t bytes) {
    FILE *file = fopen(in_root(name), "w");
    cr_assert(file);
    while (bytes--)
        fputc('x', file);
    fclose(file);
}

/* 3 directories of 100 files each, one inside the other, and besides them one of everything else. */
static void make_tree(void) {
    cr_assert(mkdtemp(root));
    char name[100];
    static const char *const directories[] = {"a", "a/b", "a/b/c"};
    for (size_t d = 0; d < 3; d++) {
        cr_assert(!mkdir(in_root(directories[d]), 0700));
        for (int i = 0; i < 100; i++) {
            snprintf(name, sizeof name, "%s/%d", directories[d], i);
            make_file(name, (size_t)i);
        }
    }
    make_file("single", 1000);
    cr_assert(!symlink("single", in_root("link")));
    cr_assert(!symlink("nowhere", in_root("dangling")));
    cr_assert(!symlink("../..", in_root("a/b/up")));
    cr_assert(!mkfifo(in_root("fifo"), 0600));
    cr_assert(!mkdir(in_root("empty"), 0700));
}

static void remove_tree(void) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    cr_assert(!system(command));
}

struct seen {
    pthread_mutex_t lock; /* of all below */
    char *paths[2000];
    size_t count;
    uint64_t bytes;
    size_t problems[WEFT_FILE_PROBLEMS];
    int last_error;
    size_t stop_at; /* 0: never */
};

static int see(void *arg, const weft_file *file) {
    struct seen *seen = arg;
    struct stat stat_;
    cr_assert(!stat(file->path, &stat_));
    cr_assert(file->inode == stat_.st_ino && file->device == stat_.st_dev && file->bytes == (uint64_t)stat_.st_size);
    cr_assert_eq(file->modified_ns / 1000000000, stat_.st_mtime);
    unsigned slashes = 0;
    for (const char *at = file->path + strlen(root); *at; at++)
        slashes += *at == '/';
    cr_assert_eq(file->depth, slashes, "%s", file->path);
    pthread_mutex_lock(&seen->lock);
    cr_assert_lt(seen->count, 2000);
    seen->paths[seen->count++] = strdup(file->path);
    seen->bytes += file->bytes;
    size_t count = seen->count;
    pthread_mutex_unlock(&seen->lock);
    return seen->stop_at && count >= seen->stop_at;
}

static void tell(void *arg, const char *path, weft_file_problem problem, int error) {
    struct seen *seen = arg; /* one thread at a time */
    cr_assert(path);
    seen->problems[problem]++;
    if (problem == WEFT_FILE_UNREADABLE)
        seen->last_error = error;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void forget(struct seen *seen) {
    qsort(seen->paths, seen->count, sizeof *seen->paths, by_name);
    for (size_t i = 0; i < seen->count; i++) {
        cr_assert(!i || strcmp(seen->paths[i - 1], seen->paths[i]), "%s came twice", seen->paths[i]);
        if (i)
            free(seen->paths[i - 1]);
    }
    if (seen->count)
        free(seen->paths[seen->count - 1]);
    *seen = (struct seen){.lock = PTHREAD_MUTEX_INITIALIZER};
}

static struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

Test(files, meets_each_file_once_whatever_the_batch, .init = make_tree, .fini = remove_tree) {
    static const size_t batches[] = {0, 1, 7, 5000};
    static const char *const shapes[] = {"core:1 pu:1", "core:3 pu:1"};
    const char *paths[] = {root};
    for (size_t s = 0; s < 2; s++) {
        weft_pool *pool = make(shapes[s]);
        for (size_t b = 0; b < 4; b++) {
            weft_files_report report;
            weft_files_options options = {WEFT_FILES_OPTIONS_INIT, .batch = batches[b], .problem = tell, .report = &report};
            cr_assert_eq(weft_for_files(pool, paths, 1, see, &seen, &options), WEFT_OK, "%s", weft_error_detail());
            cr_assert_eq(seen.count, 301);
            cr_assert_eq(seen.bytes, 3 * 4950 + 1000);
            cr_assert(report.files == 301 && report.bytes == seen.bytes && report.directories == 5);
            cr_assert_eq(report.problems[WEFT_FILE_LINK], 3);
            cr_assert_eq(report.problems[WEFT_FILE_SPECIAL], 1);
            cr_assert_eq(report.problems[WEFT_FILE_UNREADABLE], 0);
            for (int i = 0; i < WEFT_FILE_PROBLEMS; i++)
                cr_assert_eq(report.problems[i], seen.problems[i]);
            forget(&seen);
        }
        weft_pool_destroy(pool);
    }
}

Test(files, follows_links_where_asked_and_not_in_circles, .init = make_tree, .fini = remove_tree) {
    weft_pool *pool = make("core:2 pu:1");
    const char *paths[] = {root};
    weft_files_report report;
    weft_files_options options = {WEFT_FILES_OPTIONS_INIT, .follow_links = true, .problem = tell, .report = &report};
    cr_assert_eq(weft_for_files(pool, paths, 1, see, &seen, &options), WEFT_OK);
    cr_assert_eq(seen.count, 302, "the link to a file besides");
    cr_assert_eq(report.problems[WEFT_FILE_LOOP], 1);
    cr_assert_eq(report.problems[WEFT_FILE_UNREADABLE], 1);
    cr_assert_eq(seen.last_error, ENOENT);
    forget(&seen);
    weft_pool_destroy(pool);
}

static bool not_b(void *arg, const weft_file *directory) {
    (void)arg;
    return strcmp(strrchr(directory->path, '/'), "/b") != 0;
}

Test(files, goes_as_deep_as_asked_and_not_where_it_is_told_not_to, .init = make_tree, .fini = remove_tree) {
    weft_pool *pool = make("core:2 pu:1");
    const char *paths[] = {root};
    weft_files_report report;
    weft_files_options options = {WEFT_FILES_OPTIONS_INIT, .depth = 1, .report = &report};
    cr_assert_eq(weft_for_files(pool, paths, 1, see, &seen, &options), WEFT_OK);
    cr_assert(seen.count == 101 && report.problems[WEFT_FILE_DEEP] == 1);
    forget(&seen);
    options.depth = 2;
    cr_assert_eq(weft_for_files(pool, paths, 1, see, &seen, &options), WEFT_OK);
    cr_assert(seen.count == 201 && report.problems[WEFT_FILE_DEEP] == 1);
    forget(&seen);
    options.depth = 0;
    options.enter = not_b;
    cr_assert_eq(weft_for_files(pool, paths, 1, see, &seen, &options), WEFT_OK);
    cr_assert(seen.count == 101 && report.skipped == 1);
    forget(&seen);
    weft_pool_destroy(pool);
}

static int count_it(void *arg, const weft_file *file) {
    cr_assert_eq(file->depth, 0);
    atomic_fetch_add((atomic_size_t *)arg, 1);
    return 0;
}

Test(files, takes_files_links_and_what_is_not_there_as_paths, .init = make_tree, .fini = remove_tree) {
    weft_pool *pool = make("core:2 pu:1");
    char link[300], gone[300];
    strcpy(link, in_root("link"));
    strcpy(gone, in_root("gone"));
    const char *paths[] = {link, gone};
    weft_files_report report;
    weft_files_options options = {WEFT_FILES_OPTIONS_INIT, .report = &report};
    atomic_size_t files = 0;
    cr_assert_eq(weft_for_files(pool, paths, 2, count_it, &files, &options), WEFT_OK);
    cr_assert(files == 1 && report.problems[WEFT_FILE_UNREADABLE] == 1 && report.bytes == 1000);
    weft_pool_destroy(pool);
}

Test(files, stops_when_told_to, .init = make_tree, .fini = remove_tree) {
    weft_pool *pool = make("core:3 pu:1");
    const char *paths[] = {root};
    weft_files_report report;
    weft_files_options options = {WEFT_FILES_OPTIONS_INIT, .batch = 10, .report = &report};
    seen.stop_at = 25;
    cr_assert_eq(weft_for_files(pool, paths, 1, see, &seen, &options), WEFT_ECANCELED);
    cr_assert(seen.count >= 25 && seen.count <= 25 + 2, "%zu", seen.count);
    cr_assert_eq(report.files, seen.count);
    forget(&seen);
    weft_pool_destroy(pool);
}

static void walk_inside(void *arg) {
    const char *paths[] = {root};
    cr_assert_eq(weft_for_files(arg, paths, 1, see, &seen, NULL), WEFT_OK);
}

Test(files, runs_inside_tasks, .init = make_tree, .fini = remove_tree) {
    weft_pool *pool = make("core:2 pu:1");
    cr_assert_eq(weft_run(pool, walk_inside, pool), WEFT_OK);
    cr_assert_eq(seen.count, 301);
    forget(&seen);
    weft_pool_destroy(pool);
}

Test(files, leaves_no_descriptor_open, .init = make_tree, .fini = remove_tree) {
    weft_pool *pool = make("core:2 pu:1");
    const char *paths[] = {root};
    int before = dup(0), after;
    close(before);
    seen.stop_at = 150; /* inside of directories */
    weft_files_options options = {WEFT_FILES_OPTIONS_INIT, .batch = 3};
    cr_assert_eq(weft_for_files(pool, paths, 1, see, &seen, &options), WEFT_ECANCELED);
    after = dup(0);
    close(after);
    cr_assert_eq(before, after);
    forget(&seen);
    weft_pool_destroy(pool);
}

Test(files, refuses_what_makes_no_sense) {
    weft_pool *pool = make("core:1 pu:1");
    const char *paths[] = {"/", NULL};
    weft_files_options small = {.size = 1}, large = {WEFT_FILES_OPTIONS_INIT, .batch = SIZE_MAX};
    cr_assert_eq(weft_for_files(NULL, paths, 1, see, &seen, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_for_files(pool, NULL, 1, see, &seen, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_for_files(pool, paths, 1, NULL, &seen, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_for_files(pool, paths, 2, see, &seen, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_for_files(pool, paths, 1, see, &seen, &small), WEFT_EINVAL);
    cr_assert_eq(weft_for_files(pool, paths, 1, see, &seen, &large), WEFT_ENOMEM);
    cr_assert_eq(weft_for_files(pool, NULL, 0, see, &seen, NULL), WEFT_OK);
    weft_pool_destroy(pool);
}
