/* Detail texts per thread, and the size rule of options structs. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char detail[sizeof(((struct wf_detail *)0)->text)];
_Thread_local uint32_t wf_failures __attribute__((tls_model("initial-exec")));
_Thread_local weft_status wf_last_failure __attribute__((tls_model("initial-exec")));

const char *weft_status_name(weft_status status) {
    static const char *const names[] = {"WEFT_OK",      "WEFT_EINVAL",  "WEFT_ENOMEM",    "WEFT_EAGAIN",    "WEFT_ECLOSED",
                                        "WEFT_EPERM",   "WEFT_ENOTSUP", "WEFT_EIO",       "WEFT_ETOPOLOGY", "WEFT_EDEADLK",
                                        "WEFT_ESTRICT", "WEFT_EFORK",   "WEFT_ECANCELED", "WEFT_ETIMEDOUT"};
    size_t index = (size_t)status;
    return index < WF_ARRAY_LENGTH(names) ? names[index] : "WEFT_E?";
}

const char *weft_error_detail(void) {
    return detail;
}

weft_status wf_fail(weft_status status, const char *format, ...) {
    char text[sizeof detail]; /* an argument may be the text of the failure below this one */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(detail, text, strlen(text) + 1);
    wf_failures++;
    wf_last_failure = status;
    return status;
}

void wf_detail_keep(struct wf_detail *kept) {
    memcpy(kept->text, detail, sizeof kept->text);
}

void wf_detail_restore(const struct wf_detail *kept) {
    memcpy(detail, kept->text, sizeof kept->text);
}

weft_status wf_options_copy(void *known, size_t known_bytes, const void *given, const char *type_name) {
    if (!given)
        return WEFT_OK;
    size_t given_bytes;
    memcpy(&given_bytes, given, sizeof given_bytes); /* the first field of every options struct */
    if (given_bytes < sizeof(size_t))
        return wf_fail(WEFT_EINVAL, "%s.size is %zu: start the struct from its ..._INIT macro", type_name, given_bytes);
    const unsigned char *bytes = given;
    for (size_t i = known_bytes; i < given_bytes; i++)
        if (bytes[i])
            return wf_fail(
                WEFT_EINVAL,
                "%s has a setting at byte %zu that this library (size %zu) does not know: it was built for a newer weft",
                type_name, i, known_bytes);
    memcpy(known, given, given_bytes < known_bytes ? given_bytes : known_bytes);
    memcpy(known, &known_bytes, sizeof known_bytes);
    return WEFT_OK;
}
