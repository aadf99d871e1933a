/* Summaries: one aligned line per question that somebody would ask, written by one thread. */
#ifndef EXAMPLES_PRINT_H
#define EXAMPLES_PRINT_H

#include <stdint.h>

/** A number with its thousands apart, in one of a few static buffers that take turns. */
const char *grouped(uint64_t value);

static inline double percent(uint64_t part, uint64_t all) {
    return all > 0 ? 100.0 * (double)part / (double)all : 0;
}

/** The begin of a line: what it is about, and its number. */
void print_head(const char *name, const char *value);
void print_head_number(const char *name, const char *format, double value);

#endif
