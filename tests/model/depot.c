/*
 * The depot: threads that take magazines and put them back, one of them between the others' steps, and a producer and a consumer. A
 * magazine has one holder at a time, who sees what the last one did with it; none is lost.
 */
#include "memory/depot.h"

#include <string.h>

#include "explorer.h"

#define MAGAZINES 3u

static struct wf_magazine table[MAGAZINES];
static struct wf_depot depot;
static void *object;

static void set_up(void) {
    memset(table, 0, sizeof table);
    depot = (struct wf_depot){0};
}

static void set_up_full(void) {
    set_up();
    for (unsigned i = 0; i < MAGAZINES; i++)
        wf_depot_push(table, &depot.full, &table[i]);
}

/* Plain accesses: two holders at once are a race. */
static void use(struct wf_magazine *magazine) {
    magazine->count++;
    magazine->words[0] = &object;
}

static struct wf_magazine *take(void) {
    struct wf_magazine *magazine = wf_depot_pop(table, &depot.full);
    if (magazine)
        use(magazine);
    return magazine;
}

static void put(struct wf_magazine *magazine) {
    if (magazine)
        wf_depot_push(table, &depot.full, magazine);
}

/* The newest is away and comes back while the one below it stays away. */
static void take_two_and_put_the_first(void) {
    struct wf_magazine *first = take(), *second = take();
    put(first);
    take();
    put(second);
}

static void take_and_put(void) {
    put(take());
}

static void take_one(void) {
    take();
}

static unsigned count_of(wf_atomic_u64 *stack) {
    unsigned count = 0;
    while (wf_depot_pop(table, stack))
        EXPLORE_CHECK(++count <= MAGAZINES);
    return count;
}

static void check_all(void) {
    EXPLORE_CHECK(count_of(&depot.full) == MAGAZINES);
}

static void check_some(void) {
    EXPLORE_CHECK(count_of(&depot.full) <= MAGAZINES - 1);
}

/* Fills empty magazines, as a thread does that frees. */
static void fill(void) {
    for (unsigned i = 0; i < 3; i++) {
        struct wf_magazine *magazine = wf_depot_pop(table, &depot.empty);
        if (!magazine)
            continue;
        EXPLORE_CHECK(!magazine->count);
        use(magazine);
        wf_depot_push(table, &depot.full, magazine);
    }
}

/* Empties full ones. */
static void drain(void) {
    for (unsigned i = 0; i < 3; i++) {
        struct wf_magazine *magazine = wf_depot_pop(table, &depot.full);
        if (!magazine)
            continue;
        EXPLORE_CHECK(magazine->count == 1 && magazine->words[0] == &object);
        magazine->count = 0;
        wf_depot_push(table, &depot.empty, magazine);
    }
}

static void set_up_empty(void) {
    set_up();
    for (unsigned i = 0; i < 2; i++)
        wf_depot_push(table, &depot.empty, &table[i]);
}

static void check_two(void) {
    EXPLORE_CHECK(count_of(&depot.full) + count_of(&depot.empty) == 2);
}

/* Two classes that share their empty magazines: one thread takes one for the other class, and that one's magazine comes back to the first. */
static struct wf_depot other;

static void set_up_two_classes(void) {
    set_up_empty();
    other = (struct wf_depot){0};
}

static void move(wf_atomic_u64 *from, wf_atomic_u64 *to) {
    struct wf_magazine *magazine = wf_depot_pop(table, from);
    if (!magazine)
        return;
    use(magazine);
    wf_depot_push(table, to, magazine);
}

static void there_and_back(void) {
    move(&depot.empty, &other.full);
    move(&depot.empty, &other.full);
    move(&other.full, &depot.empty);
}

static void move_one(void) {
    move(&depot.empty, &other.full);
}

static void check_two_classes(void) {
    EXPLORE_CHECK(count_of(&depot.empty) + count_of(&other.full) == 2);
}

static const struct explore_case cases[] = {
    {.name = "depot/three", .set_up = set_up_full, .threads = {take_and_put, take_and_put, take_and_put}, .check = check_all},
    {.name = "depot/away_and_back",
     .set_up = set_up_full,
     .threads = {take_one, take_two_and_put_the_first},
     .check = check_some},
    {.name = "depot/exchange", .set_up = set_up_empty, .threads = {fill, drain}, .check = check_two},
    {.name = "depot/two_classes",
     .set_up = set_up_two_classes,
     .threads = {there_and_back, move_one},
     .check = check_two_classes},
    {.name = "depot/two_classes_of_three",
     .set_up = set_up_two_classes,
     .threads = {there_and_back, move_one, move_one},
     .check = check_two_classes},
    {.name = "depot/exchange_of_three", .set_up = set_up_empty, .threads = {fill, drain, drain}, .check = check_two},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
