/*
 * Validation and normalisation by utf8proc, with two shortcuts that do not change the result: ASCII is skipped eight bytes at
 * a time, and only lines that hold a character from U+0300 on are composed. Below U+0300 every character is its own normal
 * form C, and a line feed neither composes nor is reordered, so the normal form of a text is that of its lines, one by one.
 */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* First byte of the UTF-8 form of U+0300. */
#define FIRST_COMPOSING_LEAD 0xCC

/* Number of leading ASCII bytes, rounded down to eight except at the end. */
static size_t ascii_prefix(const uint8_t *bytes, size_t size) {
    size_t at = 0;
    while (at + 8 <= size) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        if (word & 0x8080808080808080u)
            break;
        at += 8;
    }
    while (at < size && bytes[at] < 0x80)
        at++;
    return at;
}

/* Offset of the first broken sequence, or `size`. Tells whether anything may need composing. */
static size_t first_broken(const uint8_t *bytes, size_t size, bool *composing) {
    size_t at = 0;
    *composing = false;
    while ((at += ascii_prefix(bytes + at, size - at)) < size) {
        utf8proc_int32_t code;
        size_t rest = size - at;
        utf8proc_ssize_t length = utf8proc_iterate(bytes + at, rest > 4 ? 4 : (utf8proc_ssize_t)rest, &code);
        if (length <= 0)
            return at;
        *composing = *composing || bytes[at] >= FIRST_COMPOSING_LEAD;
        at += (size_t)length;
    }
    return size;
}

size_t text_valid_prefix(const struct buffer *text) {
    bool composing;
    return first_broken(text->data, text->size, &composing);
}

/* CR LF and lone CR become LF, in place. */
static void unify_line_ends(struct buffer *raw) {
    uint8_t *from = raw->size > 0 ? memchr(raw->data, '\r', raw->size) : NULL;
    if (from == NULL)
        return;
    uint8_t *to = from, *end = raw->data + raw->size;
    for (; from < end; from++) {
        bool pair = *from == '\r' && from + 1 < end && from[1] == '\n';
        if (!pair)
            *to++ = *from == '\r' ? '\n' : *from;
    }
    raw->size = (size_t)(to - raw->data);
}

static bool line_composes(const uint8_t *line, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (line[i] >= FIRST_COMPOSING_LEAD)
            return true;
    return false;
}

static bool append_composed(struct buffer *out, const uint8_t *line, size_t size) {
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t length = utf8proc_map(line, (utf8proc_ssize_t)size, &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    bool fine = length >= 0 && buffer_append(out, composed, (size_t)length);
    free(composed);
    return fine;
}

/* Normal form C of all lines of `in`, to `out`. */
static bool compose(const struct buffer *in, struct buffer *out) {
    out->size = 0;
    for (size_t at = 0; at < in->size;) {
        const uint8_t *line = in->data + at;
        const uint8_t *feed = memchr(line, '\n', in->size - at);
        size_t size = feed == NULL ? in->size - at : (size_t)(feed - line) + 1;
        bool fine = line_composes(line, size) ? append_composed(out, line, size) : buffer_append(out, line, size);
        if (!fine)
            return false;
        at += size;
    }
    return true;
}

static void drop_byte_order_mark(struct buffer *raw) {
    if (raw->size < 3 || memcmp(raw->data, "\xEF\xBB\xBF", 3) != 0)
        return;
    raw->size -= 3;
    memmove(raw->data, raw->data + 3, raw->size);
}

enum text_status text_normalise(struct buffer *raw, struct buffer *spare, struct buffer **text, size_t *broken) {
    bool composing;
    *text = raw;
    if (raw->size == 0)
        return TEXT_FINE;
    if (memchr(raw->data, '\0', raw->size) != NULL)
        return TEXT_BINARY;
    *broken = first_broken(raw->data, raw->size, &composing);
    if (*broken < raw->size)
        return TEXT_BROKEN;
    drop_byte_order_mark(raw);
    unify_line_ends(raw);
    if (!composing)
        return TEXT_FINE;
    *text = spare;
    return compose(raw, spare) ? TEXT_FINE : TEXT_NO_MEMORY;
}

enum byte_class { SPACE, WORD, SINGLE_1, SINGLE_3, SINGLE_4 };

/* Class of a byte at the begin of a token; within a word, WORD continues it. U+2000 begins with byte 0xE2. */
static enum byte_class byte_class(uint8_t byte) {
    if (byte == ' ' || (byte >= '\t' && byte <= '\r'))
        return SPACE;
    if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '_')
        return WORD;
    if (byte < 0x80)
        return SINGLE_1;
    return byte < 0xE2 ? WORD : byte < 0xF0 ? SINGLE_3 : SINGLE_4;
}

/* The classes of all bytes, worked out once per thread. */
static const uint8_t *byte_classes(void) {
    static _Thread_local uint8_t classes[256];
    static _Thread_local bool ready;
    for (unsigned i = 0; !ready && i < 256; i++)
        classes[i] = (uint8_t)byte_class((uint8_t)i);
    ready = true;
    return classes;
}

static size_t word_length(const uint8_t *bytes, size_t size, const uint8_t *classes) {
    size_t length = 1;
    while (length < size && classes[bytes[length]] == WORD)
        length++;
    return length;
}

bool text_tokenise(const struct buffer *text, struct token_list *tokens) {
    static const uint8_t single_length[] = {[SINGLE_1] = 1, [SINGLE_3] = 3, [SINGLE_4] = 4};
    const uint8_t *classes = byte_classes();
    tokens->count = 0;
    for (size_t at = 0; at < text->size;) {
        const uint8_t *bytes = text->data + at;
        uint8_t class = classes[*bytes];
        if (class == SPACE) {
            at++;
            continue;
        }
        size_t length = class == WORD ? word_length(bytes, text->size - at, classes) : single_length[class];
        if (tokens->count == tokens->capacity && !token_list_reserve(tokens, tokens->count + 1))
            return false;
        tokens->items[tokens->count++] = (uint32_t)XXH64(bytes, length, 0);
        at += length;
    }
    return true;
}
