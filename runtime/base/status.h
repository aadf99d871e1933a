/*
 * The one way to fail: a status plus the thread's detail text. Also the check every options struct goes through.
 * Threading: each thread has its own text.
 */
#ifndef WF_BASE_STATUS_H
#define WF_BASE_STATUS_H

#include <stddef.h>

#include "base/compiler.h"
#include "weft/status.h"

/* Set the calling thread's detail text and return status. */
WF_COLD WF_PRINTF(2, 3) weft_status wf_fail(weft_status status, const char *format, ...);

/* How many calls of the thread have failed so far: whether its text is news. */
extern _Thread_local uint32_t wf_failures __attribute__((tls_model("initial-exec")));

extern _Thread_local weft_status wf_last_failure __attribute__((tls_model("initial-exec"))); /* its status */

/* The calling thread's text, kept by a call that succeeds although something inside it failed. */
struct wf_detail {
    char text[512];
};
void wf_detail_keep(struct wf_detail *kept);
void wf_detail_restore(const struct wf_detail *kept);

/*
 * Copy a caller's options struct over *known, which holds the defaults. A smaller (older) struct leaves the tail at its
 * defaults; a larger (newer) one is refused unless its unknown tail is all zero. `given` may be NULL.
 */
weft_status wf_options_copy(void *known, size_t known_bytes, const void *given, const char *type_name);

#endif
