/* What would help against pages that are away, by what can be seen of a process. */
#include <stdlib.h>
#include <string.h>

#include "cli/pages_output.h"
#include "cli/plan_output.h"

const char *wf_verdict_name(enum wf_verdict verdict) {
    static const char *const names[] = {"away", "uneven", "one-sided", "cache away", "fine"};
    return names[verdict];
}

const char *wf_kind_name(const struct wf_process_mapping *mapping) {
    static const char *const names[] = {"anonymous", "heap", "stack", "shared memory", "file"};
    if (mapping->reserved_huge)
        return "reserved huge pages";
    if (mapping->kind == WF_MAPPING_FILE)
        return wf_mapping_is_cache(mapping) ? "page cache" : "copy of a file";
    return names[mapping->kind];
}

const char *wf_running_name(enum wf_running_by by) {
    static const char *const names[] = {"CPU time", "affinity", "nothing"};
    return names[by];
}

/* "0-1,3": the nodes that run the process, or those that do not and hold what is away. */
static char *list_nodes(const struct wf_pages_report *report, bool running) {
    unsigned nodes[WF_PROC_NODES], count = 0;
    for (unsigned node = 0; node < report->nodes->count; node++) {
        bool runs = wf_runs_on(report->running, node);
        if (running ? runs : !runs && report->judgement->nodes[node].away)
            nodes[count++] = node;
    }
    return wf_text_list(nodes, count);
}

/* For pages that are away, and not only unevenly spread. */
static void help_away(FILE *to, const struct wf_pages_report *report, const char *from, const char *into) {
    const struct wf_judgement *judgement = report->judgement;
    unsigned shared = 0, bound = 0;
    for (size_t i = 0; i < report->mappings->count; i++) {
        const struct wf_process_mapping *mapping = &report->mappings->list[i];
        bool wrong = mapping->verdict <= WF_VERDICT_UNEVEN;
        shared += wrong && mapping->sharers > 1;
        bound += wrong && (mapping->mode == WF_POLICY_BIND || mapping->mode == WF_POLICY_PREFERRED);
    }
    if (*from && judgement->movable)
        fprintf(to, "now: migratepages %d %s %s moves what is the process's own there: %s, and what it has interleaved\n",
                report->pid, from, into, wf_text_bytes(judgement->movable, "0 B"));
    fprintf(to, "at the start: numactl --cpunodebind=%s --preferred=%d COMMAND, if one node is enough for it\n", into,
            judgement->target);
    if (*from)
        fprintf(to, "or the other way round: numactl --cpunodebind=%s COMMAND runs it where its memory is\n", from);
    if (judgement->running_nodes == 1)
        fprintf(to,
                "in the program: weft_memory_migrate(start, bytes, %d, &report) moves a mapping; memory lands right when the "
                "threads that use it write it first\n",
                judgement->target);
    else
        fprintf(to, "in the program: weft_array_create() with WEFT_PARTITIONED has each part touched by its worker, and "
                    "weft_array_migrate() repairs it\n");
    if (bound)
        fprintf(to,
                "%u of these mappings %s bound by a policy that names the node: change it too (mbind, numactl), or new pages go "
                "there again\n",
                bound, bound == 1 ? "is" : "are");
    if (shared)
        fprintf(to, "%u of these mappings %s shared with other processes: only root moves such pages (CAP_SYS_NICE)\n", shared,
                shared == 1 ? "is" : "are");
}

static void help_others(FILE *to, const struct wf_judgement *judgement) {
    if (judgement->count[WF_VERDICT_UNEVEN])
        fprintf(to, "uneven: the policy came after the pages. mbind() with MPOL_MF_MOVE spreads them; weft_array_create() with "
                    "WEFT_INTERLEAVED and weft_array_migrate() do so in parallel\n");
    if (judgement->count[WF_VERDICT_ONE_SIDED])
        fprintf(to, "one-sided: where all threads use it, have each write its own part first (weft_array_create() with "
                    "WEFT_PARTITIONED, weft_touch()), or spread it: numactl --interleave=all COMMAND\n");
    if (judgement->count[WF_VERDICT_CACHE_AWAY])
        fprintf(
            to,
            "page cache: it lies where the file was first read. Drop it (posix_fadvise() with POSIX_FADV_DONTNEED) and read it "
            "from a CPU of the right node, or read it into memory of the program\n");
}

char *wf_pages_help(const struct wf_pages_report *report) {
    char *text = NULL, *from = list_nodes(report, false), *into = list_nodes(report, true);
    size_t length;
    FILE *to = from && into ? open_memstream(&text, &length) : NULL;
    if (to) {
        if (report->judgement->count[WF_VERDICT_AWAY] && report->judgement->target >= 0)
            help_away(to, report, from, into);
        help_others(to, report->judgement);
        if (fclose(to)) {
            free(text);
            text = NULL;
        }
    }
    free(from);
    free(into);
    return text;
}
