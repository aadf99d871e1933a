/*
 * Serial radix sort: as many digits from the top as tell most items apart are sorted from the lowest of them up (LSD), then neighbours
 * that are still in the wrong order are sorted by what is below. Distinct keys cost few passes, and equal ones, or such that differ in few
 * low bits only, no more than all passes.
 */
#include "parallel/radix_kernels.h"

#include <string.h>

#define DIGIT 8u
#define DIGITS_MOST 8u
#define BUCKETS (1u << DIGIT)
#define INSERTED 24u  /* so few are sorted by insertion */
#define SPARE_BITS 3u /* more bits than tell that many items apart if they are random */
#define SAMPLED 1024u
#define INLINE static inline __attribute__((always_inline))

/* What a kernel is compiled for; constants after inlining. */
struct kind {
    size_t item_bytes, key_bytes;
    bool floating;
};

INLINE uint64_t key_at(const struct wf_radix_form *form, const char *item, struct kind kind) {
    uint64_t key, top = kind.key_bytes == 8 ? UINT64_C(1) << 63 : UINT64_C(1) << 31;
    if (kind.key_bytes == 8) {
        memcpy(&key, item + form->key_offset, 8);
    } else {
        uint32_t half;
        memcpy(&half, item + form->key_offset, 4);
        key = half;
    }
    if (!kind.floating)
        return key ^ form->sign;
    uint64_t infinity = kind.key_bytes == 8 ? UINT64_C(0x7ff) << 52 : UINT64_C(0xff) << 23;
    uint64_t negative = 0 - (uint64_t)((key & top) != 0), nan = 0 - (uint64_t)((key & (top - 1)) > infinity);
    return (key ^ (negative & (top - 1)) ^ top) | (nan & (top | (top - 1)));
}

INLINE uint64_t sample(const struct wf_radix_form *form, const char *items, size_t count, struct kind kind) {
    size_t step = count / SAMPLED + 1;
    uint64_t first = key_at(form, items, kind), differ = 0;
    for (size_t i = 0; i < count; i += step)
        differ |= key_at(form, items + i * kind.item_bytes, kind) ^ first;
    return differ;
}

INLINE uint64_t count_digits(const struct wf_radix_form *form, const char *items, size_t count, struct wf_digit digit,
                             const char *first_item, size_t *counts, struct kind kind) {
    uint64_t first = key_at(form, first_item, kind), differ = 0, mask = (UINT64_C(1) << digit.bits) - 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t key = key_at(form, items + i * kind.item_bytes, kind);
        differ |= key ^ first;
        counts[key >> digit.shift & mask]++;
    }
    return differ;
}

INLINE void scatter(const struct wf_radix_form *form, const char *items, size_t count, struct wf_digit digit, size_t *places,
                    char *to, struct kind kind) {
    uint64_t mask = (UINT64_C(1) << digit.bits) - 1;
    for (size_t i = 0; i < count; i++) {
        const char *item = items + i * kind.item_bytes;
        memcpy(to + places[key_at(form, item, kind) >> digit.shift & mask]++ * kind.item_bytes, item, kind.item_bytes);
    }
}

INLINE void insert(const struct wf_radix_form *form, char *items, size_t count, struct kind kind) {
    for (size_t i = 1; i < count; i++) {
        char held[16];
        memcpy(held, items + i * kind.item_bytes, kind.item_bytes);
        uint64_t key = key_at(form, held, kind);
        size_t at = i;
        for (; at && key_at(form, items + (at - 1) * kind.item_bytes, kind) > key; at--)
            memcpy(items + at * kind.item_bytes, items + (at - 1) * kind.item_bytes, kind.item_bytes);
        memcpy(items + at * kind.item_bytes, held, kind.item_bytes);
    }
}

static unsigned bit_length(uint64_t x) {
    return x ? 64 - (unsigned)__builtin_clzll(x) : 0;
}

/* Sort by `digits` digits from bit `shift` up. True: the result lies in `other`. */
INLINE bool sort_digits(const struct wf_radix_form *form, char *items, char *other, size_t count, unsigned shift, unsigned digits,
                        struct kind kind) {
    size_t counts[DIGITS_MOST][BUCKETS];
    memset(counts, 0, digits * sizeof *counts);
    for (size_t i = 0; i < count; i++) {
        uint64_t key = key_at(form, items + i * kind.item_bytes, kind) >> shift;
        for (unsigned digit = 0; digit < digits; digit++)
            counts[digit][key >> DIGIT * digit & (BUCKETS - 1)]++;
    }
    bool in_other = false;
    for (unsigned digit = 0; digit < digits; digit++) {
        struct wf_digit at = {shift + DIGIT * digit, DIGIT};
        char *from = in_other ? other : items, *to = in_other ? items : other;
        size_t place = 0;
        if (counts[digit][key_at(form, from, kind) >> at.shift & (BUCKETS - 1)] == count)
            continue;
        for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
            size_t next = place + counts[digit][bucket];
            counts[digit][bucket] = place;
            place = next;
        }
        scatter(form, from, count, at, counts[digit], to, kind);
        in_other = !in_other;
    }
    return in_other;
}

typedef void sort_fn(const struct wf_radix_form *form, char *items, char *other, size_t count, bool to_other);

/* Items are in order by the bits from `shift` up: sort those that these bits do not tell apart, where they are in the wrong order. */
INLINE void sort_runs(const struct wf_radix_form *form, char *items, char *other, size_t count, unsigned shift, sort_fn *sort,
                      struct kind kind) {
    size_t bytes = kind.item_bytes;
    uint64_t before = key_at(form, items, kind), key;
    for (size_t i = 1; i < count; i++, before = key) {
        key = key_at(form, items + i * bytes, kind);
        if (__builtin_expect(before <= key, 1))
            continue;
        size_t first = i - 1, last = i + 1;
        while (first && key_at(form, items + (first - 1) * bytes, kind) >> shift == key >> shift)
            first--;
        while (last < count && key_at(form, items + last * bytes, kind) >> shift == key >> shift)
            last++;
        if (last - first <= INSERTED)
            insert(form, items + first * bytes, last - first, kind);
        else
            sort(form, items + first * bytes, other + first * bytes, last - first, false);
        i = last - 1;
        key = key_at(form, items + i * bytes, kind);
    }
}

INLINE void sort_all(const struct wf_radix_form *form, char *items, char *other, size_t count, bool to_other, sort_fn *sort,
                     struct kind kind) {
    size_t bytes = kind.item_bytes;
    char *to = to_other ? other : items, *room = to_other ? items : other;
    if (count <= INSERTED) {
        if (to_other)
            memcpy(other, items, count * bytes);
        insert(form, to, count, kind);
        return;
    }
    uint64_t first = key_at(form, items, kind), differ = 0;
    for (size_t i = 1; i < count; i++)
        differ |= key_at(form, items + i * bytes, kind) ^ first;
    unsigned length = bit_length(differ), wanted = bit_length(count) + SPARE_BITS;
    unsigned digits = ((wanted < length ? wanted : length) + DIGIT - 1) / DIGIT;
    unsigned shift = length > digits * DIGIT ? length - digits * DIGIT : 0;
    bool in_other = sort_digits(form, items, other, count, shift, digits, kind);
    if (in_other != to_other)
        memcpy(to, in_other ? other : items, count * bytes);
    if (shift)
        sort_runs(form, to, room, count, shift, sort, kind);
}

#define KERNELS(name, bytes, key, is_floating)                                                                                   \
    static uint64_t name##_sample(const struct wf_radix_form *form, const char *items, size_t count) {                           \
        return sample(form, items, count, (struct kind){bytes, key, is_floating});                                               \
    }                                                                                                                            \
    static uint64_t name##_count(const struct wf_radix_form *form, const char *items, size_t count, struct wf_digit digit,       \
                                 const char *first, size_t *counts) {                                                            \
        return count_digits(form, items, count, digit, first, counts, (struct kind){bytes, key, is_floating});                   \
    }                                                                                                                            \
    static void name##_scatter(const struct wf_radix_form *form, const char *items, size_t count, struct wf_digit digit,         \
                               size_t *places, char *to) {                                                                       \
        scatter(form, items, count, digit, places, to, (struct kind){bytes, key, is_floating});                                  \
    }                                                                                                                            \
    static void name##_sort(const struct wf_radix_form *form, char *items, char *other, size_t count, bool to_other) {           \
        sort_all(form, items, other, count, to_other, name##_sort, (struct kind){bytes, key, is_floating});                      \
    }                                                                                                                            \
    static const struct wf_radix_kernels name##_kernels = {name##_sample, name##_count, name##_scatter, name##_sort};
KERNELS(item4_int4, 4, 4, false)
KERNELS(item4_float4, 4, 4, true)
KERNELS(item8_int4, 8, 4, false)
KERNELS(item8_float4, 8, 4, true)
KERNELS(item8_int8, 8, 8, false)
KERNELS(item8_float8, 8, 8, true)
KERNELS(item16_int4, 16, 4, false)
KERNELS(item16_float4, 16, 4, true)
KERNELS(item16_int8, 16, 8, false)
KERNELS(item16_float8, 16, 8, true)

/* By the logarithms of the sizes, and whether it is a floating-point number. */
static const struct wf_radix_kernels *const all_kernels[3][2][2] = {
    {{&item4_int4_kernels, &item4_float4_kernels}, {NULL, NULL}},
    {{&item8_int4_kernels, &item8_float4_kernels}, {&item8_int8_kernels, &item8_float8_kernels}},
    {{&item16_int4_kernels, &item16_float4_kernels}, {&item16_int8_kernels, &item16_float8_kernels}},
};

size_t wf_number_bytes(weft_number number) {
    switch (number) {
    case WEFT_I32:
    case WEFT_U32:
    case WEFT_F32:
        return 4;
    case WEFT_I64:
    case WEFT_U64:
    case WEFT_F64:
        return 8;
    }
    return 0;
}

const struct wf_radix_kernels *wf_radix_kernels(size_t item_bytes, size_t key_offset, weft_number key,
                                                struct wf_radix_form *form) {
    size_t key_bytes = wf_number_bytes(key);
    if ((item_bytes != 4 && item_bytes != 8 && item_bytes != 16) || !key_bytes || key_bytes > item_bytes ||
        key_offset > item_bytes - key_bytes)
        return NULL;
    bool is_signed = key == WEFT_I32 || key == WEFT_I64;
    *form = (struct wf_radix_form){key_offset, is_signed ? UINT64_C(1) << (key_bytes * 8 - 1) : 0};
    return all_kernels[item_bytes / 8][key_bytes == 8][key == WEFT_F32 || key == WEFT_F64];
}
