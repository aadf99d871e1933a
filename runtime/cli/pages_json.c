/* The pages of a process as JSON. Counts are bytes, shares are from 0 to 1, addresses are text in hexadecimal digits. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/pages_output.h"
#include "cli/plan_output.h"

static json_t *clean(const char *text) {
    char *copy = wf_text_clean(text);
    json_t *string = copy ? json_string(copy) : NULL;
    free(copy);
    return string;
}

static json_t *number(uint64_t bytes) {
    return json_integer(bytes > INT64_MAX ? INT64_MAX : (json_int_t)bytes);
}

static json_t *total_json(const struct wf_node_total *total) {
    return json_pack("{s:o, s:o, s:o, s:o}", "memory", number(total->memory), "page_cache", number(total->cache), "huge",
                     number(total->huge), "away", number(total->away));
}

static json_t *nodes_json(const struct wf_pages_report *report) {
    json_t *array = json_array();
    for (unsigned node = 0; node < report->nodes->count; node++) {
        json_t *json = total_json(&report->judgement->nodes[node]);
        json_object_set_new(json, "os_index", json_integer(node));
        json_object_set_new(json, "has_cpus", json_boolean(report->nodes->has_cpus[node]));
        bool known = report->running->by != WF_RUNNING_ANYWHERE;
        json_object_set_new(json, "running", known ? json_real(report->running->share[node]) : json_null());
        json_array_append_new(array, json);
    }
    return array;
}

static json_t *mapping_json(const struct wf_process_mapping *mapping, unsigned node_count) {
    json_t *on = json_array();
    for (unsigned node = 0; node < node_count; node++)
        json_array_append_new(on, number(mapping->on[node]));
    json_t *end = mapping->end ? json_sprintf("%" PRIx64, mapping->end) : json_null();
    return json_pack("{s:o, s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:o}", "start",
                     json_sprintf("%" PRIx64, mapping->start), "end", end, "name", clean(mapping->name), "kind",
                     wf_kind_name(mapping), "policy", clean(mapping->policy), "verdict", wf_verdict_name(mapping->verdict),
                     "bytes", number(mapping->bytes), "huge", number(mapping->huge_bytes), "locked",
                     number(mapping->locked_bytes), "away_bytes", number(mapping->away_bytes), "away", mapping->away, "movable",
                     number(mapping->movable_bytes), "sharers", number(mapping->sharers), "on", on);
}

static json_t *mappings_json(const struct wf_pages_report *report) {
    json_t *array = json_array();
    for (size_t i = 0; i < report->mappings->count; i++) {
        const struct wf_process_mapping *mapping = &report->mappings->list[i];
        if (mapping->verdict != WF_VERDICT_FINE || report->all)
            json_array_append_new(array, mapping_json(mapping, report->nodes->count));
    }
    return array;
}

static json_t *help_json(const struct wf_pages_report *report) {
    json_t *array = json_array();
    char *help = wf_pages_help(report);
    for (const char *line = help; line && *line; line += strcspn(line, "\n") + 1)
        json_array_append_new(array, json_stringn(line, strcspn(line, "\n")));
    free(help);
    return array;
}

int wf_pages_print_json(FILE *to, const struct wf_pages_report *report) {
    const struct wf_running *running = report->running;
    const struct wf_judgement *judgement = report->judgement;
    size_t wrong = judgement->count[WF_VERDICT_AWAY] + judgement->count[WF_VERDICT_UNEVEN];
    json_t *root =
        json_pack("{s:i, s:o, s:I, s:s, s:f, s:f, s:f, s:o, s:o, s:I, s:o, s:o, s:I, s:b, s:o}", "pid", (int)report->pid, "name",
                  clean(report->name), "threads", (json_int_t)running->threads, "running_by", wf_running_name(running->by),
                  "seconds", running->seconds, "cpu_seconds", running->cpu_seconds, "threshold", judgement->threshold, "nodes",
                  nodes_json(report), "all", total_json(&judgement->all), "wrong", (json_int_t)wrong, "movable",
                  number(judgement->movable), "mappings", mappings_json(report), "strange_lines",
                  (json_int_t)report->mappings->strange, "smaps", report->mappings->sizes, "help", help_json(report));
    if (!root) {
        errno = ENOMEM;
        return -1;
    }
    int failed = json_dumpf(root, to, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    return failed || fputc('\n', to) == EOF ? -1 : 0;
}
