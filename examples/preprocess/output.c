/* The output directory, by file descriptor, so that it stays the same one whatever happens to its name. */
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".tmp"

static bool fail(struct output_error *error, const char *name, int code) {
    snprintf(error->name, sizeof error->name, "%s", name);
    error->error = code;
    return false;
}

static void temporary_name(char *temporary, size_t size, const char *name) {
    snprintf(temporary, size, "%s" TEMPORARY, name);
}

/* Number of the shard that a name belongs to, or -1; with or without the temporary ending. */
static long shard_number(const char *name, bool *temporary) {
    unsigned number;
    int used = 0;
    *temporary = false;
    if (sscanf(name, "shard-%u.bin%n", &number, &used) != 1 || used == 0)
        return -1;
    *temporary = strcmp(name + used, TEMPORARY) == 0;
    return name[used] == '\0' || *temporary ? (long)number : -1;
}

/* Remove our temporary files and, unless `shards` is negative, shards from that number on. */
static void sweep(const struct output *output, long shards) {
    static const char *const others[] = {"index.jsonl" TEMPORARY, "duplicates.jsonl" TEMPORARY, "report.json" TEMPORARY,
                                         "probe" TEMPORARY};
    int copy = dup(output->directory);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    if (list == NULL && copy >= 0)
        close(copy);
    if (list != NULL)
        rewinddir(list);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        bool temporary;
        long number = shard_number(entry->d_name, &temporary);
        if (temporary || (shards >= 0 && number >= shards))
            unlinkat(output->directory, entry->d_name, 0);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        unlinkat(output->directory, others[i], 0);
    if (list != NULL)
        closedir(list);
}

bool output_open(struct output *output, const char *path, struct output_error *error) {
    *output = (struct output){.path = path, .directory = -1};
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return fail(error, "", errno);
    output->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output->directory < 0)
        return fail(error, "", errno);
    sweep(output, -1);
    FILE *probe = output_begin(output, "probe", error);
    if (probe == NULL)
        return false;
    fclose(probe);
    unlinkat(output->directory, "probe" TEMPORARY, 0);
    return true;
}

FILE *output_begin(const struct output *output, const char *name, struct output_error *error) {
    char temporary[64];
    temporary_name(temporary, sizeof temporary, name);
    int file = openat(output->directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    FILE *stream = file < 0 ? NULL : fdopen(file, "wb");
    if (stream == NULL) {
        fail(error, name, errno);
        if (file >= 0)
            close(file);
    }
    return stream;
}

bool output_end(const struct output *output, FILE *file, const char *name, struct output_error *error) {
    char temporary[64];
    int code = ferror(file) ? errno : 0; /* errno is that of the write that failed: writers stop there */
    if (ferror(file) && code == 0)
        code = EIO;
    if (code == 0 && (fflush(file) != 0 || fsync(fileno(file)) != 0))
        code = errno;
    if (fclose(file) != 0 && code == 0)
        code = errno;
    if (code == 0)
        return true;
    temporary_name(temporary, sizeof temporary, name);
    unlinkat(output->directory, temporary, 0);
    return fail(error, name, code);
}

void output_shard_name(char name[OUTPUT_NAME_BYTES], size_t shard) {
    snprintf(name, OUTPUT_NAME_BYTES, "shard-%05zu.bin", shard);
}

static bool put_in_place(const struct output *output, const char *name, struct output_error *error) {
    char temporary[64];
    temporary_name(temporary, sizeof temporary, name);
    return renameat(output->directory, temporary, output->directory, name) == 0 || fail(error, name, errno);
}

bool output_commit(const struct output *output, size_t shards, struct output_error *error) {
    char name[OUTPUT_NAME_BYTES];
    if (unlinkat(output->directory, "report.json", 0) != 0 && errno != ENOENT)
        return fail(error, "report.json", errno);
    for (size_t shard = 0; shard < shards; shard++) {
        output_shard_name(name, shard);
        if (!put_in_place(output, name, error))
            return false;
    }
    if (!put_in_place(output, "index.jsonl", error) || !put_in_place(output, "duplicates.jsonl", error))
        return false;
    bool fine = put_in_place(output, "report.json", error);
    if (fine)
        sweep(output, (long)shards);
    if (fine && fsync(output->directory) != 0 && errno != EINVAL)
        return fail(error, "", errno);
    return fine;
}

void output_close(struct output *output) {
    if (output->directory < 0)
        return;
    sweep(output, -1);
    close(output->directory);
    output->directory = -1;
}
