#include "arguments.h"

#include <errno.h>
#include <stdlib.h>

uint64_t whole_number(struct argp_state *state, const char *name, const char *text, uint64_t least, uint64_t most) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least || value > most)
        argp_error(state, "%s: \"%s\" is not a whole number from %llu to %llu", name, text, (unsigned long long)least,
                   (unsigned long long)most);
    return value;
}
