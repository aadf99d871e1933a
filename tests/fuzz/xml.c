/* A topology handed over as an XML file: whatever stands in it, a plan that keeps its promises or a refusal in words. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* An XML file of any content is at most this long here; longer ones add nothing but time. */
#define MOST_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    if (size > MOST_BYTES)
        return 0;
    for (int smt = 0; smt < 2; smt++) {
        fuzz_memory_file(data, size, path);
        if (fuzz_plan(&(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = path, .smt = smt}) != WEFT_OK && !smt)
            return 0; /* all PUs are not more than one of each core */
    }
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    static const char *const variables[] = {"WEFT_WORKERS", "WEFT_SMT",     "WEFT_TOPOLOGY",
                                            "WEFT_PIN",     "WEFT_SPIN_US", "WEFT_DISTANCES"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    return 0;
}
