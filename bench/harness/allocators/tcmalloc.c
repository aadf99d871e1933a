#include <gperftools/tcmalloc.h>
#include <stdio.h>

#include "harness/allocators/allocator.h"

const char *allocator_version(void) {
    static char text[64];
    snprintf(text, sizeof text, "tcmalloc %s", tc_version(NULL, NULL, NULL));
    return text;
}

bool allocator_start(unsigned workers) {
    (void)workers;
    return allocator_is("libtcmalloc");
}

bool allocator_stop(void) {
    return true;
}
