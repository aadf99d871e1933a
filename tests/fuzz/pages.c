/*
 * What `weft pages` reads of a process: numa_maps, smaps, stat, status, lists of CPUs. Input: these in turn, separated by lines "==";
 * the list is that of node 1. What was understood is judged and told of, in text and JSON.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/pages_output.h"
#include "fuzz.h"

#define PARTS 5
#define NODES 3
#define CPUS 64

static char *take_part(struct fuzz_input *input) {
    static const uint8_t mark[] = {'=', '=', '\n'};
    const uint8_t *end = input->size ? memmem(input->data, input->size, mark, sizeof mark) : NULL;
    size_t length = end ? (size_t)(end - input->data) : input->size;
    char *text = malloc(length + 1);
    if (!text)
        abort();
    memcpy(text, input->data, length);
    text[length] = 0;
    input->data += length + (end ? sizeof mark : 0);
    input->size -= length + (end ? sizeof mark : 0);
    return text;
}

/* Ranges go up in themselves, stay below the limit, and the list is read once. */
static void check_list(const char *list, int *of_cpu, bool *has_cpus) {
    unsigned first, last, rounds = 0;
    for (const char *at = list; wf_proc_range(&at, CPUS, &first, &last); rounds++) {
        FUZZ_CHECK(first <= last && last < CPUS && at <= list + strlen(list) && rounds <= strlen(list), "range %u-%u", first,
                   last);
        for (unsigned cpu = first; cpu <= last; cpu++)
            of_cpu[cpu] = 1;
        has_cpus[1] = true;
    }
}

static void check_mappings(const struct wf_process_mappings *mappings, const struct wf_judgement *judgement) {
    uint64_t sum = 0, total = judgement->all.memory + judgement->all.cache;
    size_t counted = 0;
    for (size_t i = 0; i < mappings->count; i++) {
        const struct wf_process_mapping *mapping = &mappings->list[i];
        uint64_t on = 0;
        for (unsigned node = 0; node < NODES; node++)
            on += mapping->on[node];
        FUZZ_CHECK(on == mapping->bytes, "a mapping's nodes do not sum up");
        FUZZ_CHECK(mapping->huge_bytes <= on && mapping->anonymous_bytes <= on && mapping->locked_bytes <= on,
                   "more than there is");
        FUZZ_CHECK(mapping->away_bytes <= on && mapping->movable_bytes <= mapping->away_bytes, "more is away than there is");
        FUZZ_CHECK(mapping->away >= 0 && mapping->away <= 1.000001, "share %g", mapping->away);
        FUZZ_CHECK(!i || mapping[-1].verdict <= WF_VERDICT_UNEVEN || mapping->verdict >= mapping[-1].verdict,
                   "not gravest first");
        sum += on;
    }
    for (unsigned verdict = 0; verdict <= WF_VERDICT_FINE; verdict++)
        counted += judgement->count[verdict];
    FUZZ_CHECK(counted == mappings->count && sum == total, "%zu mappings are judged of %zu", counted, mappings->count);
}

static void check_faces(const struct wf_pages_report *report) {
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    FUZZ_CHECK(to && !wf_pages_print_text(to, report) && !fclose(to), "no text");
    FUZZ_CHECK(length && strlen(text) == length, "the text holds a NUL");
    free(text);
    text = NULL;
    to = open_memstream(&text, &length);
    FUZZ_CHECK(to && !wf_pages_print_json(to, report) && !fclose(to), "no JSON");
    json_error_t error;
    json_t *root = json_loadb(text, length, 0, &error);
    FUZZ_CHECK(root, "JSON: %s", error.text);
    FUZZ_CHECK(json_array_size(json_object_get(root, "mappings")) == report->mappings->count, "mappings are missing");
    json_decref(root);
    free(text);
}

/* Two looks at a thread: the second has what stat says, the first a tenth. */
static void watch(struct wf_cpu_watch *cpus, const char *text, struct wf_proc_stat *stat) {
    for (unsigned look = 0; look < 2; look++) {
        struct wf_seen_thread *seen = calloc(1, sizeof *seen);
        if (!seen)
            abort();
        bool known = wf_proc_stat(text, stat);
        *seen = (struct wf_seen_thread){7, known ? stat->cpu : 0, known ? stat->ticks / (look ? 1 : 10) : 0};
        wf_cpu_watch_count(cpus, seen, 1);
    }
}

static void judge(char *parts[PARTS], struct wf_machine_nodes *nodes) {
    struct wf_cpu_watch cpus;
    struct wf_running running;
    struct wf_process_mappings mappings;
    struct wf_judgement judgement;
    struct wf_proc_stat stat = {.name = ""};
    struct wf_process none = {.directory = -1};
    char value[16];
    wf_proc_status(parts[3], "Cpus_allowed_list", value, sizeof value);
    FUZZ_CHECK(!wf_mappings_parse(&mappings, parts[0], *parts[1] ? parts[1] : NULL, NODES), "no memory");
    FUZZ_CHECK(!wf_cpu_watch_begin(&cpus, nodes), "no memory");
    watch(&cpus, parts[2], &stat);
    none.pid = 7;
    cpus.count = 0; /* no affinity of a thread that is not there */
    FUZZ_CHECK(!wf_cpu_watch_end(&cpus, &none, 1, &running), "no memory");
    FUZZ_CHECK(!wf_pages_judge(&judgement, &mappings, &running, nodes, 0.25), "no memory");
    check_mappings(&mappings, &judgement);
    check_faces(&(struct wf_pages_report){7, stat.name, nodes, &mappings, &running, &judgement, true});
    wf_judgement_release(&judgement);
    wf_running_release(&running);
    wf_cpu_watch_release(&cpus);
    wf_process_mappings_release(&mappings);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    char *parts[PARTS];
    bool has_cpus[NODES] = {true}, has_memory[NODES] = {true, true, true};
    int of_cpu[CPUS] = {0};
    struct wf_machine_nodes nodes = {NODES, has_cpus, has_memory, CPUS, of_cpu};
    for (unsigned i = 0; i < PARTS; i++)
        parts[i] = take_part(&input);
    fuzz_begin();
    check_list(parts[4], of_cpu, has_cpus);
    judge(parts, &nodes);
    fuzz_end(WEFT_OK);
    for (unsigned i = 0; i < PARTS; i++)
        free(parts[i]);
    return 0;
}
