/*
 * What all harnesses share: checks that end the process, the watch over what is printed, and the rules that hold for every
 * call of the library. Threading: a harness runs on one thread.
 */
#ifndef WF_TESTS_FUZZ_H
#define WF_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/plan.h"

/* libFuzzer's two entry points (llvm.org/docs/LibFuzzer.html); replay.c calls them where there is no libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A property that must hold for every input: prints the sentence and aborts where it does not. */
#define FUZZ_CHECK(condition, ...) ((condition) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #condition, __VA_ARGS__))
__attribute__((noreturn, format(printf, 4, 5))) void fuzz_failed(const char *file, int line, const char *condition,
                                                                 const char *format, ...);

/*
 * Between the two nothing may be written to standard output or standard error (WEFT_FUZZ_LOUD=1 in the environment lets it
 * through, to read an assert's words), and the detail text may change only by a failure. fuzz_end(status) checks: a failure has
 * said what was wrong, a success has left the text alone.
 */
void fuzz_begin(void);
void fuzz_end(weft_status status);

/* The next line of the input, as text of its own that ends at a newline or at the end; "" when the input is used up. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};
char *fuzz_line(struct fuzz_input *input);
/* All that is left, as text (it ends at the first NUL); its length. */
char *fuzz_rest(struct fuzz_input *input);
/* Some bytes as a little-endian number, 0 when the input is used up. */
uint64_t fuzz_number(struct fuzz_input *input, unsigned bytes);

/* A number if the text is one, else 0. */
unsigned fuzz_count(const char *text);

/* Is the text a synthetic description (no path) of at most `most` PUs, however its numbers are read? */
bool fuzz_is_small_description(const char *text, double most);

/* What a plan was asked for, as far as it can be checked; zero: not known. */
struct fuzz_asked {
    unsigned workers;
    bool smt, one_per_core; /* one_per_core: smt is known to be off */
};

/* Every promise of weft/plan.h that can be seen from outside, and the masks of machine/binding.h. */
void fuzz_check_plan(const weft_plan *plan, const struct fuzz_asked *asked);

/* The three faces of the weft command tell of the same plan, and JSON and SVG can be parsed. */
void fuzz_check_faces(const weft_plan *plan);
void fuzz_check_json(const char *text, size_t length, const weft_plan *plan); /* plan NULL: only that it can be parsed */
void fuzz_check_svg(const char *text, size_t length, const weft_plan *plan);

/* weft_plan_create() under the watch; checks the plan and its faces, and releases it. */
weft_status fuzz_plan(const weft_plan_options *options);

/* A file in memory with this content; *path names it for a call that wants a path. Made once, rewritten each time. */
void fuzz_memory_file(const void *bytes, size_t length, char path[64]);

#endif
