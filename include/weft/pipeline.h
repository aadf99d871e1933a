/*
 * Pipelines: tokens go through stages, many at once, and never more than T of them exist, so memory is bounded whatever the stages
 * do. A token has a home node: its buffer and its scratch arena lie there, and workers of that node run its stages before others do.
 * Stages that wait for files or the network run on threads of their own, never on the pool's workers. Such a thread may call the
 * pool (weft_for(), weft_run()), but then waits for ever if all workers wait inside tasks for pipelines.
 *
 *     static weft_status read_next(void *arg, weft_token *token);   // weft_token_end(token) when there is no more
 *     static weft_status decode(void *arg, weft_token *token);
 *     static weft_status write_out(void *arg, weft_token *token);
 *
 *     const weft_stage stages[] = {
 *         {WEFT_STAGE_INIT, .name = "read", .run = read_next, .arg = &files, .kind = WEFT_STAGE_ORDERED, .threads = 1},
 *         {WEFT_STAGE_INIT, .name = "decode", .run = decode},
 *         {WEFT_STAGE_INIT, .name = "write", .run = write_out, .arg = &out, .kind = WEFT_STAGE_ORDERED, .threads = 1},
 *     };
 *     weft_pipeline *pipeline;
 *     if (weft_pipeline_create(&pipeline, pool, stages, 3, 16, NULL) || weft_pipeline_run(pipeline, 0))
 *         fprintf(stderr, "%s\n", weft_error_detail());            // "stage 'decode', token 17: ..."
 *
 * The first stage is the source: it gets empty tokens, one at a time unless it is PARALLEL, and fills them. A shuffle or batch
 * stage counts its output anew: the order that ORDERED stages behind it keep is the order in which it gives tokens out.
 *
 * When a stage fails, the source is called no more; the tokens before the failed one, in the order of indexes, go on to the end, those
 * behind it are dropped. So an ordered output is always the whole beginning of what it would have been.
 *
 * Source: token pipelines as in oneTBB's parallel_pipeline and Pipeflow (Chiu et al., IEEE TPDS 2022); what a loader of training
 * data sets (workers, prefetch, pinned buffers, shuffle window, drop last) as in PyTorch's DataLoader.
 */
#ifndef WEFT_PIPELINE_H
#define WEFT_PIPELINE_H

#include "weft/pool.h"
#include "weft/scratch.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_pipeline weft_pipeline;

/** One item on its way. A stage owns it while it runs; what it writes, the next stage sees. */
typedef struct weft_token {
    void *data;   /**< the stages' own; NULL when the source gets the token */
    void *buffer; /**< token_bytes on the home node (of a batch: its batch buffer), kept from one use to the next; NULL: none */
    weft_scratch *scratch; /**< an arena on the home node, empty when the source gets the token, reset when the token ends; NULL:
                                no scratch_bytes */
    uint64_t index;        /**< place in the order, from 0 in each run, and again behind each shuffle and batch stage */
    uint64_t epoch;        /**< as given to weft_pipeline_start() */
    unsigned node;         /**< home, in [0, weft_pool_nodes(pool)) */
    unsigned thread;       /**< who runs the stage: a worker of the pool, or for stages with threads one of those, from 0 */
    size_t bytes;          /**< [out] what the stage has handled, for statistics; 0 before each stage */
    struct weft_token **members; /**< a batch stage's function only: the tokens it gathers, in order; elsewhere NULL */
    size_t member_count;         /**< of a batch, in its stage and all behind: how many tokens it was made from; else 0 */
} weft_token;

/**
 * Do one stage's work on a token. What it spawns (weft_spawn()) has ended before the next stage begins.
 *
 * @return WEFT_OK: on to the next stage, unless weft_token_drop() or weft_token_end() was called. Any other status stops the pipeline
 *         with it; say why with weft_token_fail().
 */
typedef weft_status (*weft_stage_fn)(void *arg, weft_token *token);

typedef enum weft_stage_kind {
    WEFT_STAGE_PARALLEL = 0, /**< any number of tokens at once, in any order */
    WEFT_STAGE_SERIAL = 1,   /**< one token at a time, as they come */
    WEFT_STAGE_ORDERED = 2,  /**< one token at a time, by index */
    WEFT_STAGE_SHUFFLE =
        3,                /**< no function: holds `window` tokens back and gives out a random one of them for each that comes. The
                                order is a function of seed, epoch, window and the number of tokens */
    WEFT_STAGE_BATCH = 4, /**< gathers `batch` tokens, by index, into a token of its own; ORDERED */
} weft_stage_kind;

/** A stage. Zero means the default of each field. Start from WEFT_STAGE_INIT. */
typedef struct weft_stage {
    size_t size;      /**< sizeof this struct as the caller knows it; the same in all stages of an array */
    const char *name; /**< for errors and statistics; copied. Not NULL, not empty, no two alike */
    weft_stage_kind kind;
    weft_stage_fn run; /**< not NULL, but for SHUFFLE, which has none. BATCH: called once the members are there, with the batch as
                            token; copies what it needs of them, they end when it returns */
    void *arg;
    unsigned
        threads; /**< 0: runs on the pool's workers and must not block. Else: runs on as many threads of its own, which may. 1 for
                           stages that are not PARALLEL; not for SHUFFLE */
    weft_status (*begin)(void *arg,
                         unsigned thread); /**< called by each thread, or worker of the pool, before it first runs the stage:
                                                           for what each needs for itself. NULL: nothing. A failure stops the pipeline */
    void (*end)(void *arg,
                unsigned thread); /**< for each begin() that succeeded, by weft_pipeline_destroy(): by the stage's own thread,
                                                  or, in place of a worker, by the caller */
    void (*interrupt)(
        void *arg);     /**< makes a run() that waits return soon (shutdown() of its socket, a write to its eventfd). Called
                                       at most once a run, by whoever stops it: of all stages when it is canceled; of the source when
                                       a stage has failed, since the tokens before go on. NULL: nothing */
    size_t window;      /**< SHUFFLE: at least 1 and less than the tokens that can reach it */
    uint64_t seed;      /**< SHUFFLE: epochs are shuffled differently, each the same in every run */
    size_t batch;       /**< BATCH: members of a batch, at least 1, at most the tokens that can reach it */
    bool drop_last;     /**< BATCH: drop what is left at the end when it is less than `batch`; false: a smaller batch */
    unsigned batches;   /**< BATCH: how many batches exist at most, that is how far ahead of its reader it prefetches. 0: 2 */
    size_t batch_bytes; /**< BATCH: buffer of each batch, on the batch's home node. 0: none, or as `buffers` says */
    void *const
        *buffers; /**< BATCH: `batches` buffers to use instead, such as weft_array_data() of arrays near a device, locked for
                                DMA; the caller's, until the pipeline is destroyed. NULL: batch_bytes counts */
} weft_stage;

#define WEFT_STAGE_INIT .size = sizeof(weft_stage)

/** Options of a pipeline. Zero means the default of each field. Start from WEFT_PIPELINE_OPTIONS_INIT. */
typedef struct weft_pipeline_options {
    size_t size;
    size_t token_bytes;   /**< buffer of each token; 0: none */
    size_t scratch_bytes; /**< limit of each token's arena (weft_scratch_set_limit()); 0: tokens have none */
    bool
        pull; /**< finished tokens wait, in the order of the last stage, until weft_pipeline_next() takes them; they count among the T */
    bool
        tune; /**< use only as many of the T as the throughput needs, found by trying others for some hundredths of a second each; what
                    was found is kept from run to run. Not with `pull`. false: all */
} weft_pipeline_options;

#define WEFT_PIPELINE_OPTIONS_INIT .size = sizeof(weft_pipeline_options)

/**
 * Make a pipeline, its tokens and its stages' threads. It runs as often as one likes; destroy it before its pool. Every node has a
 * part of the tokens, by its number of workers.
 *
 * @param stages  count of them, the source first; copied.
 * @param count   at least 1.
 * @param tokens  T, from 1 to 2^20: tokens that exist at the same time, batches not counted.
 * @return WEFT_OK; WEFT_EINVAL: NULL, no stage, T out of range, a stage without name or function, threads where they cannot be, a
 *         window or batch that T tokens cannot fill; the text names the stage; WEFT_ENOMEM; WEFT_EPERM: no thread could be made; WEFT_EFORK.
 *
 * Threads: any. Allocates all that runs need, but for what arenas grow to.
 */
WEFT_API weft_status weft_pipeline_create(weft_pipeline **pipeline, weft_pool *pool, const weft_stage *stages, unsigned count,
                                          unsigned tokens, const weft_pipeline_options *options);

/**
 * Run until the source ends, and all tokens have. The same as weft_pipeline_start() and weft_pipeline_wait().
 * Serial equivalent: for each token of the source, all stages one after the other.
 */
WEFT_API weft_status weft_pipeline_run(weft_pipeline *pipeline, uint64_t epoch);

/**
 * Begin a run, and return.
 *
 * @param epoch  any number; tokens carry it, and shuffles depend on it.
 * @return WEFT_OK; WEFT_EINVAL: NULL, or it was started already: wait for it first; WEFT_ENOMEM; WEFT_ECLOSED; WEFT_EFORK.
 *
 * Threads: any. Blocks: no. Orders: the caller's earlier writes are visible to the stages. A pool that is closed meanwhile fails the
 * run with WEFT_ECLOSED, unless its workers can end it by themselves.
 */
WEFT_API weft_status weft_pipeline_start(weft_pipeline *pipeline, uint64_t epoch);

/**
 * Wait for the end of the run. With `pull`, tokens that nobody has taken are dropped (take them first, with weft_pipeline_next()), and
 * it waits until those that were taken are released.
 *
 * @return WEFT_OK: the source has ended, and every token went through all stages or was dropped by one; WEFT_ECANCELED;
 *         what a stage returned, the text naming stage and token (of several that failed the first by index); WEFT_EINVAL: NULL,
 *         nothing was started; WEFT_EDEADLK: called by a stage of this pipeline; WEFT_EFORK.
 *
 * Threads: any, one per run. Inside a task of the pool it runs the pipeline's stages meanwhile. Blocks: yes.
 * Orders: the stages' writes are visible to the caller.
 */
WEFT_API weft_status weft_pipeline_wait(weft_pipeline *pipeline);

/**
 * Take the next finished token of a pipeline with `pull`; NULL when there will be no more: then weft_pipeline_wait() says how it ended.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL, no `pull`, nothing started; WEFT_EDEADLK: called by a stage of this pipeline; WEFT_EFORK.
 *
 * Threads: any, several may. Inside a task of the pool it runs the pipeline's stages meanwhile. Blocks: until there is one.
 */
WEFT_API weft_status weft_pipeline_next(weft_pipeline *pipeline, weft_token **token);

/** Give back a token from weft_pipeline_next(). Its buffer and arena may be used again at once. NULL is allowed. Threads: any. */
WEFT_API void weft_token_release(weft_token *token);

/** Ask the run to end: the source is called no more, tokens are dropped before their next stage. Threads: any, also stages. */
WEFT_API void weft_pipeline_cancel(weft_pipeline *pipeline);

/**
 * The source is called no more until weft_pipeline_resume(), in this run and later ones; tokens that exist go on. A call of it that has
 * begun ends. Nothing happens if it is so already; NULL is allowed. Threads: any. Blocks: no.
 */
WEFT_API void weft_pipeline_pause(weft_pipeline *pipeline);
WEFT_API void weft_pipeline_resume(weft_pipeline *pipeline);

/**
 * A source that stalled (weft_token_stall()) has something now, or has ended: it is called. NULL is allowed. Threads: any. Blocks: no.
 * Orders: what was written before is visible to that call.
 */
WEFT_API void weft_pipeline_wake(weft_pipeline *pipeline);

/**
 * Release a pipeline. NULL is allowed.
 *
 * @return WEFT_OK; WEFT_EINVAL: it runs (nothing happens; cancel it, and wait for it).
 *
 * Threads: any but the pipeline's own. Blocks: until its threads have ended.
 */
WEFT_API weft_status weft_pipeline_destroy(weft_pipeline *pipeline);

/** This token ends with this stage, without an error; ORDERED stages do not wait for it. Returns WEFT_OK, for return statements. */
WEFT_API weft_status weft_token_drop(weft_token *token);

/** The source has no more; its token is not used. Other stages: WEFT_EINVAL, which fails the stage. Returns WEFT_OK. */
WEFT_API weft_status weft_token_end(weft_token *token);

/** The source has nothing yet; its token is not used, and it is called again after weft_pipeline_wake(), one that came since this call
 * of it began included. Other stages: as weft_token_end(). Returns WEFT_OK. */
WEFT_API weft_status weft_token_stall(weft_token *token);

/** Say what went wrong, at most 200 bytes of it; comes back from weft_pipeline_wait(). Returns `status`; WEFT_OK counts as WEFT_EINVAL. */
WEFT_API weft_status weft_token_fail(weft_token *token, weft_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Whether the token will be dropped, because the run was canceled or has failed before it: a long stage may look, and return. */
WEFT_API bool weft_token_canceled(const weft_token *token);

/** What a stage has done since the run began. */
typedef struct weft_stage_stats {
    const char *name;     /**< valid until the pipeline is destroyed */
    uint64_t tokens;      /**< that it has run on, failures and drops included */
    uint64_t dropped;     /**< by it */
    uint64_t bytes;       /**< sum of weft_token.bytes */
    uint64_t busy_ns;     /**< time in its function, over all threads; of short stages a sample, scaled */
    double busy_share;    /**< busy time / (elapsed time x threads that may run it at once): near 1 at the bottleneck */
    uint64_t blocked_ns;  /**< of busy_ns, asleep: an estimate by watching some calls, on the pool's workers only */
    bool blocks;          /**< it slept for a tenth of its time on the pool's workers, or more: give it threads of its own */
    unsigned queued;      /**< tokens that wait for it now */
    unsigned queued_most; /**< most so far */
    double queued_mean;   /**< as tokens found it when they came */
} weft_stage_stats;

/** What a run has done. */
typedef struct weft_pipeline_stats {
    uint64_t started;         /**< tokens that the source has filled */
    uint64_t finished;        /**< tokens, of a pipeline with batches: batches, that went through all stages */
    uint64_t dropped;         /**< by a stage, or because the run stopped */
    uint64_t elapsed_ns;      /**< since the run began, or from its begin to its end */
    uint64_t source_waits_ns; /**< in which the source could have run and no token was free: more tokens may help */
    unsigned tokens_most;     /**< that existed at the same time */
    uint64_t stages_local;    /**< calls of stages on the pool's workers that ran on their token's home node */
    uint64_t stages_remote;   /**< and elsewhere */
    unsigned tokens;          /**< T; with `tune`, how many of them are in use now */
    unsigned bottleneck;      /**< the stage with the highest busy share */
    uint64_t token_bytes;     /**< memory of all tokens and batches: buffers, and present pages of their arenas */
} weft_pipeline_stats;

/**
 * Read them, while it runs or afterwards. Nobody is stopped: counters may be some tokens old.
 *
 * @param stage  in [0, count).
 * @return WEFT_OK; WEFT_EINVAL: NULL, no such stage.
 *
 * Threads: any; while a run begins its numbers may be those of two runs.
 */
WEFT_API weft_status weft_pipeline_stage_stats(weft_pipeline *pipeline, unsigned stage, weft_stage_stats *stats);
WEFT_API weft_status weft_pipeline_get_stats(weft_pipeline *pipeline, weft_pipeline_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
