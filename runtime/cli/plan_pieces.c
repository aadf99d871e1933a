/* Pieces of text and small look-ups that the faces of a plan share. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plan_output.h"

static char *rotating_buffer(void) {
    static char buffers[8][32];
    static unsigned next;
    return buffers[next++ % 8];
}

/* A run of consecutive numbers: "5," "5,6," or "5-9,". */
static void print_run(FILE *to, unsigned first, unsigned last, bool more) {
    if (first == last)
        fprintf(to, "%u", first);
    else
        fprintf(to, "%u%c%u", first, last == first + 1 ? ',' : '-', last);
    if (more)
        fputc(',', to);
}

char *wf_text_list(const unsigned *numbers, unsigned count) {
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    if (!to)
        return NULL;
    for (unsigned first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && numbers[end] == numbers[end - 1] + 1;)
            end++;
        print_run(to, numbers[first], numbers[end - 1], end < count);
    }
    return fclose(to) ? (free(text), NULL) : text;
}

/* Bytes of the character at `at`; 0 if there is none that UTF-8 and XML allow. */
static size_t character_bytes(const unsigned char *at) {
    size_t length = at[0] < 0x80 ? at[0] >= ' ' : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool beyond = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
                  (at[0] == 0xf4 && at[1] > 0x8f) || (at[0] == 0xef && at[1] == 0xbf && at[2] > 0xbd);
    return beyond ? 0 : length;
}

char *wf_text_clean(const char *text) {
    char *clean = strdup(text);
    for (char *at = clean; at && *at;) {
        size_t length = character_bytes((const unsigned char *)at);
        if (!length)
            *at = '?';
        at += length ? length : 1;
    }
    return clean;
}

static int by_value(const void *a, const void *b) {
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

char *wf_text_pus(const weft_plan *plan, unsigned first_worker, unsigned count) {
    const weft_plan_worker *workers = weft_plan_workers(plan, NULL);
    unsigned *pus = calloc(count + 1, sizeof *pus);
    if (!pus)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        pus[i] = workers[first_worker + i].pu;
    qsort(pus, count, sizeof *pus, by_value);
    char *text = wf_text_list(pus, count);
    free(pus);
    return text;
}

char *wf_text_nodes(const int *os_indexes, unsigned count) {
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    if (!to)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        fprintf(to, "%s%s", i ? ", " : "", wf_text_node(os_indexes[i]));
    return fclose(to) ? (free(text), NULL) : text;
}

const char *wf_text_bytes(uint64_t bytes, const char *unknown) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    char *text = rotating_buffer();
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= 1024 && unit < 5) {
        value /= 1024;
        unit++;
    }
    if (!bytes)
        return unknown;
    bool whole = value >= 100 || value - (double)(uint64_t)value < 0.05;
    snprintf(text, 32, "%.*f %s", whole ? 0 : 1, value, units[unit]);
    return text;
}

const char *wf_text_node(int os_index) {
    char *text = rotating_buffer();
    if (os_index >= 0)
        snprintf(text, 32, "%d", os_index);
    else
        snprintf(text, 32, "unnamed %d", -os_index);
    return text;
}

uint64_t wf_plan_distance(const weft_plan *plan, unsigned from, unsigned to) {
    const weft_plan_node *nodes = weft_plan_nodes(plan, NULL);
    const weft_plan_worker *worker = &weft_plan_workers(plan, NULL)[nodes[from].first_worker];
    for (unsigned g = 0; from != to && g < worker->group_count; g++) {
        const weft_victim_group *group = &worker->groups[g];
        for (unsigned i = 0; group->kind == WEFT_VICTIM_REMOTE && i < group->worker_count; i++)
            if (group->workers[i] == nodes[to].first_worker)
                return group->distance;
    }
    return 0;
}

unsigned wf_plan_cache_end(const weft_plan *plan, unsigned first) {
    unsigned count;
    const weft_plan_worker *workers = weft_plan_workers(plan, &count);
    unsigned end = first + 1;
    while (end < count && workers[end].node == workers[first].node && workers[end].cache == workers[first].cache &&
           workers[first].cache >= 0)
        end++;
    return end;
}
