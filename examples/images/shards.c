/* Temporary names begin with a dot, and go when something fails. */
#include "shards.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_BYTES = 128, NAME_BYTES = 40 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the header says '<f4'");

static bool fail(struct shards *shards, const char *what, const char *name) {
    int error = errno;
    snprintf(shards->error, sizeof shards->error, "cannot %s %s: %s", what, name, strerror(error));
    return false;
}

static bool is_shard(const char *name) {
    size_t length = strlen(name);
    name += *name == '.';
    return strncmp(name, "shard-", 6) == 0 && length > 10 && strstr(name, ".npy");
}

static bool remove_old(struct shards *shards, const char *path) {
    DIR *directory = opendir(path);
    if (!directory)
        return fail(shards, "read the directory", path);
    bool removed = true;
    for (const struct dirent *entry; removed && (entry = readdir(directory));)
        if (is_shard(entry->d_name) && unlinkat(shards->directory, entry->d_name, 0) != 0)
            removed = fail(shards, "remove", entry->d_name);
    closedir(directory);
    return removed;
}

static bool write_all(int file, const void *bytes, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t wrote = write(file, (const char *)bytes + done, count - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        done += (size_t)wrote;
    }
    return true;
}

bool shards_open(struct shards *shards, const char *path) {
    static const char head[] = "shard\trow\twidth\theight\tfile\n";
    *shards = (struct shards){.directory = -1, .index = -1};
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return fail(shards, "make the directory", path);
    shards->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (shards->directory < 0)
        return fail(shards, "open the directory", path);
    if (!remove_old(shards, path))
        return false;
    shards->index = openat(shards->directory, "index.tsv", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    if (shards->index < 0 || !write_all(shards->index, head, sizeof head - 1))
        return fail(shards, "write", "index.tsv");
    shards->index_bytes = sizeof head - 1;
    return true;
}

/* Magic, version 1.0, length of the rest, a Python dictionary, spaces up to a multiple of 64, newline. */
static void make_header(char header[HEADER_BYTES], size_t rows, unsigned size) {
    static const char magic[] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, HEADER_BYTES - 10, 0};
    memset(header, ' ', HEADER_BYTES);
    memcpy(header, magic, sizeof magic);
    int length = snprintf(header + sizeof magic, HEADER_BYTES - sizeof magic,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, 3, %u, %u), }", rows, size, size);
    header[sizeof magic + (size_t)length] = ' ';
    header[HEADER_BYTES - 1] = '\n';
}

/* A path as one field: what would end the field or the line, and %, as %XX. */
static void write_path(FILE *file, const char *path) {
    for (; *path; path++)
        if ((unsigned char)*path < ' ' || *path == '%' || *path == '\x7f')
            fprintf(file, "%%%02X", (unsigned char)*path);
        else
            putc(*path, file);
}

/* All lines of a shard, in one piece. Free() them; NULL: out of memory. */
static char *make_lines(uint64_t shard, const struct files *files, const size_t *numbers, size_t count, size_t *bytes) {
    char *lines = NULL;
    FILE *file = open_memstream(&lines, bytes);
    for (size_t row = 0; file && row < count; row++) {
        const struct outcome *outcome = &files->outcomes[numbers[row]];
        fprintf(file, "%" PRIu64 "\t%zu\t%u\t%u\t", shard, row, outcome->width, outcome->height);
        write_path(file, files->paths[numbers[row]]);
        putc('\n', file);
    }
    bool made = file && !ferror(file);
    if ((!file || fclose(file) == 0) && made)
        return lines;
    free(lines);
    return NULL;
}

/* When not all lines fit, those that were written go again, and then the shard, which nothing names any more. */
static bool write_lines(struct shards *shards, const struct files *files, const size_t *numbers, size_t count,
                        const char *shard) {
    size_t bytes = 0;
    char *lines = make_lines(shards->count, files, numbers, count, &bytes);
    bool written = lines && write_all(shards->index, lines, bytes);
    free(lines);
    if (written) {
        shards->index_bytes += (off_t)bytes;
        return true;
    }
    fail(shards, "write", "index.tsv");
    if (ftruncate(shards->index, shards->index_bytes) == 0)
        unlinkat(shards->directory, shard, 0);
    return false;
}

bool shards_write(struct shards *shards, const float *rows, size_t row_count, unsigned size, const struct files *files,
                  const size_t *numbers) {
    char name[NAME_BYTES], temporary[NAME_BYTES + 1], header[HEADER_BYTES];
    snprintf(name, sizeof name, "shard-%05" PRIu64 ".npy", shards->count);
    snprintf(temporary, sizeof temporary, ".%s", name);
    int file = openat(shards->directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return fail(shards, "create", name);
    size_t bytes = row_count * 3 * size * size * sizeof *rows;
    make_header(header, row_count, size);
    bool written = write_all(file, header, sizeof header) && write_all(file, rows, bytes);
    written = close(file) == 0 && written;
    if (!written || renameat(shards->directory, temporary, shards->directory, name) != 0) {
        fail(shards, "write", name);
        unlinkat(shards->directory, temporary, 0);
        return false;
    }
    if (!write_lines(shards, files, numbers, row_count, name))
        return false;
    shards->count++;
    shards->bytes += sizeof header + bytes;
    return true;
}

bool shards_close(struct shards *shards) {
    if (shards->directory < 0)
        return true;
    bool closed = shards->index < 0 || close(shards->index) == 0 || fail(shards, "write", "index.tsv");
    close(shards->directory);
    shards->directory = shards->index = -1;
    return closed;
}
