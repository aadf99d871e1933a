/* What the commands' arguments have in common. Threading: one thread. */
#ifndef WF_CLI_ARGUMENTS_H
#define WF_CLI_ARGUMENTS_H

#include <argp.h>

/* A whole number from `least` to `most`, of option --NAME. EINVAL with argp's message, where argp was told not to end the process. */
error_t wf_argument_number(struct argp_state *state, const char *name, const char *text, unsigned long least, unsigned long most,
                           unsigned long *number);

#endif
