/* The watch over what a call prints and says, and reading inputs. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

#define UNTOUCHED "no call has failed since this was written"

static int watch = -1, kept[2] = {-1, -1}; /* the file that catches what is printed; the real standard output and error */
static bool watching, loud;

/* As the C library does: a request that is too large gives NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void report_to(int descriptor) {
#ifdef SANITIZED
    __sanitizer_set_report_fd((void *)(intptr_t)descriptor);
#else
    (void)descriptor;
#endif
}

static void set_up(void) {
    watch = memfd_create("weft-fuzz-printed", MFD_CLOEXEC);
    loud = getenv("WEFT_FUZZ_LOUD") != NULL;
    for (int i = 0; i < 2; i++)
        kept[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 10);
    if (watch < 0 || kept[0] < 0 || kept[1] < 0)
        abort();
    report_to(kept[1]);
}

static void put_back(void) {
    if (!watching)
        return;
    watching = false;
    fflush(NULL);
    for (int i = 0; i < 2 && !loud; i++)
        dup2(kept[i], i + 1);
}

void fuzz_failed(const char *file, int line, const char *condition, const char *format, ...) {
    va_list args;
    put_back();
    fprintf(stderr, "%s:%d: not %s: ", file, line, condition);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

void fuzz_begin(void) {
    if (watch < 0)
        set_up();
    fflush(NULL);
    for (int i = 0; i < 2 && !loud; i++)
        dup2(watch, i + 1);
    watching = true;
    wf_fail(WEFT_EINVAL, UNTOUCHED);
}

void fuzz_end(weft_status status) {
    char printed[512] = "";
    put_back();
    off_t length = lseek(watch, 0, SEEK_CUR);
    if (length > 0) {
        ssize_t got = pread(watch, printed, sizeof printed - 1, 0);
        printed[got > 0 ? got : 0] = 0;
    }
    FUZZ_CHECK(length == 0, "the library printed %lld bytes: %s", (long long)length, printed);
    const char *detail = weft_error_detail();
    bool untouched = !strcmp(detail, UNTOUCHED);
    FUZZ_CHECK(untouched || status, "a success left the text \"%s\"", detail);
    FUZZ_CHECK(!untouched || !status, "%s left no text", weft_status_name(status));
    FUZZ_CHECK(*detail && *weft_status_name(status) && strcmp(weft_status_name(status), "WEFT_E?"), "status %d", (int)status);
}

static char *take(struct fuzz_input *input, size_t length) {
    char *text = malloc(length + 1);
    if (!text)
        abort();
    memcpy(text, length ? (const void *)input->data : "", length);
    text[length] = 0;
    input->data += length;
    input->size -= length;
    return text;
}

char *fuzz_line(struct fuzz_input *input) {
    const uint8_t *end = input->size ? memchr(input->data, '\n', input->size) : NULL;
    char *text = take(input, end ? (size_t)(end - input->data) : input->size);
    if (end) {
        input->data++;
        input->size--;
    }
    return text;
}

char *fuzz_rest(struct fuzz_input *input) {
    return take(input, input->size);
}

uint64_t fuzz_number(struct fuzz_input *input, unsigned bytes) {
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes && input->size; i++, input->size--)
        number |= (uint64_t)*input->data++ << (8 * i);
    return number;
}

unsigned fuzz_count(const char *text) {
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    return end == text || *end || number > UINT_MAX ? 0 : (unsigned)number;
}

/* A product beyond all bounds must be refused at once, so such texts are small as well. */
bool fuzz_is_small_description(const char *text, double most) {
    struct stat info;
    size_t length = strlen(text);
    double product = 1;
    if (strchr(text, '/') || !stat(text, &info) || (length >= 4 && !strcmp(text + length - 4, ".xml")))
        return false;
    for (const char *at = text; *at;) {
        size_t digits = strspn(at, "0123456789");
        double number = digits ? strtod(at, NULL) : 1;
        product *= number > 1 ? number : 1;
        at += digits ? digits : 1;
    }
    return product <= most || product > 1e12;
}

weft_status fuzz_plan(const weft_plan_options *options) {
    weft_plan *untouched = (weft_plan *)(void *)&watch, *plan = untouched;
    fuzz_begin();
    weft_status status = weft_plan_create(&plan, options);
    fuzz_end(status);
    if (status) {
        FUZZ_CHECK(plan == untouched, "a plan was written by a call that failed with %s", weft_error_detail());
        return status;
    }
    struct fuzz_asked asked = {.workers = options->workers, .smt = options->smt};
    fuzz_check_plan(plan, &asked);
    fuzz_check_faces(plan);
    weft_plan_destroy(plan);
    return WEFT_OK;
}

void fuzz_memory_file(const void *bytes, size_t length, char path[64]) {
    static int file = -1;
    if (file < 0 && (file = memfd_create("weft-fuzz-input", MFD_CLOEXEC)) < 0)
        abort();
    if (ftruncate(file, 0) || pwrite(file, bytes, length, 0) != (ssize_t)length)
        abort();
    snprintf(path, 64, "/proc/self/fd/%d", file);
}
