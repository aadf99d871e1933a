/*
 * The WEFT_* variables. Input: a line per variable of `names`, "-" leaves it unset. A plan is made of what they say, and where
 * that is small a pool as well.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "weft/pool.h"

#define MOST_WORKERS 4

static const char *const names[] = {"WEFT_TOPOLOGY", "WEFT_WORKERS", "WEFT_SMT", "WEFT_PIN", "WEFT_SPIN_US", "WEFT_DISTANCES"};
enum { VARIABLES = sizeof names / sizeof *names };

/* What the comment above wf_env_unsigned() says, in other words. */
static void check_number(const char *name, uint64_t min, uint64_t max) {
    const char *text = getenv(name);
    uint64_t value = 77, expected = 77;
    bool good = !text || !*text;
    if (!good && strspn(text, "0123456789") == strlen(text)) {
        while (text[0] == '0' && text[1])
            text++;
        uint64_t number = strlen(text) < 20 ? strtoull(text, NULL, 10) : UINT64_MAX;
        good = number >= min && number <= max;
        expected = good ? number : expected;
    }
    weft_status status = wf_env_unsigned(name, min, max, &value);
    FUZZ_CHECK((status == WEFT_OK) == good && value == expected, "%s=\"%s\": %d, %llu", name, getenv(name), (int)status,
               (unsigned long long)value);
    FUZZ_CHECK(!status || strstr(weft_error_detail(), name), "\"%s\" does not name %s", weft_error_detail(), name);
}

static void try_pool(void) {
    weft_pool *untouched = (weft_pool *)(void *)&names, *pool = untouched;
    fuzz_begin();
    weft_status status = weft_pool_create(&pool, NULL);
    fuzz_end(status);
    if (status) {
        FUZZ_CHECK(pool == untouched, "a pool was written by a call that failed");
        return;
    }
    weft_effective lines[16];
    size_t count = weft_pool_effective(pool, lines, 16);
    FUZZ_CHECK(count >= 1 && count <= 16, "%zu lines of effective state", count);
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(*lines[i].feature && *lines[i].got && *lines[i].reason, "line %zu of the effective state is empty", i);
    fuzz_begin();
    fuzz_end(weft_pool_destroy(pool));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    bool safe = true;
    for (unsigned i = 0; i < VARIABLES; i++) {
        char *text = fuzz_line(&input);
        if (i == 0)
            safe = fuzz_is_small_description(text, 64);
        if (strcmp(text, "-"))
            setenv(names[i], text, 1);
        else
            unsetenv(names[i]);
        free(text);
    }
    if (!safe || !wf_env_text("WEFT_TOPOLOGY"))
        setenv("WEFT_TOPOLOGY", "node:2 core:2 pu:2", 1);
    check_number("WEFT_WORKERS", 1, 1u << 20);
    check_number("WEFT_SPIN_US", 0, 1000000);
    weft_plan *plan = NULL;
    fuzz_begin();
    weft_status status = weft_plan_create(&plan, NULL);
    fuzz_end(status);
    if (status)
        return 0;
    unsigned workers;
    weft_plan_workers(plan, &workers);
    if (workers <= 512)
        fuzz_check_plan(plan, &(struct fuzz_asked){.workers = fuzz_count(getenv("WEFT_WORKERS") ? getenv("WEFT_WORKERS") : "")});
    weft_plan_destroy(plan);
    if (workers <= MOST_WORKERS)
        try_pool();
    return 0;
}
