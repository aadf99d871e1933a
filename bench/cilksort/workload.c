#include "cilksort/workload.h"

#include <stdlib.h>
#include <string.h>

#define COUNT (1u << 20)
#define INSERTED 24 /* so few are sorted by insertion */

static uint32_t *input, *numbers, *room;
static uint64_t input_sum, input_mix;

static void insert(uint32_t *x, size_t count) {
    for (size_t i = 1; i < count; i++) {
        uint32_t moved = x[i];
        size_t at = i;
        for (; at && x[at - 1] > moved; at--)
            x[at] = x[at - 1];
        x[at] = moved;
    }
}

static uint32_t middle(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

static void quicksort(uint32_t *x, size_t count) {
    while (count > INSERTED) {
        uint32_t pivot = middle(x[0], x[count / 2], x[count - 1]);
        size_t low = 0, high = count - 1;
        for (;; low++, high--) {
            while (x[low] < pivot)
                low++;
            while (x[high] > pivot)
                high--;
            if (low >= high)
                break;
            uint32_t swapped = x[low];
            x[low] = x[high];
            x[high] = swapped;
        }
        quicksort(x, low);
        x += low;
        count -= low;
    }
    insert(x, count);
}

void sort_piece(const struct part *part) {
    quicksort(part->numbers, part->count);
}

void merge_piece(const struct merge *merge) {
    const uint32_t *left = merge->left, *right = merge->right;
    const uint32_t *left_end = left + merge->left_count, *right_end = right + merge->right_count;
    uint32_t *out = merge->out;
    while (left < left_end && right < right_end)
        *out++ = *left <= *right ? *left++ : *right++;
    memcpy(out, left, sizeof *out * (size_t)(left_end - left));
    out += left_end - left;
    memcpy(out, right, sizeof *out * (size_t)(right_end - right));
}

static struct merge longer_first(struct merge merge) {
    if (merge.left_count >= merge.right_count)
        return merge;
    return (struct merge){merge.right, merge.left, merge.right_count, merge.left_count, merge.out};
}

struct merge sort_merge(const struct part *whole, unsigned index) {
    size_t half = whole->count / 4 * 2, quarter = whole->count / 4, rest = whole->count - half;
    if (index == 2)
        return longer_first((struct merge){whole->room, whole->room + half, half, rest, whole->numbers});
    uint32_t *from = whole->numbers + index * half;
    return longer_first(
        (struct merge){from, from + quarter, quarter, (index ? rest : half) - quarter, whole->room + index * half});
}

/* How many of the sorted numbers are below the limit. */
static size_t below(const uint32_t *x, size_t count, uint32_t limit) {
    size_t first = 0;
    while (count) {
        size_t half = count / 2;
        if (x[first + half] < limit) {
            first += half + 1;
            count -= half + 1;
        } else
            count = half;
    }
    return first;
}

void merge_cut(const struct merge *whole, struct merge *low, struct merge *high) {
    size_t left = whole->left_count / 2, right = below(whole->right, whole->right_count, whole->left[left]);
    *low = longer_first((struct merge){whole->left, whole->right, left, right, whole->out});
    *high = longer_first((struct merge){whole->left + left, whole->right + right, whole->left_count - left,
                                        whole->right_count - right, whole->out + left + right});
}

static uint64_t mix(uint32_t number) {
    uint64_t x = (number + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ (x >> 31);
}

static bool begin(void) {
    input = malloc(COUNT * sizeof *input);
    numbers = malloc(COUNT * sizeof *numbers);
    room = malloc(COUNT * sizeof *room);
    if (!input || !numbers || !room)
        return false;
    uint32_t state = 1;
    for (size_t i = 0; i < COUNT; i++) {
        state = state * 1664525u + 1013904223u;
        input[i] = state >> 4;
        input_sum += input[i];
        input_mix += mix(input[i]);
    }
    memset(room, 0, COUNT * sizeof *room);
    return true;
}

struct part sort_whole(long count) {
    return (struct part){numbers, room, (size_t)count};
}

static void prepare(long count) {
    memcpy(numbers, input, (size_t)count * sizeof *numbers);
}

/* In order, and the same numbers as before as far as two sums tell. */
static bool check(long count) {
    uint64_t sum = numbers[0], sum_mix = mix(numbers[0]);
    for (size_t i = 1; i < (size_t)count; i++) {
        if (numbers[i - 1] > numbers[i])
            return false;
        sum += numbers[i];
        sum_mix += mix(numbers[i]);
    }
    return sum == input_sum && sum_mix == input_mix;
}

static const struct fork_join_case cases[] = {{"1,048,576 numbers", COUNT, 0, 1e6}, {0}};
const struct fork_join_workload fork_join_workload = {.cases = cases, .begin = begin, .prepare = prepare, .check = check};
