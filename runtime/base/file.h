/* A whole file as text. Threading: any thread. */
#ifndef WF_BASE_FILE_H
#define WF_BASE_FILE_H

#include <stddef.h>

#include "weft/status.h"

/* What a file is to be, for the sentence that refuses it. */
struct wf_file_kind {
    const char *what;  /* "topology file" */
    weft_status wrong; /* no such file, one that cannot be read, not regular, or too large */
    size_t bytes_most;
};

/*
 * The file as it is, with a 0 behind its *bytes bytes; free() it, also after an error. Nobody waits for the writer of a pipe.
 * The kind's `wrong`; WEFT_ENOMEM; WEFT_EPERM: no file descriptor is left.
 */
weft_status wf_file_read(const char *path, const struct wf_file_kind *kind, char **text, size_t *bytes);

#endif
