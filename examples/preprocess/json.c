/* Writing JSON strings. */
#include "json.h"

#include <string.h>
#include <utf8proc.h>

static void write_ascii(FILE *file, char byte) {
    static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = strchr(escaped, byte);
    if (found != NULL)
        fprintf(file, "\\%c", letters[found - escaped]);
    else if (byte < 0x20 || byte == 0x7F)
        fprintf(file, "\\u%04x", (unsigned)byte);
    else
        fputc(byte, file);
}

static void write_code(FILE *file, utf8proc_int32_t code) {
    unsigned above = (unsigned)code - 0x10000u;
    if (code < 0x10000)
        fprintf(file, "\\u%04x", (unsigned)code);
    else
        fprintf(file, "\\u%04x\\u%04x", 0xD800u + (above >> 10), 0xDC00u + (above & 0x3FF));
}

void json_write_string(FILE *file, const char *text) {
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    fputc('"', file);
    while (*at != 0) {
        utf8proc_int32_t code;
        utf8proc_ssize_t length = *at < 0x80 ? 1 : utf8proc_iterate(at, -1, &code);
        if (*at < 0x80)
            write_ascii(file, (char)*at);
        else if (length > 0)
            write_code(file, code);
        else
            fprintf(file, "\\udc%02x", *at);
        at += length > 0 ? length : 1;
    }
    fputc('"', file);
}
