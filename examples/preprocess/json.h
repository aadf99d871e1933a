/* Writing JSON by hand: the few forms that the output files need, byte for byte as README.md states. */
#ifndef PREPROCESS_JSON_H
#define PREPROCESS_JSON_H

#include <stdio.h>

/**
 * Write a string with its quotes, in ASCII: other characters as \u escapes in UTF-16, bytes that are no UTF-8 (file names may
 * hold any) as \udc80 to \udcff, as Python's surrogateescape reads them back.
 */
void json_write_string(FILE *file, const char *text);

#endif
