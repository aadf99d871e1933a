/* First pass. The loop runs over the signature array, so that a signature is computed on the node where it lies. */
#include "analyse.h"

#include <stdlib.h>
#include <string.h>

/* Keep the tokens for the second pass if the budget allows; which documents that hits does not change the result. */
static void keep_tokens(struct run *run, struct finding *finding, const struct token_list *tokens) {
    size_t bytes = tokens->count * sizeof *tokens->items;
    uint64_t before = atomic_fetch_add_explicit(&run->memory_used, bytes, memory_order_relaxed);
    if (before + bytes <= run->options->memory_bytes)
        finding->kept = malloc(bytes);
    if (finding->kept != NULL)
        memcpy(finding->kept, tokens->items, bytes);
    else
        atomic_fetch_sub_explicit(&run->memory_used, bytes, memory_order_relaxed);
}

static void analyse_document(struct run *run, struct loader *loader, size_t id) {
    struct finding *finding = &run->findings[id];
    finding->problem = loader_load(loader, &run->collection->documents[id]);
    finding->representative = (uint32_t)id;
    atomic_init(&run->parents[id], (uint32_t)id);
    if (finding->problem != PROBLEM_NONE) {
        finding->detail = strdup(loader->detail);
        return;
    }
    finding->hash = loader->hash;
    finding->text_bytes = loader->text_bytes;
    finding->tokens = loader->tokens.count;
    signature_compute(&run->scheme, loader->tokens.items, loader->tokens.count, run_signature(run, id));
    keep_tokens(run, finding, &loader->tokens);
}

static void analyse_range(void *arg, weft_range range) {
    struct run *run = arg;
    for (size_t id = range.first; id < range.last; id++) {
        analyse_document(run, run_loader(run), id);
        progress_advance(run->progress, 1, run->collection->documents[id].bytes);
    }
}

weft_status analyse(struct run *run) {
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .report = &run->report};
    progress_stage(run->progress, "analyse", run->collection->document_count, run->collection->bytes);
    return weft_for_array(run->signature_array, analyse_range, run, &options);
}
