/*
 * The two faces of a process's pages: text for people, JSON for programs.
 * Threading: one thread. Each returns 0, or -1 with errno set.
 */
#ifndef WF_CLI_PAGES_OUTPUT_H
#define WF_CLI_PAGES_OUTPUT_H

#include <stdio.h>

#include "cli/pages_judge.h"

struct wf_pages_report {
    pid_t pid;
    const char *name;
    const struct wf_machine_nodes *nodes;
    const struct wf_process_mappings *mappings; /* judged, gravest first */
    const struct wf_running *running;
    const struct wf_judgement *judgement;
    bool all; /* tell of mappings that are fine as well */
};

int wf_pages_print_text(FILE *to, const struct wf_pages_report *report);
int wf_pages_print_json(FILE *to, const struct wf_pages_report *report);

/* What would help, one line of text each, in the order of what is easiest. The caller frees the text; NULL: no memory. "" if nothing. */
char *wf_pages_help(const struct wf_pages_report *report);

/* Words that both use. */
const char *wf_verdict_name(enum wf_verdict verdict);               /* "away" */
const char *wf_kind_name(const struct wf_process_mapping *mapping); /* "heap", "page cache" */
const char *wf_running_name(enum wf_running_by by);                 /* "CPU time" */

#endif
