#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <string.h>

#include "harness/allocators/allocator.h"

const char *allocator_version(void) {
    static char text[64];
    const char *version = "?";
    size_t bytes = sizeof version;
    mallctl("version", &version, &bytes, NULL, 0);
    snprintf(text, sizeof text, "jemalloc %.*s", (int)strcspn(version, "-"), version);
    return text;
}

bool allocator_start(unsigned workers) {
    (void)workers;
    return allocator_is("libjemalloc");
}

bool allocator_stop(void) {
    return true;
}
