/* Arguments read, each as the whole of its text. */
#include "cli/arguments.h"

#include <errno.h>
#include <stdlib.h>

error_t wf_argument_number(struct argp_state *state, const char *name, const char *text, unsigned long least, unsigned long most,
                           unsigned long *number) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno && value >= least && value <= most) {
        *number = value;
        return 0;
    }
    argp_error(state, "--%s=%s: it is a whole number from %lu to %lu", name, text, least, most);
    return EINVAL;
}
