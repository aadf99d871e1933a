/*
 * Second pass. The first pass told how many tokens each document has, so the places of all documents are known before the
 * first one is written, and shards are written independently. Documents whose tokens did not fit in memory are read again.
 */
#include "shards.h"

#include <stdlib.h>
#include <string.h>

enum { ID_BLOCK = 16384, STREAM_BYTES = 1 << 16 };

struct shard_task {
    struct run *run;
    const struct layout *layout;
    const struct output *output;
    size_t shard;
    struct output_error error;
};

static bool is_kept(const struct run *run, size_t id) {
    return finding_usable(&run->findings[id]) && run->findings[id].representative == id;
}

static size_t count_kept(const struct run *run) {
    size_t count = 0;
    for (size_t id = 0; id < run->collection->document_count; id++)
        count += is_kept(run, id);
    return count;
}

int layout_create(struct layout *layout, struct run *run) {
    size_t kept = count_kept(run);
    uint64_t filled = 0;
    *layout = (struct layout){.kept = calloc(kept + 1, sizeof *layout->kept),
                              .shard_begin = calloc(kept + 1, sizeof *layout->shard_begin)};
    if (layout->kept == NULL || layout->shard_begin == NULL) {
        layout_release(layout);
        return -1;
    }
    for (size_t id = 0; id < run->collection->document_count; id++) {
        struct finding *finding = &run->findings[id];
        if (!is_kept(run, id))
            continue;
        if (layout->shard_count == 0 || filled + finding->tokens > run->options->shard_tokens) {
            layout->shard_begin[layout->shard_count++] = layout->kept_count;
            filled = 0;
        }
        finding->shard = (uint32_t)(layout->shard_count - 1);
        finding->shard_offset = filled;
        filled += finding->tokens;
        layout->tokens += finding->tokens;
        layout->kept[layout->kept_count++] = (uint32_t)id;
    }
    layout->shard_begin[layout->shard_count] = layout->kept_count;
    return 0;
}

void layout_release(struct layout *layout) {
    free(layout->kept);
    free(layout->shard_begin);
    *layout = (struct layout){0};
}

/* Token ids from token hashes; no hashes: padding. */
static void write_tokens(FILE *file, const uint32_t *hashes, uint64_t count, uint32_t vocabulary) {
    uint32_t ids[ID_BLOCK];
    for (uint64_t first = 0; first < count && !ferror(file); first += ID_BLOCK) {
        size_t size = count - first < ID_BLOCK ? (size_t)(count - first) : ID_BLOCK;
        for (size_t i = 0; i < size; i++)
            ids[i] = hashes == NULL ? TOKEN_PADDING : 1 + hashes[first + i] % (vocabulary - 1);
        fwrite(ids, sizeof *ids, size, file);
    }
}

/* The token hashes of a document, NULL if it is not what it was in the first pass. */
static const uint32_t *tokens_again(struct run *run, uint32_t id) {
    struct finding *finding = &run->findings[id];
    struct loader *loader = run_loader(run);
    if (finding->kept != NULL)
        return finding->kept;
    enum problem problem = loader_load(loader, &run->collection->documents[id]);
    bool same = problem == PROBLEM_NONE && loader->hash == finding->hash && loader->tokens.count == finding->tokens;
    if (same)
        return loader->tokens.items;
    finding->problem = PROBLEM_CHANGED;
    finding->detail = strdup(problem == PROBLEM_NONE ? "its text was another one when it was read again" : loader->detail);
    return NULL;
}

static void write_shard(void *arg) {
    struct shard_task *task = arg;
    struct run *run = task->run;
    char name[OUTPUT_NAME_BYTES];
    output_shard_name(name, task->shard);
    FILE *file = output_begin(task->output, name, &task->error);
    if (file == NULL)
        return;
    setvbuf(file, NULL, _IOFBF, STREAM_BYTES);
    for (size_t i = task->layout->shard_begin[task->shard]; i < task->layout->shard_begin[task->shard + 1]; i++) {
        uint32_t id = task->layout->kept[i];
        uint64_t count = run->findings[id].tokens;
        if (ferror(file))
            break;
        write_tokens(file, tokens_again(run, id), count, run->options->vocabulary);
        progress_advance(run->progress, 1, count);
    }
    output_end(task->output, file, name, &task->error);
}

/* The first error in order of shards, so that it does not depend on timing which one is named. */
static void first_error(const struct shard_task *tasks, size_t count, struct output_error *error) {
    for (size_t i = 0; i < count; i++)
        if (tasks[i].error.error != 0) {
            *error = tasks[i].error;
            return;
        }
}

weft_status shards_write(struct run *run, const struct layout *layout, const struct output *output, struct output_error *error) {
    weft_group *group = NULL;
    struct shard_task *tasks = calloc(layout->shard_count + 1, sizeof *tasks);
    weft_status status = tasks == NULL ? WEFT_ENOMEM : weft_group_create(&group, run->pool);
    progress_stage(run->progress, "write shards", layout->kept_count, layout->tokens);
    for (size_t i = 0; status == WEFT_OK && i < layout->shard_count; i++) {
        tasks[i] = (struct shard_task){.run = run, .layout = layout, .output = output, .shard = i};
        status = weft_group_spawn(group, write_shard, &tasks[i]);
    }
    if (group != NULL) {
        weft_status waited = weft_group_wait(group);
        status = status != WEFT_OK ? status : waited;
        weft_group_destroy(group);
    }
    if (status == WEFT_OK)
        first_error(tasks, layout->shard_count, error);
    free(tasks);
    return status;
}
