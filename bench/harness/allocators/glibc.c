#include <gnu/libc-version.h>
#include <stdio.h>

#include "harness/allocators/allocator.h"

const char *allocator_version(void) {
    static char text[32];
    snprintf(text, sizeof text, "glibc %s", gnu_get_libc_version());
    return text;
}

bool allocator_start(unsigned workers) {
    (void)workers;
    return allocator_is("/libc.so");
}

bool allocator_stop(void) {
    return true;
}
