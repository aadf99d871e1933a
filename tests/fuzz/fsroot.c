/*
 * A copy of another machine's /proc and /sys. Input: files one after another, each a line "=path" and its content. They are
 * written below a directory in memory, which is emptied each time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define FILES_MOST 200

/* Bytes that JSON, SVG and their line breaks must stand: markup, none of UTF-8, many of two bytes and no space. */
#define NAME "<&\"\x01\xff" ACCENTS ACCENTS "."
#define ACCENTS                                                                                                                  \
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"   \
    "\xc3\xa9\xc3\xa9\xc3\xa9"

static char parent[64], root[256];

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info;
    (void)kind;
    return where->level ? remove(path) : 0;
}

static void empty_root(void) {
    if (strncmp(root, "/dev/shm/weft-fuzz-", 19) && strncmp(root, "/tmp/weft-fuzz-", 15))
        abort(); /* nothing else is ever emptied */
    nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void leave(void) {
    empty_root();
    rmdir(root);
    rmdir(parent);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    unsetenv("WEFT_WORKERS");
    unsetenv("WEFT_SMT");
    snprintf(parent, sizeof parent, "%s/weft-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(parent))
        abort();
    snprintf(root, sizeof root, "%s/%s", parent, NAME);
    if (mkdir(root, 0777))
        abort();
    atexit(leave);
    return 0;
}

/* A path that stays below the root: words of harmless characters. */
static bool is_harmless(const char *path) {
    return *path == '/' && strlen(path) < 200 && !strstr(path, "..") && !strstr(path, "//") &&
           strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:,/") == strlen(path) &&
           path[strlen(path) - 1] != '/';
}

static void put(const char *path, const uint8_t *content, size_t size) {
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(full, 0777);
        *slash = '/';
    }
    int file = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file >= 0 && write(file, content, size) == (ssize_t)size)
        close(file);
    else if (file >= 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    empty_root();
    for (unsigned files = 0; input.size && files < FILES_MOST; files++) {
        char *path = fuzz_line(&input);
        const uint8_t *content = input.data;
        while (input.size && *input.data != '=') {
            const uint8_t *end = memchr(input.data, '\n', input.size);
            size_t length = end ? (size_t)(end - input.data) + 1 : input.size;
            input.data += length;
            input.size -= length;
        }
        if (path[0] == '=' && is_harmless(path + 1))
            put(path + 1, content, (size_t)(input.data - content));
        free(path);
    }
    fuzz_plan(&(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = root, .smt = size % 2});
    FUZZ_CHECK(!getenv("HWLOC_FSROOT") && !getenv("HWLOC_HIDE_ERRORS"), "the environment was not put back");
    return 0;
}
