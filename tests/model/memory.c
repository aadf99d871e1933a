/*
 * The memory model. Every atomic variable keeps its latest stores; a load may return any of them that the C11 orders do not
 * forbid. Vector clocks carry what happens before; plain accesses are checked against them. README.md tells the limits.
 */
#include <string.h>

#include "internal.h"

#define HISTORY 8u /* stores of one variable that a load can choose from */
#define LOCATIONS 2048u
#define CELLS 16384u /* words of 8 bytes that one schedule touches */
#define BUCKETS (CELLS * 4)
#define OBJECTS 64u /* locks, futex words, allocated blocks */
#define NONE UINT16_MAX

struct store {
    uint64_t value;
    uint32_t seen[EXPLORE_THREADS]; /* when a thread first wrote or read it, 0: never */
    struct clock released;          /* what a load with acquire learns */
};

/* An atomic variable. Stores are numbered in the order they were made; number n lies in ring[n % HISTORY]. */
struct location {
    unsigned bytes;
    uint32_t count;      /* stores so far; the first is the value it began with */
    uint32_t sequential; /* number of the last seq_cst store: no later seq_cst load returns an older one */
    uint32_t accessed[EXPLORE_THREADS], stored[EXPLORE_THREADS];
    struct store ring[HISTORY];
};

/* 8 bytes of memory: the last plain write, the last plain read of each thread, and the atomic variables that begin here. */
struct cell {
    uintptr_t address;
    uint16_t location[2]; /* in bytes 0 to 3 (or 0 to 7), in bytes 4 to 7 */
    uint8_t write_mask, read_mask[EXPLORE_THREADS];
    bool freed;
    int writer;
    uint32_t written, read[EXPLORE_THREADS];
};

static struct location locations[LOCATIONS];
static struct cell cells[CELLS];
static struct {
    uint32_t schedule;
    uint32_t cell;
} buckets[BUCKETS];
static unsigned location_count, cell_count;
static uint32_t schedule;

/* Locks and futex words: what those who left them knew. */
static struct object {
    const void *address;
    struct clock clock;
    bool locked;
} objects[OBJECTS];
static unsigned object_count;

/* Blocks of explore_calloc(), one after the other; none is given out twice in one schedule. */
static _Alignas(64) unsigned char heap[1 << 14];
static size_t heap_used;
static struct {
    void *start;
    size_t bytes;
} blocks[OBJECTS];
static unsigned block_count;

void explore_memory_reset(void) {
    schedule++;
    location_count = cell_count = object_count = block_count = 0;
    heap_used = 0;
}

void explore_clock_join(struct clock *clock, const struct clock *other) {
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (clock->of[i] < other->of[i])
            clock->of[i] = other->of[i];
}

static struct clock *now(void) {
    return &explore_threads[explore_current].seen;
}

void explore_learn(const struct clock *clock) {
    explore_clock_join(now(), clock);
    explore_clock_join(&explore_threads[explore_current].visible, clock);
}

static bool acquires(enum explore_order order) {
    return order == WF_ACQUIRE || order == WF_ACQ_REL || order == WF_SEQ_CST;
}

static bool releases(enum explore_order order) {
    return order == WF_RELEASE || order == WF_ACQ_REL || order == WF_SEQ_CST;
}

static struct cell *cell_at(uintptr_t address) {
    unsigned bucket = (unsigned)((address >> 3) * 0x9e3779b97f4a7c15u >> 40) % BUCKETS;
    while (buckets[bucket].schedule == schedule) {
        struct cell *cell = &cells[buckets[bucket].cell];
        if (cell->address == address) {
            if (cell->freed)
                explore_fail("memory is used after it was freed");
            return cell;
        }
        bucket = (bucket + 1) % BUCKETS;
    }
    if (cell_count == CELLS)
        explore_fail("the case touches too much memory for the explorer");
    buckets[bucket].schedule = schedule;
    buckets[bucket].cell = cell_count;
    struct cell *cell = &cells[cell_count++];
    *cell = (struct cell){.address = address, .location = {NONE, NONE}};
    return cell;
}

static uint64_t memory_get(const void *object, unsigned bytes) {
    if (bytes == 4) {
        uint32_t value;
        memcpy(&value, object, sizeof value);
        return value;
    }
    uint64_t value;
    memcpy(&value, object, sizeof value);
    return value;
}

static void memory_put(void *object, unsigned bytes, uint64_t value) {
    uint32_t low = (uint32_t)value;
    if (bytes == 4)
        memcpy(object, &low, sizeof low);
    else
        memcpy(object, &value, sizeof value);
}

static _Noreturn void race(const char *mine, const char *theirs, unsigned other) {
    const struct explore_place *last = explore_threads[other].last;
    explore_fail("data race: a %s of T%d and a %s of T%u, which was last at %s:%d (%s)", mine, explore_current, theirs, other,
                 last ? last->file : "its begin", last ? last->line : 0, last ? last->function : "");
}

static void check_plain_write(const struct cell *cell, uint8_t mask, const char *mine) {
    if (cell->write_mask & mask && cell->writer != explore_current && cell->written > now()->of[cell->writer])
        race(mine, "plain write", (unsigned)cell->writer);
}

static void check_plain_reads(const struct cell *cell, uint8_t mask, const char *mine) {
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (cell->read_mask[i] & mask && (int)i != explore_current && cell->read[i] > now()->of[i])
            race(mine, "plain read", i);
}

/* A plain access beside an atomic variable, and the end of that variable if it is a write. */
static void check_atomics(struct cell *cell, uint8_t mask, bool write) {
    for (unsigned half = 0; half < 2; half++) {
        uint16_t index = cell->location[half];
        if (index == NONE || !(mask & (locations[index].bytes == 8 ? 0xff : 0x0f << 4 * half)))
            continue;
        const uint32_t *times = write ? locations[index].accessed : locations[index].stored;
        for (unsigned i = 0; i < EXPLORE_THREADS; i++)
            if ((int)i != explore_current && times[i] > now()->of[i])
                race(write ? "plain write" : "plain read", write ? "atomic access" : "atomic store", i);
        if (write)
            cell->location[half] = NONE;
    }
}

void explore_plain(const void *start, size_t bytes, bool write) {
    if (explore_current < 0 || explore_is_local(start))
        return;
    uintptr_t address = (uintptr_t)start, end = address + bytes;
    while (address < end) {
        uintptr_t word = address & ~(uintptr_t)7, last = end - word < 8 ? end - word : 8;
        uint8_t mask = (uint8_t)(0xff << (address - word) & (last == 8 ? 0xff : (1 << last) - 1));
        struct cell *cell = cell_at(word);
        check_plain_write(cell, mask, write ? "plain write" : "plain read");
        if (cell->location[0] != NONE || cell->location[1] != NONE)
            check_atomics(cell, mask, write);
        if (write) {
            check_plain_reads(cell, mask, "plain write");
            cell->write_mask = mask;
            cell->writer = explore_current;
            cell->written = now()->of[explore_current];
        } else {
            cell->read_mask[explore_current] =
                (uint8_t)(mask |
                          (cell->read[explore_current] == now()->of[explore_current] ? cell->read_mask[explore_current] : 0));
            cell->read[explore_current] = now()->of[explore_current];
        }
        address = word + 8;
    }
}

/* The atomic variable at an address. */
static struct location *location_of(const void *object, unsigned bytes) {
    uintptr_t address = (uintptr_t)object;
    struct cell *cell = cell_at(address & ~(uintptr_t)7);
    uint16_t *index = &cell->location[address & 4 ? 1 : 0];
    uint64_t value = memory_get(object, bytes);
    if (*index != NONE) {
        struct location *location = &locations[*index];
        if (location->ring[(location->count - 1) % HISTORY].value == value)
            return location; /* else it was made anew by code that the explorer does not see (memset) */
    }
    if (location_count == LOCATIONS)
        explore_fail("the case has too many atomic variables for the explorer");
    *index = (uint16_t)location_count;
    struct location *location = &locations[location_count++];
    *location = (struct location){.bytes = bytes, .count = 1, .ring = {{.value = value}}};
    return location;
}

/* Number of the oldest store that a thread with this knowledge may still read. */
static uint32_t oldest_visible(const struct location *location, const struct clock *known, bool sequential) {
    uint32_t first = location->count > HISTORY ? location->count - HISTORY : 0;
    uint32_t oldest = location->count - 1;
    for (; oldest > first; oldest--) {
        const uint32_t *seen = location->ring[oldest % HISTORY].seen;
        bool known_here = sequential && oldest == location->sequential;
        for (unsigned i = 0; i < EXPLORE_THREADS && !known_here; i++)
            known_here = seen[i] && ((int)i == explore_current || seen[i] <= known->of[i]);
        if (known_here)
            break;
    }
    return oldest;
}

/* End of an operation, with all that it has learned: no plain access races with it, and the thread's later ones come later. */
static void end_operation(const void *object, struct location *location, bool stored) {
    uintptr_t address = (uintptr_t)object;
    const struct cell *cell = cell_at(address & ~(uintptr_t)7);
    uint8_t mask = (uint8_t)(location->bytes == 8 ? 0xff : 0x0f << (address & 4));
    check_plain_write(cell, mask, stored ? "atomic store" : "atomic load");
    if (stored)
        check_plain_reads(cell, mask, "atomic store");
    uint32_t *time = &now()->of[explore_current];
    location->accessed[explore_current] = *time;
    if (stored)
        location->stored[explore_current] = *time;
    ++*time;
}

static uint64_t read_store(struct location *location, uint32_t number, enum explore_order order) {
    struct store *store = &location->ring[number % HISTORY];
    if (!store->seen[explore_current])
        store->seen[explore_current] = now()->of[explore_current];
    if (acquires(order))
        explore_learn(&store->released);
    return store->value;
}

/* Add a store; `follows`: of the release sequence it continues, NULL: none. */
static void add_store(struct location *location, uint64_t value, enum explore_order order, const struct clock *follows) {
    struct store store = {.value = value};
    store.seen[explore_current] = now()->of[explore_current];
    if (releases(order))
        store.released = *now();
    if (follows)
        explore_clock_join(&store.released, follows);
    if (order == WF_SEQ_CST)
        location->sequential = location->count;
    location->ring[location->count++ % HISTORY] = store;
}

uint64_t explore_load(const void *object, unsigned bytes, enum explore_order order, struct explore_place *place) {
    if (explore_current < 0)
        return memory_get(object, bytes);
    struct explore_mutation mutation = explore_begin(place, order);
    if (mutation.forced)
        return mutation.value;
    struct location *location = location_of(object, bytes);
    uint32_t newest = location->count - 1;
    uint32_t oldest = oldest_visible(location, &explore_threads[explore_current].visible, mutation.order == WF_SEQ_CST);
    uint32_t number = newest - explore_prefer_first(newest - oldest + 1);
    uint64_t value = read_store(location, number, mutation.order);
    explore_trace(place, object, "%#llx%s", (unsigned long long)value, number == newest ? "" : " (an older value)");
    end_operation(object, location, false);
    return value;
}

void explore_store(void *object, unsigned bytes, uint64_t value, enum explore_order order, struct explore_place *place) {
    if (explore_current < 0) {
        memory_put(object, bytes, value);
        return;
    }
    struct explore_mutation mutation = explore_begin(place, order);
    if (mutation.skipped)
        return;
    struct location *location = location_of(object, bytes);
    add_store(location, value, mutation.order, NULL);
    memory_put(object, bytes, value);
    explore_trace(place, object, "= %#llx", (unsigned long long)value);
    end_operation(object, location, true);
}

static uint64_t changed(uint64_t value, enum explore_change change, uint64_t operand) {
    switch (change) {
    case EXPLORE_ADD:
        return value + operand;
    case EXPLORE_SUB:
        return value - operand;
    case EXPLORE_OR:
        return value | operand;
    case EXPLORE_AND:
        return value & operand;
    case EXPLORE_EXCHANGE:
        break;
    }
    return operand;
}

/* The newest store is read and followed by another. */
static uint64_t replace(struct location *location, void *object, uint64_t value, enum explore_order order) {
    uint32_t newest = location->count - 1;
    uint64_t before = read_store(location, newest, order);
    struct clock follows = location->ring[newest % HISTORY].released;
    add_store(location, value, order, &follows);
    memory_put(object, location->bytes, value);
    return before;
}

uint64_t explore_modify(void *object, unsigned bytes, enum explore_change change, uint64_t operand, enum explore_order order,
                        struct explore_place *place) {
    if (explore_current < 0) {
        uint64_t before = memory_get(object, bytes);
        memory_put(object, bytes, changed(before, change, operand));
        return before;
    }
    struct explore_mutation mutation = explore_begin(place, order);
    if (mutation.skipped)
        return memory_get(object, bytes);
    struct location *location = location_of(object, bytes);
    uint64_t value = changed(memory_get(object, bytes), change, operand);
    if (bytes == 4)
        value = (uint32_t)value;
    uint64_t before = replace(location, object, value, mutation.order);
    explore_trace(place, object, "%#llx -> %#llx", (unsigned long long)before, (unsigned long long)value);
    end_operation(object, location, true);
    return before;
}

/* A compare-exchange that fails is a load, which may return an older store than the newest if that one differs as well. */
bool explore_cas(void *object, unsigned bytes, uint64_t *expected, uint64_t desired, enum explore_order order,
                 enum explore_order fail, struct explore_place *place) {
    if (explore_current < 0) {
        uint64_t before = memory_get(object, bytes);
        if (before == *expected)
            memory_put(object, bytes, desired);
        return before == *expected ? true : (*expected = before, false);
    }
    struct explore_mutation mutation = explore_begin(place, order);
    enum explore_order load = explore_fail_order(place, fail);
    struct location *location = location_of(object, bytes);
    uint32_t newest = location->count - 1, options[HISTORY], count = 1;
    options[0] = newest;
    uint32_t oldest = oldest_visible(location, &explore_threads[explore_current].visible, load == WF_SEQ_CST);
    for (uint32_t number = newest; number-- > oldest;)
        if (location->ring[number % HISTORY].value != *expected)
            options[count++] = number;
    uint32_t number = options[explore_prefer_first(count)];
    bool wins = number == newest && location->ring[newest % HISTORY].value == *expected;
    if (wins)
        replace(location, object, desired, mutation.order);
    else
        *expected = read_store(location, number, load);
    explore_trace(place, object, wins ? "won, = %#llx" : "lost, %#llx", (unsigned long long)(wins ? desired : *expected));
    end_operation(object, location, wins);
    return wins;
}

static struct object *object_of(const void *address) {
    for (unsigned i = 0; i < object_count; i++)
        if (objects[i].address == address)
            return &objects[i];
    if (object_count == OBJECTS)
        explore_fail("the case has too many locks and futex words for the explorer");
    objects[object_count] = (struct object){.address = address};
    return &objects[object_count++];
}

void explore_barrier(const void *object) {
    struct clock *visible = &explore_threads[explore_current].visible;
    explore_clock_join(visible, now());
    explore_clock_join(visible, &object_of(object)->clock);
    explore_clock_join(&object_of(object)->clock, visible);
    now()->of[explore_current]++;
}

static struct explore_place membarrier_place = {"kernel", "", "membarrier", "thread", 0, true, -1, -1, -1, NULL};

bool wf_membarrier(void);

/* One after the other, each other thread passes a full barrier where it stands: it sees the stores that the caller made or saw, and
 * the caller those that it made or saw. Orders no plain access. */
bool wf_membarrier(void) {
    struct thread *self = &explore_threads[explore_current];
    for (int i = 0; i < EXPLORE_THREADS; i++) {
        struct thread *other = &explore_threads[i];
        if (other == self)
            continue;
        explore_begin(&membarrier_place, WF_RELAXED);
        explore_trace(&membarrier_place, other, "T%d", i);
        explore_clock_join(&other->visible, &self->visible);
        explore_clock_join(&other->visible, &self->seen);
        explore_clock_join(&self->visible, &other->visible);
        explore_clock_join(&self->visible, &other->seen);
        self->seen.of[explore_current]++;
        other->seen.of[i]++;
    }
    return true;
}

static struct explore_place lock_place = {"pthread", "", "lock", "mutex", 0, true, -1, -1, -1, NULL};
static struct explore_place unlock_place = {"pthread", "", "unlock", "mutex", 0, true, -1, -1, -1, NULL};
static struct explore_place wait_place = {"futex", "", "wait", "word", 0, true, -1, -1, -1, NULL};
static struct explore_place wake_place = {"futex", "", "wake", "word", 0, true, -1, -1, -1, NULL};

int explore_mutex_init(void *mutex, const void *attributes) {
    (void)attributes;
    *object_of(mutex) = (struct object){.address = mutex};
    return 0;
}

int explore_mutex_destroy(void *mutex) {
    EXPLORE_CHECK(!object_of(mutex)->locked);
    return 0;
}

int explore_mutex_lock(void *mutex) {
    if (explore_current < 0)
        return 0;
    explore_begin(&lock_place, WF_ACQUIRE);
    struct object *lock = object_of(mutex);
    cell_at((uintptr_t)mutex & ~(uintptr_t)7); /* is it there? */
    while (lock->locked)
        explore_block(mutex);
    lock->locked = true;
    explore_learn(&lock->clock);
    explore_trace(&lock_place, mutex, "held");
    return 0;
}

int explore_mutex_unlock(void *mutex) {
    if (explore_current < 0)
        return 0;
    explore_begin(&unlock_place, WF_RELEASE);
    struct object *lock = object_of(mutex);
    EXPLORE_CHECK(lock->locked);
    lock->locked = false;
    lock->clock = *now();
    now()->of[explore_current]++;
    explore_trace(&unlock_place, mutex, "free");
    explore_unblock(mutex, EXPLORE_THREADS);
    return 0;
}

/*
 * The kernel compares under a lock that a waker of the same word takes as well. So a waiter that comes after a waker sees what
 * that one did; but what it sees there orders nothing for the waiter's own accesses.
 */
void wf_futex_wait(wf_atomic_u32 *word, uint32_t expected);
void wf_futex_wait_until(wf_atomic_u32 *word, uint32_t expected, uint64_t end_ns);
void wf_futex_wake(wf_atomic_u32 *word, int count);

void wf_futex_wait(wf_atomic_u32 *word, uint32_t expected) {
    explore_begin(&wait_place, WF_RELAXED);
    struct location *location = location_of(word, sizeof *word);
    struct clock known = explore_threads[explore_current].visible;
    explore_clock_join(&known, &object_of(word)->clock);
    uint32_t newest = location->count - 1, oldest = oldest_visible(location, &known, false);
    uint64_t value = location->ring[(newest - explore_prefer_first(newest - oldest + 1)) % HISTORY].value;
    explore_trace(&wait_place, word, value == expected ? "sleeps at %#llx" : "%#llx, no sleep", (unsigned long long)value);
    if (value == expected)
        explore_block(word);
}

/* One with an end wakes early, again and again: each look at the clock finds it later. */
void wf_futex_wait_until(wf_atomic_u32 *word, uint32_t expected, uint64_t end_ns) {
    if (end_ns)
        explore_yield();
    else
        wf_futex_wait(word, expected);
}

void wf_futex_wake(wf_atomic_u32 *word, int count) {
    if (explore_current < 0)
        return;
    explore_begin(&wake_place, WF_RELAXED);
    explore_clock_join(&object_of(word)->clock, now());
    now()->of[explore_current]++;
    explore_trace(&wake_place, word, "%d", count);
    explore_unblock(word, (unsigned)count);
}

void *explore_calloc(size_t count, size_t bytes) {
    size_t size = (count * bytes + 63) / 64 * 64;
    if (size > sizeof heap - heap_used || block_count == OBJECTS)
        explore_fail("the case allocates too much memory for the explorer");
    void *start = &heap[heap_used];
    heap_used += size;
    blocks[block_count].start = start;
    blocks[block_count++].bytes = size;
    explore_plain(start, size, true);
    memset(start, 0, size);
    return start;
}

void explore_free(void *start) {
    if (!start || explore_current < 0)
        return;
    for (unsigned i = 0; i < block_count; i++) {
        if (blocks[i].start != start)
            continue;
        explore_plain(start, blocks[i].bytes, true); /* who used it must have done so before */
        for (size_t at = 0; at < blocks[i].bytes; at += 8)
            cell_at((uintptr_t)start + at)->freed = true;
        return;
    }
    explore_fail("free of something that was not allocated in this schedule");
}
