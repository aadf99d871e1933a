#include "harness/peers/weft.h"
#include "pipeline/pipeline.h"

#include <string.h>

static weft_pipeline *pipeline;

static weft_status source(void *unused, weft_token *token) {
    (void)unused;
    uint64_t value;
    if (!pipeline_source(&value))
        return weft_token_end(token);
    token->data = (void *)(uintptr_t)value;
    return WEFT_OK;
}

static weft_status middle(void *unused, weft_token *token) {
    (void)unused;
    token->data = (void *)(uintptr_t)pipeline_middle((uintptr_t)token->data);
    return WEFT_OK;
}

static weft_status last(void *unused, weft_token *token) {
    (void)unused;
    pipeline_last((uintptr_t)token->data);
    return WEFT_OK;
}

bool pipeline_make(const struct pipeline_shape *shape) {
    static const char *const names[PIPELINE_STAGES_MOST] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    weft_stage stages[PIPELINE_STAGES_MOST];
    unsigned count = (unsigned)strlen(shape->stages);
    for (unsigned i = 0; i < count; i++)
        stages[i] = (weft_stage){WEFT_STAGE_INIT, .name = names[i],
                                 .run = !i               ? source
                                        : i == count - 1 ? last
                                                         : middle,
                                 .kind = shape->stages[i] == 'o' ? WEFT_STAGE_ORDERED : WEFT_STAGE_PARALLEL};
    return peer_ok(weft_pipeline_create(&pipeline, peer_pool, stages, count, shape->tokens, NULL));
}

bool pipeline_run(const struct pipeline_shape *shape) {
    (void)shape;
    return peer_ok(weft_pipeline_run(pipeline, 0));
}

void pipeline_release(void) {
    weft_pipeline_destroy(pipeline);
}
