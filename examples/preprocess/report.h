/* What a run came to, for machines: index.jsonl, duplicates.jsonl and report.json. README.md states their forms. */
#ifndef PREPROCESS_REPORT_H
#define PREPROCESS_REPORT_H

#include "output.h"
#include "run.h"
#include "shards.h"

/** Numbers over all documents. */
struct totals {
    uint64_t documents; /* all, whatever came of them */
    uint64_t usable;    /* with a text that was compared */
    uint64_t exact, near;
    uint64_t kept, kept_tokens;       /* in the index */
    uint64_t tokens, text_bytes;      /* of the usable ones */
    uint64_t problems[PROBLEM_KINDS]; /* by kind, of documents and of other inputs */
    bool failures;                    /* whether any of these is a failure */
};

/** Add up. After the shards are written. */
void totals_compute(struct totals *totals, const struct run *run);

/** Whether a duplicate has the very text of its representative. */
bool finding_is_exact(const struct run *run, size_t id);

/** Write the three files under their temporary names. False: error says which one failed and why. */
bool report_write(const struct run *run, const struct layout *layout, const struct totals *totals, const struct output *output,
                  struct output_error *error);

#endif
