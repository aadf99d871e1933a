#include <mimalloc.h>
#include <stdio.h>

#include "harness/allocators/allocator.h"

const char *allocator_version(void) {
    static char text[32];
    int version = mi_version();
    snprintf(text, sizeof text, "mimalloc %d.%d.%d", version / 100, version / 10 % 10, version % 10);
    return text;
}

bool allocator_start(unsigned workers) {
    (void)workers;
    return allocator_is("libmimalloc");
}

bool allocator_stop(void) {
    return true;
}
