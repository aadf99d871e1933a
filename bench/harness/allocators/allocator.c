/* What the programs of all allocators share: whose malloc() it is, and how much memory is resident. Threads: the main thread. */
#include "harness/allocators/allocator.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static double resident_before;

bool allocator_is(const char *name) {
    const char *calls[] = {"malloc", "free"};
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        Dl_info from;
        void *call = dlsym(RTLD_DEFAULT, calls[i]);
        if (!call || !dladdr(call, &from) || !strstr(from.dli_fname, name)) {
            fprintf(stderr, "%s() is not that of %s\n", calls[i], name);
            return false;
        }
    }
    return true;
}

/* A field of the process's own status in MiB. Less than 0: it has none. */
static double status_mib(const char *field) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = -1024;
    while (file && kib < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, field, strlen(field)))
            sscanf(line + strlen(field), ": %lf", &kib);
    if (file)
        fclose(file);
    return kib / 1024;
}

void memory_begin(void) {
    resident_before = status_mib("VmRSS");
}

double memory_peak(void) {
    double peak = status_mib("VmHWM");
    return peak < 0 || resident_before < 0 ? -1 : peak - resident_before;
}
