#include "print.h"

#include <stdio.h>

const char *grouped(uint64_t value) {
    static char buffers[8][32];
    static unsigned turn;
    char *end = buffers[turn++ % 8] + 31, *at = end;
    *at = '\0';
    for (unsigned digits = 0; digits == 0 || value > 0; digits++, value /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + value % 10);
    }
    return at;
}

void print_head(const char *name, const char *value) {
    printf("%-10s  %12s   ", name, value);
}

void print_head_number(const char *name, const char *format, double value) {
    char text[32];
    snprintf(text, sizeof text, format, value);
    print_head(name, text);
}
