/*
 * Options structs of any bytes and any length. Input: which call, the size the struct claims, then its bytes. Pointers are the
 * caller's to keep right, so those fields become NULL or something valid; all else goes in as it is. What must be refused by
 * the size rule (base/status.h) is refused, and calls that start anything are kept small.
 */
#include "fuzz.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "weft.h"

#define MOST_BYTES 256

static weft_pool *pool;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    setenv("WEFT_TOPOLOGY", "node:2 core:2 pu:1", 1); /* small, wherever the options ask for nothing else */
    setenv("WEFT_WORKERS", "2", 1);
    unsetenv("WEFT_SMT");
    unsetenv("WEFT_PIN");
    unsetenv("WEFT_SPIN_US");
    unsetenv("WEFT_DISTANCES");
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .workers = 2};
    if (weft_pool_create(&pool, &options))
        abort();
    return 0;
}

/* A struct of `known` bytes as the library has it, inside what the caller gives. */
struct given {
    _Alignas(16) unsigned char bytes[MOST_BYTES];
    size_t size, known;
};

/* What wf_options_copy() must say of it. */
static bool is_refused(const struct given *given) {
    if (given->size < sizeof(size_t))
        return true;
    for (size_t i = given->known; i < given->size; i++)
        if (given->bytes[i])
            return true;
    return false;
}

static void put(struct given *given, size_t offset, const void *value, size_t length) {
    if (given->size >= offset + length)
        memcpy(given->bytes + offset, value, length);
    else if (given->size > offset) /* an older struct never ends inside a field */
        given->size = offset;
}

static void put_pointer(struct given *given, size_t offset, const void *pointer) {
    put(given, offset, &pointer, sizeof pointer);
}

static void put_bool(struct given *given, size_t offset) {
    unsigned char flag = given->bytes[offset] & 1;
    put(given, offset, &flag, 1);
}

/* The struct as the caller has it, in memory of exactly its size; valid until the next one. */
static const void *seal(const struct given *given) {
    static void *sealed;
    size_t room = given->size < sizeof(size_t) ? sizeof(size_t) : given->size;
    free(sealed);
    if (!(sealed = malloc(room)))
        abort();
    memcpy(sealed, given->bytes, room);
    memcpy(sealed, &given->size, sizeof given->size);
    return sealed;
}

static void end(const struct given *given, weft_status status, const char *type) {
    fuzz_end(status);
    FUZZ_CHECK(!is_refused(given) || status == WEFT_EINVAL, "%s of %zu bytes with an unknown setting: %s", type, given->size,
               weft_status_name(status));
}

static void try_plan(struct given *given) {
    static const char *const topologies[] = {NULL, "node:2 core:2 pu:2", "node:1 pu:1", ""};
    static const char *const lists[] = {NULL, "0", "0-1", "1,0", "2", ""};
    unsigned char pick = given->bytes[sizeof(size_t)];
    put_pointer(given, offsetof(weft_plan_options, topology), topologies[pick & 3]);
    put_pointer(given, offsetof(weft_plan_options, nodes), lists[(pick >> 2) % 6]);
    put_bool(given, offsetof(weft_plan_options, smt));
    put_bool(given, offsetof(weft_plan_options, ignore_quota));
    put_bool(given, offsetof(weft_plan_options, ignore_affinity));
    put_pointer(given, offsetof(weft_plan_options, distances), pick & 0x80 ? "/dev/null" : NULL); /* which is no regular file */
    weft_plan *plan = NULL;
    fuzz_begin();
    weft_status status = weft_plan_create(&plan, seal(given));
    end(given, status, "weft_plan_options");
    if (status)
        return;
    fuzz_check_plan(plan, &(struct fuzz_asked){0});
    weft_plan_destroy(plan);
}

static void try_pool(struct given *given) {
    uint32_t spin = WEFT_SPIN_NONE, asked;
    size_t stack;
    put_pointer(given, offsetof(weft_pool_options, plan), given->bytes[8] & 1 ? weft_pool_plan(pool) : NULL);
    put_pointer(given, offsetof(weft_pool_options, topology), given->bytes[9] & 1 ? "node:1 core:2 pu:1" : NULL);
    put_pointer(given, offsetof(weft_pool_options, nodes), NULL);
    put_bool(given, offsetof(weft_pool_options, smt));
    put_bool(given, offsetof(weft_pool_options, strict));
    put_bool(given, offsetof(weft_pool_options, fixed));
    put_bool(given, offsetof(weft_pool_options, grow));
    memcpy(&asked, given->bytes + offsetof(weft_pool_options, spin_us), sizeof asked);
    if (asked <= 1000000)
        put(given, offsetof(weft_pool_options, spin_us), &spin, sizeof spin);
    memcpy(&stack, given->bytes + offsetof(weft_pool_options, stack_bytes), sizeof stack);
    stack = stack > (1 << 20) && stack <= (size_t)1 << 36 ? 1 << 20 : stack; /* the rest is refused, or small */
    put(given, offsetof(weft_pool_options, stack_bytes), &stack, sizeof stack);
    weft_pool *untouched = (weft_pool *)(void *)given, *made = untouched;
    fuzz_begin();
    weft_status status = weft_pool_create(&made, seal(given));
    end(given, status, "weft_pool_options");
    FUZZ_CHECK(!status || made == untouched, "a pool was written by a call that failed");
    if (!status && weft_pool_destroy(made))
        abort();
}

static void sum(void *arg, weft_range range, void *accumulator) {
    (void)arg;
    *(uint64_t *)accumulator += range.last - range.first;
}

static void add(void *arg, void *left, const void *right) {
    (void)arg;
    *(uint64_t *)left += *(const uint64_t *)right;
}

static void try_reduce(struct given *given, uint64_t n) {
    uint64_t result = 0;
    size_t block;
    memcpy(&block, given->bytes + offsetof(weft_reduce_options, block), sizeof block);
    if (block && n / block > 4096)
        block = n / 4096 + 1;
    put(given, offsetof(weft_reduce_options, block), &block, sizeof block);
    fuzz_begin();
    weft_status status = weft_reduce(pool, n, sum, add, NULL, &result, sizeof result, seal(given));
    end(given, status, "weft_reduce_options");
    FUZZ_CHECK(result == (status ? 0 : n), "%llu of %llu", (unsigned long long)result, (unsigned long long)n);
}

static void try_array(struct given *given, uint64_t n, uint64_t item_bytes) {
    unsigned char untouched = 1;
    weft_array *before = (weft_array *)(void *)given, *array = before;
    put_bool(given, offsetof(weft_array_options, strict));
    put_bool(given, offsetof(weft_array_options, untouched));
    if (n && item_bytes > (1 << 16) / n)
        put(given, offsetof(weft_array_options, untouched), &untouched, 1);
    if (given->size < offsetof(weft_array_options, untouched) + 1) {
        n %= 1024;
        item_bytes %= 64;
    }
    fuzz_begin();
    weft_status status = weft_array_create(&array, pool, n, item_bytes, seal(given));
    end(given, status, "weft_array_options");
    FUZZ_CHECK(!status || array == before, "an array was written by a call that failed");
    if (status)
        return;
    FUZZ_CHECK(n && item_bytes && weft_array_count(array) == n && weft_array_data(array), "an array of nothing");
    weft_array_destroy(array);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t known[] = {sizeof(weft_plan_options), sizeof(weft_pool_options), sizeof(weft_reduce_options),
                                   sizeof(weft_array_options)};
    struct fuzz_input input = {data, size};
    unsigned which = (unsigned)fuzz_number(&input, 1) % 4;
    uint64_t first = fuzz_number(&input, 8), second = fuzz_number(&input, 8);
    struct given given = {.size = (size_t)fuzz_number(&input, 1) % MOST_BYTES, .known = known[which]};
    memcpy(given.bytes + sizeof(size_t), input.size ? (const void *)input.data : "",
           input.size < MOST_BYTES - sizeof(size_t) ? input.size : MOST_BYTES - sizeof(size_t));
    void (*const simple[])(struct given *) = {try_plan, try_pool};
    if (which < 2)
        simple[which](&given);
    else if (which == 2)
        try_reduce(&given, first);
    else
        try_array(&given, first, second);
    return 0;
}
