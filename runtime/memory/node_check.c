/* Checks of what programs free. See node_check.h. */
#include "memory/node_check.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/node_cache.h"
#include "memory/poison.h"

#define GUARD 0xa5
#define GUARD_MOST 256u /* an object of many pages is not touched for its guard alone */
#define GONE 64u

wf_atomic_u32 wf_check_some;

/* Address ranges that were memory of pools, the newest overwriting the oldest. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct gone {
    uintptr_t start;
    size_t bytes;
    bool destroyed;
} gone[GONE];              /* L */
static unsigned gone_next; /* L */

bool wf_check_by_default(void) {
#if !defined(NDEBUG) || defined(WF_ADDRESS_SANITIZER)
    return true;
#else
    return false;
#endif
}

/* One line, whole, though other threads write too. */
static __attribute__((noreturn, cold, format(printf, 3, 4))) void stop(const char *call, const void *object, const char *text,
                                                                       ...) {
    char line[256];
    int length = snprintf(line, sizeof line, "weft: %s(%p): ", call, object);
    va_list arguments;
    va_start(arguments, text);
    length += vsnprintf(line + length, sizeof line - 1 - (size_t)length, text, arguments);
    va_end(arguments);
    size_t bytes = (size_t)length < sizeof line - 2 ? (size_t)length : sizeof line - 2;
    line[bytes++] = '\n';
    if (write(STDERR_FILENO, line, bytes) < 0)
        abort();
    abort();
}

/* ---- an object's last word ---- */

static uint64_t mixed(const void *object) {
    return ((uint64_t)(uintptr_t)object + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static wf_atomic_u64 *last_word(const void *object, size_t whole) {
    return (wf_atomic_u64 *)(uintptr_t)((const char *)object + whole - sizeof(uint64_t));
}

static uint64_t free_word(const void *object) {
    return ~mixed(object);
}

static size_t guard_bytes(size_t whole, size_t bytes) {
    size_t room = whole - sizeof(uint64_t) - bytes;
    return room < GUARD_MOST ? room : GUARD_MOST;
}

void wf_check_hand_out(void *object, size_t whole, size_t bytes) {
    wf_unpoison(object, whole);
    memset((char *)object + bytes, GUARD, guard_bytes(whole, bytes));
    wf_store(last_word(object, whole), (uint64_t)bytes ^ mixed(object),
             WF_RELAXED); /* the program hands the object on with an order */
    wf_poison((char *)object + bytes, whole - bytes);
}

/* The program's bytes by the last word; stops where that is wrong. */
static size_t bytes_by(uint64_t word, const void *object, size_t whole, const char *call) {
    if (word == free_word(object))
        stop(call, object, "the object was freed already");
    uint64_t bytes = word ^ mixed(object);
    if (bytes > whole - WF_CHECK_BYTES)
        stop(call, object, "the object was written past its end, or has never been allocated");
    return (size_t)bytes;
}

static void check_guard(const void *object, size_t whole, size_t bytes, const char *call) {
    const unsigned char *guard = (const unsigned char *)object + bytes;
    for (size_t i = 0; i < guard_bytes(whole, bytes); i++)
        if (guard[i] != GUARD)
            stop(call, object, "the object of %zu bytes was written past its end, at byte %zu", bytes, bytes + i);
}

/* ---- what an address is ---- */

static __attribute__((noreturn)) void stop_foreign(const void *object, const char *call) {
    uintptr_t address = (uintptr_t)object;
    const struct gone *found = NULL;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < GONE && !found; i++) {
        const struct gone *range = &gone[(gone_next + GONE - 1 - i) % GONE];
        found = address - range->start < range->bytes ? range : NULL;
    }
    pthread_mutex_unlock(&lock);
    if (found && found->destroyed)
        stop(call, object, "the object's pool was destroyed");
    if (found)
        stop(call, object, "the object was freed already");
    stop(call, object, "this belongs to no pool of weft");
}

static __attribute__((noreturn)) void stop_inside(const void *object, const char *start, const char *call) {
    stop(call, object, "this is %zu bytes behind the beginning of an object, %p", (size_t)((const char *)object - start),
         (const void *)start);
}

/* Where its object begins and whether it was ever handed out, by the records of its area; under the node pool's lock. */
static void check_place(struct wf_node_area *area, const void *object, const char *call) {
    if (area->object_offset) {
        if ((const char *)object != (const char *)area + area->object_offset)
            stop_inside(object, (const char *)area + area->object_offset, call);
        return;
    }
    unsigned chunk = wf_chunk_of(object);
    uint32_t entry = wf_load(&area->map[chunk], WF_RELAXED);
    if (!entry)
        stop(call, object, "there is no object here: it was freed already, or has never been allocated");
    const struct wf_node_span *span = &area->spans[area->spans[chunk].first];
    const char *start = wf_chunk_start(area, area->spans[chunk].first);
    if ((entry & WF_CLASS_MASK) == WF_CLASS_LARGE) {
        if ((const char *)object != start)
            stop_inside(object, start, call);
        return;
    }
    size_t each = weft_class_bytes(entry & WF_CLASS_MASK), offset = (size_t)((const char *)object - start);
    if (offset / each >= span->carved)
        stop(call, object, "there is no object here: it has never been allocated");
    if (offset % each)
        stop_inside(object, start + offset / each * each, call);
}

/* Whether the object's pool is hardened. Stops where this is no object of such a pool's, or of none. */
static bool check_address(const void *object, const char *call) {
    struct wf_node_area *area = wf_caches_lock_area(object);
    if (!area)
        stop_foreign(object, call);
    bool hardened = area->owner->memory->owner.hardened;
    if (hardened)
        check_place(area, object, call);
    wf_caches_unlock_area(area);
    return hardened;
}

size_t wf_check_use(const void *object, const char *call) {
    if (!check_address(object, call))
        return wf_object_bytes(object);
    size_t whole = wf_object_bytes(object);
    wf_unpoison(last_word(object, whole), sizeof(uint64_t));
    uint64_t word = wf_load(last_word(object, whole), WF_RELAXED); /* it is the caller's object, or that is the error */
    wf_poison(last_word(object, whole), sizeof(uint64_t));
    return bytes_by(word, object, whole, call);
}

void wf_check_take_back(void *object, const char *call) {
    if (!check_address(object, call))
        return;
    size_t whole = wf_object_bytes(object);
    wf_unpoison(object, whole);
    /* Relaxed: it orders nothing; the object goes to its next holder as all objects do. */
    uint64_t word = wf_exchange(last_word(object, whole), free_word(object), WF_RELAXED);
    check_guard(object, whole, bytes_by(word, object, whole, call), call);
    wf_poison(object, whole);
}

void wf_check_forget(const void *start, size_t bytes, bool destroyed) {
    wf_unpoison(start, bytes);
    if (!wf_load(&wf_check_some, WF_RELAXED))
        return;
    pthread_mutex_lock(&lock);
    gone[gone_next] = (struct gone){(uintptr_t)start, bytes, destroyed};
    gone_next = (gone_next + 1) % GONE;
    pthread_mutex_unlock(&lock);
}

void wf_check_enter_child(void) {
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}
