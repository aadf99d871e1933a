/* Reads as much as the file had when it was opened. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"

/* Too few bytes or descriptors are not the file's fault. */
static weft_status refuse(const char *path, const struct wf_file_kind *kind, int error) {
    weft_status status = error == ENOMEM ? WEFT_ENOMEM : error == EMFILE || error == ENFILE ? WEFT_EPERM : kind->wrong;
    return wf_fail(status, "%s \"%s\": %s", kind->what, path, strerror(error));
}

weft_status wf_file_read(const char *path, const struct wf_file_kind *kind, char **text, size_t *bytes) {
    struct stat info;
    *text = NULL;
    *bytes = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* which a pipe's reader does not wait with */
    if (file < 0 || fstat(file, &info)) {
        int error = errno;
        if (file >= 0)
            close(file);
        return refuse(path, kind, error);
    }
    weft_status status = WEFT_OK;
    size_t size = info.st_size > 0 ? (size_t)info.st_size : 0;
    if (!S_ISREG(info.st_mode))
        status = wf_fail(kind->wrong, "\"%s\" is not a regular file", path);
    else if (size > kind->bytes_most)
        status = wf_fail(kind->wrong, "%s \"%s\" has %zu bytes: at most %zu", kind->what, path, size, kind->bytes_most);
    else if (!(*text = malloc(size + 1)))
        status = wf_fail(WEFT_ENOMEM, "no memory to read \"%s\"", path);
    for (ssize_t got = 1; !status && got > 0 && *bytes<size; *bytes += got> 0 ? (size_t)got : 0)
        if ((got = read(file, *text + *bytes, size - *bytes)) < 0)
            status = refuse(path, kind, errno);
    close(file);
    if (*text)
        (*text)[*bytes] = 0;
    return status;
}
