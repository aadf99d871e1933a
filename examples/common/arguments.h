/* Numbers on the command line, for programs that read it by argp. */
#ifndef EXAMPLES_ARGUMENTS_H
#define EXAMPLES_ARGUMENTS_H

#include <argp.h>
#include <stdint.h>

/** The number that `text` is; what is none, or out of range, ends the program with a line that names the option. */
uint64_t whole_number(struct argp_state *state, const char *name, const char *text, uint64_t least, uint64_t most);

#endif
