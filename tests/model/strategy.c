/* Replay, bounded search (delay bounding, Emmi et al., POPL 2011) and random choices, half of the latter by priorities (PCT,
 * Burckhardt et al., ASPLOS 2010). */
#include "strategy.h"

#include "internal.h"

#define CHOICES (1u << 16)

static enum { REPLAY, SEARCH, RANDOM } kind;
static uint16_t picks[CHOICES], counts[CHOICES];
static bool frees[CHOICES];
static unsigned depth, given; /* choices made; choices that were given */
static unsigned steps;
static unsigned search_bound;

/* RANDOM: chances in 1/65536 of a switch, of an older value, of a change of priorities. */
static uint64_t random_state;
static bool by_priority;
static unsigned switch_chance, older_chance, change_chance;
static int lowest;

static uint64_t random_next(void) { /* splitmix64 */
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned random_below(unsigned count) {
    return (unsigned)((random_next() >> 32) * count >> 32);
}

static bool chance(unsigned of) {
    return (random_next() & 0xffff) < of;
}

static void begin(void) {
    depth = 0;
    steps = 0;
}

void strategy_random(uint64_t seed) {
    begin();
    kind = RANDOM;
    random_state = seed;
    by_priority = random_below(2);
    switch_chance = 0x8000u >> random_below(5);
    older_chance = 0x8000u >> random_below(4);
    change_chance = 0x10000u * (1 + random_below(4)) / 128;
    lowest = 0;
}

void strategy_replay(const uint16_t *choices, unsigned count) {
    begin();
    kind = REPLAY;
    given = count < CHOICES ? count : CHOICES;
    for (unsigned i = 0; i < given; i++)
        picks[i] = choices[i];
}

void strategy_search_begin(unsigned bound) {
    begin();
    kind = SEARCH;
    given = 0;
    search_bound = bound;
}

bool strategy_search_next(void) {
    unsigned cost = 0;
    for (unsigned i = 0; i < depth; i++)
        cost += picks[i] && !frees[i];
    for (unsigned i = depth; i-- > 0;) {
        cost -= picks[i] && !frees[i];
        if (picks[i] + 1u < counts[i] && cost + !frees[i] <= search_bound) {
            given = i + 1;
            picks[i]++;
            begin();
            return true;
        }
    }
    return false;
}

bool strategy_step(void) {
    return ++steps < STRATEGY_STEPS && depth < CHOICES - 64;
}

const uint16_t *strategy_picks(unsigned *count) {
    for (*count = depth; *count && !picks[*count - 1];)
        --*count; /* what follows is the default */
    return picks;
}

static unsigned record(unsigned pick, unsigned count, bool free) {
    if (kind != RANDOM)
        pick = depth < given ? picks[depth] : 0;
    if (pick >= count)
        pick = count - 1; /* a list for another program */
    picks[depth] = (uint16_t)pick;
    counts[depth] = (uint16_t)count;
    frees[depth++] = free;
    return pick;
}

static unsigned random_thread(const int *threads, unsigned count, bool free) {
    if (!by_priority)
        return free ? random_below(count) : chance(switch_chance) ? 1 + random_below(count - 1) : 0;
    if (explore_current >= 0 && chance(change_chance))
        explore_threads[explore_current].priority = --lowest;
    unsigned best = 0;
    for (unsigned i = 0; i < count; i++) {
        int *priority = &explore_threads[threads[i]].priority;
        if (!*priority)
            *priority = 1 + (int)random_below(1000);
        if (*priority > explore_threads[threads[best]].priority)
            best = i;
    }
    return best;
}

unsigned strategy_thread(const int *threads, unsigned count, bool free) {
    if (count == 1)
        return 0;
    return record(kind == RANDOM ? random_thread(threads, count, free) : 0, count, free);
}

unsigned explore_choose(unsigned count) {
    return count == 1 ? 0 : record(kind == RANDOM ? random_below(count) : 0, count, true);
}

unsigned explore_prefer_first(unsigned count) {
    if (count == 1)
        return 0;
    return record(kind == RANDOM && chance(older_chance) ? 1 + random_below(count - 1) : 0, count, false);
}
