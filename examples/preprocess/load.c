/* Reading plain files, gzipped files (zlib) and JSON lines (jansson). */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "text.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { STEP_BYTES = 1 << 17 };

static enum problem fail(struct loader *loader, enum problem kind, const char *detail) {
    snprintf(loader->detail, sizeof loader->detail, "%s", detail);
    return kind;
}

static enum problem fail_errno(struct loader *loader) {
    return fail(loader, PROBLEM_UNREADABLE, strerror(errno));
}

static enum problem too_large(struct loader *loader) {
    snprintf(loader->detail, sizeof loader->detail, "more than %" PRIu64 " bytes", loader->options->document_bytes);
    return PROBLEM_TOO_LARGE;
}

/* The file, or -1 with errno. A name may have become a FIFO since the walk: never wait for a writer. */
static int open_source(const struct source *source) {
    struct stat now;
    int file = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return -1;
    if (fstat(file, &now) != 0 || !S_ISREG(now.st_mode)) {
        close(file);
        errno = ESTALE;
        return -1;
    }
    return file;
}

/* Everything that is left in a file, to the end of raw. */
static enum problem read_plain(struct loader *loader, int file, uint64_t expected) {
    struct buffer *raw = &loader->raw;
    uint64_t most = loader->options->document_bytes;
    if (!buffer_reserve(raw, (size_t)(expected < most ? expected : most) + STEP_BYTES))
        return errno = ENOMEM, fail_errno(loader);
    for (;;) {
        if (!buffer_reserve(raw, raw->size + STEP_BYTES))
            return errno = ENOMEM, fail_errno(loader);
        ssize_t got = read(file, raw->data + raw->size, raw->capacity - raw->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(loader);
        raw->size += (size_t)got;
        if (raw->size > most)
            return too_large(loader);
        if (got == 0)
            return PROBLEM_NONE;
    }
}

/* zlib's words without the file descriptor's number before them, which depends on who opened what first. */
static const char *without_name(const char *text) {
    const char *colon = strstr(text, ">: ");
    return colon == NULL ? text : colon + 3;
}

static enum problem inflate_all(struct loader *loader, gzFile stream) {
    struct buffer *raw = &loader->raw;
    for (;;) {
        if (!buffer_reserve(raw, raw->size + STEP_BYTES))
            return errno = ENOMEM, fail_errno(loader);
        int got = gzread(stream, raw->data + raw->size, STEP_BYTES);
        int error = Z_OK;
        const char *text = gzerror(stream, &error);
        if (error == Z_ERRNO)
            return fail_errno(loader);
        if (got < 0 || error != Z_OK)
            return fail(loader, PROBLEM_BROKEN_GZIP, without_name(text));
        raw->size += (size_t)got;
        if (raw->size > loader->options->document_bytes)
            return too_large(loader);
        if (got == 0)
            return PROBLEM_NONE;
    }
}

/* A file whose name ends in .gz; zlib passes it through unchanged when it is not compressed after all. Takes the file. */
static enum problem read_gzip(struct loader *loader, int file) {
    gzFile stream = gzdopen(file, "rb");
    if (stream == NULL) {
        close(file);
        return errno = ENOMEM, fail_errno(loader);
    }
    gzbuffer(stream, STEP_BYTES);
    enum problem problem = inflate_all(loader, stream);
    gzclose_r(stream);
    return problem;
}

static enum problem read_whole(struct loader *loader, const struct source *source) {
    size_t length = strlen(source->path);
    int file = open_source(source);
    if (file < 0)
        return fail_errno(loader);
    if (length > 3 && strcmp(source->path + length - 3, ".gz") == 0)
        return read_gzip(loader, file);
    enum problem problem = read_plain(loader, file, source->bytes);
    close(file);
    return problem;
}

static void close_lines(struct loader *loader) {
    if (loader->lines != NULL)
        close(loader->lines_file);
    loader->lines = NULL;
}

/* The open JSON lines file, or -1 with errno. */
static int open_lines(struct loader *loader, const struct source *source) {
    if (loader->lines == source)
        return loader->lines_file;
    close_lines(loader);
    loader->lines_file = open_source(source);
    loader->lines = loader->lines_file < 0 ? NULL : source;
    return loader->lines_file;
}

static enum problem read_line(struct loader *loader, const struct document *document) {
    struct buffer *raw = &loader->raw;
    if (document->bytes > loader->options->document_bytes)
        return too_large(loader);
    if (!buffer_reserve(raw, (size_t)document->bytes + 1))
        return errno = ENOMEM, fail_errno(loader);
    int file = open_lines(loader, document->source);
    if (file < 0)
        return fail_errno(loader);
    ssize_t got = 1;
    while (raw->size < document->bytes && got > 0) {
        got = pread(file, raw->data + raw->size, (size_t)document->bytes - raw->size, (off_t)(document->offset + raw->size));
        raw->size += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        return fail_errno(loader);
    return got == 0 ? fail(loader, PROBLEM_CHANGED, "the file became shorter") : PROBLEM_NONE;
}

static enum problem take_field(struct loader *loader, const json_t *line) {
    const json_t *field = json_object_get(line, loader->options->field);
    if (!json_is_object(line))
        return fail(loader, PROBLEM_BAD_JSON, "not an object");
    if (!json_is_string(field))
        return fail(loader, PROBLEM_NO_TEXT, field == NULL ? "no such field" : "the field is not a string");
    loader->raw.size = 0;
    if (!buffer_append(&loader->raw, json_string_value(field), json_string_length(field)))
        return errno = ENOMEM, fail_errno(loader);
    return PROBLEM_NONE;
}

static enum problem broken_at(struct loader *loader, size_t at) {
    snprintf(loader->detail, sizeof loader->detail, "at byte %zu", at);
    return PROBLEM_BROKEN_UTF8;
}

/* Replace the line in raw by the text in its field. */
static enum problem parse_line(struct loader *loader) {
    json_error_t error;
    size_t broken = text_valid_prefix(&loader->raw);
    if (broken < loader->raw.size)
        return broken_at(loader, broken);
    json_t *line = json_loadb((const char *)loader->raw.data, loader->raw.size, JSON_ALLOW_NUL, &error);
    if (line == NULL) {
        snprintf(loader->detail, sizeof loader->detail, "column %d: %.120s", error.column, error.text);
        return PROBLEM_BAD_JSON;
    }
    enum problem problem = take_field(loader, line);
    json_decref(line);
    return problem;
}

static enum problem normalise(struct loader *loader) {
    struct buffer *text;
    size_t broken = 0;
    switch (text_normalise(&loader->raw, &loader->spare, &text, &broken)) {
    case TEXT_BINARY:
        return fail(loader, PROBLEM_BINARY, "holds a NUL byte");
    case TEXT_BROKEN:
        return broken_at(loader, broken);
    case TEXT_NO_MEMORY:
        return errno = ENOMEM, fail_errno(loader);
    default:
        break;
    }
    if (!text_tokenise(text, &loader->tokens))
        return errno = ENOMEM, fail_errno(loader);
    loader->text_bytes = text->size;
    loader->hash = XXH64(text->data, text->size, 0);
    return loader->tokens.count > 0 ? PROBLEM_NONE : fail(loader, PROBLEM_EMPTY, text->size > 0 ? "only white space" : "");
}

enum problem loader_load(struct loader *loader, const struct document *document) {
    loader->raw.size = loader->spare.size = 0;
    loader->detail[0] = '\0';
    enum problem problem = document->line == 0 ? read_whole(loader, document->source) : read_line(loader, document);
    if (problem == PROBLEM_NONE && document->line != 0)
        problem = parse_line(loader);
    return problem == PROBLEM_NONE ? normalise(loader) : problem;
}

void loader_release(struct loader *loader) {
    close_lines(loader);
    buffer_release(&loader->raw);
    buffer_release(&loader->spare);
    token_list_release(&loader->tokens);
}
