/* The three text files of the output. They hold nothing that depends on time, machine or number of workers. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

/* One line of the list of problems. */
struct named_problem {
    const char *path, *detail;
    uint32_t line;
    enum problem kind;
};

bool finding_is_exact(const struct run *run, size_t id) {
    const struct finding *f = &run->findings[id], *r = &run->findings[f->representative];
    return f->hash == r->hash && f->text_bytes == r->text_bytes && f->agreement == run->scheme.values;
}

static void add_finding(struct totals *t, const struct run *run, size_t id) {
    const struct finding *f = &run->findings[id];
    t->problems[f->problem]++;
    if (f->tokens == 0)
        return;
    t->usable++;
    t->tokens += f->tokens;
    t->text_bytes += f->text_bytes;
    if (f->representative != id) {
        ++*(finding_is_exact(run, id) ? &t->exact : &t->near);
    } else if (finding_usable(f)) {
        t->kept++;
        t->kept_tokens += f->tokens;
    }
}

void totals_compute(struct totals *t, const struct run *run) {
    const struct collection *c = run->collection;
    *t = (struct totals){.documents = c->document_count};
    for (size_t id = 0; id < c->document_count; id++)
        add_finding(t, run, id);
    for (size_t i = 0; i < c->problem_count; i++)
        t->problems[c->problems[i].kind]++;
    for (enum problem kind = 1; kind < PROBLEM_KINDS; kind++)
        t->failures = t->failures || (problem_is_failure(kind) && t->problems[kind] > 0);
}

static void write_name(FILE *file, const struct document *document) {
    fputs("\"path\":", file);
    json_write_string(file, document->source->path);
    if (document->line != 0)
        fprintf(file, ",\"line\":%" PRIu32, document->line);
}

static void write_index(FILE *file, const struct run *run, const struct layout *layout) {
    for (size_t i = 0; i < layout->kept_count && !ferror(file); i++) {
        uint32_t id = layout->kept[i];
        const struct finding *f = &run->findings[id];
        if (!finding_usable(f))
            continue;
        fprintf(file, "{\"id\":%" PRIu32 ",", id);
        write_name(file, &run->collection->documents[id]);
        fprintf(file,
                ",\"bytes\":%" PRIu64 ",\"xxh64\":\"%016" PRIx64 "\",\"tokens\":%" PRIu64 ",\"shard\":%" PRIu32
                ",\"offset\":%" PRIu64 ",\"duplicates\":%" PRIu32 "}\n",
                f->text_bytes, f->hash, f->tokens, f->shard, f->shard_offset, f->duplicates);
    }
}

static void write_duplicates(FILE *file, const struct run *run) {
    for (size_t id = 0; id < run->collection->document_count && !ferror(file); id++) {
        const struct finding *f = &run->findings[id];
        if (f->representative == id)
            continue;
        fprintf(file, "{\"id\":%zu,", id);
        write_name(file, &run->collection->documents[id]);
        fprintf(file, ",\"of\":%" PRIu32 ",\"kind\":\"%s\",\"similarity\":%.4f}\n", f->representative,
                finding_is_exact(run, id) ? "exact" : "near", (double)f->agreement / run->scheme.values);
    }
}

static int by_place(const void *left, const void *right) {
    const struct named_problem *a = left, *b = right;
    int order = strcmp(a->path, b->path);
    if (order == 0)
        order = (a->line > b->line) - (a->line < b->line);
    return order != 0 ? order : (int)a->kind - (int)b->kind;
}

/* All problems, ordered by place; NULL: out of memory. */
static struct named_problem *gather_problems(const struct run *run, size_t *count) {
    const struct collection *c = run->collection;
    size_t all = c->problem_count, next = 0;
    for (size_t id = 0; id < c->document_count; id++)
        all += !finding_usable(&run->findings[id]);
    struct named_problem *list = calloc(all + 1, sizeof *list);
    if (list == NULL)
        return NULL;
    for (size_t i = 0; i < c->problem_count; i++)
        list[next++] = (struct named_problem){c->problems[i].path, c->problems[i].detail, 0, c->problems[i].kind};
    for (size_t id = 0; id < c->document_count; id++) {
        const struct finding *f = &run->findings[id];
        const struct document *d = &c->documents[id];
        if (!finding_usable(f))
            list[next++] = (struct named_problem){d->source->path, f->detail, d->line, f->problem};
    }
    qsort(list, all, sizeof *list, by_place);
    *count = all;
    return list;
}

static void write_problem(FILE *file, const struct named_problem *p, bool first) {
    fprintf(file, "%s\n{\"path\":", first ? "" : ",");
    json_write_string(file, p->path);
    if (p->line != 0)
        fprintf(file, ",\"line\":%" PRIu32, p->line);
    fprintf(file, ",\"kind\":\"%s\",\"detail\":", problem_name(p->kind));
    json_write_string(file, p->detail == NULL ? "" : p->detail);
    fputc('}', file);
}

static void write_totals(FILE *file, const struct run *run, const struct layout *layout, const struct totals *t) {
    const struct options *o = run->options;
    fprintf(file, "{\"settings\":{\"field\":");
    json_write_string(file, o->field);
    fprintf(file,
            ",\"shingle\":%u,\"bands\":%u,\"rows\":%u,\"threshold\":%.6f,\"vocabulary\":%" PRIu32 ",\"shard_tokens\":%" PRIu64
            "},\n",
            o->shingle, o->bands, o->rows, o->threshold, o->vocabulary, o->shard_tokens);
    fprintf(file,
            "\"documents\":%" PRIu64 ",\"usable\":%" PRIu64 ",\"kept\":%" PRIu64 ",\"exact\":%" PRIu64 ",\"near\":%" PRIu64 ",\n",
            t->documents, t->usable, t->kept, t->exact, t->near);
    fprintf(file, "\"text_bytes\":%" PRIu64 ",\"tokens\":%" PRIu64 ",\"kept_tokens\":%" PRIu64 ",\"shards\":%zu,\n",
            t->text_bytes, t->tokens, t->kept_tokens, layout->shard_count);
    fprintf(file, "\"links\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\n\"counts\":{", run->collection->links,
            run->collection->repeated);
    for (enum problem kind = 1; kind < PROBLEM_KINDS; kind++)
        fprintf(file, "%s\"%s\":%" PRIu64, kind == 1 ? "" : ",", problem_name(kind), t->problems[kind]);
    fputs("},\n", file);
}

/* False: out of memory. */
static bool write_report(FILE *file, const struct run *run, const struct layout *layout, const struct totals *totals) {
    size_t count = 0;
    struct named_problem *problems = gather_problems(run, &count);
    if (problems == NULL)
        return false;
    write_totals(file, run, layout, totals);
    fputs("\"problems\":[", file);
    for (size_t i = 0; i < count && !ferror(file); i++)
        write_problem(file, &problems[i], i == 0);
    fputs("]}\n", file);
    free(problems);
    return true;
}

bool report_write(const struct run *run, const struct layout *layout, const struct totals *totals, const struct output *output,
                  struct output_error *error) {
    FILE *file = output_begin(output, "index.jsonl", error);
    if (file == NULL)
        return false;
    write_index(file, run, layout);
    if (!output_end(output, file, "index.jsonl", error) || (file = output_begin(output, "duplicates.jsonl", error)) == NULL)
        return false;
    write_duplicates(file, run);
    if (!output_end(output, file, "duplicates.jsonl", error) || (file = output_begin(output, "report.json", error)) == NULL)
        return false;
    if (!write_report(file, run, layout, totals)) {
        fclose(file);
        *error = (struct output_error){"report.json", ENOMEM};
        return false;
    }
    return output_end(output, file, "report.json", error);
}
