/* Stage functions, in the order of the pipeline, and its making. */
#include "loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file on its way: the token's buffer. */
struct sample {
    size_t number;
    void *file; /* in the token's arena, as the pixels */
    size_t bytes;
    struct image image;
    _Alignas(64) float planes[];
};

static size_t row_bytes(const struct loader *loader) {
    return shape_floats(&loader->options->shape) * sizeof(float);
}

/* A batch: rows one behind the other, then their numbers. */
static size_t numbers_offset(const struct options *o) {
    size_t rows = o->batch * shape_floats(&o->shape) * sizeof(float), unit = sizeof(size_t);
    return (rows + unit - 1) / unit * unit;
}

static size_t batch_bytes(const struct options *o) {
    return numbers_offset(o) + o->batch * sizeof(size_t);
}

/* The file is left out, and the report says why. */
static weft_status leave_out(struct loader *loader, weft_token *token, const char *problem, const char *text) {
    struct outcome *outcome = &loader->files->outcomes[((struct sample *)token->buffer)->number];
    outcome->problem = problem;
    snprintf(outcome->text, sizeof outcome->text, "%s", text);
    progress_advance(loader->progress, 1, 1);
    return weft_token_drop(token);
}

/* 0 or errno; EFBIG: more than the limit. */
static int read_file(struct loader *loader, weft_token *token, int file, struct sample *sample) {
    struct stat state;
    if (fstat(file, &state) != 0)
        return errno;
    if (!S_ISREG(state.st_mode))
        return S_ISDIR(state.st_mode) ? EISDIR : EINVAL;
    if ((uint64_t)state.st_size > loader->options->bytes)
        return EFBIG;
    sample->file = weft_scratch_alloc(token->scratch, (size_t)state.st_size);
    if (!sample->file)
        return ENOMEM;
    while (sample->bytes < (size_t)state.st_size) {
        ssize_t got = read(file, (char *)sample->file + sample->bytes, (size_t)state.st_size - sample->bytes);
        if (got < 0 && errno != EINTR)
            return errno;
        if (got == 0)
            break; /* it became shorter */
        sample->bytes += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static weft_status read_stage(void *arg, weft_token *token) {
    struct loader *loader = arg;
    if (token->index >= loader->files->count)
        return weft_token_end(token);
    struct sample *sample = token->buffer;
    *sample = (struct sample){.number = token->index};
    int file = open(loader->files->paths[sample->number], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = file < 0 ? errno : read_file(loader, token, file, sample);
    if (file >= 0)
        close(file);
    token->bytes = sample->bytes;
    if (error == ENOMEM)
        return weft_token_fail(token, WEFT_ENOMEM, "%s", weft_error_detail());
    return !error           ? WEFT_OK
           : error == EFBIG ? leave_out(loader, token, "too-large", "--max-bytes allows more")
                            : leave_out(loader, token, "unreadable", strerror(error));
}

static void *in_arena(void *arg, size_t bytes) {
    return weft_scratch_alloc(arg, bytes);
}

static weft_status decode_begin(void *arg, unsigned thread) {
    struct loader *loader = arg;
    loader->decoders[thread] = jpeg_decoder_create();
    return loader->decoders[thread] ? WEFT_OK : WEFT_ENOMEM;
}

static void decode_end(void *arg, unsigned thread) {
    struct loader *loader = arg;
    jpeg_decoder_destroy(loader->decoders[thread]);
}

static weft_status decode_stage(void *arg, weft_token *token) {
    struct loader *loader = arg;
    struct sample *sample = token->buffer;
    char text[JPEG_TEXT_BYTES] = "";
    uint32_t least = loader->options->full_decode ? 0 : loader->options->shape.resize;
    if (sample->bytes == 0)
        return leave_out(loader, token, "broken", "empty");
    if (!jpeg_decode(loader->decoders[token->thread], sample->file, sample->bytes, least, loader->options->pixels, in_arena,
                     token->scratch, &sample->image, text))
        return leave_out(loader, token, "broken", text);
    token->bytes = 3 * (size_t)sample->image.width * sample->image.height;
    loader->files->outcomes[sample->number].width = sample->image.file_width;
    loader->files->outcomes[sample->number].height = sample->image.file_height;
    return WEFT_OK;
}

static weft_status resize_stage(void *arg, weft_token *token) {
    const struct loader *loader = arg;
    const struct shape *shape = &loader->options->shape;
    struct sample *sample = token->buffer;
    void *work = weft_scratch_alloc(token->scratch, resample_work_bytes(shape, &sample->image));
    if (!work)
        return weft_token_fail(token, WEFT_ENOMEM, "%s", weft_error_detail());
    resample(shape, &sample->image, sample->planes, work);
    weft_scratch_reset(token->scratch); /* the members of a batch wait for each other without it */
    token->bytes = row_bytes(loader);
    progress_advance(loader->progress, 1, 1);
    return WEFT_OK;
}

/* Which file each row is, behind the rows. */
static size_t *batch_numbers(const struct loader *loader, void *buffer) {
    return (size_t *)(void *)((char *)buffer + numbers_offset(loader->options));
}

struct copy {
    const struct loader *loader;
    const weft_token *batch;
};

static void copy_rows(void *arg, weft_range range) {
    const struct copy *copy = arg;
    size_t bytes = row_bytes(copy->loader);
    for (size_t i = range.first; i < range.last; i++)
        memcpy((char *)copy->batch->buffer + i * bytes, ((struct sample *)copy->batch->members[i]->buffer)->planes, bytes);
}

static weft_status batch_stage(void *arg, weft_token *token) {
    struct loader *loader = arg;
    struct copy copy = {loader, token};
    size_t *numbers = batch_numbers(loader, token->buffer);
    for (size_t i = 0; i < token->member_count; i++)
        numbers[i] = ((struct sample *)token->members[i]->buffer)->number;
    token->bytes = token->member_count * row_bytes(loader);
    weft_status status = weft_for(loader->pool, token->member_count, copy_rows, &copy, NULL);
    return status ? weft_token_fail(token, status, "%s", weft_error_detail()) : WEFT_OK;
}

static weft_status write_stage(void *arg, weft_token *token) {
    struct loader *loader = arg;
    char error[LOADER_ERROR_BYTES] = "";
    token->bytes = token->member_count * row_bytes(loader);
    if (loader->take &&
        !loader->take(loader->take_arg, token->buffer, token->member_count, batch_numbers(loader, token->buffer), error))
        return weft_token_fail(token, WEFT_EIO, "%s", error);
    loader->written += token->member_count;
    return WEFT_OK;
}

/* The batches' memory, where somebody wants it to lie. */
static weft_status place_batches(struct loader *loader) {
    const struct options *o = loader->options;
    weft_array_options place = {WEFT_ARRAY_OPTIONS_INIT, .place = o->device ? WEFT_NEAR_DEVICE : WEFT_PARTITIONED,
                                .device = o->device, .locked = o->locked};
    if (o->node >= 0) {
        place.place = WEFT_ON_NODE;
        place.node = (unsigned)o->node;
    }
    weft_status status = WEFT_OK;
    for (unsigned i = 0; !status && i < LOADER_BATCHES && (o->device || o->locked || o->node >= 0); i++)
        if (!(status = weft_array_create(&loader->arrays[i], loader->pool, batch_bytes(o), 1, &place)))
            loader->buffers[i] = weft_array_data(loader->arrays[i]);
    return status;
}

/* Four images per worker and one per reader keep everybody busy, beside those that wait for the others of their batch or in the window. */
static unsigned choose_tokens(const struct options *o, weft_pool *pool) {
    unsigned busy = o->tokens ? o->tokens : 4 * weft_pool_workers(pool) + o->readers;
    return busy + (unsigned)(o->batch + o->window);
}

/* An arena's limit: the file, its pixels, a row of CMYK, and what resampling needs, which is less than the pixels or little. */
static size_t arena_bytes(const struct options *o) {
    uint64_t bytes = o->bytes + 6 * o->pixels + (64 << 20), most = (uint64_t)1 << 30;
    return (size_t)(bytes < most ? bytes : most);
}

static weft_status create_pipeline(struct loader *loader) {
    const struct options *o = loader->options;
    weft_stage stages[6] = {
        {WEFT_STAGE_INIT, .name = "read", .run = read_stage, .arg = loader, .threads = o->readers},
        {WEFT_STAGE_INIT, .name = "decode", .run = decode_stage, .arg = loader, .begin = decode_begin, .end = decode_end},
        {WEFT_STAGE_INIT, .name = "resize", .run = resize_stage, .arg = loader}};
    unsigned count = 3;
    if (o->window)
        stages[count++] =
            (weft_stage){WEFT_STAGE_INIT, .name = "shuffle", .kind = WEFT_STAGE_SHUFFLE, .window = o->window, .seed = o->seed};
    stages[count++] = (weft_stage){WEFT_STAGE_INIT,
                                   .name = "batch",
                                   .run = batch_stage,
                                   .arg = loader,
                                   .kind = WEFT_STAGE_BATCH,
                                   .batch = o->batch,
                                   .drop_last = o->drop_last,
                                   .batches = LOADER_BATCHES,
                                   .batch_bytes = batch_bytes(o),
                                   .buffers = loader->buffers[0] ? loader->buffers : NULL};
    stages[count++] = (weft_stage){
        WEFT_STAGE_INIT, .name = "write", .run = write_stage, .arg = loader, .kind = WEFT_STAGE_ORDERED, .threads = 1};
    weft_pipeline_options options = {WEFT_PIPELINE_OPTIONS_INIT, .token_bytes = sizeof(struct sample) + row_bytes(loader),
                                     .scratch_bytes = arena_bytes(o)};
    return weft_pipeline_create(&loader->pipeline, loader->pool, stages, count, loader->tokens, &options);
}

weft_status loader_create(struct loader *loader, const struct options *options, struct files *files, loader_batch_fn take,
                          void *take_arg, struct progress *progress, weft_pool *pool) {
    *loader = (struct loader){
        .options = options, .files = files, .take = take, .take_arg = take_arg, .progress = progress, .pool = pool};
    loader->tokens = choose_tokens(options, pool);
    loader->decoders = calloc(weft_pool_workers(pool), sizeof *loader->decoders);
    weft_status status = loader->decoders ? place_batches(loader) : WEFT_ENOMEM;
    if (!status)
        status = create_pipeline(loader);
    if (status)
        loader_release(loader);
    return status;
}

weft_status loader_run(struct loader *loader) {
    progress_stage(loader->progress, "images", loader->files->count, loader->files->count);
    weft_status status = weft_pipeline_run(loader->pipeline, 0);
    if (status)
        snprintf(loader->error, sizeof loader->error, "%s", weft_error_detail());
    return status;
}

void loader_release(struct loader *loader) {
    weft_pipeline_destroy(loader->pipeline);
    for (unsigned i = 0; i < LOADER_BATCHES; i++)
        weft_array_destroy(loader->arrays[i]);
    free(loader->decoders);
    *loader = (struct loader){0};
}
