/*
 * Adopted memory of every kind that programs have: files mapped shared and private on several file systems, memory that other
 * processes have mapped too, pinned and locked pages. Queries and loops follow the pages wherever the kernel has put them, and a
 * repair moves them or says why not.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adopted.h"

#define PAGES 104
#define HELD 8

static struct machine machine;
static weft_pool *pool;
static size_t page;

static char content(size_t i) {
    return (char)(1 + i % 101);
}

static void check_content(const char *data) {
    for (size_t i = 0; i < PAGES; i++)
        CHECK(data[i * page] == content(i) && data[i * page + page - 1] == content(i));
}

/* Stretches of 8 pages in turn over the nodes, beginning with the second: most pages are not where a partitioned array has them. */
static int node_of(size_t i) {
    return (int)((i / 8 + 1) % machine.nodes);
}

static struct adopted adopt_pages(const char *name, const char *data) {
    return adopt(name, &machine, pool, data, PAGES, page, NULL);
}

/* A file whose pages were written by CPUs of different nodes. */
static int make_file(const char *path) {
    char *text = malloc(page);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(file >= 0 && text);
    for (size_t i = 0; i < PAGES; i++) {
        if (i % 8 == 0)
            run_on_node(&machine, node_of(i));
        memset(text, content(i), page);
        CHECK(write(file, text, page) == (ssize_t)page);
    }
    run_on_node(&machine, NO_NODE);
    free(text);
    return file;
}

/*
 * A read-only mapping: nothing is known of the pages until somebody has read them, and weft says so. weft_array_touch() reads;
 * then they are where they were written. `refusal`: why they do not move; WEFT_REFUSALS: they do.
 */
static void check_file(const char *name, const char *path, int flags, weft_refusal refusal) {
    int file = make_file(path);
    char *data = mmap(NULL, PAGES * page, PROT_READ, flags, file, 0);
    CHECK(data != MAP_FAILED && !close(file));
    struct adopted adopted = adopt_pages(name, data);
    weft_placement placement;
    OK(weft_array_placement(adopted.array, &placement, NULL, 0));
    CHECK(placement.pages_absent == PAGES && strstr(placement.reason, "page cache"));
    adopted_follows(&adopted);
    OK(weft_array_touch(adopted.array));
    OK(weft_array_refresh(adopted.array));
    struct pages pages = adopted_follows(&adopted);
    for (unsigned node = 0; node < machine.nodes; node++)
        CHECK(pages.on[node] >= PAGES / machine.nodes / 8 * 8);
    weft_migration report = adopted_repair(&adopted, NULL);
    if (refusal == WEFT_REFUSALS)
        CHECK(report.moved > PAGES / 2 && !report.refused && !*report.reason);
    else
        CHECK(!report.moved && report.refused > PAGES / 2 && report.refused_by[refusal] == report.refused &&
              report.reason == weft_refusal_text(refusal));
    check_content(data);
    weft_array_destroy(adopted.array);
    CHECK(!munmap(data, PAGES * page) && !unlink(path));
}

/* A file of the host, whichever pages of it are in memory: all go to one node. */
static void check_host_file(const char *program) {
    char path[4096];
    const char *end = strrchr(program, '/');
    snprintf(path, sizeof path, "%.*s/numa_workers", end ? (int)(end - program) : 1, end ? program : ".");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    CHECK(file >= 0 && !fstat(file, &info));
    size_t bytes = (size_t)info.st_size;
    char *data = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0), *copy = malloc(bytes);
    CHECK(data != MAP_FAILED && copy && pread(file, copy, bytes, 0) == (ssize_t)bytes && !close(file));
    for (unsigned node = 0; node < 2; node++) {
        weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .node = node};
        struct adopted adopted = adopt("the host's file", &machine, pool, data, bytes, 1, &options);
        OK(weft_array_touch(adopted.array));
        OK(weft_array_refresh(adopted.array));
        weft_migration report = adopted_repair(&adopted, NULL);
        CHECK(!report.refused && !report.absent && pages_ask(data, bytes, NULL).on[os_node(pool, node)] == report.pages);
        CHECK(!node || report.moved == report.pages);
        weft_array_destroy(adopted.array);
    }
    CHECK(!memcmp(data, copy, bytes));
    free(copy);
    munmap(data, bytes);
}

/* Anonymous memory, filled and scattered. */
static char *make_memory(int flags) {
    int nodes[PAGES];
    char *data = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    CHECK(data != MAP_FAILED && !madvise(data, PAGES * page, MADV_NOHUGEPAGE));
    for (size_t i = 0; i < PAGES; i++) {
        memset(data + i * page, content(i), page);
        nodes[i] = node_of(i);
    }
    pages_put(data, PAGES, nodes);
    return data;
}

/* The first `held` pages are refused for `refusal` while something holds them (those of them that are not in place), others move. */
static void check_held(const struct adopted *adopted, size_t held, weft_refusal refusal) {
    adopted_follows(adopted);
    weft_migration report = adopted_repair(adopted, NULL);
    CHECK(report.refused > held / 2 && report.refused <= held && report.refused_by[refusal] == report.refused);
    CHECK(report.reason == weft_refusal_text(refusal) && !report.moved == (held == PAGES));
}

static void check_let_go(const struct adopted *adopted) {
    weft_migration report = adopted_repair(adopted, NULL);
    CHECK(report.moved && !report.refused && !*report.reason);
    check_content(adopted->data);
}

/* A child that has the pages mapped, and has read them, until `go` is closed. */
static pid_t start_reader(const char *data, int *go) {
    int ready[2], parent[2];
    char end;
    CHECK(!pipe(ready) && !pipe(parent));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        check_content(data);
        close(parent[1]);
        _exit(write(ready[1], "r", 1) != 1 || read(parent[0], &end, 1) != 0);
    }
    CHECK(!close(parent[0]) && read(ready[0], &end, 1) == 1 && !close(ready[0]) && !close(ready[1]));
    *go = parent[1];
    return child;
}

static void check_shared(void) {
    int go;
    char *data = make_memory(MAP_SHARED);
    struct adopted adopted = adopt_pages("shared with a child", data);
    pid_t child = start_reader(data, &go);
    check_held(&adopted, PAGES, WEFT_REFUSED_SHARED);
    CHECK(!close(go) && waitpid(child, NULL, 0) == child);
    check_let_go(&adopted);
    weft_array_destroy(adopted.array);
    munmap(data, PAGES * page);
}

/* The kernel counts mappings and not processes. */
static void check_mapped_twice(void) {
    int file = make_file("/dev/shm/weft-twice");
    char *data = mmap(NULL, PAGES * page, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    char *again = mmap(NULL, PAGES * page, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    CHECK(data != MAP_FAILED && again != MAP_FAILED && !close(file) && !unlink("/dev/shm/weft-twice"));
    check_content(again);
    struct adopted adopted = adopt_pages("mapped twice", data);
    check_held(&adopted, PAGES, WEFT_REFUSED_SHARED);
    CHECK(!munmap(again, PAGES * page));
    check_let_go(&adopted);
    weft_array_destroy(adopted.array);
    munmap(data, PAGES * page);
}

/* Pages that are registered for input and output are pinned for as long as the ring has them. */
static void check_registered(void) {
    struct io_uring_params parameters = {0};
    char *data = make_memory(MAP_PRIVATE);
    struct iovec held = {data, HELD * page};
    struct adopted adopted = adopt_pages("registered with io_uring", data);
    int ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);
    CHECK(ring >= 0 && !syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &held, 1));
    check_held(&adopted, HELD, WEFT_REFUSED_BUSY);
    CHECK(!syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0) && !close(ring));
    check_let_go(&adopted);
    weft_array_destroy(adopted.array);
    munmap(data, PAGES * page);
}

/* Pages in a pipe are held until somebody has read it. */
static void check_piped(void) {
    int pipes[2];
    char *data = make_memory(MAP_PRIVATE);
    struct iovec held = {data, HELD * page};
    struct adopted adopted = adopt_pages("in a pipe", data);
    CHECK(!pipe(pipes) && vmsplice(pipes[1], &held, 1, 0) == (ssize_t)(HELD * page));
    check_held(&adopted, HELD, WEFT_REFUSED_BUSY);
    CHECK(!close(pipes[0]) && !close(pipes[1]));
    check_let_go(&adopted);
    weft_array_destroy(adopted.array);
    munmap(data, PAGES * page);
}

/* Locked pages stay in memory and move all the same. */
static void check_locked(void) {
    char *data = make_memory(MAP_PRIVATE);
    CHECK(!mlock(data, PAGES * page));
    struct adopted adopted = adopt_pages("locked", data);
    adopted_follows(&adopted);
    check_let_go(&adopted);
    weft_array_destroy(adopted.array);
    munmap(data, PAGES * page);
}

int main(int argc, char **argv) {
    (void)argc;
    machine = machine_read();
    page = (size_t)sysconf(_SC_PAGESIZE);
    if (machine.nodes < 2) {
        printf("one node: nothing can lie elsewhere\n");
        return 77;
    }
    pool = start_small_pool(&machine);
    check_file("tmpfs, shared", "/dev/shm/weft-shared", MAP_SHARED, WEFT_REFUSALS);
    check_file("tmpfs, private", "/dev/shm/weft-private", MAP_PRIVATE, WEFT_REFUSALS);
    CHECK(!mkdir("/tmp/weft-ramfs", 0700) && !mount("none", "/tmp/weft-ramfs", "ramfs", 0, NULL));
    check_file("ramfs, shared", "/tmp/weft-ramfs/file", MAP_SHARED, WEFT_REFUSED_PAGE_CACHE);
    CHECK(!umount("/tmp/weft-ramfs") && !rmdir("/tmp/weft-ramfs"));
    check_host_file(argv[0]);
    check_shared();
    check_mapped_twice();
    check_registered();
    check_piped();
    check_locked();
    OK(weft_pool_destroy(pool));
    return 0;
}
